/* null_in_job.c - a planted bug: a blocking job reads by a NULL pointer, on a thread of the pool */
#include "../test.h"

#include <weft.h>

static char *volatile memory; /* volatile: the compiler must not see what is wrong */

struct read_job {
    int at;
};
WEFT_BLOCKING(read_job)
{
    return memory[self->at];
}

struct waits {
    WEFT_FRAME;
    struct {
        int at;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, read_job, .at = self->in.at));
    WEFT_END(n);
}

Test(planted, null_in_job)
{
    check_eq(weft_main(waits, .at = 7), 0);
}
