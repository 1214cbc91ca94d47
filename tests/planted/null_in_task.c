/* null_in_task.c - a planted bug: a task reads by a NULL pointer, on a worker */
#include "../test.h"

#include <weft.h>

static char *volatile memory; /* volatile: the compiler must not see what is wrong */

struct reads {
    WEFT_FRAME;
    struct {
        int at;
    } in;
};
WEFT_ASYNC(reads)
{
    int64_t n;

    WEFT_BEGIN();
    n = memory[self->in.at];
    WEFT_END(n);
}

Test(planted, null_in_task)
{
    check_eq(weft_main(reads, .at = 7), 0);
}
