/*
 * runtime.h - starting, configuring and stopping a runtime
 *
 * A runtime consists of its workers, one reactor thread, one monitor thread and its pools of
 * blocking threads. The monitor watches for workers that are stuck. A process may have several
 * runtimes. A runtime changes nothing of the process: it installs no signal handlers and no
 * at-exit hooks. Only weft_signal_block, which the host calls itself, installs signal handlers.
 *
 * Signals. Workers and blocking threads run the host's code, so they have the signal mask of the
 * thread that called weft_runtime_start. A fault in a task reaches the host's handler or a
 * sanitizer's report. A profiler gets its SIGPROF. In a task, raise() does what it does elsewhere.
 * A task that itself writes to a broken pipe gets SIGPIPE. The operations of weft never raise
 * SIGPIPE: they return -EPIPE. The reactor and the monitor run none of the host's code except
 * wakers, the log and the allocator. They block all signals except faults and SIGPROF.
 *
 * Children. A process that a task or a blocking job starts (posix_spawn, popen, fork and exec)
 * gets the signal mask and the CPUs of the thread that called weft_runtime_start. The exception is
 * a worker with CPU affinity (cpu_affinity): its children inherit its one CPU. There, fork, call
 * weft_child_reset in the child, then exec. A forked child must not return from the poll or from
 * the job in which it was forked: it aborts there. It ends by exec or _exit.
 */
#ifndef WEFT_RUNTIME_H
#define WEFT_RUNTIME_H

#include <weft/async.h>

WEFT_BEGIN_DECLS

/* How important a line of the log is. */
typedef enum weft_log_level {
    WEFT_LOG_ERROR,
    WEFT_LOG_WARNING,
    WEFT_LOG_INFO,
} weft_log_level;

/*
 * Receives one line of the log. It is text without a newline or another control character, and
 * valid during the call. Any thread may make the call, and several threads may do so at once. The
 * function must not call weft.
 */
typedef void weft_log(void *arg, weft_log_level level, const char *line);

/* Discards a line of the log. `.log = weft_log_none` in a weft_config turns the log off. */
WEFT_API void weft_log_none(void *arg, weft_log_level level, const char *line);

/*
 * Where a runtime gets its memory. `allocate` returns `size` bytes aligned to 16, or NULL.
 * `release` gets memory that `allocate` returned, and its size. Any thread may call the two
 * functions, and several threads may do so at once. The functions must not call weft, which may
 * hold a lock of its own during the call.
 *
 * Tasks live in blocks of 2 MiB. weft asks for 4 MiB for each, in order to align it. With the
 * default functions these blocks come from the kernel.
 */
typedef struct weft_allocator {
    void *(*allocate)(void *arg, size_t size);
    void (*release)(void *arg, void *memory, size_t size);
    void *arg;
} weft_allocator;

/* What happens to a worker, for a weft_thread_hook. */
typedef enum weft_thread_event {
    WEFT_THREAD_STARTS,
    WEFT_THREAD_STOPS,
    WEFT_THREAD_PARKS,   /* the worker has found nothing to do and goes to sleep */
    WEFT_THREAD_UNPARKS, /* the worker wakes up */
} weft_thread_event;

/* Learns of an event of worker `index`, on its thread. It must neither block nor call weft. */
typedef void weft_thread_hook(void *arg, weft_thread_event event, uint32_t index);

/* What the reactor waits with. */
typedef enum weft_backend {
    WEFT_BACKEND_AUTO = 1, /* io_uring, or epoll where io_uring is denied or missing */
    WEFT_BACKEND_URING,    /* io_uring; without it weft_runtime_start fails */
    WEFT_BACKEND_EPOLL,
} weft_backend;

/* In a field of weft_config that may be 0: the value 0, whatever the environment says. */
#define WEFT_OFF (-1)

/*
 * What can be tuned. A field that is 0 (or NULL) leaves the choice to the environment variable
 * that its comment names, and then to the default. See docs/tuning.md for ranges and defaults.
 * WEFT_DISPLAY_ENV=1 in the environment logs all values. weft_runtime_start reads the struct and
 * does not keep it.
 *
 * With patient_reactor, the reactor runs as SCHED_BATCH, so that it does not preempt the thread on
 * its CPU. wake_us is queued polling time, as estimated. After leader_after events in a row that
 * came alone, an idle worker waits for sockets itself.
 *
 * The default log writes one line to standard error. It drops lines that standard error has no
 * room for, and a later line tells how many.
 *
 * With cpu_affinity, the threads and children that tasks create inherit the one CPU of their
 * worker. A worker has no CPU of its own while workers wait for sockets themselves (leader_after).
 */
