/*
 * idle.h - which workers sleep, and how many look for work
 *
 * Purpose     Decides which worker new work wakes: none while a worker searches, else one sleeper.
 * Threads     Any.
 * Invariants  I1 a set bit: that worker sleeps or is about to. A thread that clears the bit of
 *             another worker has counted that one as searching before, and wakes it. A worker that
 *             clears its own counts itself before; only one that stands by, for which no new work
 *             is meant, does not. I2 n_searching counts each searching worker once.
 * Ordering    [idle-1] No wake-up is lost. A pusher publishes work, then reads n_searching and the
 *             mask; a worker leaves n_searching or sets its bit, then reads all queues. All of
 *             these are SEQ_CST, so in their one order either the pusher's read comes after the
 *             worker's write, and it wakes that worker; or the worker's reads come after the push,
 *             and it finds the work.
 * Failure     None.
 */
#ifndef WF_IDLE_H
#define WF_IDLE_H

#include "invariant.h"
#include "order.h"

#define WF_SLOTS_MAX   576 /* workers and spare ones */
#define WF_WORKERS_MAX 512

typedef struct wf_idle {
    WF_ALIGNED uint32_t n_searching;
    uint32_t            n_workers; /* the first ones; */
    uint32_t            n_slots;   /* with the spare ones behind them */
    WF_ALIGNED uint64_t sleeping[WF_SLOTS_MAX / 64];
    uint16_t            cpu[WF_SLOTS_MAX]; /* where each went to sleep, plus 1: a hint */
} wf_idle;

/* The worker starts to search, unless half of the workers do: more would only be in each other's
 * way. */
static inline bool wf_idle_start_searching(wf_idle *idle)
{
    if (2 * wf_load(&idle->n_searching, RELAXED) >= idle->n_workers) /* about */
        return false;
    wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */
    return true;
}

/* The worker stops searching; true if it was the last that did. */
static inline bool wf_idle_stop_searching(wf_idle *idle)
{
    uint32_t before = wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */

    WF_ASSERT(before > 0); /* I2 */
    return before == 1;
}

/* Worker i is about to sleep; it must look at all queues once more. */
static inline void wf_idle_announce_sleep(wf_idle *idle, uint32_t i)
{
    wf_or(&idle->sleeping[i / 64], UINT64_C(1) << i % 64, SEQ_CST); /* [idle-1] */
}

static inline bool wf_idle_is_sleeping(const wf_idle *idle, uint32_t i)
{
    return wf_load(&idle->sleeping[i / 64], SEQ_CST) & UINT64_C(1) << i % 64; /* [idle-1] */
}

/* Takes worker i out of the sleepers; false if another thread has: see I1. */
static inline bool wf_idle_claim_sleeper(wf_idle *idle, uint32_t i)
{
    uint64_t bit = UINT64_C(1) << i % 64;

    return wf_and(&idle->sleeping[i / 64], ~bit, SEQ_CST) & bit; /* [idle-1] */
}

/* Worker i leaves the mask, woken or not: it counts as searching from here on, since a pusher may
 * have relied on it while it was on its way to sleep. */
static inline void wf_idle_leave_sleepers(wf_idle *idle, uint32_t i)
{
    wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] before the bit goes: I1 */
    if (!wf_idle_claim_sleeper(idle, i))
        wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] the claimer has counted it */
}

/* Where worker i runs, from now on. */
static inline void wf_idle_set_cpu(wf_idle *idle, uint32_t i, int cpu)
{
    wf_store(&idle->cpu[i], (uint16_t)(cpu + 1), RELAXED); /* a hint */
}

/* Whether wf_idle_pick may find a sleeper: its first look, here for speed. It reads the mask first,
 * which is empty where all are busy. Either order will do: a worker sets its bit before it leaves
 * n_searching. */
static inline bool wf_idle_may_pick(const wf_idle *idle)
{
    return (idle->n_slots > 64 || wf_load(&idle->sleeping[0], SEQ_CST)) && /* [idle-1] */
           wf_load(&idle->n_searching, SEQ_CST) == 0;                      /* [idle-1] */
}

typedef enum wf_idle_picked { WF_IDLE_AWAKE, WF_IDLE_PICKED, WF_IDLE_LOOK_AGAIN } wf_idle_picked;

/* There is new work for worker i. PICKED: it sleeps, and is to be woken, now counted as searching.
 * LOOK_AGAIN: another thread has woken it, but some may have counted on a search that was none. */
static inline wf_idle_picked wf_idle_pick_this(wf_idle *idle, uint32_t i)
{
    if (!wf_idle_is_sleeping(idle, i))
        return WF_IDLE_AWAKE;
    wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] before the bit goes: I1 */
    if (wf_idle_claim_sleeper(idle, i))
        return WF_IDLE_PICKED;
    wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */
    return WF_IDLE_LOOK_AGAIN;
}

/* There is new work: the sleeper to wake, now counted as searching, or -1. If there are several,
 * one that went to sleep on the given CPU (-1: any). */
int wf_idle_pick(wf_idle *idle, int cpu);
/* Whether a worker sleeps. */
bool wf_idle_any(const wf_idle *idle);

#endif
