/*
 * reactor.h - the thread that waits in the kernel and wakes tasks
 *
 * Purpose     Owns the ring: submits what other threads hand it, turns completions into wakes,
 *             fires timers. It runs no task.
 * Threads     Functions that take a wf_reactor_token: the reactor's thread only. The others: any.
 * Invariants  N1 the low bits of a completion's user data say what it points to; that memory stays
 *             until the completion that is its last. N2 the thread ends when told to, when
 *             the kernel holds no operation and the inbox is empty.
 * Ordering    [driver-1] sleeping and being woken. [reactor-1] `stopping`.
 *             [reactor-2] the result of starting. [reactor-3] the end of an operation. [reactor-4]
 *             one worker after the other looks for what is ready. [reactor-5] `looks_again` is
 *             cleared before the look that it asks for.
 * Failure     Without a ring (WEFT_BACKEND) the thread waits in ppoll, sockets are in their epoll
 *             set as always, and operations on files are run by threads (files.h). When the ring is
 *             lost later, all that the kernel had ends with the error, and what comes then goes
 *             that way, too.
 */
#ifndef WF_REACTOR_H
#define WF_REACTOR_H

#include "accept_ring.h"
#include "driver.h"
#include "files.h"
#include "gate.h"
#include "inbox.h"
#include "inflight.h"
#include "poller.h"
#include "position.h"
#include "ring.h"
#include "rt.h"
#include "socket_pool.h"
#include "sparse.h"
#include "waker.h"

#include <pthread.h>

/* Sockets to be nudged: see retry_timer.h. */
typedef struct wf_retry_timers {
    uint32_t               lock;
    struct wf_retry_timer *first, *last;
    int64_t                next; /* when the first is due, or earlier */
} wf_retry_timers;

typedef struct wf_reactor {
    wf_driver driver; /* first: see reactor.c */
    wf_inbox  inbox;

    int                 wake_fd; /* constant */
    wf_poller           poller;
    WF_ALIGNED uint64_t n_sockets; /* open ones, for the counters: any thread */

    wf_socket_pool            sockets;
    WF_ALIGNED wf_accept_ring accept_ring;

    WF_ALIGNED weft_runtime *rt; /* constant */
    const char *is_parent;       /* the executor's page: see wf_executor_is_child; constant */
    pthread_t   thread;
    uint32_t    started; /* 0, or 1: `start_result` tells */
    int         start_result;
    bool        stopping;
    uint32_t    n_asked; /* operations that have begun and not ended */

    WF_ALIGNED struct {
        uint32_t busy;      /* a worker looks: the rest is its own meanwhile */
        uint32_t left;      /* looks until the reactor must collect what the ring has ... */
        uint32_t pause;     /* ... and how many there were last time */
        uint64_t ring_seen; /* operations that had begun or ended in the ring by then */
        uint64_t n_looks, n_found;
    } look;

    WF_ALIGNED wf_leads leads; /* the leader's */

    wf_retry_timers retry_timers; /* any, as is the next */
    uint32_t        looks_again;  /* 1: it is in the inbox */
    wf_submission   look_again;

    WF_ALIGNED wf_ring ring; /* the thread's, and so on below */
    wf_wakes           wakes;
    wf_inflight        inflight; /* what the kernel has, but for the wake descriptor's poll */
    wf_files           files;    /* in place of the ring, where there is none */
    wf_positions       positions;
    wf_gate            gate;
    bool               may_be_patient; /* constant */
    bool               patient;        /* SCHED_BATCH */
    wf_sparse          sparse;
    bool               may_gate; /* work has been handed over that workers are busy with */
    struct {
        uint64_t enters, kicks, completions, batches[WEFT_BATCH_BUCKETS], wakes, wakes_saved;
    } counts;
    int64_t  cancel_again; /* when cancels that met a busy operation are tried again; 0: none has */
    int64_t  cancel_pause; /* how long that waits */
    uint64_t n_begun;      /* operations that the kernel was given ever */
    uint64_t n_ended;      /* ... and that it has let go */
    uint64_t begun_seen;   /* for a clock that jumps: how many had begun when it last looked, ... */
    int64_t  begun_at;     /* ... and when it first saw so many */
} wf_reactor;

/* The process has forked, and this is the child. The descriptors are the parent's too, and a thread
 * of the parent may have held any lock at the fork: the child must neither make a call that changes
 * what the parent sees nor take a lock. */
static inline bool wf_reactor_is_child(const wf_reactor *r)
{
    return *r->is_parent == 0;
}

/* Of a runtime, or NULL for the current one: 0 and its reactor, -ENXIO: there is none, -ECHILD. */
WEFT_NODISCARD int wf_reactor_of(weft_runtime *rt, wf_reactor **ret);

/* Operations that the kernel holds. The reactor's thread. */
static inline uint64_t wf_reactor_held(const wf_reactor *r)
{
    return r->n_begun - r->n_ended;
}

/* Proof that the caller is on the reactor's thread. */
typedef struct wf_reactor_token {
    wf_reactor *r;
} wf_reactor_token;

/* What a completion's user data points to. */
enum {
    WF_TAG_IO,    /* weft_io: its operation */
    WF_TAG_READY, /* nothing: a socket is ready */
    WF_TAG_WAKE,  /* nothing: the wake descriptor */
    WF_TAG_NOTHING,
    WF_TAG_CANCEL, /* nothing: the answer of a cancel */
    WF_TAG_MASK = 7,
};

static inline uint64_t wf_reactor_tag(const void *object, unsigned tag)
{
    return (uint64_t)(uintptr_t)object | tag;
}

/* Starts the thread and sets rt->reactor. 0 or -errno, logged. */
int wf_reactor_start(weft_runtime *rt);
/* Waits until no operation is under way. False: some still are, and the log says so. */
bool wf_reactor_wait_unused(weft_runtime *rt, int64_t until);
/* Ends it once the kernel has let go of everything; warns of sockets nobody has closed. */
void wf_reactor_stop(weft_runtime *rt);

/* What this layer counts. Any thread. */
void wf_reactor_count(const weft_runtime *rt, struct weft_runtime_counters *ret);

/* Events were left in the set: the reactor takes them. */
void wf_reactor_look_again_any(wf_reactor *r);
/* Hands something over; its `take` runs on the reactor's thread. */
void wf_reactor_submit_any(wf_reactor *r, wf_submission *s);

#endif