typedef struct weft_config {
    int64_t workers;        /* WEFT_WORKERS: number of worker threads */
    int64_t spare_workers;  /* WEFT_SPARE_WORKERS: stand in when all workers are stuck in a poll */
    int64_t current_thread; /* WEFT_CURRENT_THREAD: 1: the caller of weft_block_on is the worker */
    int64_t cpu_affinity;   /* WEFT_CPU_AFFINITY: 1: each worker stays on a CPU of its own */
    int64_t watchdog_ms;    /* WEFT_WATCHDOG_MS: a poll that takes longer is reported, in ms */
    int64_t blocking_threads;  /* WEFT_BLOCKING_THREADS: most threads of the blocking pool */
    int64_t blocking_keep_ms;  /* WEFT_BLOCKING_KEEP_MS: how long an idle one stays, in ms */
    int64_t dns_threads;       /* WEFT_DNS_THREADS: most threads that resolve names */
    int64_t budget;            /* WEFT_BUDGET: operations that a task may do in one poll */
    int64_t inject_interval;   /* WEFT_INJECT_INTERVAL: polls between looks at outside spawns */
    int64_t wake_us;           /* WEFT_WAKE_US: us of queued polling that wake one more worker */
    int64_t patient_reactor;   /* WEFT_PATIENT_REACTOR: 1: it preempts no thread (SCHED_BATCH) */
    int64_t leader_after;      /* WEFT_LEADER_AFTER: lone events until a worker waits for sockets */
    int64_t backend;           /* WEFT_BACKEND: a weft_backend */
    int64_t file_threads;      /* WEFT_FILE_THREADS: most threads for files without io_uring */
    int64_t fiber_stack;       /* WEFT_FIBER_STACK: size of a fiber's stack, in KiB */
    int64_t ring_entries;      /* WEFT_RING_ENTRIES: entries of the reactor's submission queue */
    int64_t stop_ms;           /* WEFT_STOP_MS: how long weft_main's stop may take, in ms */
    int64_t ring_mask;         /* WEFT_RING_MASK: debugging: kernel features not to use */
    weft_log         *log;     /* default: to standard error */
    void             *log_arg; /* the first argument of `log` */
    weft_thread_hook *thread_hook;     /* default: none */
    void             *thread_hook_arg; /* its first argument */
    weft_allocator    allocator;       /* default: malloc and free; both functions or none */
} weft_config;

/* What one worker has done since the runtime started. */
struct weft_worker_counters {
    uint64_t polls;          /* of tasks */
    uint64_t spawned, ended; /* tasks */
    uint64_t searches;       /* searches of the other workers' queues */
    uint64_t steals;         /* searches that found a task */
    uint64_t lifo_hits;      /* tasks that ran next because the running task woke them */
    uint64_t injections;     /* tasks taken from those that other threads queued */
    uint64_t overdue;        /* unstarted tasks taken because they had waited for long */
    uint64_t in_place_joins; /* tasks that ran within the poll of the task that joined them */
    uint64_t parks;          /* times the worker went to sleep */
    uint64_t yields;         /* times it let other threads run first, after a task bound to it */
};

#define WEFT_LATE_BUCKETS  16
#define WEFT_BATCH_BUCKETS 16

/*
 * Counters since the runtime started, summed over its threads. Reading them stops no thread, so
 * the values are taken at slightly different moments. Counters that struct weft_worker_counters
 * has, too, are explained there. Counters that begin with "blocking" are summed over all pools: see
 * struct weft_pool_counters.
 *
 * A "gate" is a sleep of the reactor while workers are busy with what it handed over. Events pile
 * up meanwhile and come as one batch. A gate has an estimated time only if polls have been long
 * lately. See docs/glossary.md.
 */
