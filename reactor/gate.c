/*
 * gate.c - when the reactor leaves the kernel alone
 *
 * Purpose     See gate.h.
 * Threads     See gate.h.
 * Invariants  See gate.h.
 * Ordering    See gate.h.
 * Failure     See gate.h.
 */
#include "gate.h"

#include "timer.h"

#define WF_GATE_TICK WEFT_MS(1)

static bool is_present(wf_gate *g, uint32_t i)
{
    if (wf_idle_is_sleeping(&g->executor->idle, i))
        return false;
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

void wf_gate_tick(wf_gate *g, int64_t now)
{
    bool any_absent = false;

    if (now - g->ticked < WF_GATE_TICK)
        return;
    g->ticked = now;
    for (uint32_t i = 0; i < g->executor->idle.n_workers; i++) {
        uint64_t p = wf_worker_progress(g->executor->workers[i]);

        g->seen[i].absent = p == g->seen[i].progress && !wf_idle_is_sleeping(&g->executor->idle, i);
        g->seen[i].progress = p;
        any_absent |= g->seen[i].absent;
    }
    if (any_absent && wf_executor_backlog(g->executor) > 0)
        wf_executor_notify_any(g->executor);
}

int64_t wf_gate_next_tick(int64_t until)
{
    int64_t next = wf_now() + WF_GATE_TICK;

    return next < until ? next : until;
}

bool wf_gate_wait(wf_gate *g, wf_driver *driver, int64_t until)
{
    int64_t now = wf_now(), tick = now + WF_GATE_TICK;

    wf_store(&driver->gate, 1, SEQ_CST);                              /* [driver-2] */
    if (wf_load(&driver->kicked, SEQ_CST) || wf_gate_present(g) == 0) /* [driver-1] [driver-2] */
        return wf_swap(&driver->gate, 0, SEQ_CST) == 0 || wf_load(&driver->kicked, SEQ_CST);
    wf_count(&g->n_gates, 1);
    while (wf_load(&driver->gate, SEQ_CST) == 1) /* [driver-2] */
        if (!wf_futex_wait(&driver->gate, 1, until < tick ? until : tick))
            break;
    if (wf_swap(&driver->gate, 0, SEQ_CST) == 1) { /* [driver-2] nobody opened it */
        wf_count(&g->n_expired, 1);
        wf_gate_tick(g, wf_now());
    }
    return true;
}
