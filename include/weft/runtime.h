/*
 * runtime.h - starting, configuring and stopping a runtime
 *
 * A runtime is its workers, one reactor thread, one that looks after workers that are stuck, and a pool of
 * blocking threads. A process may have several. A runtime changes nothing of the process: no signal
 * handlers (weft_signal_block, which the host calls, installs some), no at-exit hooks.
 *
 * Signals. Workers and blocking threads run the host's code, so they have the signal mask of the
 * thread that called weft_runtime_start. A fault in a task reaches the host's handler or a
 * sanitizer's report, a profiler gets its SIGPROF, raise() does what it does elsewhere, and a task
 * that itself writes to a broken pipe gets SIGPIPE. Operations of weft's never raise SIGPIPE: they
 * answer -EPIPE. The reactor and the thread that looks after workers run none of the host's code
 * but wakers, the log and the allocator. They block all signals but faults and SIGPROF.
 *
 * Children. What a task or a blocking job starts (posix_spawn, popen, fork and exec) has that same
 * mask, and the CPUs of the thread that called weft_runtime_start. Only a worker with a CPU of its
 * own (pin_workers) hands that CPU down: there fork, call weft_child_reset in the child, then exec.
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

/* One line of text without a newline or another control byte, valid during the call. May be called
 * by any thread, by several at once; must not call weft. */
typedef void weft_log(void *arg, weft_log_level level, const char *line);

/* Silence: `.log = weft_log_none`. */
WEFT_API void weft_log_none(void *arg, weft_log_level level, const char *line);

/* Where a runtime gets its memory. Both may be called by any thread, by several at once. `allocate`
 * returns `size` bytes aligned to 16, or NULL; `release` gets what it returned, and that size. Neither may
 * call weft, which may hold a lock of its own there. Tasks live in
 * blocks of 2 MiB (asked for as 4, to align them); with the default hooks those come from the kernel. */
typedef struct weft_allocator {
    void *(*allocate)(void *arg, size_t size);
    void (*release)(void *arg, void *memory, size_t size);
    void *arg;
} weft_allocator;

/* What the threads that run tasks do. */
typedef enum weft_thread_event {
    WEFT_THREAD_STARTS,
    WEFT_THREAD_STOPS,
    WEFT_THREAD_PARKS,   /* goes to sleep: nothing to do */
    WEFT_THREAD_UNPARKS, /* and wakes up */
} weft_thread_event;

/* Called by worker `index` itself. It must neither block nor call weft. */
typedef void weft_thread_hook(void *arg, weft_thread_event event, uint32_t index);

/* What the reactor waits with. */
typedef enum weft_backend {
    WEFT_BACKEND_AUTO = 1, /* io_uring, or epoll where that is denied or not there */
    WEFT_BACKEND_URING,    /* io_uring, or starting fails */
    WEFT_BACKEND_EPOLL,
} weft_backend;

/* What can be tuned. A field that is 0 (or NULL) leaves the choice to the environment variable named
 * beside it, then to the default; see docs/tuning.md, or set WEFT_DISPLAY_ENV=1. The struct is read
 * by weft_runtime_start and not kept. WEFT_OFF in a field that may be 0 is 0, whatever the environment
 * says. */
#define WEFT_OFF (-1)

typedef struct weft_config {
    int64_t workers;          /* WEFT_WORKERS */
    int64_t spare_workers;    /* WEFT_SPARE_WORKERS: start when all workers are stuck in a poll */
    int64_t current_thread;   /* WEFT_CURRENT_THREAD: 1: weft_block_on's caller is the worker */
    int64_t pin_workers;      /* WEFT_PIN_WORKERS: 1: each worker stays on a CPU of its own, and so
                                 do threads and children that tasks create: they inherit it. Not
                                 while workers wait for sockets themselves (leader_after) */
    int64_t watchdog_ms;      /* WEFT_WATCHDOG_MS: polls longer than that are reported */
    int64_t blocking_threads; /* WEFT_BLOCKING_THREADS: most threads of the blocking pool */
    int64_t blocking_keep_ms; /* WEFT_BLOCKING_KEEP_MS: how long an idle one stays */
    int64_t dns_threads;      /* WEFT_DNS_THREADS: most threads that resolve names */
    int64_t budget;           /* WEFT_BUDGET: operations a task may do in one poll */
    int64_t inject_interval;  /* WEFT_INJECT_INTERVAL: polls between looks at outside spawns */
    int64_t wake_us;          /* WEFT_WAKE_US: how much waiting I/O is worth one more worker */
    int64_t patient_reactor;  /* WEFT_PATIENT_REACTOR: 1: it never interrupts who runs on its CPU */
    int64_t leader_after;     /* WEFT_LEADER_AFTER: lone events before a worker waits for sockets */
    int64_t backend;          /* WEFT_BACKEND: a weft_backend */
    int64_t file_threads;     /* WEFT_FILE_THREADS: most threads for files without io_uring */
    int64_t ring_entries;     /* WEFT_RING_ENTRIES: submission queue of the reactor */
    int64_t stop_ms;          /* WEFT_STOP_MS: how long weft_main waits for tasks to end */
    int64_t ring_mask;        /* WEFT_RING_MASK: debugging; kernel features not to be used */
    weft_log         *log;    /* default: one line to standard error; what that has no room for
                                 is dropped, and the number of dropped lines told later */
    void             *log_arg;
    weft_thread_hook *thread_hook; /* default: none */
    void             *thread_hook_arg;
    weft_allocator    allocator; /* default: malloc and free */
} weft_config;

