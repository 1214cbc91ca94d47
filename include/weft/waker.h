/*
 * waker.h - how an event source asks for a task to be polled again
 *
 * A waker is two words, {vtable, data}. It stands for a task of some executor. Several wakes before
 * a poll cause one poll. A wake during a poll causes one more poll.
 *
 * Any thread may call any of these functions at any time. After its task has ended or its runtime
 * has stopped, a waker does nothing. Signal handlers must not use a waker, unless its executor
 * permits that (see local.h).
 */
#ifndef WEFT_WAKER_H
#define WEFT_WAKER_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

typedef struct weft_waker        weft_waker;
typedef struct weft_waker_vtable weft_waker_vtable;
struct weft_runtime;

/* A waker. Its owner either wakes it or drops it, once. */
struct weft_waker {
    const weft_waker_vtable *vtable;
    void                    *data;
};

/*
 * What a waker does. An executor of your own supplies the first four functions. Any thread may call
 * each of them.
 */
struct weft_waker_vtable {
    weft_waker (*clone)(void *data); /* returns one more waker, to be woken or dropped once */
    void (*wake)(void *data);        /* asks for a poll and consumes the waker */
    void (*wake_by_ref)(void *data); /* asks for a poll; the waker stays */
    void (*drop)(void *data);        /* gives the waker back without waking */
    /*
     * Only weft's own wakers have this function. All others have NULL here. It marks the task
     * woken, and returns the task if the caller must now queue it. A future of weft's may store
     * the waker without cloning it, if each poll from the task down to the future came by
     * weft_future_poll_inner.
     */
    void *(*notify_)(void *data);
};

/* Returns a second waker for the task. The caller owns it, and wakes or drops it once. */
static inline WEFT_NODISCARD weft_waker weft_waker_clone(const weft_waker *waker)
{
    return waker->vtable->clone(waker->data);
}

/* Asks for a poll of the task, and consumes the waker. */
static inline void weft_waker_wake(weft_waker waker)
{
    waker.vtable->wake(waker.data);
}

/* Asks for a poll of the task. The caller still owns the waker. */
static inline void weft_waker_wake_by_ref(const weft_waker *waker)
{
    waker->vtable->wake_by_ref(waker->data);
}

/* Releases a waker without waking the task. */
static inline void weft_waker_drop(weft_waker waker)
{
    waker.vtable->drop(waker.data);
}

/*
 * Reports whether two wakers wake one task.
 *
 * Returns: true, they wake one task. false, they may wake different tasks, or one task all the
 *          same.
 */
static inline bool weft_waker_will_wake(const weft_waker *a, const weft_waker *b)
{
    return a->data == b->data && a->vtable->wake == b->vtable->wake;
}

/* Returns a waker that does nothing, for futures that are polled by hand. */
WEFT_API weft_waker weft_waker_noop(void);

WEFT_END_DECLS

#endif