struct weft_runtime_counters {
    uint64_t tasks_spawned, tasks_ended, polls;
    uint64_t searches, steals, lifo_hits, overdue, in_place_joins, parks, yields;
    uint64_t injected;       /* tasks queued by threads that are not workers */
    uint64_t reactor_enters; /* system calls of the reactor */
    uint64_t reactor_wakes;  /* times that another thread had to wake the reactor in the kernel */
    uint64_t completions;    /* operations and ready sockets that the kernel reported to it */
    /* [i]: hand-overs of [2^i, 2^(i+1)) tasks at once; the last bucket is open-ended */
    uint64_t batches[WEFT_BATCH_BUCKETS];
    uint64_t worker_wakes;       /* hand-overs for which the reactor woke a worker */
    uint64_t worker_wakes_saved; /* hand-overs for which it woke none, because one was awake */
    uint64_t gates;              /* gates of the reactor */
    uint64_t gates_dry;          /* gates that ended because a worker ran out of tasks */
    uint64_t gates_called;       /* gates that ended because of a submission or a stop */
    uint64_t gates_timer;        /* gates that ended because the nearest timer came */
    uint64_t gates_expired;      /* gates that ended because their estimated time was over */
    uint64_t worker_looks;       /* times a worker asked for ready sockets itself */
    uint64_t worker_found;       /* ready sockets that were found so */
    uint64_t leader_waits;       /* sleeps of a worker that waited for sockets itself */
    uint64_t leader_found;       /* ready sockets that ended these sleeps */
    uint64_t timers_armed, timers_cancelled, timers_fired;
    uint64_t timer_wakes;        /* times that the reactor fired timers */
    uint64_t timers_late_ns;     /* sum: how long after deadline and accuracy timers fired, in ns */
    uint64_t timers_late_max_ns; /* the latest of them, in ns */
    /* [i]: timers that were [2^(15+i), 2^(16+i)) ns late; first and last bucket are open-ended */
    uint64_t timers_late[WEFT_LATE_BUCKETS];
    uint64_t blocking_jobs, blocking_threads;
    uint64_t streams_open;                   /* sockets that weft holds now */
    uint64_t tasks_alive;                    /* tasks that have not ended yet */
    uint64_t blocking_idle, blocking_queued; /* idle threads, and queued jobs, now */
    uint64_t blocking_done, blocking_cancelled, blocking_rejected;
    uint64_t blocking_wait_ns, blocking_wait_max_ns, blocking_run_ns;
};

/*
 * Starts a runtime with all its threads. The runtime is stored in *ret_runtime. All its threads run
 * when the call returns 0. `config` may be NULL, and is not kept. On failure the log gets one line
 * with the cause and the remedy.
 *
 * A current-thread runtime has no workers of its own. Its tasks are polled by the threads that
 * call weft_block_on or weft_runtime_stop, one thread at a time. While no thread does so the tasks
 * wait. The reactor thread serves its I/O and timers, as in any other runtime.
 *
 * Thread:  any.
 * Returns: 0. The caller stops the runtime by weft_runtime_stop.
 * Errors:  -EINVAL, an environment variable or a field is malformed or out of range.
 *   -ENOMEM, there is no memory. Also when RLIMIT_MEMLOCK leaves no room for the ring, after weft
 *   has tried again for up to 200 ms.
 *   -EPERM, -EACCES or -ENOSYS, io_uring is not available, and WEFT_BACKEND demands it.
 *   -ENOTSUP, the calling thread has a shadow stack (x86-64 CET), which weft does not support.
 *   Any other error of creating threads.
 */
WEFT_API WEFT_NODISCARD int weft_runtime_start(const weft_config *config,
                                               weft_runtime     **ret_runtime);

/*
 * Cancels all tasks of a runtime, waits until they have ended, and frees the runtime. From the
 * call on the runtime refuses new tasks. `patience` is the most that the call waits in all, in
 * nanoseconds. Once all tasks have ended it ends all threads. Handles and wakers of the runtime's
 * tasks may still be used afterwards.
 *
 * It waits for threads that are in weft_block_on with the runtime, too. In a current-thread runtime
 * such a call is a task, so it is cancelled, and returns what its future returns. No other thread
 * may begin such a call or use its streams meanwhile. The streams must be closed. While the call
 * waits, other threads may call weft_spawn_on and weft_pool_open, which return -ESHUTDOWN. Once the
 * call has returned 0, `rt` is freed memory, and no thread may be in such a call or begin one. So a
 * thread that spawns from outside must be told to end, and joined, before the stop. weft aborts if
 * it sees such a call while it frees the runtime. Wakers and handles know of the end of their tasks
 * and are always safe. Aborts if `rt` is NULL.
 *
 * Thread:  any but the runtime's own threads, one at a time.
 * Returns: 0, and `rt` is freed.
 * Errors:  -ETIMEDOUT, tasks or blocking jobs remain, or other executors have not seen the end of
 *   operations, sleeps or jobs that they have begun, or a thread is in weft_block_on with the
 *   runtime. The log says so, and names the jobs, and up to 1000 tasks.
 *   Nothing has been freed: call weft_runtime_stop again.
 *   -EDEADLK, one of the runtime's own threads called it, or one that is in weft_block_on with it.
 *   -ECHILD, the process is a fork of the process that started the runtime. Its memory stays.
 */
WEFT_API WEFT_NODISCARD int weft_runtime_stop(weft_runtime *rt, int64_t patience);

/*
 * Polls a future on the calling thread until it is READY, and sleeps between the polls. The caller
 * still owns the future afterwards. If `rt` is NULL, and the thread is in another weft_block_on or
 * in weft_block_in_place, it uses the runtime of that one. If there is none either, the thread
 * polls without a runtime: locks, channels and joins work, and whatever needs a runtime ends with
 * -ENXIO.
 *
 * Thread:  any thread that does not belong to a runtime.
 * Returns: the result of the future.
 * Errors:  -EDEADLK, a thread of a runtime called it. The future has not been polled.
 *   -EOWNERDEAD, the future panicked. The log has the panic's text.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOMEM, there is no memory. The future has not been polled.
 *   -ESHUTDOWN, the runtime is a current-thread runtime and is stopping. The future has not been
 *   polled.
 */