/* What one worker has done since start. */
typedef struct weft_worker_counters {
    uint64_t polls;
    uint64_t spawned, ended; /* tasks */
    uint64_t searches;       /* looks through the queues of the others, and ... */
    uint64_t steals;         /* ... how many of those found a task */
    uint64_t lifo_hits;      /* tasks that ran next because the running one woke them */
    uint64_t injections;     /* tasks taken from those that other threads queued */
    uint64_t overdue;        /* unstarted tasks taken for their age */
    uint64_t in_place_joins; /* tasks that ran within the poll of whoever joined them */
    uint64_t parks;          /* times it went to sleep */
} weft_worker_counters;

#define WEFT_LATE_BUCKETS  16
#define WEFT_BATCH_BUCKETS 16

/* Counters since start, summed over the threads. Reading them stops nobody; they are a moment apart
 * from each other. */
typedef struct weft_counters {
    uint64_t tasks_spawned, tasks_ended, polls;
    uint64_t searches, steals, lifo_hits, overdue, in_place_joins, parks; /* as above */
    uint64_t injected;       /* tasks queued by threads that are not workers */
    uint64_t reactor_enters; /* system calls of the reactor */
    uint64_t reactor_wakes;  /* times that another thread had to wake it in the kernel */
    uint64_t completions;    /* what the kernel reported to it: operations, ready sockets */
    /* How often it handed over 1 task at once, 2 or 3, 4 to 7, ... */
    uint64_t batches[WEFT_BATCH_BUCKETS];
    uint64_t worker_wakes;       /* hand-overs for which it woke a worker, ... */
    uint64_t worker_wakes_saved; /* ... and for which it did not: one was awake */
    uint64_t gates;              /* times it waited for workers to need more, ended by ... */
    uint64_t gates_dry;          /* ... one that ran dry, ... */
    uint64_t gates_called;       /* ... a submission or a stop, ... */
    uint64_t gates_timer;        /* ... the nearest timer, ... */
    uint64_t gates_expired;      /* ... the time that their work should have taken */
    uint64_t worker_looks;       /* looks of workers for ready sockets meanwhile, ... */
    uint64_t worker_found;       /* ... and how many they found */
    uint64_t leader_waits;       /* sleeps of workers among the sockets, ... */
    uint64_t leader_found;       /* ... and how many ready ones ended them */
    uint64_t timers_armed, timers_cancelled, timers_fired;
    uint64_t timer_wakes;    /* times that the reactor fired some */
    uint64_t timers_late_ns; /* how late they fired, behind deadline and accuracy: the sum, ... */
    uint64_t timers_late_max_ns; /* ... the latest, ... */
    /* ... and how many by less than 2^16, 2^17, ... ns; the last: the rest. */
    uint64_t timers_late[WEFT_LATE_BUCKETS];
    uint64_t blocking_jobs, blocking_threads;
    uint64_t streams_open; /* sockets that weft holds now */
    uint64_t tasks_alive;
    uint64_t blocking_idle, blocking_queued; /* threads, jobs: now, in all pools; see blocking.h */
    uint64_t blocking_done, blocking_cancelled, blocking_rejected;
    uint64_t blocking_wait_ns, blocking_wait_max_ns, blocking_run_ns;
} weft_counters;

/* Starts a runtime: all its threads run when it returns 0. `config` may be NULL. Any thread. A
 * current-thread runtime has no workers of its own: its tasks are polled by threads that call
 * weft_block_on (one at a time) or weft_runtime_stop, and wait meanwhile; I/O and timers are the
 * reactor's thread's there too.
 * -EINVAL: a malformed environment variable or field; -EPERM, -EACCES, -ENOSYS: io_uring can't be
 * had, and WEFT_BACKEND demands it; -ENOMEM: also when RLIMIT_MEMLOCK leaves no room for its ring, after asking again for up to
 * 200 ms; or what creating threads fails with. The log gets one line with cause and remedy. */
