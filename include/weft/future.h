/*
 * future.h - a value that is not ready yet
 *
 * A future is any struct that starts with a weft_future and has a poll function. A future has one
 * owner at a time, usually the task that awaits it. Two threads must not call these functions on
 * one future at once. The rules of futures:
 *
 * 1. A future has one result, as system calls have: >= 0, or -errno. Values below -4095 are
 *    reserved. Until READY the field `result` holds the state of the future, and belongs to weft.
 *
 * 2. A future is lazy. Before its first poll it is plain data: it may be copied, moved or
 *    forgotten.
 *
 * 3. A future is pinned. From its first poll until READY it must not move, be reused or be freed.
 *    weft checks this. A pending future may be handed to another owner, which polls it where it is.
 *
 * 4. PENDING is a promise: the context's waker has been stored where something will call it, or it
 *    has been woken already. The owner may poll without a wake. A poll with another waker replaces
 *    the stored one.
 *
 * 5. A future becomes READY once. From then on nothing else refers to it, and it must not be polled
 *    again. weft checks this.
 *
 * 6. A cancel asks the future to end, and a poll tells how it ended. A pending future is never just
 *    dropped. Its owner cancels it, polls it at once, and polls it on until READY. A future that
 *    grants something (a lock, a message, a connection) takes it back, and its result is
 *    -ECANCELED. Only what can't be undone, such as bytes that have moved, keeps its true result.
 */
#ifndef WEFT_FUTURE_H
#define WEFT_FUTURE_H

#include <weft/waker.h>

WEFT_BEGIN_DECLS

typedef struct weft_future     weft_future;
typedef struct weft_future_ops weft_future_ops;
typedef struct weft_context    weft_context;
typedef struct weft_runtime    weft_runtime;

/*
 * The answer of a poll: READY or PENDING. It is a struct, so that a stray `return -1` does not
 * compile.
 */
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
    /* The first poll after a cancel is READY. Nothing outside needs time to let go of memory. */
    WEFT_FUTURE_WITHDRAWS = 1 << 0,
    /*
     * After a cancel the future may stay PENDING until the kernel or a job has let go of memory
     * that was lent to it.
     */
    WEFT_FUTURE_DRAINS = 1 << 1,
    /*
     * Releases a resource, for example closes a file. The future runs even when the async function
     * that awaits it is being cancelled, so it must finish quickly.
     */
    WEFT_FUTURE_CLEANS_UP = 1 << 2,
    /*
     * weft's own: the future is made of other futures. A cancel before its first poll ends these,
     * too.
     */
    WEFT_FUTURE_HOLDS_ = 1 << 3,
    /* weft's own: the ops are part of a larger struct, which tells dumps what the future awaits. */
    WEFT_FUTURE_SHOWS_ = 1 << 4,
    /* weft's own: the frame of a fiber. */
    WEFT_FUTURE_STACKFUL_ = 1 << 5,
};

/* What all futures of one kind have in common. It must outlive them. */
struct weft_future_ops {
    uint32_t    size;  /* of the future's whole struct, in bytes */
    uint32_t    flags; /* WEFT_FUTURE_... */
    const char *name;  /* for messages and dumps */
    /* Returns weft_ready(future, result), or WEFT_PENDING as rule 4 says. */
    weft_poll (*poll)(weft_future *future, weft_context *cx);
    /*
     * Asks a pending future to end soon. Its owner calls this at most once, between polls. The
     * function must not end the future itself: the next poll does. NULL means that nothing outside
     * refers to the future and that it stores no waker. A cancel then ends it at once, with
     * -ECANCELED.
     */
    void (*cancel)(weft_future *future);
};

/* The head of every future. weft_future_result() reads `result`. */
struct weft_future {
    const weft_future_ops *ops;
    int64_t                result;
};

/*
 * The reserved values of `result`. They hold a tag, the address where the future is pinned, and
 * three flags. A PARKED future holds the address of the next parked one of its frame instead.
 */
