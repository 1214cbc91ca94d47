/*
 * step1.c - an async function and a runtime
 */
#include <stdio.h>
#include <weft.h>

/* The frame: what the function keeps while it waits. */
struct server {
    WEFT_FRAME;
    struct {
        int64_t after;
    } in; /* its arguments */
    struct weft_sleep nap;
};
WEFT_ASYNC(server)
{
    int64_t n; /* a local lives between two awaits, never across one */

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.after));
    if (n == 0)
        printf("awake\n");
    WEFT_END(n);
}

int main(void)
{
    return weft_main(server, .after = WEFT_MS(100));
}
