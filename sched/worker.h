/*
 * worker.h - one thread that polls tasks
 *
 * Purpose     The loop: take a task, poll it, and when there is none steal, then sleep.
 * Threads     The fields say.
 * Invariants  R1 tasks woken leave `woken` at the top, oldest first, for the owner too; tasks
 *             spawned leave `children` at the bottom for the owner and at the top for thieves; the
 *             owner takes the oldest when the monitor says that it is overdue. R2 `lifo` is the
 *             task that the running task woke last; at most WF_LIFO_RUN of those run in a row. The
 *             owner fills it; the monitor may empty it when the worker is stuck. R3 `first_child`
 *             is older than all `children`: a child that comes alone needs no deque. R4 `mailbox`
 *             holds the tasks bound to this worker. R5 a spare worker that nobody needs is not in
 *             the mask of sleepers, and its queues are empty.
 * Ordering    deque.h, inject.h, idle.h. [worker-1] lifo and first_child publish their task.
 *             [worker-2] `wanted` is set before a spare worker is woken. [worker-3] children are
 *             queued without a full barrier, so they are no part of [idle-1]: a worker that falls
 *             asleep within the time that a store takes to leave the owner's core may miss the last
 *             of them, and the owner may not see that it sleeps. They are not lost: the owner sees
 *             its own stores, and does not sleep before it has run them, and the store has long
 *             come through when the monitor looks, every 5 ms while a worker is awake, as the owner
 *             is. So a missed child waits for the end of the poll that spawned it or of those that
 *             its owner runs before, and if one of these blocks for 5 ms (K1 in monitor.h) at most.
 * Failure     A deque that can't grow: the task goes to the injection queue.
 */
#ifndef WF_WORKER_H
#define WF_WORKER_H

#include "deque.h"
#include "inject.h"
#include "park.h"
#include "rt.h"
#include "slab.h"

#include <pthread.h>

#define WF_LIFO_RUN       3
#define WF_IN_PLACE_DEPTH 64

struct wf_executor;
struct wf_task;

typedef struct wf_worker {
    wf_deque  woken, children; /* owner and thieves */
    wf_inject mailbox;         /* any, and the owner */

    WF_ALIGNED wf_park park;   /* any */
    bool               wanted; /* a spare worker: the monitor needs it */

    WF_ALIGNED struct wf_executor *executor;   /* constant */
    uint32_t                       index;      /* constant */
    bool                           has_thread; /* who starts and ends threads */
    pthread_t                      thread;

    struct wf_task *first_child; /* owner and thieves */
    struct wf_task *lifo;        /* owner and monitor */
    uint32_t        lifo_run;    /* owner, and so on below */
    uint32_t        tick;
    uint32_t        inject_tick;
    uint32_t        n_unlooked; /* intervals without a look for sockets */
    uint32_t        random;
    uint32_t        depth; /* tasks that run in place, one within the other */
    bool            searching;
    bool            polling;
    bool            has_affinity; /* to one CPU */
    int64_t         busy_since;   /* when load.c last looked at the clock, and how many polls ago */
    uint32_t        busy_polls;
    uint32_t        n_kept; /* tasks that load.c has woken no worker for */
    int64_t         woke;   /* when it last woke up */
    wf_heap         heap;

    /* One writer, the worker; anybody reads. */
    WF_ALIGNED struct weft_worker_counters counters;
    const char *polls_site; /* of the task last polled; NULL: it sleeps */
    bool        away;       /* between leave and enter: in the mask of sleepers */

    /* The monitor's advice to the worker. */
    WF_ALIGNED bool robbed;  /* what waited here waits in the injection queue now */
    bool            overdue; /* the oldest child has waited for long */
} wf_worker;

/* 0 or -ENOMEM. */
int  wf_worker_init(wf_worker *w, struct wf_executor *s, uint32_t index);
void wf_worker_free(wf_worker *w);

/* Starts its thread. 0 or -errno. */
int wf_worker_start(wf_worker *w);
/* No thread is this worker until one enters. */
void wf_worker_lend(wf_worker *w);
/* The calling thread becomes the worker (of a current-thread runtime) until leave, which restores
 * what it was before. */
wf_current wf_worker_enter(wf_worker *w);
void       wf_worker_leave(wf_worker *w, wf_current before);
/* Polls one task, or sleeps until there is work or the instant. */
void wf_worker_turn_owner(wf_worker *w, int64_t until);

/* Takes the task out of one of the two slots, or NULL. */
static inline struct wf_task *wf_worker_take_slot_any(struct wf_task **slot)
{
    return wf_load(slot, RELAXED) ? wf_swap(slot, NULL, ACQUIRE) : NULL; /* [worker-1] */
}

/* How many tasks wait in its queues, bound ones aside. */
static inline uint64_t wf_worker_children_any(const wf_worker *w)
{
    return (uint64_t)wf_deque_length_any(&w->children) +
           (wf_load(&w->first_child, SEQ_CST) != NULL); /* see Ordering */
}
static inline uint64_t wf_worker_length_any(const wf_worker *w)
{
    return (uint64_t)wf_deque_length_any(&w->woken) + wf_worker_children_any(w);
}

/* Grows whenever the worker ends a poll or goes to sleep. */
static inline uint64_t wf_worker_progress(const wf_worker *w)
{
    return wf_load(&w->counters.polls, RELAXED) +
           wf_load(&w->counters.parks, RELAXED); /* counters */
}

#endif
