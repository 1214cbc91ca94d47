/*
 * future.h - a value that is not ready yet
 *
 * A future is any struct that starts with a weft_future and has a poll function. The rules:
 *
 *  1. It has one result, as the kernel gives it: >= 0, or -errno. Values below -4095 are reserved;
 *     until READY the field `result` tells the future's state and is nobody else's.
 *  2. It is lazy. Before its first poll it is plain data: copy it, move it, forget it.
 *  3. It is pinned. From the first poll to READY it must not move, be reused or freed. Checked. It may
 *     be handed on: its next owner polls it where it is.
 *  4. PENDING is a promise that the context's waker has been stored with something that will call it
 *     (or has been woken). Polls without a wake are allowed; a poll with another waker replaces the
 *     stored one.
 *  5. It is READY once. From then on nothing else refers to it and it is not polled again. Checked.
 *  6. Cancel asks, poll answers. A pending future is never just dropped: its owner cancels it, polls
 *     it at once and on until READY. A future that grants something (a lock, a message, a
 *     connection) takes it back and answers -ECANCELED; only what can't be undone (bytes that moved)
 *     answers its true result.
 *
 * A future belongs to one owner at a time, usually the task that awaits it: none of these functions
 * may be called on the same future by two threads at once.
 */
#ifndef WEFT_FUTURE_H
#define WEFT_FUTURE_H

#include <weft/waker.h>

WEFT_BEGIN_DECLS

typedef struct weft_future     weft_future;
typedef struct weft_future_ops weft_future_ops;
typedef struct weft_context    weft_context;
typedef struct weft_runtime    weft_runtime;

/* What poll answers. A struct, so that a stray `return -1` does not compile. */
typedef struct weft_poll {
    int ready_;
} weft_poll;

#ifdef __cplusplus
#define WEFT_POLL_(ready) (weft_poll{ready})
#else
#define WEFT_POLL_(ready) ((weft_poll){ready})
#endif
#define WEFT_PENDING WEFT_POLL_(0)

enum {
    /* After cancel the next poll is READY: nothing outside needs time to let go. */
    WEFT_FUTURE_WITHDRAWS = 1 << 0,
    /* After cancel it may stay PENDING until the kernel or a job has let go of lent memory. */
    WEFT_FUTURE_DRAINS = 1 << 1,
    /* Gives something back: awaited by an async function that is being cancelled, it runs all the
     * same. Must not wait for long. */
    WEFT_FUTURE_CLEANS_UP = 1 << 2,
    /* weft's own: made of other futures, which a cancel ends, too, although it came before the first
     * poll. */
    WEFT_FUTURE_HOLDS_ = 1 << 3,
};

struct weft_future_ops {
    uint32_t    size;  /* of the whole struct */
    uint32_t    flags; /* WEFT_FUTURE_... */
    const char *name;  /* for messages and dumps */
    weft_poll (*poll)(weft_future *future, weft_context *cx);
    /* Asks a pending future to end soon; called at most once, by the owner, between polls. It must
     * not end the future itself: the next poll does. NULL: nothing outside refers to the future and
     * it keeps no waker, so cancelling it is final at once. */
    void (*cancel)(weft_future *future);
};

struct weft_future {
    const weft_future_ops *ops;
    int64_t                result;
};

/* The reserved values of `result`: a tag, the address where the future is pinned (PARKED: the next parked
 * one of its frame), three flags. */
#define WEFT_RESULT_MIN_   (-4095)
#define WEFT_UNPOLLED_     INT64_MIN
#define WEFT_CANCEL_ASKED_ 1 /* cancel has been called on the pending future */
#define WEFT_KEPT_         2 /* weft_keep(): a select that loses leaves it pending */
#define WEFT_PARKED_       4 /* a select has left it pending; its frame knows it */
#define WEFT_RESULT_FLAGS_ 7

struct weft_frame;

/* What a poll gets from whoever polls. Lives for one poll; not to be kept. */
struct weft_context {
    const weft_waker  *waker;   /* borrowed for the poll: clone it to keep it */
    weft_runtime      *runtime; /* NULL under a foreign executor that has none */
    struct weft_frame *frame_;  /* the innermost async function being polled */
    int64_t  deadline;          /* when this poll's future will be cancelled; WEFT_FOREVER: never */
    uint32_t budget;            /* operations left in this poll */
    uint32_t flags;
    uint32_t random_;         /* where fair selects begin */
    struct weft_home_ *home_; /* of the executor that polls, if it is weft's; else NULL */
};

/* The waker of the task that is being polled, and what a poll asks of its executor without it. */
struct weft_home_ {
    weft_waker waker;
    bool       yielded; /* poll once more */
};

enum {
    WEFT_CONTEXT_CANCELLED_ = 1 << 0, /* awaits end with -ECANCELED */
    WEFT_CONTEXT_UNWINDS_ = 1 << 1,   /* the task has panicked: bodies don't run any more */
};

#define WEFT_BUDGET_DEFAULT 128

/* Fills a context for an executor of your own. `waker` must outlive the polls made with it; `rt` is
 * where futures find timers and I/O, NULL if there is none (those futures end with -ENXIO). */
WEFT_API void weft_context_init(weft_context *cx, const weft_waker *waker, weft_runtime *rt);

/* The waker to store (cloned) or to wake before answering PENDING. Borrowed for this poll. */
static inline const weft_waker *weft_context_waker(const weft_context *cx)
{
    return cx->waker;
}

