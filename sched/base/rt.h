/*
 * rt.h - the parts of a weft_runtime
 *
 * Purpose     The struct behind the public handle. Each layer sees its own part and the parts of
 *             the layers to the left of it.
 * Threads     Set before the first thread of the runtime starts, constant until the last has ended.
 * Invariants  The parts of layers further right are pointers that only those layers follow.
 * Ordering    Thread creation publishes it.
 * Failure     None.
 */
#ifndef WF_RT_H
#define WF_RT_H

#include "alloc.h"

/* Marks a function on the path of every task. Where libweft is optimized as a whole, such a
 * function inlines all that it calls, except for functions marked WF_SELDOM. In tests and explorers
 * the calls stay. */
#ifndef WF_FLATTEN
#define WF_FLATTEN
#endif
#define WF_SELDOM __attribute__((noinline))

struct wf_executor;
struct wf_heap;
struct wf_catch;
struct wf_timers;
struct wf_driver;
struct wf_reactor;
struct wf_pools;
struct wf_sleeper;
struct wf_fiber;

struct weft_runtime {
    struct wf_executor *executor;
    struct wf_timers   *timers;
    struct wf_driver   *driver; /* the scheduler's view of the reactor */
    struct wf_reactor  *reactor;
    struct wf_pools    *pools;
    struct wf_sleeper  *blocked; /* threads in weft_block_on: see blocked.h */
    uint32_t            blocked_lock;
    uint32_t            n_as_worker; /* the same, of a current-thread runtime */
    weft_config         config;      /* defaults are filled in */
};

/* The runtime that the calling thread belongs to, and what it is there. */
typedef struct wf_current {
    weft_runtime     *rt;
    struct wf_worker *worker; /* NULL on a reactor or pool thread, and in weft_block_on */
    struct wf_heap   *heap;   /* the worker's */
    struct wf_catch *catch;   /* where weft_panic returns to; NULL outside of polls and jobs */
    bool              owned;  /* a thread of the runtime, which must not block on it */
    struct wf_worker *lent;   /* the one that is in weft_block_in_place on the thread, or NULL */
    struct wf_fiber  *fiber;  /* on whose stack the thread runs, or NULL */
} wf_current;

/* glibc keeps room for the initial-exec variables of libraries that come by dlopen, musl refuses
 * such libraries. */
#ifdef __GLIBC__
#define WF_TLS_MODEL __attribute__((tls_model("initial-exec")))
#else
#define WF_TLS_MODEL __attribute__((tls_model("local-dynamic")))
#endif
extern _Thread_local wf_current wf_current_thread WF_TLS_MODEL;

/* The runtime to use: the given one, else the current one, else NULL. */
static inline weft_runtime *wf_rt_or_current(weft_runtime *rt)
{
    return rt ? rt : wf_current_thread.rt;
}

/* The same for a function that can't return an error: aborts instead of returning NULL. */
weft_runtime *wf_rt_needed(const char *function, const weft_runtime *rt);

/* Hands one line to the runtime's log. */
__attribute__((format(printf, 3, 4))) void wf_log(const weft_config *config, weft_log_level level,
                                                  const char *format, ...);

#endif
