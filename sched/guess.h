/*
 * guess.h - what weft guesses, as functions of numbers
 *
 * Purpose     Some decisions need to know the future: whether work will last long enough to be
 *             worth a wake, whether an event will come soon. Each function here makes one such
 *             guess from what was seen lately. Its callers keep the numbers.
 *
 *             Mean: how long polls take. Suspicion: a stretch of polls that took too long. Either
 *             one of them was long, or other processes had the CPU, as happens now and then. So
 *             only several suspicions within a while are believed. Back-off: if a worker that was
 *             woken goes back to sleep at once, there was too little work for it. Then the back-off
 *             rises by 1, and at level n the next worker is woken only when 2^n tasks wait. Credit:
 *             how many waits at the reactor's gate may still be in vain. Patience: how long the
 *             workers should need for what waits. Crowd: how often events come together.
 * Threads     Any: there is no state.
 * Invariants  A wrong guess costs time and nothing else. The monitor finds work that waits too
 *             long.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_GUESS_H
#define WF_GUESS_H

#include <stdbool.h>
#include <stdint.h>
#include <weft/time.h>

/* ---- how long polls take ---- */

#define WF_GUESS_FIRST_POLL_NS 2000 /* until the first measurement */
#define WF_GUESS_LONG_POLL     WEFT_US(700)
#define WF_GUESS_FORGOTTEN     WEFT_MS(100) /* a long poll counts for so long */
#define WF_GUESS_BELIEVED      3            /* suspicions within that time */

/* The mean of a few dozen stretches, of which the last had that mean. */
static inline uint32_t wf_guess_mean(uint32_t before, uint32_t last)
{
    return before - before / 8 + last / 8;
}

/* Whether a stretch of n polls took so long that one of them may have been long. */
static inline bool wf_guess_is_suspect(int64_t stretch, uint32_t n, uint32_t mean)
{
    return stretch - (int64_t)mean * n >= WF_GUESS_LONG_POLL || stretch / n >= WF_GUESS_LONG_POLL;
}

typedef struct wf_suspicion {
    int64_t  since; /* when the first of the present series came */
    uint32_t n;     /* how many came in that series */
} wf_suspicion;

/* The series after one more suspicion. */
static inline wf_suspicion wf_guess_suspect(wf_suspicion before, int64_t now)
{
    return now - before.since >= WF_GUESS_FORGOTTEN ? (wf_suspicion){now, 1}
                                                    : (wf_suspicion){before.since, before.n + 1};
}

/* Whether polls are long, if the last one that was known to be was seen then. 0: none ever was. */
static inline bool wf_guess_polls_are_long(int64_t seen, int64_t now)
{
    return seen != 0 && now - seen < WF_GUESS_FORGOTTEN;
}

/* ---- whether a wake is worth it ---- */

#define WF_GUESS_WORTH_WAKING WEFT_US(50) /* of work */
#define WF_GUESS_BACKOFF_MOST 4           /* at this level 16 tasks must wait */
#define WF_GUESS_TRY_AGAIN    1024 /* tasks kept without a wake, after which the level is lowered */
#define WF_GUESS_LONG_HASTE   4    /* so many times less must wait where polls are long */

/* The back-off after a worker was awake for that time. */
static inline uint32_t wf_guess_backoff(uint32_t before, int64_t awake)
{
    if (awake >= WF_GUESS_WORTH_WAKING)
        return 0;
    return before < WF_GUESS_BACKOFF_MOST ? before + 1 : before;
}

/* Whether n tasks are worth a thief. */
static inline bool wf_guess_worth_a_thief(uint32_t backoff, uint64_t n)
{
    return n >> backoff > 0;
}

/* How much work must wait before another worker is woken. It is less where polls are long, since a
 * task may have to wait behind one of them. */
static inline uint64_t wf_guess_worth_waking(uint64_t usual, bool polls_are_long)
{
    return polls_are_long ? usual / WF_GUESS_LONG_HASTE : usual;
}

/* ---- how the reactor sleeps ---- */

#define WF_GUESS_CREDIT         3
#define WF_GUESS_PATIENCE_LEAST WEFT_US(100)
#define WF_GUESS_PATIENCE_MOST  WEFT_MS(1)
#define WF_GUESS_CROWD_GROWS    2 /* per look that finds several events; one that finds fewer: -1 */
#define WF_GUESS_CROWD_MOST     8 /* at which the leader gives the sockets back */
#define WF_GUESS_PAUSE_MOST     8 /* looks */

/* The credit after a gate, or what would have been one. It may close while there is credit. */
static inline uint32_t wf_guess_credit(uint32_t before, bool paid)
{
    return paid ? WF_GUESS_CREDIT : before - (before > 0);
}

/* Twice the time that n workers should need for so many tasks. A worker that ends no poll in that
 * time is stuck. */
static inline int64_t wf_guess_patience(uint64_t n_tasks, uint32_t poll_ns, uint32_t n_workers)
{
    int64_t needed = 2 * (int64_t)(n_tasks * poll_ns / (n_workers > 0 ? n_workers : 1));

    if (needed > WF_GUESS_PATIENCE_MOST)
        return WF_GUESS_PATIENCE_MOST;
    return needed > WF_GUESS_PATIENCE_LEAST ? needed : WF_GUESS_PATIENCE_LEAST;
}

/* The crowd after a look of the leader that found n events. */
static inline uint32_t wf_guess_crowd(uint32_t before, int n)
{
    if (n > 1)
        return before + WF_GUESS_CROWD_GROWS;
    return before - (before > 0);
}

/* How many looks of workers later the reactor collects from the ring again, if the last time found
 * nothing. A quick operation is found soon, and one that takes long may be found a little later. */
static inline uint32_t wf_guess_pause(uint32_t before)
{
    return before < WF_GUESS_PAUSE_MOST ? 2 * before : before;
}

#endif