WEFT_API WEFT_NODISCARD int weft_runtime_start(weft_runtime **ret, const weft_config *config);

/* Refuses new tasks, cancels all tasks and waits until they have ended, `patience` nanoseconds at
 * most; then ends all threads and frees the runtime. 0: done, `rt` is gone; handles and wakers of its
 * tasks may still be used. -ETIMEDOUT: tasks remain, the log names them, or operations or sleeps that
 * other executors have begun; nothing has been freed, call again. -EDEADLK: called by one of the runtime's own
 * threads. -ECHILD: in a fork of the process that started it; its memory stays. Any other thread, one at
 * a time, when no other is in weft_block_on with the runtime or uses its streams; those must be closed.
 *
 * While it waits, weft_spawn_on and weft_pool_open of other threads are safe and answer -ESHUTDOWN. Once it
 * has answered 0 no thread may be in such a call, or begin one: `rt` is freed memory. A thread that spawns
 * from outside has to be told to end, and joined, before the stop. weft aborts where it sees such a call
 * while it frees the runtime. Wakers and handles know of their tasks' end, and are always safe. */
WEFT_API WEFT_NODISCARD int weft_runtime_stop(weft_runtime *rt, int64_t patience);

/* Polls the future on the calling thread until it is READY, sleeping in between, and returns its
 * result. -EDEADLK (and the future unpolled): called by a thread of a runtime. -EOWNERDEAD: it panicked
 * (logged). -ECHILD: in a fork of the process that started the runtime. The future stays the caller's.
 * Any thread. */
WEFT_API int64_t weft_block_on(weft_runtime *rt, weft_future *future);

/* Between fork and exec, in the child: gives the calling thread the signal mask and the CPUs of the
 * thread that started the runtime. `rt` may be NULL: the runtime whose thread forked.
 * Async-signal-safe, also after vfork. 0; -ENXIO: NULL, and no thread of a runtime forked. */
WEFT_API int weft_child_reset(const weft_runtime *rt);

/* The runtime whose worker (or weft_block_on) runs the caller; NULL on other threads. */
WEFT_API weft_runtime *weft_runtime_current(void);

/* The version of the library that the process has, as WEFT_VERSION is that of the headers the
 * caller was compiled with. Only their patch numbers may differ: docs/versions.md. Any thread. */
WEFT_API int weft_version(void);

/* Reads the counters of a runtime, summed over its threads. Any thread. */
WEFT_API void weft_runtime_counters(weft_runtime *rt, weft_counters *ret_counters);

/* What the runtime's reactor waits with now: WEFT_BACKEND_URING or WEFT_BACKEND_EPOLL. A runtime that has lost
 * its ring goes on with epoll. Any thread. */
WEFT_API weft_backend weft_runtime_backend(const weft_runtime *rt);

/* How many workers the runtime has; the spare ones have the numbers behind. Any thread. */
WEFT_API uint32_t weft_runtime_workers(const weft_runtime *rt);

/* The counters of one worker, a spare one too. 0; -EINVAL: there is no such worker. Any thread. */
WEFT_API WEFT_NODISCARD int weft_worker_count(const weft_runtime *rt, uint32_t index,
                                              weft_worker_counters *ret_counters);

/* Logs every task that is alive: name, where it was spawned, what it awaits. Each task that waits is polled
 * once more by it. Any thread. */
WEFT_API void weft_runtime_dump(weft_runtime *rt);

/* return weft_main(server, .port = 7000); from main(): starts a runtime from the environment,
 * runs the async function as its main task and stops. Evaluates to main's exit status: 0, or 1
 * with one line on standard error if starting or stopping failed or the function's result was an
 * error. Stopping waits up to stop_ms for the other tasks. Look-ups and detachable jobs that were
 * given up are not waited for: the process may exit while they run. */
#define weft_main(name, ...) weft_main_with((const weft_config *)0, name, __VA_ARGS__)
/* The same with a weft_config, which is read at the start and not kept; its fields go before the
 * environment. weft_main_with(&config, server, .port = 7000) */
#define weft_main_with(config, name, ...)                                                          \
    weft_main_(config, weft_ops_##name(), (uint32_t)offsetof(struct name, in),                     \
               WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)), #name "\0weft_main")

WEFT_API int weft_main_(const weft_config *config, const weft_future_ops *ops, uint32_t at,
                        const void *args, size_t size, const char *name);

WEFT_END_DECLS

#endif
