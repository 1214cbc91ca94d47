/*
 * operations.c - prints each row of the table of operations: its name, WITHDRAWS or DRAINS
 */
#include "operation.h"

#include <stdio.h>

int main(void)
{
    for (int i = 0; i < WF_OP_COUNT; i++)
        printf("%s %s\n", wf_operations[i].future.name,
               wf_operations[i].future.flags & WEFT_FUTURE_WITHDRAWS ? "WITHDRAWS" : "DRAINS");
    return 0;
}
