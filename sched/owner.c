/* owner.c - see owner.h */
#include "owner.h"

#include "rt.h"
#include "task.h"
#include "worker.h"

#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(WF_SLOT_STEP % (2 * WF_OWNER_THREAD) == 0, "O1: a slot's address leaves the flags");

static _Thread_local uint32_t thread_number WF_TLS_MODEL; /* 0: not asked for yet */

uint64_t wf_owner_of_caller(void)
{
    const wf_worker *w = wf_current_thread.worker;

    if (w && w->polling)
        return (uint64_t)(uintptr_t)w->polled;
    if (thread_number == 0)
        thread_number = (uint32_t)syscall(SYS_gettid);
    return (uint64_t)thread_number << WF_OWNER_THREAD_SHIFT | WF_OWNER_THREAD;
}
