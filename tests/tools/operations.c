/*
 * operations.c - prints each row of the table of operations: its name, WITHDRAWS or DRAINS
 */
#include "operation.h"

#include <stdio.h>

int main(void)
{
    for (const weft_future_ops *const *row = wf_operations; *row; row++)
        printf("%s %s\n", (*row)->name,
               (*row)->flags & WEFT_FUTURE_WITHDRAWS ? "WITHDRAWS" : "DRAINS");
    return 0;
}
