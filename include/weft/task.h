/*
 * task.h - tasks: spawning, joining, cancelling, panicking
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/runtime.h>

WEFT_BEGIN_DECLS

/* A handle on one task, in the owner's memory. It must be joined to READY or detached; it may move
 * while no join is pending, and be used by any thread, one at a time. Also after the runtime has
 * stopped. */
typedef struct weft_handle {
    weft_future     future_;
    struct wf_task *task_;
    union {
        weft_waker  waker_; /* of whoever joins, while the task runs */
        const char *panic_; /* once joined */
    };
} weft_handle;

/* Spawns the async function as a task of its own, on the runtime of the caller's worker or
 * weft_block_on: weft_spawn(&self->handle, echo, .conn = c). A NULL handle detaches. The arguments
 * are copied. 0; -ENOMEM; -ESHUTDOWN: the runtime is stopping; -ENXIO: the thread has no runtime;
 * -ECHILD: the process is a fork of the one that started it. After an error nothing has run and the
 * handle is untouched. */
#define weft_spawn(handle, name, ...)                                                              \
    weft_spawn_here_(handle, weft_ops_##name(), (uint32_t)offsetof(struct name, in),               \
                     WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)),                 \
                     #name "\0" WEFT_HERE_)

/* The same on a given runtime, from any thread; that must not have been stopped: see weft_runtime_stop. */
#define weft_spawn_on(rt, handle, name, ...)                                                       \
    WEFT_SPAWN_(rt, handle, WEFT_ANYWHERE_, #name, name, __VA_ARGS__)

/* The same for a task with a name of its own, a string literal, instead of its function's: for logs and
 * dumps. `rt` may be NULL as above. */
#define weft_spawn_named(rt, handle, literal, name, ...)                                           \
    WEFT_SPAWN_(rt, handle, WEFT_ANYWHERE_, literal "", name, __VA_ARGS__)

/* The same for a task that only worker number `index` polls (from 0, below weft_runtime_workers()): for
 * state that its tasks share without locks. It waits while that worker is stuck. -EINVAL: there is no
 * such worker. */
#define weft_spawn_pinned(rt, handle, index, name, ...)                                            \
    WEFT_SPAWN_(rt, handle, (index), #name, name, __VA_ARGS__)

#define WEFT_ANYWHERE_ INT64_MIN
#define WEFT_SPAWN_(rt, handle, pin, literal, name, ...)                                           \
    weft_spawn_(rt, handle, pin, weft_ops_##name(), (uint32_t)offsetof(struct name, in),           \
                WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)),                      \
                literal "\0" WEFT_HERE_)

/* On the caller's runtime, for any of its workers. */
WEFT_API WEFT_NODISCARD int weft_spawn_here_(weft_handle *ret_handle, const weft_future_ops *ops,
                                             uint32_t at, const void *args, size_t size,
                                             const char *site);
WEFT_API WEFT_NODISCARD int weft_spawn_(weft_runtime *rt, weft_handle *ret_handle, int64_t pin,
                                        const weft_future_ops *ops, uint32_t at, const void *args,
                                        size_t size, const char *site);

/* A future that ends with the task, and answers its result; -EOWNERDEAD if it panicked. WITHDRAWS: a
 * cancelled join leaves task and handle as they were; join again or detach (weft_handle_is_empty tells
 * its -ECANCELED from the task's). After any other READY the handle is empty. Awaited directly by a
 * task that has just spawned it on the same worker, the task may run within this poll, behind those
 * spawned since. */
WEFT_API weft_future *weft_join(weft_handle *handle);

/* Whether the handle's task has been joined or detached. */
static inline bool weft_handle_is_empty(const weft_handle *handle)
{
    return !handle->task_;
}

/* After a join that answered -EOWNERDEAD: "file.c:12: what weft_panic said", forever; after any other
 * NULL. */
static inline const char *weft_handle_panic(const weft_handle *handle)
{
    return handle->task_ ? NULL : handle->panic_;
}

/* The name of the handle's task, as in logs; valid until it has been joined or detached. */
WEFT_API const char *weft_handle_name(const weft_handle *handle);

/* Gives the task up: it runs on, nobody hears of its end. The handle is empty. */
WEFT_API void weft_detach(weft_handle *handle);

/* Asks the task to end: its current await is cancelled, all later ones answer -ECANCELED, until its
 * body returns. One that has not started yet starts with that: it owns its arguments, so it gets to
 * close them; WEFT_CANCELLED() tells it. Functions that it calls (WEFT_CALL) don't start. */
WEFT_API void weft_cancel(const weft_handle *handle);

/* Whether the task has ended. */
WEFT_API bool weft_is_finished(const weft_handle *handle);

WEFT_END_DECLS

#endif
