/*
 * noop.c - the waker that does nothing
 *
 * Purpose     For polling by hand. It has its own file because waker.c needs an operating system.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     None.
 */
#include <weft/waker.h>

static weft_waker noop_clone(void *data)
{
    (void)data;
    return weft_waker_noop();
}

static void noop(void *data)
{
    (void)data;
}

WEFT_API weft_waker weft_waker_noop(void)
{
    static const weft_waker_vtable vtable = {noop_clone, noop, noop, noop, NULL};

    return (weft_waker){&vtable, NULL};
}
