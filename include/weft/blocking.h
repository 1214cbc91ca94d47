/*
 * blocking.h - calls that block or compute for long, on threads of their own
 *
 *     struct digest { const char *path; };          arguments, copied
 *     WEFT_BLOCKING(digest) { return digest_of(self->path); }
 *
 *     WEFT_AWAIT(n, weft_spawn_blocking(&self->job, digest, .path = "x"));
 *
 * A runtime has a pool of threads for such calls, and one for name resolution. The program can
 * open more pools.
 */
#ifndef WEFT_BLOCKING_H
#define WEFT_BLOCKING_H

#include <weft/net.h>

WEFT_BEGIN_DECLS

/*
 * Most bytes of a job's arguments. For more, pass a pointer to memory that stays until the future
 * is READY. A job with such a pointer must not be made detachable.
 */
#define WEFT_JOB_ARGS_MAX 128

/* A pool of threads, and the queue of jobs that wait for a thread. */
typedef struct weft_pool weft_pool;

/* What WEFT_BLOCKING defines. */
typedef struct weft_job_kind_ {
    int64_t (*run)(void *args);
    size_t      size;
    const char *name; /* "name\0file.c:12" */
} weft_job_kind_;

/* The state of a weft_spawn_blocking, in memory of the caller: one job. */
struct weft_spawn_blocking {
    weft_future future;
    /* At READY: what the job returned, also if it was cancelled. -ECANCELED if it never ran. */
    int64_t               returned;
    const weft_job_kind_ *kind_;
    weft_pool            *pool_; /* NULL: the runtime's */
    struct wf_job        *job_;
    const void           *from_; /* arguments that are not in args_ */
    void                 *out_;
    bool                  detachable_;
    bool                  given_up_; /* cancelled while it ran */
    char                  args_[WEFT_JOB_ARGS_MAX] __attribute__((aligned(16)));
};

/*
 * Defines a blocking job, a function that runs on a pool thread. `name` is the name of a struct,
 * the job's arguments. In the body, `self` points to a copy of them, which is gone when the body
 * returns. The body must not wait for weft: weft_block_on answers -EDEADLK. What does not wait, and
 * any thread may call, the body may call, too: it may spawn tasks on a runtime, send to channels,
 * set an event, look at a token. It may call weft_panic, which ends the job at once and frees
 * nothing that it holds. The log gets a line, and the future ends with -EOWNERDEAD.
 *
 * No cancel interrupts a body that runs. To end one early, pass it a pointer to a weft_token, and
 * let it return when weft_token_is_cancelled says so. A weft_token_run of the same token around the
 * job cancels a job that has not started.
 *
 *     struct digest {
 *         const char *path;
 *     };
 *     WEFT_BLOCKING(digest)
 *     {
 *         return digest_of(self->path);
 *     }
 *
 * Returns: the body returns the future's result, >= 0 or -errno.
 */
#define WEFT_BLOCKING(name)                                                                        \
    WEFT_STATIC_ASSERT_(sizeof(struct name) <= WEFT_JOB_ARGS_MAX,                                  \
                        "the job's arguments are too large: pass a pointer");                      \
    WEFT_STATIC_ASSERT_(WEFT_PLAIN_(struct name), "a job's arguments are copied byte by byte");    \
    static int64_t weft_job_##name(struct name *self);                                             \
    static int64_t weft_run_##name(void *args)                                                     \
    {                                                                                              \
        return weft_job_##name((struct name *)args);                                               \
    }                                                                                              \
    static const weft_job_kind_ weft_kind_##name = {weft_run_##name, sizeof(struct name),          \
                                                    #name "\0" WEFT_HERE_};                        \
    static int64_t              weft_job_##name(struct name *self)

#ifdef __cplusplus
#define WEFT_JOB_ARGS_(name, ...) weft_args_pointer_<struct name>((struct name){__VA_ARGS__})
#else
#define WEFT_JOB_ARGS_(name, ...) (&(struct name){__VA_ARGS__})
#endif

