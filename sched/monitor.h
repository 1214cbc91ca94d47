/*
 * monitor.h - finds workers that are stuck in a poll
 *
 * Purpose     A task that blocks its worker must not hold up others. While workers are awake, a
 *             thread looks every few milliseconds whether each of them has ended a poll. If one has
 *             not, the tasks behind it move to the injection queue. A sleeping worker is woken for
 *             work that waits. If all workers that are awake are stuck and none sleeps, a spare
 *             worker starts, and stands by again once an ordinary one is free. A stuck worker no
 *             longer keeps the reactor at its gate, nor the sockets from it. Long polls are logged.
 *             Children that have waited for long go first.
 *             Workers that say that they block (stand_in.h) are replaced at once.
 * Threads     The monitor's own thread. wake, call_stand_in: any worker. move_tasks: the monitor's,
 *             and the worker's own.
 * Invariants  K1 the monitor ticks while a worker is awake, and sleeps without a limit soon after
 *             all workers do. K2 a spare worker that isn't needed any more stands by. K3 each
 *             worker that blocks in place has a spare worker beside it, as long as there are some.
 *             K4 before the monitor sleeps without a limit, every heap takes back the slots that
 *             workers have freed.
 * Ordering    [monitor-1] the monitor says that it sleeps, then looks for workers that are awake. A
 *             worker leaves the mask of sleepers, or clears `away`, then looks whether the monitor
 *             sleeps. All of these are SEQ_CST, so one of the two sees the other. [monitor-2] a
 *             worker says that it blocks in place, then calls. A call that the monitor has not seen
 *             before its look ends the sleep after it.
 * Failure     If a spare thread can't be created, the monitor logs it and tries again at the next
 *             tick.
 */
#ifndef WF_MONITOR_H
#define WF_MONITOR_H

#include "futex.h"
#include "idle.h"
#include "lock_waits.h"

#include <pthread.h>

struct wf_executor;
struct wf_worker;

typedef struct wf_monitor {
    struct wf_executor *executor; /* constant */
    pthread_t           thread;
    bool                has_thread;
    uint32_t            stopping;
    uint32_t            called; /* the monitor sleeps on this word between two looks */
    WF_ALIGNED uint32_t awake;  /* 0: the monitor sleeps until a worker wakes it */
    /* -- the monitor's thread -- */
    WF_ALIGNED uint32_t n_quiet;   /* ticks since it last saw a worker awake */
    bool                no_thread; /* the last start of a spare worker failed, and was logged */
    int64_t             all_stuck; /* since when all workers are stuck, spare ones too; 0: not so */
    wf_lock_watch       locks;
    struct {
        uint64_t oldest;   /* the worker's oldest child */
        uint32_t n_looks;  /* looks at which it was the same */
        uint64_t progress; /* wf_worker_progress */
        int64_t  since;    /* when that was first seen; 0: never */
        bool     logged;   /* the present poll has been logged */
    } seen[WF_SLOTS_MAX];
} wf_monitor;

void wf_monitor_init(wf_monitor *m, struct wf_executor *s);
/* Returns 0 or -errno. */
int  wf_monitor_start(wf_monitor *m);
void wf_monitor_stop(wf_monitor *m);

/* Moves the tasks that wait on the worker to the injection queue. `all`: also all of its
 * children. */
void wf_monitor_move_tasks(struct wf_worker *w, bool all);
/* A worker blocks in place, and no worker sleeps. Calls the monitor if a spare worker is needed. */
void wf_monitor_call_stand_in(wf_monitor *m);

/* Called by a worker that has woken up. */
static inline void wf_monitor_wake_any(wf_monitor *m)
{
    if (wf_load(&m->awake, SEQ_CST) == 0 && wf_swap(&m->awake, 1, SEQ_CST) == 0) /* [monitor-1] */
        wf_futex_wake(&m->awake, 1);
}

#endif