WEFT_API int64_t weft_block_on(weft_runtime *rt, weft_future *future);

/*
 * Resets the signal mask and the CPUs of a forked child, between fork and exec. The calling thread
 * gets those of the thread that started the runtime. If `rt` is NULL, the runtime is that of the
 * thread that forked. The function is async-signal-safe, also after vfork.
 *
 * Returns: 0.
 * Errors:  -ENXIO, `rt` is NULL and no thread of a runtime forked.
 */
WEFT_API int weft_child_reset(const weft_runtime *rt);

/*
 * Returns the runtime of the calling thread.
 *
 * Thread:  any.
 * Returns: the runtime whose worker, or whose weft_block_on, runs the caller. NULL on other
 *   threads.
 */
WEFT_API weft_runtime *weft_runtime_current(void);

/*
 * Returns the version of the library that the process uses, in the form of WEFT_VERSION.
 * WEFT_VERSION is the version of the headers that the caller was compiled with. Only the patch
 * numbers of the two may differ: see docs/versions.md.
 *
 * Thread:  any.
 */
WEFT_API int weft_version(void);

/*
 * Reads the counters of a runtime, summed over its threads. If `rt` is NULL, it is the runtime of
 * the calling thread, and without one the function aborts.
 *
 * Thread:  any.
 */
WEFT_API void weft_runtime_counters(weft_runtime *rt, struct weft_runtime_counters *ret_counters);

/*
 * Returns what the runtime's reactor waits with now. A runtime that has lost its ring goes on with
 * epoll. If `rt` is NULL, it is the runtime of the calling thread, and without one the function
 * aborts.
 *
 * Thread:  any.
 * Returns: WEFT_BACKEND_URING or WEFT_BACKEND_EPOLL.
 */
WEFT_API weft_backend weft_runtime_backend(const weft_runtime *rt);

/*
 * Returns how many workers the runtime has. It does not count the spare workers, which have the
 * numbers after those. If `rt` is NULL, it is the runtime of the calling thread, and without one
 * the function aborts.
 *
 * Thread:  any.
 */
WEFT_API uint32_t weft_runtime_workers(const weft_runtime *rt);

/*
 * Reads the counters of one worker. Workers are numbered from 0, spare workers after the others. If
 * `rt` is NULL, it is the runtime of the calling thread.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EINVAL, there is no such worker.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 */
WEFT_API WEFT_NODISCARD int weft_worker_counters(const weft_runtime *rt, uint32_t index,
                                                 struct weft_worker_counters *ret_counters);

/*
 * Logs every task that is alive. A line has the task's name, where it was spawned, and what it
 * awaits. That is looked for in the functions that the task calls, and within timeouts, shields,
 * readers and copies. Of a select the line has the branches, and of a read or write of a stream the
 * address of its peer. Each task that waits is polled once more because of it, so a second dump
 * soon after may find it queued. If `rt` is NULL, it is the runtime of the calling thread, and
 * without one the function aborts.
 *
 * Thread:  any.
 */
WEFT_API void weft_runtime_dump(weft_runtime *rt);

/*
 * Starts a runtime, runs an async function as its main task, and stops the runtime. The
 * configuration comes from the environment.
 *
 *     int main(void)
 *     {
 *         return weft_main(server, .port = 7000);
 *     }
 *
 * Stopping waits up to stop_ms (see weft_config) for the other tasks. It does not wait for threads
 * in weft_block_on, nor for look-ups and detachable jobs that were given up: the process may exit
 * while they run.
 *
 * Returns: the exit status of main. 0 on success. 1, with one line on standard error, if starting
 *   or stopping failed or if the function's result was an error.
 */
#define weft_main(name, ...) weft_main_with((const weft_config *)0, name, __VA_ARGS__)

/*
 * Starts a runtime with a weft_config, runs an async function as its main task, and stops it. It
 * is weft_main with a configuration. `config` is read at the start and not kept. Its fields take
 * precedence over the environment.
 *
 *     return weft_main_with(&config, server, .port = 7000);
 *
 * Returns: the exit status of main. 0 on success. 1, with one line on standard error, if starting
 *   or stopping failed or if the function's result was an error.
 */
#define weft_main_with(config, name, ...)                                                          \
    weft_main_(config, weft_ops_##name(), (uint32_t)offsetof(struct name, in),                     \
               WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)), #name "\0weft_main")

WEFT_API int weft_main_(const weft_config *config, const weft_future_ops *ops, uint32_t at,
                        const void *args, size_t size, const char *name);

WEFT_END_DECLS

#endif
