/* leak.c - a planted bug: memory that nothing refers to any more */
#include "../test.h"

#include <stdlib.h>

static void *volatile memory;

Test(planted, leak)
{
    /* Several, since a stale register or stack slot may still hold the last one. */
    for (int i = 0; i < 16; i++)
        memory = malloc(64);
    memory = NULL;
}
