/*
 * reactor.h - the thread that waits in the kernel and wakes tasks
 *
 * Purpose     The reactor owns the ring. It submits the operations that other threads hand over,
 *             turns completions into wakes, and fires timers. It runs no task.
 * Threads     Functions that take a wf_reactor_token: the reactor's thread only. The others: any.
 * Invariants  N1 the low bits of a completion's user data say what it points to. That memory stays
 *             valid until its last completion. N2 the thread ends when it is told to stop, the
 *             kernel has no operation, and the inbox is empty.
 * Ordering    [driver-1] sleeping and being woken. [reactor-1] `stopping`. [reactor-2] the result
 *             of starting. [reactor-3] the end of an operation. [reactor-4] workers take turns in
 *             looking for ready sockets. [reactor-5] the reactor clears `looks_again` before the
 *             look that it requests.
 * Failure     Without a ring (WEFT_BACKEND) the reactor waits in ppoll, and threads run the
 *             operations on files (files.h). Sockets are in their epoll set in both cases. If the
 *             ring is lost later, operations that the kernel had end with the error, and later ones
 *             run without a ring.
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

/* Sockets whose operations try again after a while, see retry_timer.h. */
typedef struct wf_retry_timers {
    uint32_t               lock;
    struct wf_retry_timer *first, *last;
    int64_t                next; /* when the first is due, or earlier */
} wf_retry_timers;

typedef struct wf_reactor {
    wf_driver driver; /* must be first: reactor.c casts a wf_driver to its wf_reactor */
    wf_inbox  inbox;

    int                 wake_fd; /* constant */
    wf_poller           poller;
    WF_ALIGNED uint64_t n_sockets; /* open sockets, a counter of any thread */

    wf_socket_pool            sockets;
    WF_ALIGNED wf_accept_ring accept_ring;

    WF_ALIGNED weft_runtime *rt; /* constant */
    const char *is_parent;       /* constant; the executor's page, see wf_executor_is_child */
    pthread_t   thread;
    uint32_t    started; /* 1 once `start_result` is valid */
    int         start_result;
    bool        stopping;
    uint32_t    n_asked; /* operations that have begun, and whose end their owners have not seen */

    /* -- the worker that has set `busy` -- */
    WF_ALIGNED struct {
        uint32_t busy;      /* 1 while a worker looks */
        uint32_t left;      /* looks until the reactor must collect from the ring */
        uint32_t pause;     /* the value that `left` was last set to */
        uint64_t ring_seen; /* n_begun + n_ended when `left` was last reset */
        uint64_t n_looks, n_found;
    } look;

    /* -- the leader -- */
    WF_ALIGNED wf_leads leads;

    /* -- any thread -- */
    wf_retry_timers retry_timers;
    uint32_t        looks_again; /* 1 while `look_again` is in the inbox */
    wf_submission   look_again;

    /* -- the reactor's thread -- */
    WF_ALIGNED wf_ring ring;
    wf_wakes           wakes;
    wf_inflight        inflight; /* operations that the kernel has */
    wf_files           files;    /* runs operations where there is no ring */
    wf_positions       positions;
    wf_gate            gate;
    bool               may_be_patient; /* constant */
    bool               patient;        /* the thread is SCHED_BATCH */
    wf_sparse          sparse;
    bool               may_gate; /* workers are busy with work that was handed over */
    struct {
        uint64_t enters, kicks, completions, batches[WEFT_BATCH_BUCKETS], wakes, wakes_saved;
    } counts;
    int64_t  cancel_again; /* when to repeat cancels that found their operation busy; 0: never */
    int64_t  cancel_pause; /* the delay before the repetition */
    uint64_t n_begun;      /* operations that the kernel was ever given */
    uint64_t n_ended;      /* operations that the kernel has completed */

    /* -- the reactor's thread, for a clock that jumps -- */
    uint64_t begun_seen; /* n_begun at the last look */
    int64_t  begun_at;   /* when the reactor first saw that value */
} wf_reactor;

/* Whether this process is a forked child of the one that started the runtime. The child shares the
 * descriptors with the parent, and a thread of the parent may have held any lock at the fork. So
 * the child must not make a call that changes what the parent sees, and must not take a lock. */
static inline bool wf_reactor_is_child(const wf_reactor *r)
{
    return *r->is_parent == 0;
}

/* Finds the reactor of a runtime. NULL is the current runtime. Returns 0, -ENXIO if there is no
 * runtime, or -ECHILD in a forked child. */
WEFT_NODISCARD int wf_reactor_of(weft_runtime *rt, wf_reactor **ret);

/* How many operations the kernel has. The reactor's thread. */
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
    WF_TAG_IO,      /* a weft_io: its operation has completed */
    WF_TAG_READY,   /* no memory: a socket is ready */
    WF_TAG_WAKE,    /* no memory: the wake descriptor was written */
    WF_TAG_NOTHING, /* no memory: the completion is ignored */
    WF_TAG_CANCEL,  /* no memory: the result of a cancel */
    WF_TAG_MASK = 7,
};

static inline uint64_t wf_reactor_tag(const void *object, unsigned tag)
{
    return (uint64_t)(uintptr_t)object | tag;
}

/* Starts the thread and sets rt->reactor. Returns 0, or -errno after a log line. */
int wf_reactor_start(weft_runtime *rt);
/* Logs which system call gave the reactor no descriptor at its start. */
void wf_reactor_lacks_descriptor(const wf_reactor *r, const char *call, int error);
/* How many operations are in flight. */
uint32_t wf_reactor_users(weft_runtime *rt);
/* Ends the thread once the kernel has completed everything. Warns of sockets that the program has
 * not closed. */
void wf_reactor_stop(weft_runtime *rt);

/* Fills in the counters of this layer. Any thread. */
void wf_reactor_count(const weft_runtime *rt, struct weft_runtime_counters *ret);

/* Makes the reactor take the events that the caller has left in the epoll set. */
void wf_reactor_look_again_any(wf_reactor *r);
/* Hands a submission over. Its `take` runs on the reactor's thread. */
void wf_reactor_submit_any(wf_reactor *r, wf_submission *s);

#endif
