/*
 * gate.h - when the reactor sleeps outside the kernel
 *
 * Purpose     While workers are busy with the tasks that it handed over, the reactor sleeps on a
 *             futex instead of in the kernel, and events pile up. A worker that runs dry takes the
 *             events itself. If there are none it opens the gate. So a request costs a few
 *             hundredths of a context switch instead of a whole one.
 * Threads     The reactor's. Other threads open the gate (driver.h).
 * Invariants  E1 the gate is closed only while a worker is awake that makes progress. It opens when
 *             a worker runs dry and finds nothing ready, and now and then to collect from the ring.
 *             Work from other threads and the next timer open it, and so does the monitor if a
 *             worker is stuck. E2 if polls have been long lately, it also opens after twice the
 *             time that the work should take, a millisecond at most. A worker that ended no poll in
 *             that time is absent. The reactor does not wait for it, and wakes another worker if
 *             work is left. While there are no long polls there is no time limit, because a limit
 *             costs more than the rest of a gate. E3 a gate after which no event has come was a
 *             wake-up for nothing. After some of them in a row the reactor closes no gate until an
 *             event finds workers awake.
 * Ordering    [driver-2]. [driver-1] for the work that a notice announces.
 * Failure     A gate too many costs a millisecond. A gate too few costs a context switch.
 */
#ifndef WF_GATE_H
#define WF_GATE_H

#include "driver.h"
#include "executor.h"

typedef struct wf_gate {
    wf_executor *executor;
    int64_t      looked; /* when the reactor last looked at the workers */
    struct {
        uint64_t progress;
        int64_t  since;  /* when it was first seen with that progress; 0: not since it slept */
        bool     absent; /* E2 */
    } seen[WF_WORKERS_MAX];
    uint32_t credit; /* E3: gates that may still be closed before an event praises one */

    /* -- counters -- */
    uint64_t n_gates, n_dry, n_called, n_timer, n_expired;
} wf_gate;

/* How many workers are awake and not absent. */
uint32_t wf_gate_present(wf_gate *g);
/* If a worker is present, waits until the gate opens or that instant comes. Returns true if it
 * waited or was called. Then the caller must look at everything once more before it sleeps
 * elsewhere. */
bool wf_gate_wait(wf_gate *g, wf_driver *driver, int64_t until);
/* Looks for absent workers, and wakes another worker for the work that waits behind them. */
void wf_gate_tick(wf_gate *g, int64_t now);

/* E3: records that a gate has paid or would have paid. */
static inline void wf_gate_praise(wf_gate *g)
{
    g->credit = wf_guess_credit(g->credit, true);
}

/* E3: records that a gate has not paid. */
static inline void wf_gate_blame(wf_gate *g)
{
    g->credit = wf_guess_credit(g->credit, false);
}

/* E3: whether the next gate may pay. */
static inline bool wf_gate_is_worthwhile(const wf_gate *g)
{
    return g->credit > 0;
}

/* When to look at the workers again while work waits, at most `until`. Returns `until` if there are
 * no long polls, because the monitor's look is enough then. */
int64_t wf_gate_next_tick(const wf_gate *g, int64_t until);

#endif
