/*
 * block_in_place.c - a task calls a function that blocks, on its own stack
 *
 * Purpose     The worker's other tasks go on elsewhere meanwhile: stand_in.h.
 * Threads     Any. Where no worker is to be replaced, the function is just called.
 * Invariants  None.
 * Ordering    See stand_in.h.
 * Failure     A panic of the function is a panic of the task, after the worker has its place again.
 */
#include "panic.h"
#include "stand_in.h"

#include <weft/blocking.h>

/* The worker of a current-thread runtime is the only thread that may poll its tasks. */
static bool is_replaceable(const wf_worker *w)
{
    return w && w->polling && !w->executor->rt->config.current_thread &&
           !wf_executor_is_child(w->executor);
}

WEFT_API int64_t weft_block_in_place(int64_t (*function)(void *argument), void *argument)
{
    wf_worker  *w = wf_current_thread.worker;
    const char *panic = NULL;
    wf_stand_in stand_in;
    int64_t     result;

    if (!is_replaceable(w))
        return function(argument);
    wf_stand_in_begin(w, &stand_in);
    result = wf_panic_call(function, argument, &panic);
    wf_stand_in_end(w, &stand_in);
    if (panic)
        weft_panic_(panic);
    return result;
}
