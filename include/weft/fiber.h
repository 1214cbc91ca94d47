/*
 * fiber.h - tasks with a stack of their own: straight-line code that awaits
 *
 *     static int64_t greet(void *argument)
 *     {
 *         weft_stream *conn = argument;
 *         weft_io      io;
 *         int64_t      n = weft_await(weft_write_all(&io, conn, "hi\n", 3));
 *
 *         weft_stream_close(conn);
 *         return n;
 *     }
 *
 *     n = weft_fiber(&handle, greet, conn);
 *
 * A fiber is a task like any other: it is joined, detached, cancelled, named and dumped through the
 * same handle. It runs on the same workers, and awaits the same futures. Its body is a plain
 * function. It may recurse, and call libraries that call it back, and await in there. What an
 * async function keeps in its frame, a fiber keeps in local variables, futures included.
 *
 * - Any worker may start a fiber. From then on only that worker runs it. If another task blocks
 *   that worker, its fibers wait, and the watchdog (WEFT_WATCHDOG_MS) names those that could run.
 *   It does not name those that wait for weft_block_in_place.
 * - A fiber has a stack of fixed size, WEFT_FIBER_STACK or its options' stack_size. A guard page
 *   lies below the stack. A fiber that needs more than its stack dies there of SIGSEGV, as a thread
 *   does.
 * - An await may move other fibers through the thread. So what a thread-local variable holds, errno
 *   too, is garbage after an await. Results come from the await.
 * - Between awaits a fiber holds its worker, as any task does.
 * - In C++ an exception may be thrown and caught within a fiber, also across awaits. One that
 *   leaves the fiber's function ends the process by std::terminate, as one that leaves a thread's
 *   function does. Catch blocks and destructors may await, unless the C++ library was loaded after
 *   this one (docs/cplusplus.md).
 */
#ifndef WEFT_FIBER_H
#define WEFT_FIBER_H

#include <weft/task.h>
#include <weft/task_local.h>

WEFT_BEGIN_DECLS

/* The body of a fiber. Its result is the task's: >= 0, or -errno. */
typedef int64_t weft_fiber_function(void *argument);

/* How a fiber is to run. A field that is 0 has its default. */
typedef struct weft_fiber_options {
    /* In bytes, rounded up to a power of 2, and to 16 KiB at least. Default: WEFT_FIBER_STACK. */
    size_t   stack_size;
    bool     bound;  /* only worker `worker` runs the fiber, from the start */
    uint32_t worker; /* an index, from 0, below weft_runtime_workers() */
} weft_fiber_options;

/*
 * Spawns a fiber on the runtime of the calling thread. It calls function(argument). A NULL handle
 * detaches it at once. After an error nothing has run and the handle is untouched.
 *
 *     n = weft_fiber(&handle, greet, conn);
 *
 * Thread:  any that has a runtime: a task, or a thread in weft_block_on.
 * Memory:  `argument` is passed on as it is. What it points to must live as long as the function
 *   uses it.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory, or no mapping is left for another stack
 *   (vm.max_map_count).
 *   -ENXIO, the calling thread has no runtime.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOSYS, weft has no fibers on this processor.
 */