/*
 * Runs a job on a thread of the runtime's blocking pool, and waits for its result. This call
 * copies the arguments. The job is queued at the first poll of the future.
 *
 *     WEFT_AWAIT(n, weft_spawn_blocking(&self->job, digest, .path = "x"));
 *
 * Returns: the result of the job.
 * Errors:  -ENOMEM, there is no memory.
 *   -EOWNERDEAD, the job panicked.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ENXIO, there is no runtime.
 *   An error of creating a thread, such as -EAGAIN: the pool has no thread and none could be
 *   created.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  DRAINS, so that a job may use memory of its caller through pointers. A cancelled job
 *   that has not started never runs. weft waits for one that runs, because no thread can be
 *   interrupted. Then the result is -ECANCELED (in weft_timeout, -ETIMEDOUT), and job->returned is
 *   what the job returned, for example a descriptor to be closed. A caller that can't wait for so
 *   long makes the job detachable: see weft_job_detachable.
 */
#define weft_spawn_blocking(job, name, ...)                                                        \
    weft_spawn_blocking_(job, NULL, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__), NULL)

/*
 * Runs a job on a thread of the runtime's blocking pool, and gets its arguments back, too. This
 * call copies the arguments. `ret` points to a `struct name`. At READY the job's copy of its
 * arguments is copied there, so that a job can return more than a number. *ret is untouched if the
 * job did not run to its end. The job is queued at the first poll of the future.
 *
 *     WEFT_AWAIT(n, weft_spawn_blocking_into(&self->job, &self->digest, digest, .path = "x"));
 *
 * Returns: the result of the job.
 * Errors:  -ENOMEM, there is no memory.
 *   -EOWNERDEAD, the job panicked.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ENXIO, there is no runtime.
 *   An error of creating a thread, such as -EAGAIN: the pool has no thread and none could be
 *   created.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  DRAINS, so that a job may use memory of its caller through pointers. A cancelled job
 *   that has not started never runs. weft waits for one that runs, because no thread can be
 *   interrupted. Then the result is -ECANCELED (in weft_timeout, -ETIMEDOUT), and job->returned is
 *   what the job returned, for example a descriptor to be closed. A caller that can't wait for so
 *   long makes the job detachable: see weft_job_detachable.
 */
#define weft_spawn_blocking_into(job, ret, name, ...)                                              \
    weft_spawn_blocking_(job, NULL, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__),          \
                         1 ? (ret) : (struct name *)0)

/*
 * Runs a job on a thread of the given pool, and waits for its result. The pool must be open until
 * READY. Any executor may poll the future. This call copies the arguments. The job is queued at
 * the first poll of the future.
 *
 *     WEFT_AWAIT(n, weft_spawn_blocking_on(&self->job, pool, digest, .path = "x"));
 *
 * Returns: the result of the job.
 * Errors:  -ENOMEM, there is no memory.
 *   -EOWNERDEAD, the job panicked.
 *   -EAGAIN, the queue of the pool is full.
 *   -ESHUTDOWN, the pool is being closed.
 *   An error of creating a thread, such as -EAGAIN: the pool has no thread and none could be
 *   created.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  DRAINS, so that a job may use memory of its caller through pointers. A cancelled job
 *   that has not started never runs. weft waits for one that runs, because no thread can be
 *   interrupted. Then the result is -ECANCELED (in weft_timeout, -ETIMEDOUT), and job->returned is
 *   what the job returned, for example a descriptor to be closed. A caller that can't wait for so
 *   long makes the job detachable: see weft_job_detachable.
 */
#define weft_spawn_blocking_on(job, pool, name, ...)                                               \
    weft_spawn_blocking_(job, pool, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__), NULL)

/*
 * Runs a job on a thread of the given pool, and gets its arguments back, too. The pool must be
 * open until READY. Any executor may poll the future. This call copies the arguments. `ret` points
 * to a `struct name`. At READY the job's copy of its arguments is copied there, so that a job can
 * return more than a number. *ret is untouched if the job did not run to its end. The job is
 * queued at the first poll of the future.
 *
 *     n = weft_block_on(rt, weft_spawn_blocking_into_on(&job, pool, &ret, digest, .path = "x"));
 *
 * Returns: the result of the job.
 * Errors:  -ENOMEM, there is no memory.
 *   -EOWNERDEAD, the job panicked.
 *   -EAGAIN, the queue of the pool is full.
 *   -ESHUTDOWN, the pool is being closed.
 *   An error of creating a thread, such as -EAGAIN: the pool has no thread and none could be
 *   created.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  DRAINS, so that a job may use memory of its caller through pointers. A cancelled job
 *   that has not started never runs. weft waits for one that runs, because no thread can be
 *   interrupted. Then the result is -ECANCELED (in weft_timeout, -ETIMEDOUT), and job->returned is
 *   what the job returned, for example a descriptor to be closed. A caller that can't wait for so
 *   long makes the job detachable: see weft_job_detachable.
 */
