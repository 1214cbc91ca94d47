/*
 * worker.h - one thread that polls tasks
 *
 * Purpose     The loop of a worker: it takes a task and polls it. When there is none, it steals.
 *             When there is nothing to steal, it sleeps.
 * Threads     The labels in the struct say which thread uses a field.
 * Invariants  R1 woken tasks leave `woken` at the top, oldest first, for the owner too. Spawned
 *             tasks leave `children` at the bottom for the owner and at the top for thieves. The
 *             owner takes the oldest child when the monitor says that it has waited for long. R2
 *             `lifo` is the task that the running task woke last; at most WF_LIFO_RUN of those run
 *             in a row. The owner fills `lifo`; the monitor may empty it when the worker is stuck.
 *             R3 `first_child` is older than all `children`, so a child that comes alone needs no
 *             deque. R4 `mailbox` holds tasks bound to this worker that other threads have queued,
 *             `bound_first` those that it has queued itself or has taken from the mailbox. R5 a
 *             spare worker that is not needed is not in the mask of sleepers, and its queues are
 *             empty. It is needed while it is `wanted`, and while fibers that have started on it
 *             are alive.
 * Ordering    See deque.h, inject.h and idle.h. [worker-1] lifo and first_child publish their task.
 *             [worker-2] `wanted` is set before a spare worker is woken. [worker-3] children are
 *             queued without a full barrier, so they are no part of [idle-1]. A store takes a
 *             moment to leave the owner's core. A worker that falls asleep in that moment may miss
 *             the last children, and the owner may not see that it sleeps. These children are not
 *             lost. The owner sees its own stores, and does not sleep before it has run them. The
 *             monitor looks every 5 ms while a worker is awake, as the owner is, and by then the
 *             store has left the core. So a missed child waits for the end of the poll that spawned
 *             it, or of the polls that its owner runs before it. If one of these blocks, the child
 *             waits for 5 ms (K1 in monitor.h) at most. [worker-4] `serves` is set before a spare
 *             worker takes a task, and cleared once it has none.
 * Failure     A deque that can't grow leaves the task to the injection queue.
 */
#ifndef WF_WORKER_H
#define WF_WORKER_H

#include "deque.h"
#include "inject.h"
#include "lock_waits.h"
#include "park.h"
#include "rt.h"
#include "slab.h"
#include "stack.h"

#include <pthread.h>

#define WF_LIFO_RUN       3
#define WF_IN_PLACE_DEPTH 64

struct wf_executor;
struct wf_task;

typedef struct wf_worker {
    /* -- owner and thieves -- */
    wf_deque woken, children;
    /* -- any thread adds, the owner takes -- */
    wf_inject mailbox;

    /* -- any thread -- */
    WF_ALIGNED wf_park park;
    bool               wanted; /* the monitor needs this spare worker */

    /* -- constant -- */
    WF_ALIGNED struct wf_executor *executor;
    uint32_t                       index;
    /* -- the thread that starts and ends workers -- */
    bool      has_thread;
    pthread_t thread;

    /* -- owner and thieves -- */
    struct wf_task *first_child;
    /* -- owner and monitor -- */
    struct wf_task *lifo;
    /* -- owner -- */
    uint32_t lifo_run;
    uint32_t tick;
    uint32_t inject_tick;
    uint32_t n_unlooked; /* intervals without a look for sockets */
    uint32_t random;
    uint32_t depth; /* tasks that run in place, one within the other */
    bool     searching;
    bool     polling;
    bool     may_yield;    /* it has taken a task bound to it since it last yielded */
    bool     has_affinity; /* to one CPU */
    uint32_t n_fibers;     /* of a spare worker: that have started on it and are alive */
    int64_t  busy_since;   /* when load.c last looked at the clock */
    uint32_t busy_polls;   /* polls since then */
    uint32_t n_kept;       /* tasks for which load.c has woken no worker */
    int64_t  woke;         /* when it last woke up */
    int64_t  looked;       /* when it last looked for sockets because of a spent budget */
    wf_heap  heap;

    struct wf_task *bound_first, *bound_last; /* tasks bound to this worker, oldest first */
    wf_stacks       stacks;

    /* -- the worker writes, any thread reads -- */
    WF_ALIGNED struct weft_worker_counters counters;
    const char      *polls_site; /* of the task last polled; NULL while the worker sleeps */
    struct wf_task  *polled;     /* that task; it may have ended unless the worker is `polling` */
    bool             away;       /* between leave and enter: no thread is this worker */
    bool             in_place;   /* it is in weft_block_in_place: see stand_in.h */
    uint32_t         n_block_on; /* calls that its thread is in, within weft_block_in_place */
    bool             serves;     /* a spare worker that does not stand by */
    pid_t            kernel_id;  /* of the worker's thread; 0: none of its own, or not yet */
    wf_lock_counters locks;

    /* -- the monitor sets, the owner clears; stand_in.c sets tasks_moved: racy hints -- */
    WF_ALIGNED bool tasks_moved;      /* from this worker's queues to the injection queue */
    bool            child_waits_long; /* the oldest one has */
} wf_worker;

/* Returns 0 or -ENOMEM. */
int  wf_worker_init(wf_worker *w, struct wf_executor *s, uint32_t index);
void wf_worker_free(wf_worker *w);

/* Starts the worker's thread. Returns 0 or -errno. */
int wf_worker_start(wf_worker *w);
/* From now on no thread is this worker, until one enters. */
void wf_worker_lend(wf_worker *w);
/* The calling thread becomes the worker of a current-thread runtime. It stays that until leave,
 * which restores what it was before. */
wf_current wf_worker_enter(wf_worker *w);
void       wf_worker_leave(wf_worker *w, wf_current before);
/* Polls one task, or sleeps until there is work or the instant comes. */
void wf_worker_turn_owner(wf_worker *w, int64_t until);

/* Takes the task out of first_child or lifo. Returns NULL if the slot is empty. */
static inline struct wf_task *wf_worker_take_slot_any(struct wf_task **slot)
{
    return wf_load(slot, RELAXED) ? wf_swap(slot, NULL, ACQUIRE) : NULL; /* [worker-1] */
}

/* Whether the worker is a spare one that is not needed, and has no task left: R5. */
static inline bool wf_worker_stands_by_any(const wf_worker *w, uint32_t n_workers)
{
    return w->index >= n_workers && !wf_load(&w->wanted, ACQUIRE) && /* [worker-2] */
           !wf_load(&w->serves, ACQUIRE);                            /* [worker-4] */
}

/* How many tasks wait in the worker's queues, without those that are bound to it. */
static inline uint64_t wf_worker_children_any(const wf_worker *w)
{
    return (uint64_t)wf_deque_length_any(&w->children) +
           (wf_load(&w->first_child, SEQ_CST) != NULL); /* [worker-3] */
}
static inline uint64_t wf_worker_length_any(const wf_worker *w)
{
    return (uint64_t)wf_deque_length_any(&w->woken) + wf_worker_children_any(w);
}

/* A number that grows whenever the worker ends a poll or goes to sleep. */
static inline uint64_t wf_worker_progress(const wf_worker *w)
{
    return wf_load(&w->counters.polls, RELAXED) +
           wf_load(&w->counters.parks, RELAXED); /* counters */
}

#endif
