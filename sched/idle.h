/*
 * idle.h - which workers sleep, and how many search for work
 *
 * Purpose     Decides which worker new work wakes: none while a worker searches, otherwise one
 *             sleeper.
 * Threads     Any.
 * Invariants  I1 a set bit: that worker sleeps or is about to. A thread that clears the bit of
 *             another worker has first counted that worker as searching, and then wakes it. A
 *             worker that clears its own bit first counts itself. The exception is a spare worker
 *             that stands by, because no new work is meant for it. I2 n_searching counts each
 *             searching worker once.
 * Ordering    [idle-1] No wake-up is lost. A pusher publishes work, then reads n_searching and the
 *             mask. A worker leaves n_searching or sets its bit, then reads all queues. All of
 *             these are SEQ_CST, so they have one order. Either the pusher's read comes after the
 *             worker's write, and the pusher wakes that worker. Or the worker's reads come after
 *             the push, and the worker finds the work.
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
    uint32_t            n_workers; /* the first slots */
    uint32_t            n_slots;   /* workers, then spare workers */
    WF_ALIGNED uint64_t sleeping[WF_SLOTS_MAX / 64];
    uint16_t            cpu[WF_SLOTS_MAX]; /* the CPU on which each went to sleep, plus 1: a hint */
} wf_idle;

/* The worker starts to search, unless half of the workers already do: more of them would only get
 * in each other's way. */
static inline bool wf_idle_start_searching(wf_idle *idle)
{
    if (2 * wf_load(&idle->n_searching, RELAXED) >= idle->n_workers) /* an estimate */
        return false;
    wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */
    return true;
}

/* The worker stops searching. Returns true if it was the last one that searched. */
static inline bool wf_idle_stop_searching(wf_idle *idle)
{
    uint32_t before = wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */

    WF_ASSERT(before > 0); /* I2 */
    return before == 1;
}

/* Worker i is about to sleep. Afterwards it must look at all queues once more. */
static inline void wf_idle_announce_sleep(wf_idle *idle, uint32_t i)
{
    wf_or(&idle->sleeping[i / 64], UINT64_C(1) << i % 64, SEQ_CST); /* [idle-1] */
}

static inline bool wf_idle_is_sleeping(const wf_idle *idle, uint32_t i)
{
    return wf_load(&idle->sleeping[i / 64], SEQ_CST) & UINT64_C(1) << i % 64; /* [idle-1] */
}

/* Takes worker i out of the mask. Returns false if another thread has done so: see I1. */
static inline bool wf_idle_claim_sleeper(wf_idle *idle, uint32_t i)
{
    uint64_t bit = UINT64_C(1) << i % 64;

    return wf_and(&idle->sleeping[i / 64], ~bit, SEQ_CST) & bit; /* [idle-1] */
}

/* Worker i leaves the mask, whether it was woken or not. It counts as searching from here on, since
 * a pusher may have relied on it while it was about to sleep. */
static inline void wf_idle_leave_sleepers(wf_idle *idle, uint32_t i)
{
    wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] before the bit goes: I1 */
    if (!wf_idle_claim_sleeper(idle, i))
        wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] the claimer has counted it */
}

/* Notes the CPU on which worker i goes to sleep. */
static inline void wf_idle_set_cpu(wf_idle *idle, uint32_t i, int cpu)
{
    wf_store(&idle->cpu[i], (uint16_t)(cpu + 1), RELAXED); /* a hint */
}

/* Whether wf_idle_pick may find a sleeper. It is inline because it runs at every push. It reads the
 * mask first, which is empty where all workers are busy. The order of the two reads does not
 * matter: a worker sets its bit before it leaves n_searching. */
static inline bool wf_idle_may_pick(const wf_idle *idle)
{
    return (idle->n_slots > 64 || wf_load(&idle->sleeping[0], SEQ_CST)) && /* [idle-1] */
           wf_load(&idle->n_searching, SEQ_CST) == 0;                      /* [idle-1] */
}

typedef enum wf_idle_picked { WF_IDLE_AWAKE, WF_IDLE_PICKED, WF_IDLE_LOOK_AGAIN } wf_idle_picked;

/* There is new work for worker i. PICKED: it sleeps and counts as searching now, and the caller
 * must wake it. LOOK_AGAIN: another thread has woken it, but for a moment n_searching counted a
 * search that did not happen, and other pushers may have relied on it. */
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

/* There is new work. Returns the sleeper to wake, which counts as searching now, or -1. Prefers a
 * worker that went to sleep on the given CPU (-1: any). */
int wf_idle_pick(wf_idle *idle, int cpu);
/* Whether a worker sleeps. */
bool wf_idle_any(const wf_idle *idle);

#endif