#define weft_spawn_blocking_into_on(job, pool, ret, name, ...)                                     \
    weft_spawn_blocking_(job, pool, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__),          \
                         1 ? (ret) : (struct name *)0)

/*
 * Makes a job detachable, so that a cancelled job does not keep its caller waiting. `job` is a
 * future that weft_spawn_blocking or one of its variants has made, and that has not been polled.
 * Its cancel then WITHDRAWS instead of DRAINS: cancelled while the job runs, the future ends with
 * -ECANCELED at once. The job goes on alone, and its result is dropped.
 *
 * Use it only for jobs that need nothing but their own copy of the arguments and what lives as
 * long as the process. Such a job has no pointer to the caller's frame, and no result that must be
 * given back. weft_runtime_stop waits for these jobs, too. weft_main does not.
 *
 *     WEFT_AWAIT(n, weft_job_detachable(weft_spawn_blocking(&self->job, digest, .path = "x")));
 *
 * Thread:  the owner of the job.
 * Returns: the future that it was given.
 */
WEFT_API weft_future *weft_job_detachable(weft_future *job);

WEFT_API weft_future *weft_spawn_blocking_(struct weft_spawn_blocking *job, weft_pool *pool,
                                           const weft_job_kind_ *kind, const void *args, void *ret);

/* ---- in place ---- */

/*
 * Calls a function that blocks or computes for long, on the caller's stack. The other tasks of the
 * worker go on meanwhile: they move to other workers at once, and if all of these are busy, a spare
 * worker (WEFT_SPARE_WORKERS) starts. The watchdog does not complain. Use it where the function
 * can't be a job: it needs the caller's frame, or it calls weft_block_on.
 *
 *     n = weft_block_in_place(parse, &self->document);
 *
 * While the function runs, its thread does not count as one of the runtime's. It may call what any
 * thread may: spawn on the runtime, send, wake, and weft_block_on. A NULL runtime stands for the
 * runtime of the task. Only weft_runtime_stop is refused, with -EDEADLK. What the function needs is
 * passed in `argument`: it must neither rely on the task's values of keys (weft/task_local.h) nor
 * set any. On a worker it does not see them, and weft_fiber_set_local aborts.
 *
 * Tasks that are bound to the worker wait. So do fibers that have started on it, and the other
 * branches of the caller's task. The function must not wait for one of these, also not with a time
 * limit: a wait that is cancelled may first need a lock that was passed to one of them.
 *
 * If all spare workers are in use, the other tasks wait for the workers that are left. The caller
 * of a current-thread runtime has no other thread that could poll its tasks: they wait, and
 * weft_block_on ends with -EDEADLK. On a thread that polls no task of a runtime, on a pool thread,
 * or within another weft_block_in_place, the function is just called.
 *
 * A panic of the function is a panic of the task. weft_runtime_stop waits for the function. A
 * cancel of the task does not interrupt it; the next await ends.
 *
 * Thread:  any.
 * Returns: what the function returned.
 */
WEFT_API int64_t weft_block_in_place(int64_t (*function)(void *argument), void *argument);

/* ---- pools ---- */

/*
 * What a pool is opened with. A field that is 0 has the value of the runtime's blocking pool: see
 * weft_config.
 */
typedef struct weft_pool_config {
    const char *name;    /* for the log and the threads; at most 15 bytes of it are copied */
    int64_t     threads; /* most threads, up to 10000 */
    int64_t     keep_ms; /* how long an idle thread stays, in ms */
    /* Jobs that may wait while all threads are busy. 0: any number. WEFT_OFF: none. */
    int64_t queue_max;
} weft_pool_config;

