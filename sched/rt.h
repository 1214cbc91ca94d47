/*
 * rt.h - what a weft_runtime is made of
 *
 * Purpose     The struct behind the public handle: each layer finds its own part and those left of
 *             it.
 * Threads     Set before the first thread of the runtime starts, constant until the last has ended.
 * Invariants  Parts of layers further right are pointers that only those layers look behind.
 * Ordering    Thread creation publishes it.
 * Failure     None.
 */
#ifndef WF_RT_H
#define WF_RT_H

#include "alloc.h"

/* A function of the path of every task: where libweft is optimized as a whole, it contains all that
 * it calls but what is seldom wanted there. Elsewhere (tests, explorers) the calls stay. */
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

struct weft_runtime {
    struct wf_executor *executor;
    struct wf_timers   *timers;
    struct wf_driver   *driver; /* the reactor, as the scheduler sees it */
    struct wf_reactor  *reactor;
    struct wf_pools    *pools;
    struct wf_sleeper  *blocked; /* threads in weft_block_on, for a test's clock */
    uint32_t            blocked_lock;
    weft_config         config; /* complete: no field is "default" any more */
};

/* Which runtime, and which of its threads, runs the caller. */
typedef struct wf_current {
    weft_runtime     *rt;
    struct wf_worker *worker; /* NULL on a reactor or pool thread, and in weft_block_on */
    struct wf_heap   *heap;   /* the worker's */
    struct wf_catch *catch;   /* where weft_panic goes; NULL: nobody polls */
    bool owned;               /* a thread of the runtime: it must not block on it */
} wf_current;

extern _Thread_local wf_current wf_current_thread __attribute__((tls_model("initial-exec")));

/* The runtime to use: the one given, else the current one, else NULL. */
static inline weft_runtime *wf_rt_or_current(weft_runtime *rt)
{
    return rt ? rt : wf_current_thread.rt;
}

/* Hands one line to the runtime's log. */
__attribute__((format(printf, 3, 4))) void wf_log(const weft_config *config, weft_log_level level,
                                                  const char *format, ...);

#endif
