/* lock_waits.c - see lock_waits.h */
#include "lock_waits.h"

#include "executor.h"
#include "task.h"
#include "wait_graph.h"

#define PAUSE_MOST 64 /* in units of the watchdog's time */

/* ---- counting waits ---- */

uint32_t wf_lock_waits_age(void)
{
    const wf_worker *w = wf_current_thread.worker;

    return w ? wf_load(&w->executor->monitor.locks.age, RELAXED) : 0; /* an estimate */
}

void wf_lock_waits_begin(uint32_t age)
{
    wf_worker *w = wf_current_thread.worker;

    if (!w)
        return;
    wf_count(&w->locks.left[age], 1);
    wf_count(&w->locks.begun, 1);
}

void wf_lock_waits_end(uint32_t age)
{
    wf_worker *w = wf_current_thread.worker;

    if (w)
        wf_count(&w->locks.left[age], -1);
}

static int64_t count_waits(const wf_executor *s, uint32_t age)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_load(&s->workers[i]->locks.left[age], RELAXED); /* an estimate */
    return n;
}

static uint64_t count_begun(const wf_executor *s)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_load(&s->workers[i]->locks.begun, RELAXED); /* an estimate */
    return n;
}

static uint64_t count_suspicions(const wf_executor *s)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        n += wf_load(&s->workers[i]->locks.suspected, RELAXED); /* an estimate */
    return n;
}

/* ---- a look at all tasks ---- */

typedef struct look {
    wf_wait_graph graph;
    wf_wakes      wakes;
    bool          missed; /* a task that was not idle */
} look;

/* Marking an idle task as woken keeps workers from polling it while it is read. It is queued later,
 * and so polled once more. */
static void visit(wf_task *t, void *arg)
{
    look *l = arg;

    if (wf_task_is_complete(t))
        return;
    if (wf_task_to_notified_visitor(t, false) == WF_TASK_WAKE_QUEUE) {
        wf_wait_graph_read(&l->graph, t);
        wf_wakes_add(&l->wakes, t);
    } else {
        l->missed = true;
    }
}

/* Returns whether all tasks were seen. */
static bool look_at_all(wf_executor *s)
{
    look l = {.missed = false};

    if (!wf_wait_graph_new(&l.graph, s))
        return false;
    wf_memory_visit(&s->memory, visit, &l);
    wf_wait_graph_read_again(&l.graph);
    wf_wakes_flush(&l.wakes);
    wf_wait_graph_tell(&l.graph, &s->monitor.locks.told);
    wf_wait_graph_free(&l.graph);
    return !l.missed && !l.graph.missed;
}

/* ---- when to look ---- */

static int64_t patience_of(const wf_executor *s)
{
    return WEFT_MS(s->rt->config.watchdog_ms);
}

/* An age is half of the watchdog's time. The one that comes round again has ended for two ages, and
 * what is left of its waits is that old. */
static bool has_old_waits(const wf_executor *s)
{
    return count_waits(s, (s->monitor.locks.age + 1) % WF_LOCK_WAITS_AGES) > 0;
}

void wf_lock_waits_look(wf_executor *s, int64_t now)
{
    wf_lock_watch *c = &s->monitor.locks;
    int64_t        patience = patience_of(s);
    uint64_t       suspected;

    if (now - c->aged < patience / 2)
        return;
    c->aged = now;
    suspected = count_suspicions(s);
    wf_store(&c->age, (c->age + 1) % WF_LOCK_WAITS_AGES, RELAXED); /* an estimate */
    if (suspected == c->suspected && !has_old_waits(s)) {
        c->pause = c->next = 0;
        return;
    }
    if (suspected == c->suspected && now < c->next)
        return;
    c->pause = c->pause == 0 ? patience : 2 * c->pause;
    if (c->pause > PAUSE_MOST * patience)
        c->pause = PAUSE_MOST * patience;
    c->next = now + c->pause;
    c->begun = count_begun(s);
    c->suspected = suspected;
    c->missed = !look_at_all(s);
}

/* While all tasks are idle no new wait begins. So a look that has seen all tasks was the last. */
int64_t wf_lock_waits_due(const wf_executor *s)
{
    const wf_lock_watch *c = &s->monitor.locks;
    int64_t              n = 0;

    for (uint32_t i = 0; i < WF_LOCK_WAITS_AGES; i++)
        n += count_waits(s, i);
    if (c->suspected == count_suspicions(s) &&
        (n <= 0 || (c->begun == count_begun(s) && !c->missed)))
        return INT64_MAX;
    return c->aged + patience_of(s) / 2;
}
