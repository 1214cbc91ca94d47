/*
 * child.c - what a forked child of a weft thread must reset
 *
 * Purpose     Between fork and exec, gives the child the CPUs and the signal mask of the host's
 *             threads.
 * Threads     The only thread of a forked child.
 * Invariants  It makes only system calls, because the child may share the parent's memory (vfork).
 * Ordering    None.
 * Failure     -ENXIO without a runtime.
 */
#include "executor.h"

#include <weft/runtime.h>

WEFT_API int weft_child_reset(const weft_runtime *rt)
{
    if (!rt)
        rt = wf_current_thread.rt;
    if (!rt)
        return -ENXIO;
    wf_thread_run_as_host(&rt->executor->host);
    return 0;
}
