/* core.c - see core.h */
#include "core.h"

#include "clock.h"
#include "executor.h"
#include "futex.h"
#include "invariant.h"
#include "tasks.h"

static bool take(wf_executor *s)
{
    uint32_t free = 0;

    return wf_cas(&s->core.taken, &free, 1, ACQUIRE); /* [core-1] */
}

static void wake(wf_executor *s)
{
    wf_add(&s->core.n_given, 1, RELEASE); /* [core-1] */
    wf_futex_wake(&s->core.n_given, INT32_MAX);
}

static void give(wf_executor *s)
{
    WF_ASSERT(wf_peek(&s->core.taken) == 1); /* S5 */
    wf_store(&s->core.taken, 0, RELEASE);    /* [core-1] */
    wake(s);
}

void wf_core_done(wf_executor *s, uint32_t *done)
{
    wf_store(done, 1, RELEASE); /* [core-1] */
    /* The thread that waits may have returned now, and *done with it. The executor is still there,
     * because this thread is its worker. */
    wake(s);
}

void wf_core_run(wf_executor *s, uint32_t *done)
{
    wf_current before;

    while (!wf_load(done, ACQUIRE)) {                       /* [core-1] */
        uint32_t seen = wf_load(&s->core.n_given, ACQUIRE); /* [core-1] */

        if (wf_load(done, ACQUIRE)) /* [core-1] */
            return;
        if (!take(s)) {
            wf_futex_wait(&s->core.n_given, seen, INT64_MAX);
            continue;
        }
        before = wf_worker_enter(s->workers[0]);
        while (!wf_load(done, RELAXED)) /* our own tasks set it, or the wake released it */
            wf_worker_turn_owner(s->workers[0], INT64_MAX);
        wf_worker_leave(s->workers[0], before);
        give(s);
    }
}

/* The stopping thread polls the tasks, once no other thread does. */
bool wf_core_run_until_gone(wf_executor *s, int64_t until)
{
    wf_current before;
    bool       empty;

    for (;;) {
        uint32_t seen = wf_load(&s->core.n_given, ACQUIRE); /* [core-1] */

        if (take(s))
            break;
        if (!wf_futex_wait(&s->core.n_given, seen, until))
            return false;
    }
    before = wf_worker_enter(s->workers[0]);
    /* At least one turn, so that a stop without patience, called again and again, also gets to its
     * end. */
    for (bool any = false; !(empty = wf_tasks_are_gone(s, until)) && (!any || wf_now() < until);
         any = true)
        wf_worker_turn_owner(s->workers[0], until);
    wf_worker_leave(s->workers[0], before);
    give(s);
    return empty;
}
