/*
 * blocking.h - calls that block or compute for long, on threads of their own
 *
 *     struct digest { const char *path; };          arguments, copied
 *     WEFT_BLOCKING(digest) { return digest_of(self->path); }
 *
 *     WEFT_AWAIT(n, weft_spawn_blocking(&self->job, digest, .path = "x"));
 *
 * A runtime has a pool of threads for that, one for name resolution, and those that are opened.
 */
#ifndef WEFT_BLOCKING_H
#define WEFT_BLOCKING_H

#include <weft/net.h>

WEFT_BEGIN_DECLS

/* Most bytes of a job's arguments. For more, pass a pointer to memory that stays until the future
 * is READY; a job with such a pointer must not be made detachable. */
#define WEFT_JOB_ARGS_MAX 128

typedef struct weft_pool weft_pool;

/* What WEFT_BLOCKING knows of a job. */
typedef struct weft_job_kind_ {
    int64_t (*run)(void *args);
    size_t      size;
    const char *name; /* "name\0file.c:12" */
} weft_job_kind_;

typedef struct weft_job {
    weft_future future;
    /* At READY, also of a cancelled one: what the job returned; -ECANCELED: it never ran. */
    int64_t               returned;
    const weft_job_kind_ *kind_;
    weft_pool            *pool_; /* NULL: the runtime's */
    struct wf_job        *job_;
    const void           *from_; /* arguments that are not in args_ */
    void                 *out_;
    bool                  detachable_;
    bool                  given_up_; /* cancelled while it ran */
    char                  args_[WEFT_JOB_ARGS_MAX] __attribute__((aligned(16)));
} weft_job;

/* Defines what runs on a pool thread. `self` is a copy of the arguments, gone when it returns. It must
 * not call weft, but may spawn tasks on a runtime, send to channels, wake, and weft_panic: that ends the
 * job at once, freeing nothing that it holds; the log gets a line, and whoever awaits it -EOWNERDEAD.
 * Result: >= 0 or -errno. */
#define WEFT_BLOCKING(name)                                                                        \
    WEFT_STATIC_ASSERT_(sizeof(struct name) <= WEFT_JOB_ARGS_MAX,                                  \
                        "the job's arguments are too large: pass a pointer");                      \
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

/* A future that runs the job on a pool thread from its first poll on, and answers its result. The
 * arguments are copied by this call.
 *
 * Cancel: DRAINS, so that a job may use memory of its caller's through pointers. A cancelled job
 * that has not started never runs. One that runs is waited for, because no thread can be
 * interrupted; then the answer is -ECANCELED (in weft_timeout: -ETIMEDOUT), and job->returned says
 * what the job returned, for example a descriptor to be closed. A caller that can't wait for so
 * long makes the job detachable, see below.
 *
 * -ENOMEM
 * -EOWNERDEAD: the job panicked.
 * -EAGAIN and the like: the pool has no thread and none could be created.
 * -ESHUTDOWN: the runtime stops.
 * -ENXIO: there is no runtime.
 * -ECHILD: in a fork of the process that started the runtime. */
#define weft_spawn_blocking(job, name, ...)                                                        \
    weft_spawn_blocking_(job, NULL, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__), NULL)
/* The same; the job's copy of its arguments is copied to *ret (a struct name) at READY, so that it can
 * return more than a number. Untouched if the job did not run to its end. */
#define weft_spawn_blocking_into(job, ret, name, ...)                                              \
    weft_spawn_blocking_(job, NULL, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__),          \
                         1 ? (ret) : (struct name *)0)
/* Both in the given pool, which must be open until READY; with any executor. -EAGAIN: its queue is full;
 * -ESHUTDOWN: it is being closed. */
#define weft_spawn_blocking_on(job, pool, name, ...)                                               \
    weft_spawn_blocking_(job, pool, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__), NULL)
#define weft_spawn_blocking_into_on(job, pool, ret, name, ...)                                     \
    weft_spawn_blocking_(job, pool, &weft_kind_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__),          \
                         1 ? (ret) : (struct name *)0)

