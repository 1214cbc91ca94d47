/*
 * scope.h - child tasks that end before their scope does, and may borrow the frame around it
 *
 * A scope runs an async function, its body. The body spawns tasks into the scope, and these may
 * spawn more. The scope is READY only when the body and all of these tasks have ended, whether they
 * returned, were cancelled or panicked. So a child may use everything in the frame that holds the
 * scope, and no error of a child is lost.
 *
 *     body = weft_async(fetch_parts, &self->body, .scope = &self->scope, .page = &self->page);
 *     WEFT_AWAIT(n, weft_scope(&self->scope, WEFT_SCOPE_FAIL_FAST, body));
 *
 * A cancel of the scope cancels the body and all children, and waits for them. The same happens if
 * the function that awaits the scope is cancelled, runs into a time limit, or panics.
 */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <weft/task_set.h>

WEFT_BEGIN_DECLS

/* When a scope cancels what still runs in it, and what its result is. */
typedef enum weft_scope_policy {
    /* All run to their end. The result is that of the first that failed, or else of the body. */
    WEFT_SCOPE_ALL,
    /* The first child that succeeds (>= 0) is the result, and ends the rest. If none succeeds, the
     * result is that of the first that failed, or else of the body. */
    WEFT_SCOPE_ANY,
    /* The first that fails (< 0), the body or a child, is the result, and ends the rest. If none
     * fails, the result is that of the body. */
    WEFT_SCOPE_FAIL_FAST,
} weft_scope_policy;

/* The state of a weft_scope, in memory of the caller. */
struct weft_scope {
    weft_future       future;
    weft_future      *body_;
    weft_task_set     set_;
    weft_wait         wait_;
    weft_member      *decisive_; /* the member whose result is that of the scope */
    int64_t           result_;   /* once decided_ */
    weft_scope_policy policy_;
    bool              begun_, waits_, body_ended_, ends_, decided_, won_, any_cancelled_;
};

/*
 * Makes a future that runs `body`, and ends when the body and all tasks that were spawned into the
 * scope have ended. `policy` says when it cancels what still runs. `body` must stay in place until
 * READY. No task can be spawned into the scope before its first poll, and after it has begun to
 * cancel.
 *
 * A child that panics has failed, with -EOWNERDEAD. The members of the children keep their results.
 *
 * Returns: the result that the policy names.
 * Errors:  the result that the policy names.
 * Cancel:  DRAINS: cancels the body and all children, and waits for them. The result is
 *          -ECANCELED, unless it had been decided, another error came, or all completed all the
 *          same.
 */
WEFT_API weft_future *weft_scope(struct weft_scope *scope, weft_scope_policy policy,
                                 weft_future *body);

/*
 * Spawns an async function as a child of a scope, on the runtime of the calling thread. The
 * arguments are copied. `member` must stay in place until the scope is READY. It is best in the
 * frame that holds the scope. Afterwards `member->result` is the result of the child, and
 * weft_member_panic the text of its panic.
 *
 *     n = weft_scope_spawn(self->in.scope, &self->in.page->part[i].member, fetch_part, .i = i);
 *
 * Thread:  the body of the scope, or one of its children.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory.
 *   -ESHUTDOWN, the scope has not begun or is ending, or the runtime is stopping.
 *   -ENXIO, the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 */
#define weft_scope_spawn(scope, member, name, ...)                                                 \
    weft_task_set_spawn(&(scope)->set_, member, name, __VA_ARGS__)

/*
 * Spawns a fiber as a child of a scope, on the runtime of the calling thread. It calls
 * function(argument). `member` must stay in place until the scope is READY, and tells the same as
 * that of weft_scope_spawn. The body of the scope may be a fiber, too: weft_fiber_call.
 *
 *     n = weft_scope_fiber(page->scope, &page->part[i].member, fetch_part, &page->part[i]);
 *
 * Thread:  the body of the scope, or one of its children.
 * Memory:  `argument` is passed on as it is. It may point into the frame that holds the scope.
 * Returns: 0.
 * Errors:  -ENOMEM, there is no memory, or no mapping is left for another stack
 *   (vm.max_map_count).
 *   -ESHUTDOWN, the scope has not begun or is ending, or the runtime is stopping.
 *   -ENXIO, the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOSYS, weft has no fibers on this processor.
 */
#define weft_scope_fiber(scope, member, function, argument)                                        \
    weft_task_set_fiber(&(scope)->set_, (member), function, (argument))

/*
 * Spawns a fiber with options as a child of a scope, and with a name of its own in logs and dumps.
 * `literal` is that name, a string literal. `options` may be NULL and is not kept. It is
 * weft_scope_fiber otherwise.
 *
 *     n = weft_scope_fiber_with(scope, &part->member, "fetcher", &small, fetch_part, part);
 *
 * Thread:  the body of the scope, or one of its children.
 * Memory:  `argument` is passed on as it is. It may point into the frame that holds the scope.
 * Returns: 0.
 * Errors:  -EINVAL, the stack size is above 64 MiB, or there is no such worker.
 *   -ENOMEM, there is no memory, or no mapping is left for another stack (vm.max_map_count).
 *   -ESHUTDOWN, the scope has not begun or is ending, or the runtime is stopping.
 *   -ENXIO, the calling thread has no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 *   -ENOSYS, weft has no fibers on this processor.
 */
#define weft_scope_fiber_with(scope, member, literal, options, function, argument)                 \
    weft_task_set_fiber_with(NULL, &(scope)->set_, (member), literal, (options), (function),       \
                             (argument))

/*
 * Returns the member whose result is the result of a scope.
 *
 * Thread:  the owner of the scope, once it is READY.
 * Returns: the member. NULL if the result is that of the body, or -ECANCELED by a cancel.
 */
static inline weft_member *weft_scope_decisive(const struct weft_scope *scope)
{
    return scope->decisive_;
}

WEFT_END_DECLS

#endif