#define weft_fiber(handle, function, argument)                                                     \
    weft_fiber_spawn_(NULL, (handle), NULL, (function), (argument), #function "\0" WEFT_HERE_)

/*
 * Spawns a fiber on a given runtime. `rt` is the runtime, which must not have been stopped. If it
 * is NULL, it is the runtime of the calling thread. The fiber calls function(argument). A NULL
 * handle detaches it at once. After an error nothing has run and the handle is untouched.
 *
 *     n = weft_fiber_on(rt, &handle, greet, conn);
 *
 * Thread:  any.
 * Memory:  `argument` is passed on as it is. What it points to must live as long as the function
 *   uses it.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory, or no mapping is left for another stack
 *   (vm.max_map_count).
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOSYS, weft has no fibers on this processor.
 */
#define weft_fiber_on(rt, handle, function, argument)                                              \
    weft_fiber_spawn_((rt), (handle), NULL, (function), (argument), #function "\0" WEFT_HERE_)

/*
 * Spawns a fiber with options, and with a name of its own in logs and dumps. `literal` is that
 * name, a string literal. `options` may be NULL and is not kept. `rt` is the runtime, or NULL for
 * that of the calling thread. The fiber calls function(argument). A NULL handle detaches it at
 * once. After an error nothing has run and the handle is untouched.
 *
 *     weft_fiber_options small = {.stack_size = 16 << 10};
 *
 *     n = weft_fiber_with(rt, &handle, "greeter", &small, greet, conn);
 *
 * Thread:  any.
 * Memory:  `argument` is passed on as it is. What it points to must live as long as the function
 *   uses it.
 * Returns: 0.
 * Errors:  -EINVAL, the stack size is above 64 MiB, or there is no such worker.
 *   -ENOMEM, there is no memory, or no mapping is left for another stack (vm.max_map_count).
 *   -ENXIO, `rt` is NULL and the calling thread has no runtime.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOSYS, weft has no fibers on this processor.
 */
#define weft_fiber_with(rt, handle, literal, options, function, argument)                          \
    weft_fiber_spawn_((rt), (handle), (options), (function), (argument), literal "\0" WEFT_HERE_)

WEFT_API WEFT_NODISCARD int weft_fiber_spawn_(weft_runtime *rt, weft_handle *ret_handle,
                                              const weft_fiber_options *options,
                                              weft_fiber_function *function, void *argument,
                                              const char *site);

/* The state of a weft_fiber_call, in memory of the caller. */
struct weft_fiber_call {
    weft_future          future;
    weft_handle          handle_;
    weft_fiber_options   options_;
    weft_fiber_function *function_;
    void                *argument_;
    const char          *site_;
    bool                 begun_;
};

/*
 * Makes a future that calls function(argument) in a fiber of its own, and ends when that has ended.
 * So straight-line code gets what futures have: it can be the body of a weft_scope, have a time
 * limit, be a branch of a select, and be awaited by an async function. Unlike a fiber that is
 * spawned and joined, it never outlives the await. So it may use the caller's variables.
 *
 *     call = weft_fiber_call(&self->call, handshake, &self->peer);
 *     WEFT_AWAIT(n, weft_timeout(&self->limit, call, WEFT_S(5)));
 *
 * The fiber starts at the first poll, on the runtime that polls. It is a task of its own, with its
 * own budget, and without the values of task-locals of the caller.
 *
 * Returns: the result of the function.
 * Errors:  those of the function. -EOWNERDEAD, the fiber panicked: weft_fiber_call_panic.
 *   -ENOMEM, there is no memory, or no mapping is left for another stack (vm.max_map_count).
 *   -ENXIO, there is no runtime.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ECHILD, in a forked child, if the call begins there: one that had begun is the parent's.
 *   -ENOSYS, weft has no fibers on this processor.
 * Cancel:  DRAINS: cancels the fiber, and waits until its function has returned. The result is that
 *   of the function. The function runs, also if the cancel came before its first line. Only if the
 *   call was never polled it is not called, and the result is -ECANCELED.
 */
#define weft_fiber_call(call, function, argument)                                                  \
    weft_fiber_call_((call), NULL, (function), (argument), #function "\0" WEFT_HERE_)

/*
 * Makes a future that calls function(argument) in a fiber of its own with options, and with a name
 * of its own in logs and dumps. `literal` is that name, a string literal. `options` may be NULL and
 * is not kept. It is weft_fiber_call otherwise.
 *
 *     weft_fiber_options large = {.stack_size = 1 << 20};
 *
 *     n = weft_await(weft_fiber_call_with(&call, "parser", &large, parse, text));
 *
 * Returns: the result of the function.
 * Errors:  those of the function. -EOWNERDEAD, the fiber panicked: weft_fiber_call_panic.
 *   -EINVAL, the stack size is above 64 MiB, or there is no such worker.
 *   -ENOMEM, there is no memory, or no mapping is left for another stack (vm.max_map_count).
 *   -ENXIO, there is no runtime.
 *   -ESHUTDOWN, the runtime is stopping.
 *   -ECHILD, in a forked child, if the call begins there: one that had begun is the parent's.
 *   -ENOSYS, weft has no fibers on this processor.
 * Cancel:  DRAINS: cancels the fiber, and waits until its function has returned. The result is that
 *   of the function. The function runs, also if the cancel came before its first line. Only if the
 *   call was never polled it is not called, and the result is -ECANCELED.
 */
#define weft_fiber_call_with(call, literal, options, function, argument)                           \
    weft_fiber_call_((call), (options), (function), (argument), literal "\0" WEFT_HERE_)

WEFT_API weft_future *weft_fiber_call_(struct weft_fiber_call   *call,
                                       const weft_fiber_options *options,
                                       weft_fiber_function *function, void *argument,
                                       const char *site);

/*
 * Returns the panic's text of a weft_fiber_call whose result is -EOWNERDEAD, as weft_handle_panic
 * does.
 *
 * Thread:  the owner of the call, once it is READY.
 * Returns: the text, which stays valid for ever. NULL if the fiber did not panic.
 */
static inline const char *weft_fiber_call_panic(const struct weft_fiber_call *call)
{
    return weft_handle_panic(&call->handle_);
}

/*
 * Starts a runtime, runs a fiber as its main task, and stops the runtime. The fiber calls
 * function(argument). The configuration comes from the environment. It is weft_main for a fiber.
 *
 *     int main(void)
 *     {
 *         return weft_main_fiber(server, "7000");
 *     }
 *
 * Stopping waits up to stop_ms (see weft_config) for the other tasks. It does not wait for threads
 * in weft_block_on, nor for look-ups and detachable jobs that were given up: the process may exit
 * while they run.
 *
 * Returns: the exit status of main. 0 on success. 1, with one line on standard error, if starting
 *   or stopping failed or if the function's result was an error.
 */
#define weft_main_fiber(function, argument)                                                        \
    weft_main_fiber_with((const weft_config *)0, function, argument)

/*
 * Starts a runtime with a weft_config, runs a fiber as its main task, and stops it. It is
 * weft_main_fiber with a configuration. `config` is read at the start and not kept. Its fields take
 * precedence over the environment.
 *
 *     return weft_main_fiber_with(&config, server, "7000");
 *
 * Returns: the exit status of main. 0 on success. 1, with one line on standard error, if starting
 *   or stopping failed or if the function's result was an error.
 */
#define weft_main_fiber_with(config, function, argument)                                           \
    weft_main_fiber_((config), (function), (argument), #function "\0weft_main_fiber")

WEFT_API int weft_main_fiber_(const weft_config *config, weft_fiber_function *function,
                              void *argument, const char *site);

/*
 * Waits for the future and returns its result. In a fiber the worker runs other tasks meanwhile. On
 * a thread that is no part of a runtime the thread sleeps: it is weft_block_on(NULL, future).
 *
 *     n = weft_await(weft_read(&io, conn, buffer, sizeof buffer));
 *
 * In an async function, and in a poll function, it aborts, because it would block the worker: there
 * it is WEFT_AWAIT.
 *
 * Thread:  a fiber, or a thread that is no part of a runtime.
 * Memory:  the future is borrowed. It may be a local variable of the fiber.
 * Returns: the result of the future.
 * Errors:  those of the future. On a plain thread also those of weft_block_on.
 * Cancel:  when the fiber is cancelled, the future is cancelled, too, unless it releases a resource
 *   (WEFT_FUTURE_CLEANS_UP). All later awaits are cancelled as soon as they begin.
 */
WEFT_API int64_t weft_await(weft_future *future);

/*
 * Cancels a future, waits until it has ended, and returns its result. It ends a branch that a
 * select has left pending (weft_keep). The future may be in any state: one that is READY stays as
 * it is, and one that was never polled ends at once.
 *
 * Thread:  a fiber, or a thread that is no part of a runtime.
 * Memory:  the future is borrowed, as in weft_await.
 * Returns: -ECANCELED, or the result of what had completed and could not be undone.
 * Errors:  on a plain thread also those of weft_block_on.
 */
WEFT_API int64_t weft_await_cancel(weft_future *future);

/*
 * Lets a fiber that uses up its stack end the process with a line that names it, instead of a bare
 * SIGSEGV. The function installs a handler of SIGSEGV for the process, and workers that start later
 * get a second stack on which it runs. A fault that is no overflow reaches the handler that was
 * there before. Call it at the beginning of main, after handlers of your own have been installed.
 * The threads that poll a current-thread runtime are the host's, and need a second stack
 * (sigaltstack(2)) of the host's. Calling it again does nothing.
 *
 * Thread:  any, one at a time, before runtimes start.
 * Returns: 0.
 * Errors:  as sigaction(2) gives them.
 */
WEFT_API int weft_fiber_catch_overflow(void);

/*
 * Lets the worker run its other tasks before the fiber continues. Outside of a fiber, and in a
 * deferred call while the fiber unwinds, it does nothing.
 *
 * Thread:  any.
 * Cancel:  none: a fiber that was cancelled yields, too.
 */
WEFT_API void weft_fiber_yield(void);

/*
 * Sleeps for a duration in ns, while the worker runs other tasks.
 *
 * Thread:  a fiber, or a thread that is no part of a runtime.
 * Returns: 0.
 * Errors:  -ENXIO, the calling thread has no runtime, and thus no timers.
 * Cancel:  -ECANCELED, the fiber was cancelled.
 */
WEFT_API int64_t weft_fiber_sleep(int64_t duration);

/* Returns whether the calling fiber has been asked to end. Its awaits then answer -ECANCELED. False
 * outside of a fiber, and in a function that weft_block_in_place calls on a worker. Any thread may
 * call it. */
WEFT_API bool weft_fiber_is_cancelled(void);

/* Returns whether the caller runs in a fiber, so that weft_await does not block the thread. False
 * in a function that weft_block_in_place calls on a worker. Any thread may call it. */
WEFT_API bool weft_fiber_is_current(void);

#ifndef __cplusplus
/*
 * Declares `node`, a local variable, and calls a function when its block is left, or when the fiber
 * panics. The call is call(arg). The newest deferred call is made first. A call may await when its
 * block is left, but not when the fiber panics. C++ has destructors instead: a panic skips them, so
 * C++ has no weft_panic.
 *
 *     weft_fiber_defer(closing, close_stream, conn);
 *
 * Thread:  any. Outside of a fiber only the end of the block makes the call.
 */
#define weft_fiber_defer(node, call, arg)                                                          \
    __attribute__((cleanup(weft_fiber_run_deferred_))) weft_deferred node = {(call), (arg), NULL}; \
    weft_fiber_defer_(&(node))
#endif

/* A value that weft_fiber_set_local has given to a key. */
struct weft_fiber_local_ {
    weft_deferred                end_;
    struct weft_task_local_scope scope_; /* around each await */
    struct weft_fiber_local_    *older_;
};

/*
 * Declares `node`, a local variable, and gives a key (weft/task_local.h) a value until its block is
 * left. weft_task_local_get returns the value in the code of the fiber, and in all that the fiber
 * awaits meanwhile. Other tasks do not see it, nor do tasks that the fiber spawns. Values of one
 * key may nest: the newest counts. If the fiber panics, a deferred call (weft_fiber_defer) sees the
 * values that were there when it was deferred.
 *
 *     weft_fiber_set_local(serving, &request, &r);
 *
 * Thread:  a fiber, or a thread that polls nothing. In a poll or a job it aborts: a panic would
 *   leave the value behind there. Async functions use weft_task_local_scope.
 * Memory:  `key` and what `value` points to must stay in place until the block is left.
 */
#define weft_fiber_set_local(node, key, value)                                                     \
    __attribute__((cleanup(weft_fiber_end_local_))) struct weft_fiber_local_ node;                 \
    weft_fiber_begin_local_(&(node), (key), (value))

WEFT_API void weft_fiber_begin_local_(struct weft_fiber_local_ *node, const weft_task_local *key,
                                      void *value);
WEFT_API void weft_fiber_end_local_(struct weft_fiber_local_ *node);

WEFT_API void weft_fiber_defer_(weft_deferred *node);
WEFT_API void weft_fiber_run_deferred_(weft_deferred *node);

WEFT_END_DECLS

#endif
