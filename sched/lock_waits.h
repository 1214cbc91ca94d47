/*
 * lock_waits.h - how long tasks wait for locks, and when to look for a circle
 *
 * Purpose     To read what a task waits for, the task must be idle, and is polled once more. So the
 *             monitor looks for circles (wait_graph.h) only when a wait for a lock has got old.
 *             Waits are counted by their age: each worker has a counter for each of the ages, and a
 *             wait raises and lowers the counter of the age in which it began. When an age comes
 *             round again, its counter tells how many waits are left from the time before.
 *
 *                 ages:  0 -> 1 -> 2 -> 3 -> 0    each half as long as the watchdog's time
 *
 *             A circle of two joins has no lock. The task that closes it suspects it, and the
 *             monitor looks.
 * Threads     look, due: the monitor's. The others: the thread that polls the wait.
 * Invariants  L1 a circle that stays is told: its last wait gets old, and the monitor looks again
 *             as long as it has not seen all tasks.
 * Ordering    None: counters and ages are estimates.
 * Failure     Waits of threads that are no workers are not counted.
 */
#ifndef WF_LOCK_WAITS_H
#define WF_LOCK_WAITS_H

#include <stdbool.h>
#include <stdint.h>

#define WF_LOCK_WAITS_AGES 4
#define WF_TOLD_MOST       16

struct wf_executor;

/* The circles that were logged last. */
typedef struct wf_told {
    uint64_t ids[WF_TOLD_MOST];
    uint32_t n;
} wf_told;

/* Of a worker. It writes them, and any thread reads them. */
typedef struct wf_lock_counters {
    int64_t left[WF_LOCK_WAITS_AGES]; /* waits of that age; less than 0: other workers began them */
    uint64_t begun;
    uint64_t suspected; /* circles of two joins: join.c */
} wf_lock_counters;

/* Of the monitor. */
typedef struct wf_lock_watch {
    uint32_t age; /* any thread reads it */
    /* -- the monitor's thread -- */
    int64_t  aged;      /* when the present age began */
    int64_t  next;      /* the next look at all tasks is not before that */
    int64_t  pause;     /* between such looks; it grows while waits stay old */
    uint64_t begun;     /* the counters at the last one */
    uint64_t suspected; /* the same */
    bool     missed;    /* it has not seen all tasks */
    wf_told  told;
} wf_lock_watch;

/* ---- for a wait ---- */

/* The present age of the caller's runtime. */
uint32_t wf_lock_waits_age(void);
/* A wait of that age begins, or ends. */
void wf_lock_waits_begin(uint32_t age);
void wf_lock_waits_end(uint32_t age);

/* ---- for the monitor ---- */

/* Looks at all tasks if a wait is old, and logs the circles that it has not logged before. */
void wf_lock_waits_look(struct wf_executor *s, int64_t now);
/* All workers sleep. Returns when the monitor has to look again, or INT64_MAX. */
int64_t wf_lock_waits_due(const struct wf_executor *s);

#endif
