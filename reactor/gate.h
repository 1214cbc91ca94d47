/*
 * gate.h - when the reactor leaves the kernel alone
 *
 * Purpose     While workers are busy with what it handed over, the reactor sleeps on a futex
 *             instead of in the kernel: events pile up meanwhile. A worker that runs dry takes them
 *             itself, and if there are none opens the gate. That is the difference between one
 *             context switch a request and a few hundredths of one.
 * Threads     The reactor's, but for opening (driver.h).
 * Invariants  E1 the gate is closed only while a worker is awake that makes progress; it opens when
 *             one runs dry and finds nothing ready, at times for what the ring has; for work from
 *             other threads, for the nearest timer, and by the monitor when one is stuck. E2 if
 *             polls have been long lately it also opens after twice the time that the work should
 *             take, a millisecond at most. A worker that ended no poll in that time is absent:
 *             it isn't waited for, and if work is left another worker is woken. While all is calm
 *             no time is set: that costs more than the rest of a gate. E3 gates after which nothing
 *             had come were a wake-up for nothing: after some of them none is closed, until an
 *             event finds workers awake.
 * Ordering    [driver-2], and [driver-1] for what unpark brings.
 * Failure     A gate too many costs a millisecond, one too few a context switch.
 */
#ifndef WF_GATE_H
#define WF_GATE_H

#include "driver.h"
#include "executor.h"

#define WF_GATE_CREDIT 3

typedef struct wf_gate {
    wf_executor *executor;
    int64_t      looked; /* when the workers were last looked at */
    struct {
        uint64_t progress;
        int64_t  since; /* when it was first seen with that; 0: it sleeps, or did lately */
        bool     absent;
    } seen[WF_WORKERS_MAX];
    uint32_t credit;                                       /* E3 */
    uint64_t n_gates, n_dry, n_called, n_timer, n_expired; /* counters */
} wf_gate;

/* How many workers are awake and present. */
uint32_t wf_gate_present(wf_gate *g);
/* Waits, if a worker is present, until the gate opens or the instant comes. True if it waited or
 * was called: the caller must look at everything once more before it sleeps elsewhere. */
bool wf_gate_wait(wf_gate *g, wf_driver *driver, int64_t until);
/* Looks for absent workers, at most once in a tick, and has what waits behind them taken over. */
void wf_gate_tick(wf_gate *g, int64_t now);

/* E3: a gate would have paid; did not; may. */
static inline void wf_gate_praise(wf_gate *g)
{
    g->credit = WF_GATE_CREDIT;
}

static inline void wf_gate_blame(wf_gate *g)
{
    g->credit -= g->credit > 0;
}

static inline bool wf_gate_is_worthwhile(const wf_gate *g)
{
    return g->credit > 0;
}

/* While work waits: when to look again, at most `until`; not before, if all is calm. */
int64_t wf_gate_next_tick(const wf_gate *g, int64_t until);

#endif
