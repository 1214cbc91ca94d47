/*
 * monitor.h - looks after workers that are stuck in a poll
 *
 * Purpose     A task that blocks its worker must not hold up others. While workers are awake, a
 *             thread looks every few milliseconds whether each of them has ended a poll. What waits
 *             behind one that has not is taken over: its LIFO slot is emptied, a sleeping worker is
 *             woken for the rest, and when all are stuck a spare worker starts. The log hears of
 *             long polls. Children that have waited for long go first.
 * Threads     The monitor's own; rouse: any worker.
 * Invariants  K1 it ticks while a worker is awake, and sleeps without a limit soon after all do. K2
 *             a spare worker that isn't needed any more stands by.
 * Ordering    [monitor-1] the monitor says that it sleeps, then looks for workers that are awake; a
 *             worker leaves the mask of sleepers, or is `away` no more, then looks whether the
 *             monitor sleeps: SEQ_CST, all of them.
 * Failure     A spare thread can't be created: logged, tried again at the next tick.
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
    uint32_t            stopping;  /* it sleeps on this between two looks */
    WF_ALIGNED uint32_t awake;     /* 0: it sleeps until it is roused */
    WF_ALIGNED uint32_t n_quiet;   /* the monitor's, and so on below */
    int64_t             all_stuck; /* since when, and no spare worker is left; 0: not so */
    struct {
        uint64_t oldest;  /* which child that is, */
        uint32_t n_looks; /* and how often it was there */
        uint64_t progress;
        int64_t  since; /* when it was first seen with that; 0: never looked at */
        bool     told;
    } seen[WF_SLOTS_MAX];
} wf_monitor;

void wf_monitor_init(wf_monitor *m, struct wf_executor *s);
/* 0 or -errno. */
int  wf_monitor_start(wf_monitor *m);
void wf_monitor_stop(wf_monitor *m);

/* A worker has woken up. */
static inline void wf_monitor_rouse_any(wf_monitor *m)
{
    if (wf_load(&m->awake, SEQ_CST) == 0 && wf_swap(&m->awake, 1, SEQ_CST) == 0) /* [monitor-1] */
        wf_futex_wake(&m->awake, 1);
}

#endif
