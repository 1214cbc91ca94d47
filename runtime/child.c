/*
 * child.c - what a forked child takes over from a thread of weft's
 *
 * Purpose     Between fork and exec, gives the child what the host's own threads have.
 * Threads     A forked child's only one.
 * Invariants  Only system calls: the child may share the parent's memory (vfork).
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
