/*
 * task.h - tasks: spawning, joining, cancelling, panicking
 *
 * A task is an async function, or a fiber (weft/fiber.h), that a runtime polls by itself. A handle
 * refers to one task.
 *
 * The frame of a task lies in memory of the runtime, behind a header of 32 bytes. A spawn does not
 * call malloc: it takes a slot of a block of 2 MiB that the runtime has for many tasks. On a worker
 * that takes no lock. Only when the blocks are full does the runtime ask its allocator
 * (weft_allocator) for another, and the spawn fails with -ENOMEM if there is none. Slots are
 * multiples of 32 bytes, and above 512 bytes up to an eighth larger than what they hold. A slot is
 * free for another task when its task has ended and has been joined or detached. A fiber has a
 * stack besides, which the runtime keeps for later ones.
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/runtime.h>

WEFT_BEGIN_DECLS

/*
 * A reference to one task, in memory of its owner. It must be detached, or joined until the join
 * is READY. It may move while no join is pending. While one is, a second join and a detach abort.
 * Any thread may use it, one at a time, also after the runtime has stopped. Once its task has been
 * joined or detached it is empty: then only weft_handle_is_empty and weft_handle_panic accept it,
 * and all other functions abort.
 */
typedef struct weft_handle {
    weft_future     future_;
    struct wf_task *task_;
    union {
        weft_waker  waker_; /* of the task that joins, while this task runs */
        const char *panic_; /* after the join */
    };
} weft_handle;

/*
 * Spawns an async function as a task, on the runtime of the calling thread. That is the runtime of
 * the caller's worker or of its weft_block_on. The arguments are copied. A NULL handle detaches
 * the task at once. After an error nothing has run and the handle is untouched.
 *
 *     n = weft_spawn(&self->handle, echo, .conn = c);
 *
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ENXIO, the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
#define weft_spawn(handle, name, ...)                                                              \
    weft_spawn_here_(handle, weft_ops_##name(), (uint32_t)offsetof(struct name, in),               \
                     WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)),                 \
                     #name "\0" WEFT_HERE_)

/*
 * Spawns an async function as a task, on a given runtime. `rt` is the runtime, which must not have
 * been stopped: see weft_runtime_stop. If it is NULL, it is the runtime of the calling thread. The
 * arguments are copied. A NULL handle detaches the task at once. After an error nothing has run
 * and the handle is untouched.
 *
 *     n = weft_spawn_on(rt, &handle, echo, .conn = c);
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
#define weft_spawn_on(rt, handle, name, ...)                                                       \
    WEFT_SPAWN_(rt, handle, WEFT_ANYWHERE_, #name, name, __VA_ARGS__)

/*
 * Spawns an async function as a task that has a name of its own in logs and dumps. `literal` is
 * that name, a string literal. Other tasks have the name of their function. `rt` is the runtime,
 * which must not have been stopped. If it is NULL, it is the runtime of the calling thread. The
 * arguments are copied. A NULL handle detaches the task at once. After an error nothing has run
 * and the handle is untouched.
 *
 *     n = weft_spawn_named(rt, &handle, "echo of clients", echo, .conn = c);
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
#define weft_spawn_named(rt, handle, literal, name, ...)                                           \
    WEFT_SPAWN_(rt, handle, WEFT_ANYWHERE_, literal "", name, __VA_ARGS__)

/*
 * Spawns an async function as a task that only one worker polls. `index` is the number of that
 * worker, from 0, below weft_runtime_workers(). Tasks of one worker can share state without locks.
 * The task waits while its worker is stuck. `rt` is the runtime, which must not have been stopped.
 * If it is NULL, it is the runtime of the calling thread. The arguments are copied. A NULL handle
 * detaches the task at once. After an error nothing has run and the handle is untouched.
 *
 *     n = weft_spawn_bound(rt, &handle, 0, echo, .conn = c);
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EINVAL, there is no such worker.
 *   -ENOMEM, there is no memory.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
#define weft_spawn_bound(rt, handle, index, name, ...)                                             \
    WEFT_SPAWN_(rt, handle, (index), #name, name, __VA_ARGS__)

#define WEFT_ANYWHERE_ INT64_MIN
#define WEFT_SPAWN_(rt, handle, pin, literal, name, ...)                                           \
    weft_spawn_(rt, handle, pin, weft_ops_##name(), (uint32_t)offsetof(struct name, in),           \
                WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)),                      \
                literal "\0" WEFT_HERE_)

/* Spawns on the runtime of the calling thread, for any of its workers. */
WEFT_API WEFT_NODISCARD int weft_spawn_here_(weft_handle *ret_handle, const weft_future_ops *ops,
                                             uint32_t at, const void *args, size_t size,
                                             const char *site);
WEFT_API WEFT_NODISCARD int weft_spawn_(weft_runtime *rt, weft_handle *ret_handle, int64_t pin,
                                        const weft_future_ops *ops, uint32_t at, const void *args,
                                        size_t size, const char *site);

/*
 * Waits for the end of a task. The handle is borrowed until READY and must stay in place. After
 * READY the handle is empty, except after a join that was cancelled.
 *
 * If a task directly awaits the join of a task that it has just spawned on its worker, the spawned
 * task may run within this poll, after those spawned since.
 *
 * Returns: the result of the task.
 * Errors:  -EOWNERDEAD, the task panicked. weft_handle_panic returns the text.
 * Cancel:  WITHDRAWS, with -ECANCELED. A cancelled join leaves the task and the handle as they
 *   were: join again, or detach. weft_handle_is_empty distinguishes its -ECANCELED from a task
 *   that ended with -ECANCELED, after which the handle is empty.
 */
WEFT_API weft_future *weft_join(weft_handle *handle);

/* Returns whether the task of the handle has been joined or detached. */
static inline bool weft_handle_is_empty(const weft_handle *handle)
{
    return !handle->task_;
}

/*
 * Returns the panic's text after a join that ended with -EOWNERDEAD. It begins with the place of
 * the panic, "file.c:12: ", and ends with the text that weft_panic was given.
 *
 * Returns: the text, which stays valid for ever. NULL after any other join, and before a join.
 */
static inline const char *weft_handle_panic(const weft_handle *handle)
{
    return handle->task_ ? NULL : handle->panic_;
}

/* Returns the name of the handle's task, as in logs. It is valid until the task has been joined or
 * detached. */
WEFT_API const char *weft_handle_name(const weft_handle *handle);

/* Detaches the task: it runs on, and its result is dropped. The handle is empty afterwards. */
WEFT_API void weft_detach(weft_handle *handle);

/*
 * Asks a task to end. Its current await is cancelled, and all later awaits end with -ECANCELED,
 * until its body returns. The handle still has to be joined or detached.
 *
 * A task that has not started still runs, with WEFT_CANCELLED() true, so that it can release its
 * arguments, which it owns. Async functions that it calls (WEFT_CALL) do not start.
 */
WEFT_API void weft_cancel(const weft_handle *handle);

/* Returns whether the task has ended. The handle must not be empty. */
WEFT_API bool weft_is_finished(const weft_handle *handle);

WEFT_END_DECLS

#endif
