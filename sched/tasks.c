/* tasks.c - see tasks.h */
#include "tasks.h"

#include "clock.h"
#include "invariant.h"
#include "lock.h"
#include "task.h"
#include "visit.h"

/* After this time the stopping thread visits all tasks again. */
#define ONCE_MORE WEFT_MS(10)
/* How long visitors may keep the stopping thread beyond its patience. */
#define GRACE WEFT_MS(10)

static void cancel_visited(wf_task *t, void *arg)
{
    if (wf_task_to_notified_visitor(t, true) == WF_TASK_WAKE_QUEUE)
        wf_wakes_add(arg, t);
}

WF_SELDOM void wf_tasks_cancel_all(wf_executor *s)
{
    wf_wakes wakes = {0};

    wf_memory_visit(&s->memory, cancel_visited, &wakes);
    wf_wakes_flush(&wakes);
}

void wf_tasks_close(wf_executor *s)
{
    wf_store(&s->closing, true, SEQ_CST); /* [tasks-1] [tasks-2] */
    wf_tasks_cancel_all(s);
}

uint64_t wf_tasks_alive(wf_executor *s)
{
    uint64_t ended = 0, spawned = 0;

    /* Ended tasks are counted first: each of them is then among the spawned ones, too. [tasks-2] */
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        ended += wf_load(&s->workers[i]->counters.ended, ACQUIRE); /* [tasks-2] */
    spawned = wf_load(&s->foreign_spawned, ACQUIRE);               /* [tasks-2] */
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        spawned += wf_load(&s->workers[i]->counters.spawned, ACQUIRE); /* [tasks-2] */
    WF_ASSERT(spawned >= ended);                                       /* S1 */
    return spawned - ended;
}

void wf_tasks_ran_dry(wf_executor *s)
{
    if (!wf_load(&s->closing, SEQ_CST)) /* [tasks-2] */
        return;
    wf_add(&s->n_dry, 1, RELEASE); /* [tasks-2] */
    wf_futex_wake(&s->n_dry, INT32_MAX);
}

static uint64_t count_alive(wf_executor *s)
{
    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        (void)wf_idle_is_sleeping(&s->idle, i); /* [tasks-2] what sleepers counted is seen */
    return wf_tasks_alive(s);
}

/* While a task is alive, other threads may wake it again and again. So the stopping thread waits
 * for visitors only when no task seems to be alive. A visitor in the middle of a spawn counts the
 * task before it leaves, and later spawns are refused. GRACE is for visitors that have only a few
 * instructions left, as most have. */
bool wf_tasks_are_gone(wf_executor *s, int64_t until)
{
    return count_alive(s) == 0 && wf_visit_wait_gone(s, wf_after(until, GRACE)) &&
           count_alive(s) == 0;
}

/* Makes a sleeping worker tidy up its heap: it does so whenever it is woken without work. */
static void remind(wf_heap *h)
{
    if (h != &h->memory->rt->executor->shared.heap)
        wf_park_wake(&weft_container(h, wf_worker, heap)->park);
}

void wf_tasks_tidy(wf_executor *s)
{
    wf_shared_heap_tidy_any(&s->shared);
    wf_memory_remind(&s->memory, remind);
}

bool wf_tasks_wait_gone(wf_executor *s, int64_t until)
{
    for (int64_t visit = wf_now() + ONCE_MORE;;) {
        uint32_t seen = wf_load(&s->n_dry, ACQUIRE); /* [tasks-2] */
        int64_t  now = wf_now();

        if (wf_tasks_are_gone(s, until))
            return true;
        if (now >= until)
            return false;
        if (now >= visit) {
            wf_tasks_cancel_all(s); /* the children that the first visit missed: [tasks-1] */
            visit = INT64_MAX;
        } else {
            wf_futex_wait(&s->n_dry, seen, visit < until ? visit : until);
        }
    }
}
