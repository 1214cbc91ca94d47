/*
 * blocking.h - calls that block or compute for long, on threads of their own
 *
 *     struct digest { const char *path; };          arguments, copied
 *     WEFT_BLOCKING(digest) { return digest_of(self->path); }
 *
 *     WEFT_AWAIT(n, weft_spawn_blocking(&self->job, digest, .path = "x"));
 */
#ifndef WEFT_BLOCKING_H
#define WEFT_BLOCKING_H

#include <weft/net.h>

WEFT_BEGIN_DECLS

/* Most bytes of a job's arguments; for more, pass a pointer. */
#define WEFT_JOB_ARGS_MAX 128

typedef struct weft_job {
    weft_future future;
    int64_t (*run_)(void *args);
    struct wf_job *job_;
    const void    *from_; /* arguments that are not in args_ */
    void          *out_;
    size_t         size_;
    char           args_[WEFT_JOB_ARGS_MAX] __attribute__((aligned(16)));
} weft_job;

/* Defines what runs on a pool thread. `self` is a copy of the arguments, gone when it returns. It must
 * not call weft, but may spawn tasks on a runtime, send to channels and wake. Result: >= 0 or -errno. */
#define WEFT_BLOCKING(name)                                                                        \
    WEFT_STATIC_ASSERT_(sizeof(struct name) <= WEFT_JOB_ARGS_MAX,                                  \
                        "the job's arguments are too large: pass a pointer");                      \
    static int64_t weft_job_##name(struct name *self);                                             \
    static int64_t weft_run_##name(void *args)                                                     \
    {                                                                                              \
        return weft_job_##name((struct name *)args);                                               \
    }                                                                                              \
    static int64_t weft_job_##name(struct name *self)

#ifdef __cplusplus
#define WEFT_JOB_ARGS_(name, ...) weft_args_pointer_<struct name>((struct name){__VA_ARGS__})
#else
#define WEFT_JOB_ARGS_(name, ...) (&(struct name){__VA_ARGS__})
#endif

/* A future that runs the job on a pool thread from its first poll on, and answers its result. The
 * arguments are copied by this call. WITHDRAWS: a cancelled job that has not started never runs; one
 * that runs goes on by itself, and what it returns is dropped. -ENOMEM; -EAGAIN: no thread could be
 * created and there is none; -ESHUTDOWN when stopping; -ENXIO without a runtime. */
#define weft_spawn_blocking(job, name, ...)                                                        \
    weft_spawn_blocking_(job, weft_run_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__),                  \
                         sizeof(struct name), NULL)
/* The same; the job's copy of its arguments is copied to *ret (a struct name) at READY, so that it can
 * return more than a number. Untouched if cancelled. */
#define weft_spawn_blocking_into(job, ret, name, ...)                                              \
    weft_spawn_blocking_(job, weft_run_##name, WEFT_JOB_ARGS_(name, __VA_ARGS__),                  \
                         sizeof(struct name), 1 ? (ret) : (struct name *)0)

WEFT_API weft_future *weft_spawn_blocking_(weft_job *job, int64_t (*run)(void *), const void *args,
                                           size_t size, void *ret);

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

/* Resolves host name and port by getaddrinfo(3) on a pool thread: how many addresses (at most
 * WEFT_RESOLVE_MAX) it put into resolution->found.address. -ENOENT: no such name; -EAGAIN: the resolver
 * failed for now; -EINVAL: the name is longer than WEFT_HOST_MAX; -EIO: any other trouble. The name is
 * copied. WITHDRAWS. */
WEFT_API weft_future *weft_resolve(weft_resolution *resolution, const char *host, uint16_t port);

WEFT_END_DECLS

#endif
