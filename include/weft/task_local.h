/*
 * task_local.h - values that the code of one task finds without being given them
 *
 * A key names a value, for example the request that a task serves. weft_task_local_scope makes a
 * future that runs another one with a value for the key. All code that is polled within it finds
 * the value by weft_task_local_get, however deep, also a plain function that knows nothing of the
 * task, such as a log function. Outside of the scope there is the key's own value.
 *
 *     static weft_task_local request;
 *
 *     serve = weft_async(serve, &self->serve, .conn = conn);
 *     WEFT_AWAIT(n, weft_task_local_scope(&self->scope, &request, &self->request, serve));
 *
 *     struct request *r = weft_task_local_get(&request);        anywhere below
 *
 * The value goes with the task from worker to worker. It is set only while the scope is polled. So
 * other tasks never see it, nor do blocking jobs. A task that is spawned within a scope does not
 * inherit the value, because it may outlive it: give it a scope of its own.
 *
 * In straight-line code, of a fiber or a thread, weft_fiber_set_local (weft/fiber.h) sets a value
 * until a block is left.
 *
 * A scope is a future like any other, so it works in weft_block_on and under any executor. A task
 * without scopes pays nothing, and nothing is allocated. The value is a pointer to memory of yours,
 * mostly in the frame around the scope, and must stay valid until the scope is READY. What releases
 * it stands behind the await, or in a deferred call (weft_defer) of that function. So the values of
 * nested scopes end in the reverse order.
 */
#ifndef WEFT_TASK_LOCAL_H
#define WEFT_TASK_LOCAL_H

#include <weft/future.h>

WEFT_BEGIN_DECLS

/* A key: a variable of the program, not of a task. Its address is what counts. */
typedef struct weft_task_local {
    void *otherwise; /* the value outside of all scopes of the key */
} weft_task_local;

/* The state of a weft_task_local_scope, in memory of the caller. */
struct weft_task_local_scope {
    weft_future                   future;
    weft_future                  *inner_;
    const weft_task_local        *key_;
    void                         *value_;
    struct weft_task_local_scope *outer_; /* of the same task, while the scope is polled */
    void                         *poll_;  /* names that poll */
};

/*
 * Makes a future that runs another one with a value for a key. Scopes of one key may nest: the
 * innermost value counts. `future` and `key` must stay in place until READY.
 *
 * Returns: the result of the future.
 * Cancel:  WITHDRAWS or DRAINS, as the future does. The future sees the value also while it ends.
 */
WEFT_API weft_future *weft_task_local_scope(struct weft_task_local_scope *scope,
                                            const weft_task_local *key, void *value,
                                            weft_future *future);

/*
 * Returns the value of a key in the code that the calling thread polls. It is the value of the
 * innermost scope of the key around that code, or else `key->otherwise`. The pointer is valid until
 * the scope is READY.
 *
 * Thread: any. In a thread that polls nothing the value is that of weft_fiber_set_local, or else
 *   `key->otherwise`.
 */
WEFT_API void *weft_task_local_get(const weft_task_local *key);

WEFT_END_DECLS

#endif