#define WEFT_RESULT_MIN_   (-4095)
#define WEFT_UNPOLLED_     INT64_MIN
#define WEFT_CANCEL_ASKED_ 1 /* the future has been asked to end */
#define WEFT_KEPT_         2 /* weft_keep(): a select in which it loses leaves it pending */
#define WEFT_PARKED_       4 /* a select has left it pending, and its frame has recorded that */
#define WEFT_RESULT_FLAGS_ 7

struct weft_frame;

/* What the executor gives to a poll. It is valid for this poll only and must not be kept. */
struct weft_context {
    const weft_waker  *waker;   /* borrowed for this poll; clone it to keep it */
    weft_runtime      *runtime; /* NULL under an executor that has none */
    struct weft_frame *frame_;  /* the innermost async function being polled */
    int64_t  deadline;          /* when a limit cancels what is being polled; WEFT_FOREVER: never */
    uint32_t budget;            /* operations that are left for this poll */
    uint32_t flags;
    uint32_t random_;         /* chooses the branch with which a fair select begins */
    struct weft_home_ *home_; /* NULL if the executor is not weft's own */
};

/* The waker of the task that is being polled, and a request to its executor that needs no waker. */
struct weft_home_ {
    weft_waker waker;
    bool       yielded; /* the poll asks for another poll */
};

enum {
    WEFT_CONTEXT_CANCELLED_ = 1 << 0, /* awaits end with -ECANCELED */
    WEFT_CONTEXT_UNWINDS_ = 1 << 1,   /* the task has panicked, and bodies no longer run */
};

/* How many operations a poll may do, unless its executor says otherwise. */
#define WEFT_BUDGET_DEFAULT 128

/*
 * Fills a context for a poll by an executor of your own. `waker` must outlive the polls that are
 * made with the context. Futures find timers and I/O in the runtime `rt`. It may be NULL: futures
 * that need a runtime then end with -ENXIO.
 */
WEFT_API void weft_context_init(weft_context *cx, const weft_waker *waker, weft_runtime *rt);

/*
 * Returns the waker that a poll function stores or wakes before it returns WEFT_PENDING. It is
 * borrowed for this poll, so a poll function stores a clone of it.
 */
static inline const weft_waker *weft_context_waker(const weft_context *cx)
{
    return cx->waker;
}

/* Returns the instant of the nearest limit (weft_timeout) around this poll, or WEFT_FOREVER. */
static inline int64_t weft_context_deadline(const weft_context *cx)
{
    return cx->deadline;
}

/*
 * Asks for another poll of the task, after those of the tasks that wait. It has the effect of a
 * wake of the task.
 */
static inline void weft_context_yield_(weft_context *cx)
{
    if (cx->home_ && cx->waker == &cx->home_->waker)
        cx->home_->yielded = true;
    else
        weft_waker_wake_by_ref(cx->waker);
}

/*
 * Takes one operation from the budget of this poll. A future that can be ready again and again
 * calls this first, so that one task can't keep its worker for itself.
 *
 * Returns: true, go on. false, the budget is used up, and the task has been woken for its next
 *          turn: return WEFT_PENDING.
 */
static inline __attribute__((always_inline)) WEFT_NODISCARD bool
weft_context_spend(weft_context *cx)
{
    if (cx->budget > 0) {
        cx->budget--;
        return true;
    }
    weft_context_yield_(cx);
    return false;
}

/* Makes an unpolled future in the given memory. `ops` must outlive it. */
static inline void weft_future_init(weft_future *future, const weft_future_ops *ops)
{
    future->ops = ops;
    future->result = WEFT_UNPOLLED_;
}

/* Reports whether the future has its result. */
static inline bool weft_future_is_ready(const weft_future *future)
{
    return future->result >= WEFT_RESULT_MIN_;
}

