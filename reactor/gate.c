/* gate.c - see gate.h */
#include "gate.h"

#include "dispatch.h"
#include "timer.h"

#define WF_GATE_TICK WEFT_MS(1)
#define LOOK_PAUSE   WEFT_US(50) /* the least time between two looks at the workers */

/* The worker of a current-thread runtime is away while no thread runs it. Once it has been called
 * it is not in the mask of sleepers any more, but still away. */
static bool is_asleep(const wf_gate *g, uint32_t i)
{
    return wf_idle_is_sleeping(&g->executor->idle, i) ||
           wf_load(&g->executor->workers[i]->away, SEQ_CST); /* [driver-2] */
}

static bool is_present(wf_gate *g, uint32_t i)
{
    if (is_asleep(g, i)) {
        g->seen[i].since = 0;
        return false;
    }
    if (g->seen[i].absent && wf_worker_progress(g->executor->workers[i]) != g->seen[i].progress)
        g->seen[i].absent = false;
    return !g->seen[i].absent;
}

uint32_t wf_gate_present(wf_gate *g)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < g->executor->idle.n_workers; i++)
        n += is_present(g, i);
    return n;
}

/* How many tasks wait in mailboxes for the worker to which they are bound. */
static uint64_t mailed(const wf_executor *s)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < s->idle.n_workers; i++)
        n += wf_inject_length_any(&s->workers[i]->mailbox);
    return n;
}

static int64_t patience(wf_gate *g)
{
    return wf_guess_patience(wf_dispatch_backlog(g->executor) + mailed(g->executor),
                             wf_load(&g->executor->load.poll_ns, RELAXED) /* an estimate */,
                             wf_gate_present(g));
}

/* Whether worker i has been in the same poll for at least `limit`. */
static bool is_stuck(wf_gate *g, uint32_t i, int64_t now, int64_t limit)
{
    uint64_t p = wf_worker_progress(g->executor->workers[i]);

    if (is_asleep(g, i))
        return false;
    if (p != g->seen[i].progress || g->seen[i].since == 0) {
        g->seen[i].progress = p;
        g->seen[i].since = now;
    }
    return now - g->seen[i].since >= limit;
}

static void look(wf_gate *g, int64_t now, int64_t limit)
{
    bool any_absent = false;

    if (now - g->looked < LOOK_PAUSE)
        return;
    g->looked = now;
    for (uint32_t i = 0; i < g->executor->idle.n_workers; i++)
        any_absent |= g->seen[i].absent = is_stuck(g, i, now, limit);
    if (any_absent && wf_dispatch_backlog(g->executor) > 0)
        wf_dispatch_notify_any(g->executor);
}

void wf_gate_tick(wf_gate *g, int64_t now)
{
    look(g, now, WF_GATE_TICK);
}

int64_t wf_gate_next_tick(const wf_gate *g, int64_t until)
{
    int64_t now = wf_now();

    if (wf_load_no_long_polls(&g->executor->load, now))
        return until;
    return now + WF_GATE_TICK < until ? now + WF_GATE_TICK : until;
}

/* The reactor closes the gate, then looks for workers once more. A worker that runs dry comes
 * before that look, or sees the closed gate and opens it. */
bool wf_gate_wait(wf_gate *g, wf_driver *driver, int64_t until)
{
    int64_t now = wf_now(), limit = patience(g), tick = WEFT_FOREVER;

    if (!wf_load_no_long_polls(&g->executor->load, now)) {
        tick = now + limit;
        look(g, now, limit);
    }
    if (!wf_driver_close_gate(driver))
        return true;
    if (wf_gate_present(g) == 0) /* [driver-2] */
        return !wf_driver_leave_gate(driver);
    wf_count(&g->n_gates, 1);
    while (wf_driver_is_at_gate(driver))
        if (!wf_futex_wait(&driver->state, WF_DRIVER_AT_GATE, until < tick ? until : tick))
            break;
    if (wf_driver_leave_gate(driver)) {
        wf_count(until < tick ? &g->n_timer : &g->n_expired, 1);
        look(g, wf_now(), limit);
    } else {
        wf_count(wf_load(&driver->state, RELAXED) /* a counter */ & WF_DRIVER_NOTIFIED
                     ? &g->n_called
                     : &g->n_dry,
                 1);
    }
    return true;
}