/* The instant of the nearest limit (weft_timeout) around this poll; WEFT_FOREVER if there is none. */
static inline int64_t weft_context_deadline(const weft_context *cx)
{
    return cx->deadline;
}

/* Asks for another poll, behind those of the tasks that wait: as waking, for the poll's own task. */
static inline void weft_context_yield_(weft_context *cx)
{
    if (cx->home_ && cx->waker == &cx->home_->waker)
        cx->home_->yielded = true;
    else
        weft_waker_wake_by_ref(cx->waker);
}

/* Takes one operation from the poll's budget. False: the budget is used up and the task has been
 * woken for its next turn; answer PENDING. Futures that can be ready again and again call it first,
 * so that a task can't keep its worker for itself. */
static inline WEFT_NODISCARD bool weft_context_spend(weft_context *cx)
{
    if (cx->budget > 0) {
        cx->budget--;
        return true;
    }
    weft_context_yield_(cx);
    return false;
}

/* Makes an unpolled future of the memory at `future`. */
static inline void weft_future_init(weft_future *future, const weft_future_ops *ops)
{
    future->ops = ops;
    future->result = WEFT_UNPOLLED_;
}

/* Whether the future has its result. */
static inline bool weft_future_is_ready(const weft_future *future)
{
    return future->result >= WEFT_RESULT_MIN_;
}

/* Whether it has been polled and has no result yet: pinned. */
static inline bool weft_future_is_pending(const weft_future *future)
{
    return !weft_future_is_ready(future) &&
           (future->result & ~(int64_t)WEFT_RESULT_FLAGS_) != WEFT_UNPOLLED_;
}

/* Inside a poll function: whether the owner has asked the future to end. */
static inline bool weft_future_is_cancelled(const weft_future *future)
{
    return !weft_future_is_ready(future) && (future->result & WEFT_CANCEL_ASKED_);
}

/* The result of a future that is READY. */
static inline int64_t weft_future_result(const weft_future *future)
{
    if (!weft_future_is_ready(future))
        weft_misuse_("weft_future_result", "the future has no result yet", future->ops->name);
    return future->result;
}

/* Inside a poll function: sets the result and answers READY. */
static inline weft_poll weft_ready(weft_future *future, int64_t result)
{
    if (__builtin_expect(result < WEFT_RESULT_MIN_, 0))
        weft_misuse_("weft_ready", "a result below -4095 is reserved", future->ops->name);
    future->result = result;
    return WEFT_POLL_(1);
}

/* Whether a poll has answered READY. */
static inline bool weft_poll_is_ready(weft_poll poll)
{
    return poll.ready_ != 0;
}

/* Internal: polls a branch that a select has left pending (weft_keep). Any other future with this state has
 * been moved or was READY: aborts. */
WEFT_API weft_poll weft_future_poll_parked_(weft_future *future, weft_context *cx);

/* Polls a future that ends before the future or async function that polls it does: as weft_future_poll,
 * and faster, because what waits need not count its wakers. What weft's own awaits and combinators
 * call; also for a future of yours that never ends, and is never handed on, while the inner one is
 * pending. Where that is not certain, call weft_future_poll. */
static inline WEFT_NODISCARD weft_poll weft_future_poll_inner(weft_future *future, weft_context *cx)
{
    int64_t state = future->result;
    int64_t here = WEFT_UNPOLLED_ | (int64_t)(uintptr_t)future;

    if (state == WEFT_UNPOLLED_) {
        future->result = here;
    } else if ((state & ~(int64_t)WEFT_RESULT_FLAGS_) != here) {
        if ((state & ~(int64_t)WEFT_RESULT_FLAGS_) != WEFT_UNPOLLED_)
            return weft_future_poll_parked_(future, cx); /* or misuse */
        future->result = state | here;
    }
    return future->ops->poll(future, cx);
}

/* Internal: the same with a waker that futures must clone. */
WEFT_API weft_poll weft_future_poll_counted_(weft_future *future, weft_context *cx);

/* Polls the future: READY, or PENDING with the context's waker stored. Only its owner may; aborts if
 * the future has moved since its first poll, or was READY before. A pending future may have another
 * owner next: another task, another executor. The task that polled it before may have ended then. */
static inline WEFT_NODISCARD weft_poll weft_future_poll(weft_future *future, weft_context *cx)
{
    return cx->waker->vtable->notify_ ? weft_future_poll_counted_(future, cx)
                                      : weft_future_poll_inner(future, cx);
}

/* Asks the future to end soon (rule 6). READY: it has ended, with -ECANCELED if it had not before.
 * PENDING: poll it now, and on until READY. Asking again changes nothing. Only its owner may.
 * A future that was never polled ends at once and nothing starts, with one exception: one that is made
 * of others (a select, a join_all, a limit) wants to be polled, so that these have their result then. */
static inline WEFT_NODISCARD weft_poll weft_future_cancel(weft_future *future)
{
    if (weft_future_is_ready(future))
        return WEFT_POLL_(1);
    if (future->result & WEFT_CANCEL_ASKED_)
        return WEFT_PENDING;
    if (weft_future_is_pending(future)) {
        if (future->ops->cancel || (future->result & WEFT_PARKED_)) {
            future->result |= WEFT_CANCEL_ASKED_;
            if (future->ops->cancel)
                future->ops->cancel(future);
            return WEFT_PENDING;
        }
    } else if (future->ops->flags & WEFT_FUTURE_HOLDS_) {
        future->result |= WEFT_CANCEL_ASKED_;
        return WEFT_PENDING;
    }
    return weft_ready(future, -ECANCELED);
}

WEFT_END_DECLS

#endif
