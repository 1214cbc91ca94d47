/*
 * runtime.h - starting, configuring and stopping a runtime
 *
 * A runtime is its workers, one reactor thread and a pool of blocking threads. A process may have
 * several. A runtime changes nothing of the process: no signal handlers, no at-exit hooks; its
 * threads block all signals.
 */
#ifndef WEFT_RUNTIME_H
#define WEFT_RUNTIME_H

#include <weft/async.h>

WEFT_BEGIN_DECLS

typedef enum weft_log_level {
    WEFT_LOG_ERROR,
    WEFT_LOG_WARNING,
    WEFT_LOG_INFO,
} weft_log_level;

/* One line of text without a newline, valid during the call. May be called by any thread, by several
 * at once; must not call weft. */
typedef void weft_log(void *arg, weft_log_level level, const char *line);

/* Silence: `.log = weft_log_none`. */
WEFT_API void weft_log_none(void *arg, weft_log_level level, const char *line);

/* Where a runtime gets its memory. Both may be called by any thread, by several at once. `allocate`
 * returns `size` bytes aligned to 16, or NULL; `release` gets what it returned, and that size. */
typedef struct weft_allocator {
    void *(*allocate)(void *arg, size_t size);
    void (*release)(void *arg, void *memory, size_t size);
    void *arg;
} weft_allocator;

/* What can be tuned. A field that is 0 (or NULL) leaves the choice to the environment variable named
 * beside it, then to the default; see docs/tuning.md, or set WEFT_DISPLAY_ENV=1. The struct is read
 * by weft_runtime_start and not kept. */
typedef struct weft_config {
    int64_t   workers;          /* WEFT_WORKERS */
    int64_t   blocking_threads; /* WEFT_BLOCKING_THREADS: most threads of the blocking pool */
    int64_t   blocking_keep_ms; /* WEFT_BLOCKING_KEEP_MS: how long an idle one stays */
    int64_t   budget;           /* WEFT_BUDGET: operations a task may do in one poll */
    int64_t   inject_interval;  /* WEFT_INJECT_INTERVAL: polls between looks at outside spawns */
    int64_t   wake_us;          /* WEFT_WAKE_US: how much waiting I/O is worth one more worker */
    int64_t   ring_entries;     /* WEFT_RING_ENTRIES: submission queue of the reactor */
    int64_t   stop_ms;          /* WEFT_STOP_MS: how long weft_main waits for tasks to end */
    int64_t   ring_mask;        /* WEFT_RING_MASK: debugging; kernel features not to be used */
    weft_log *log;              /* default: one line to standard error */
    void     *log_arg;
    weft_allocator allocator; /* default: malloc and free */
} weft_config;

/* Counters since start, summed over the threads. Reading them stops nobody; they are a moment apart
 * from each other. */
typedef struct weft_counters {
    uint64_t tasks_spawned, tasks_ended, polls;
    uint64_t steals;         /* tasks taken from another worker */
    uint64_t lifo_hits;      /* tasks that ran next because the running one woke them */
    uint64_t injected;       /* tasks queued by threads that are not workers */
    uint64_t parks;          /* times a worker went to sleep */
    uint64_t reactor_enters; /* system calls of the reactor */
    uint64_t completions;    /* what the kernel reported to it */
    uint64_t gates;          /* times it waited for a worker to run dry, and ... */
    uint64_t gates_expired;  /* ... how many of those ended by time */
    uint64_t timers_fired;
    uint64_t blocking_jobs, blocking_threads;
    uint64_t streams_open; /* sockets that weft holds now */
    uint64_t tasks_alive;
} weft_counters;

/* Starts a runtime: all its threads run when it returns 0. `config` may be NULL. Any thread.
 * -EINVAL: a malformed environment variable or field; -EPERM, -ENOSYS, -ENOMEM: io_uring can't be
 * had; or what creating threads fails with. The log gets one line with cause and remedy. */
WEFT_API WEFT_NODISCARD int weft_runtime_start(weft_runtime **ret, const weft_config *config);

/* Refuses new tasks, cancels all tasks and waits until they have ended, `patience` nanoseconds at
 * most; then ends all threads and frees the runtime. 0: done, `rt` is gone; handles and wakers of its
 * tasks may still be used. -ETIMEDOUT: tasks remain, the log names them; nothing has been freed, call
 * again. -EDEADLK: called by one of the runtime's own threads. Any other thread, one at a time, when no
 * other is in weft_block_on with the runtime or uses its streams; those must be closed. */
WEFT_API WEFT_NODISCARD int weft_runtime_stop(weft_runtime *rt, int64_t patience);

/* Polls the future on the calling thread until it is READY, sleeping in between, and returns its
 * result. -EDEADLK (and the future unpolled): called by a thread of a runtime. The future stays the
 * caller's. Any thread. */
WEFT_API int64_t weft_block_on(weft_runtime *rt, weft_future *future);

/* The runtime whose worker (or weft_block_on) runs the caller; NULL on other threads. */
WEFT_API weft_runtime *weft_runtime_current(void);

WEFT_API void weft_runtime_counters(weft_runtime *rt, weft_counters *ret_counters);

/* return weft_main(server, .port = 7000); from main(): starts a runtime from the environment, runs
 * the async function as its main task and stops. Evaluates to main's exit status: 0, or 1 with one
 * line on standard error if starting or stopping failed or the function's result was an error. */
#define weft_main(name, ...)                                                                       \
    weft_main_(weft_ops_##name(), (uint32_t)offsetof(struct name, in),                             \
               WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)), #name)

WEFT_API int weft_main_(const weft_future_ops *ops, uint32_t at, const void *args, size_t size,
                        const char *name);

WEFT_END_DECLS

#endif
