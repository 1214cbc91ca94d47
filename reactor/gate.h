/*
 * gate.h - when the reactor leaves the kernel alone
 *
 * Purpose     While workers are busy with what it handed over, the reactor sleeps on a futex instead of
 *             in the kernel: completions pile up meanwhile and come as one batch, for one wake-up,
 *             when a worker runs dry. That is the difference between one context switch a request
 *             and a few hundredths of one.
 * Threads     The reactor's, but for opening (driver.h).
 * Invariants  E1 the gate is closed only while a worker is awake that made progress since the last
 *             tick; it opens when one runs dry, for work from other threads, for the nearest timer,
 *             and after a millisecond. E2 a worker that ended no poll between two ticks is absent: it
 *             isn't waited for, and if work is left another worker is woken.
 * Ordering    [driver-2], and [driver-1] for what unpark brings.
 * Failure     A gate too many costs a millisecond, one too few a context switch.
 */
#ifndef WF_GATE_H
#define WF_GATE_H

#include "driver.h"
#include "executor.h"

typedef struct wf_gate {
    wf_executor *executor;
    int64_t      ticked; /* when the workers were last looked at */
    struct {
        uint64_t progress;
        bool     absent;
    } seen[WF_WORKERS_MAX];
    uint64_t n_gates, n_expired; /* counters */
} wf_gate;

/* How many workers are awake and present. */
uint32_t wf_gate_present(wf_gate *g);
/* Waits, if a worker is present, until the gate opens or the instant comes. True if it waited or was
 * called: the caller must look at everything once more before it sleeps elsewhere. */
bool wf_gate_wait(wf_gate *g, wf_driver *driver, int64_t until);
/* Looks for absent workers, at most once in a tick, and has what waits behind them taken over. */
void wf_gate_tick(wf_gate *g, int64_t now);

/* While work waits: when to look again, at most `until`. */
int64_t wf_gate_next_tick(int64_t until);

#endif