/* Reports whether the future has been polled and has no result yet. It is pinned then. */
static inline bool weft_future_is_pending(const weft_future *future)
{
    return !weft_future_is_ready(future) &&
           (future->result & ~(int64_t)WEFT_RESULT_FLAGS_) != WEFT_UNPOLLED_;
}

/* Reports whether the owner has asked the future to end. For use in poll functions. */
static inline bool weft_future_is_cancelled(const weft_future *future)
{
    return !weft_future_is_ready(future) && (future->result & WEFT_CANCEL_ASKED_);
}

/* Returns the result of a future that is READY. Aborts if it is not. */
static inline int64_t weft_future_result(const weft_future *future)
{
    if (!weft_future_is_ready(future))
        weft_misuse_("weft_future_result", "the future has no result yet", future->ops->name);
    return future->result;
}

/*
 * Sets the result of the future and returns READY. Poll functions end with it. Aborts if the result
 * is below -4095.
 */
static inline weft_poll weft_ready(weft_future *future, int64_t result)
{
    if (__builtin_expect(result < WEFT_RESULT_MIN_, 0))
        weft_misuse_("weft_ready", "a result below -4095 is reserved", future->ops->name);
    future->result = result;
    return WEFT_POLL_(1);
}

/* Reports whether the answer of a poll is READY. */
static inline bool weft_poll_is_ready(weft_poll poll)
{
    return poll.ready_ != 0;
}

/*
 * Internal: polls a branch that a select has left pending (weft_keep). Any other future with this
 * state has moved, or was READY before. The function then aborts.
 */
WEFT_API weft_poll weft_future_poll_parked_(weft_future *future, weft_context *cx);

/*
 * Polls a future that is certain to end before the future or async function that polls it. It does
 * what weft_future_poll does, and is faster, because the polled future need not count its wakers.
 * weft's own awaits and combinators call it. A future of yours may call it if it never ends, and is
 * never handed to another owner, while the inner future is pending. Where that is not certain, call
 * weft_future_poll. Aborts if the future has moved since its first poll, or was READY before.
 *
 * Returns: READY, or PENDING with the context's waker stored.
 */
static inline WEFT_NODISCARD weft_poll weft_future_poll_inner(weft_future *future, weft_context *cx)
{
    int64_t state = future->result;
    int64_t here = WEFT_UNPOLLED_ | (int64_t)(uintptr_t)future;

    if (state == WEFT_UNPOLLED_) {
        future->result = here;
    } else if ((state & ~(int64_t)WEFT_RESULT_FLAGS_) != here) {
        if ((state & ~(int64_t)WEFT_RESULT_FLAGS_) != WEFT_UNPOLLED_)
            return weft_future_poll_parked_(future, cx); /* or it aborts */
        future->result = state | here;
    }
    return future->ops->poll(future, cx);
}

/* Internal: polls the future with a waker that futures must clone to store it. */
WEFT_API weft_poll weft_future_poll_counted_(weft_future *future, weft_context *cx);

/*
 * Polls the future. Aborts if the future has moved since its first poll, or was READY before. A
 * pending future may have another owner next: another task, or another executor. The task that
 * polled it before may have ended by then.
 *
 * Returns: READY, or PENDING with the context's waker stored.
 */
static inline WEFT_NODISCARD weft_poll weft_future_poll(weft_future *future, weft_context *cx)
{
    return cx->waker->vtable->notify_ ? weft_future_poll_counted_(future, cx)
                                      : weft_future_poll_inner(future, cx);
}

/*
 * Asks the future to end soon. See rule 6 at the beginning of weft/future.h. Asking again changes
 * nothing. A future that was never polled ends at once, and nothing starts. There is one exception:
 * a future that is made of others (a select, a join_all, a limit) must be polled, so that each of
 * these gets its result.
 *
 * Returns: READY, the future has ended, with -ECANCELED if it had not ended before. PENDING, poll
 *          it now, and poll it on until READY.
 */
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
