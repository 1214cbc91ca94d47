/*
 * monitor.h - finds workers that are stuck in a poll
 *
 * Purpose     A task that blocks its worker must not hold up others. While workers are awake, a
 *             thread looks every few milliseconds whether each of them has ended a poll. If one has
 *             not, the tasks behind it are taken over: its LIFO slot is emptied, a sleeping worker
 *             is woken for the rest, and when all workers are stuck a spare worker starts. Long
 *             polls are logged. Children that have waited for long go first.
 * Threads     The monitor's own thread. rouse: any worker.
 * Invariants  K1 the monitor ticks while a worker is awake, and sleeps without a limit soon after
 *             all workers do. K2 a spare worker that isn't needed any more stands by.
 * Ordering    [monitor-1] the monitor says that it sleeps, then looks for workers that are awake. A
 *             worker leaves the mask of sleepers, or clears `away`, then looks whether the monitor
 *             sleeps. All of these are SEQ_CST, so one of the two sees the other.
 * Failure     If a spare thread can't be created, the monitor logs it and tries again at the next
 *             tick.
 */
#ifndef WF_MONITOR_H
#define WF_MONITOR_H

#include "futex.h"
#include "idle.h"

#include <pthread.h>

struct wf_executor;

typedef struct wf_monitor {
    struct wf_executor *executor; /* constant */
    pthread_t           thread;
    bool                has_thread;
    uint32_t            stopping; /* the monitor sleeps on this word between two looks */
    WF_ALIGNED uint32_t awake;    /* 0: the monitor sleeps until a worker rouses it */
    /* -- the monitor's thread -- */
    WF_ALIGNED uint32_t n_quiet;   /* ticks since it last saw a worker awake */
    int64_t             all_stuck; /* since when all workers are stuck, spare ones too; 0: not so */
    struct {
        uint64_t oldest;   /* the worker's oldest child */
        uint32_t n_looks;  /* looks at which it was the same */
        uint64_t progress; /* wf_worker_progress */
        int64_t  since;    /* when that was first seen; 0: never */
        bool     told;     /* the present poll has been logged */
    } seen[WF_SLOTS_MAX];
} wf_monitor;

void wf_monitor_init(wf_monitor *m, struct wf_executor *s);
/* Returns 0 or -errno. */
int  wf_monitor_start(wf_monitor *m);
void wf_monitor_stop(wf_monitor *m);

/* Called by a worker that has woken up. */
static inline void wf_monitor_rouse_any(wf_monitor *m)
{
    if (wf_load(&m->awake, SEQ_CST) == 0 && wf_swap(&m->awake, 1, SEQ_CST) == 0) /* [monitor-1] */
        wf_futex_wake(&m->awake, 1);
}

#endif