/*
 * Opens a pool with threads of its own and stores it in *ret_pool. Its jobs neither wait for jobs
 * of other pools nor hold them up. The pool has no thread until there is a job. If `rt` is NULL, it
 * is the runtime of the calling thread. `config` is not kept. The caller closes the pool by
 * weft_pool_close, or leaves that to weft_runtime_stop.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EINVAL, a value is out of range.
 *   -ENOMEM, there is no memory.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
WEFT_API WEFT_NODISCARD int weft_pool_open(weft_runtime *rt, const weft_pool_config *config,
                                           weft_pool **ret_pool);

/*
 * Closes a pool and frees it, once its jobs have ended. From the call on it refuses new jobs.
 * `patience` is how long it waits at most, in nanoseconds.
 *
 * Thread:  any thread that does not belong to a runtime, one at a time, and not while
 *   weft_runtime_stop runs.
 * Returns: 0, and the pool is freed.
 * Errors:  -ETIMEDOUT, jobs remain. The log names them. Nothing has been freed: call it again.
 *   -EDEADLK, a thread of a runtime called it.
 *   -EINVAL, the pool is weft_pool_default or weft_pool_dns of its runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
WEFT_API WEFT_NODISCARD int weft_pool_close(weft_pool *pool, int64_t patience);

/*
 * Returns the runtime's blocking pool, which weft_spawn_blocking uses. The runtime owns it. If `rt`
 * is NULL, it is the runtime of the calling thread, and without one the function aborts.
 *
 * Thread:  any.
 */
WEFT_API weft_pool *weft_pool_default(weft_runtime *rt);

/*
 * Returns the runtime's pool for name resolution, which weft_resolve uses. The runtime owns it. If
 * `rt` is NULL, it is the runtime of the calling thread, and without one the function aborts.
 *
 * Thread:  any.
 */
WEFT_API weft_pool *weft_pool_dns(weft_runtime *rt);

#define WEFT_POOL_WAITS 24

/* What a pool holds now, and what it has done since it was opened. */
struct weft_pool_counters {
    uint64_t threads, idle;       /* threads now, including idle ones; idle ones */
    uint64_t threads_peak;        /* most threads at a time */
    uint64_t threads_failed;      /* threads that could not be created */
    uint64_t queued, queued_peak; /* jobs that wait for a thread now; most at a time */
    uint64_t running;             /* jobs that run now */
    uint64_t jobs;                /* jobs that have been queued */
    uint64_t done;                /* jobs that have ended; counted before their futures are woken */
    uint64_t cancelled;           /* jobs that were cancelled while they were queued */
    uint64_t rejected;            /* jobs that were refused because the queue was full */
    uint64_t panicked;            /* jobs that panicked */
    uint64_t wait_ns, wait_max_ns; /* times from submission to start, in ns: sum; longest */
    uint64_t run_ns;               /* sum of the times that jobs ran, in ns */
    /* [i]: jobs that waited [2^(i-1), 2^i) us. [0]: less than 1 us. The last one is open-ended. */
    uint64_t waits[WEFT_POOL_WAITS];
};

/*
 * Reads the counters of a pool.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -ECHILD, the process is a fork of the process that started the runtime.
 */
WEFT_API WEFT_NODISCARD int weft_pool_counters(weft_pool                 *pool,
                                               struct weft_pool_counters *ret_counters);

/* ---- name resolution ---- */

/* Most addresses that weft_resolve finds. */
#define WEFT_RESOLVE_MAX 16

/* Most bytes of a host name. */
#define WEFT_HOST_MAX 253

/* What weft_resolve has found. */
typedef struct weft_lookup {
    weft_address address[WEFT_RESOLVE_MAX];
    uint16_t     port_;
    char         host_[WEFT_HOST_MAX + 2];
} weft_lookup;

/* The state of a weft_resolve, in memory of the caller. */
struct weft_resolve {
    weft_future                future;
    weft_lookup                found;
    struct weft_spawn_blocking job_;
};

/*
 * Resolves a host name and a port to addresses, on a thread of weft_pool_dns. It uses
 * getaddrinfo(3). The call copies the name. The addresses are in resolution->found.address, at
 * most WEFT_RESOLVE_MAX.
 *
 * Returns: the number of addresses.
 * Errors:  -ENOENT, there is no such name.
 *   -EAGAIN, the resolver failed for now.
 *   -EINVAL, the name is empty or longer than WEFT_HOST_MAX.
 *   -ENOMEM, there is no memory.
 *   -EIO, the resolver failed in another way.
 *   An error of a system call of the resolver.
 *   An error of weft_spawn_blocking.
 * Cancel:  WITHDRAWS, with -ECANCELED. A look-up that has started goes on alone, and its result is
 *   dropped.
 */
WEFT_API weft_future *weft_resolve(struct weft_resolve *resolution, const char *host,
                                   uint16_t port);

WEFT_END_DECLS

#endif