/* Makes an unpolled job WITHDRAW instead of drain: cancelled while it runs, the future answers
 * -ECANCELED at once, the job goes on by itself, and what it returns is dropped. Only for jobs
 * that use nothing but their own copy of the arguments and what lives as long as the process: no
 * pointer to the caller's frame, and no result that must be given back. Returns the same future.
 *
 *     WEFT_AWAIT(n, weft_job_detachable(weft_spawn_blocking(&self->job, digest, .path = "x")));
 *
 * weft_runtime_stop waits for such jobs, too; weft_main does not. Thread: the owner's. */
WEFT_API weft_future *weft_job_detachable(weft_future *job);

WEFT_API weft_future *weft_spawn_blocking_(weft_job *job, weft_pool *pool,
                                           const weft_job_kind_ *kind, const void *args, void *ret);

/* ---- pools ---- */

/* What is 0 is as in the runtime's own pool; see weft_config. */
typedef struct weft_pool_config {
    const char *name;    /* copied, at most 15 bytes of it; for the log and the threads */
    int64_t     threads; /* at most so many, up to 10000 */
    int64_t     keep_ms; /* how long an idle one stays */
    int64_t
        queue_max; /* jobs that may wait when all threads are busy; 0: any number, WEFT_OFF: none */
} weft_pool_config;

/* Opens a pool with threads of its own, so that its jobs neither wait for others nor hold them up. It has
 * no thread until there is a job. `rt` NULL: the current one. Any thread. -EINVAL: a value out of range;
 * -ENOMEM; -ENXIO: the thread has no runtime; -ECHILD: in a fork of the process that started it;
 * -ESHUTDOWN: the runtime stops. Stopping the runtime closes it. */
WEFT_API WEFT_NODISCARD int weft_pool_open(weft_runtime *rt, weft_pool **ret,
                                           const weft_pool_config *config);

/* Refuses new jobs, waits `patience` nanoseconds at most until the others have ended, then frees the pool.
 * -ETIMEDOUT: jobs remain, the log names them; nothing has been freed, call again. -EDEADLK: called by
 * a thread of a runtime. -EINVAL: it is one that the runtime has by itself. -ECHILD as above. Any other thread, one at a time. */
WEFT_API WEFT_NODISCARD int weft_pool_close(weft_pool *pool, int64_t patience);

/* The pools that a runtime has by itself. Any thread. */
WEFT_API weft_pool *weft_pool_default(weft_runtime *rt);
WEFT_API weft_pool *weft_pool_dns(weft_runtime *rt); /* weft_resolve's */

#define WEFT_POOL_WAITS 24

/* What a pool holds now, and what it has done since it was opened. */
typedef struct weft_pool_counters {
    uint64_t threads, idle; /* idle ones, too */
    uint64_t threads_peak;
    uint64_t threads_failed; /* could not be created */
    uint64_t queued, queued_peak;
    uint64_t running;
    uint64_t jobs;      /* queued ever */
    uint64_t done;      /* ended, before anybody hears of it */
    uint64_t cancelled; /* while they were queued */
    uint64_t rejected;  /* the queue was full */
    uint64_t panicked;
    uint64_t wait_ns, wait_max_ns; /* from being queued to being begun */
    uint64_t run_ns;
    uint64_t
        waits[WEFT_POOL_WAITS]; /* [i]: jobs that waited less than 2^i us, and not less than half of
                                        that; the last: or longer */
} weft_pool_counters;

/* Any thread. -ECHILD as above. */
WEFT_API int weft_pool_count(weft_pool *pool, weft_pool_counters *ret);

/* ---- name resolution ---- */

#define WEFT_RESOLVE_MAX 16

#define WEFT_HOST_MAX 253

typedef struct weft_lookup {
    weft_address address[WEFT_RESOLVE_MAX];
    uint16_t     port_;
    char         host_[WEFT_HOST_MAX + 2];
} weft_lookup;

typedef struct weft_resolution {
    weft_future future;
    weft_lookup found;
    weft_job    job_;
} weft_resolution;

/* Resolves host name and port by getaddrinfo(3) on a thread of weft_pool_dns: how many addresses
 * (at most WEFT_RESOLVE_MAX) it put into resolution->found.address. -ENOENT: no such name; -EAGAIN:
 * the resolver failed for now; -EINVAL: the name is empty or longer than WEFT_HOST_MAX; -EIO: any
 * other trouble. The name is copied. WITHDRAWS. */
WEFT_API weft_future *weft_resolve(weft_resolution *resolution, const char *host, uint16_t port);

WEFT_END_DECLS

#endif
