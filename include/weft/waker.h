/*
 * waker.h - how whoever completes something asks for a task to be polled again
 *
 * A waker is two words, {vtable, data}. Many wakes before a poll are one poll; a wake during a poll
 * is one more. Any thread may use a waker at any time, also after its task has ended or its runtime
 * has stopped: then it does nothing. Not for signal handlers, unless the executor says so (local.h).
 */
#ifndef WEFT_WAKER_H
#define WEFT_WAKER_H

#include <weft/base.h>

WEFT_BEGIN_DECLS

typedef struct weft_waker        weft_waker;
typedef struct weft_waker_vtable weft_waker_vtable;
struct weft_runtime;

struct weft_waker {
    const weft_waker_vtable *vtable;
    void                    *data;
};

/* An executor of your own supplies the first four; each may be called from any thread. */
struct weft_waker_vtable {
    weft_waker (*clone)(void *data); /* one more waker, to be dropped or woken once */
    void (*wake)(void *data);        /* asks for a poll and consumes the waker */
    void (*wake_by_ref)(void *data); /* asks for a poll; the waker stays */
    void (*drop)(void *data);        /* gives the waker back without waking */
    /* weft's own wakers only, NULL elsewhere: marks the task woken and returns it if the caller must
     * now queue it. A future of weft's may store such a waker without cloning it, if the poll came by
     * weft_future_poll_inner all the way from the task. */
    void *(*notify_)(void *data);
};

/* A second waker for the same task; the caller owns it. Any thread. */
static inline WEFT_NODISCARD weft_waker weft_waker_clone(const weft_waker *waker)
{
    return waker->vtable->clone(waker->data);
}

/* Asks for a poll and consumes the waker. Any thread. */
static inline void weft_waker_wake(weft_waker waker)
{
    waker.vtable->wake(waker.data);
}

/* Asks for a poll; the waker stays the caller's. Any thread. */
static inline void weft_waker_wake_by_ref(const weft_waker *waker)
{
    waker->vtable->wake_by_ref(waker->data);
}

/* Gives a waker back unused. Any thread. */
static inline void weft_waker_drop(weft_waker waker)
{
    waker.vtable->drop(waker.data);
}

/* Whether both wake the same task; false does not promise that they differ. Any thread. */
static inline bool weft_waker_will_wake(const weft_waker *a, const weft_waker *b)
{
    return a->data == b->data && a->vtable->wake == b->vtable->wake;
}

/* A waker that does nothing: for polling by hand. Any thread. */
WEFT_API weft_waker weft_waker_noop(void);

WEFT_END_DECLS

#endif
