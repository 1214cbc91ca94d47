/*
 * rt.h - what a weft_runtime is made of
 *
 * Purpose     The struct behind the public handle: each layer finds its own part and those left of it.
 * Threads     Set before the first thread of the runtime starts, constant until the last has ended.
 * Invariants  Parts of layers further right are pointers that only those layers look behind.
 * Ordering    Thread creation publishes it.
 * Failure     wf_alloc returns NULL when out of memory.
 */
#ifndef WF_RT_H
#define WF_RT_H

#include "order.h"

#include <weft/runtime.h>

struct wf_executor;
struct wf_timers;
struct wf_driver;
struct wf_reactor;
struct wf_pool;

struct weft_runtime {
    struct wf_executor *executor;
    struct wf_timers   *timers;
    struct wf_driver   *driver; /* the reactor, as the scheduler sees it */
    struct wf_reactor  *reactor;
    struct wf_pool     *pool;
    weft_config         config; /* complete: no field is "default" any more */
};

static inline void *wf_alloc(const weft_allocator *a, size_t size)
{
    return a->allocate(a->arg, size);
}

static inline void wf_release(const weft_allocator *a, void *memory, size_t size)
{
    a->release(a->arg, memory, size);
}

/* The same for structs with members on cache lines of their own. */
static inline void *wf_alloc_aligned(const weft_allocator *a, size_t size)
{
    char  *raw = wf_alloc(a, size + WF_CACHE_LINE);
    size_t shift = WF_CACHE_LINE - (uintptr_t)raw % WF_CACHE_LINE;

    if (!raw)
        return NULL;
    raw[shift - 1] = (char)shift;
    return raw + shift;
}

static inline void wf_release_aligned(const weft_allocator *a, void *memory, size_t size)
{
    char *aligned = memory;

    wf_release(a, aligned - aligned[-1], size + WF_CACHE_LINE);
}

/* Which runtime, and which of its threads, runs the caller. */
typedef struct wf_current {
    weft_runtime     *rt;
    struct wf_worker *worker; /* NULL on a reactor or pool thread, and in weft_block_on */
    bool              owned;  /* a thread of the runtime: it must not block on it */
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
