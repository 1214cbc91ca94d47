/* use_after_free.c - a planted bug: a read of freed memory */
#include "../test.h"

#include <stdlib.h>

static char *volatile memory; /* volatile: the compiler must not see what is wrong */

Test(planted, use_after_free)
{
    memory = malloc(64);
    memory[7] = 1;
    free(memory);
    if (memory[7] == 2)
        memory = NULL;
}
