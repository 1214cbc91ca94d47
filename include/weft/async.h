/*
 * async.h - async functions: a state machine whose frame is a struct you can see
 *
 *     struct greet {
 *         WEFT_FRAME;
 *         struct { weft_stream *conn; } in;    arguments: all that spawning copies
 *         weft_io io;                          whatever outlives an await
 *     };
 *     WEFT_ASYNC(greet)
 *     {
 *         int64_t n;                           lives between awaits, never across one
 *
 *         WEFT_BEGIN();
 *         WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, "hi\n", 3));
 *         WEFT_END(n);
 *     }
 *
 * The body sees `self`, its frame, and `cx`, the context. `in` must be there, and is written
 * `struct {} in;` where there are no arguments. The rules that the compiler can't check:
 *
 *  - what outlives an await lives in the frame; a local is garbage after one. -Wall at -O2 and
 *    -Wjump-misses-init (gcc) tell of most slips; WEFT_STRICT makes them errors;
 *  - futures outlive awaits, so they live in the frame, too. Where WEFT_STRICT is defined, awaiting one
 *    that is a local variable aborts; a local variable that is a branch of a group, or the inner future
 *    of a limit, is not seen;
 *  - when a body begins, its frame holds the arguments and nothing else: the other fields are garbage, not
 *    zero, whether it was spawned or called. Where WEFT_POISON is defined (-DWEFT_POISON for the whole
 *    program) they are filled with 0xa5 bytes, so that a field that is used before it is set shows;
 *  - nothing is computed before WEFT_BEGIN(): it would run again at every poll. That is also true of
 *    the initialiser of a local (`int n = 0;`), which no compiler tells: declare it there, and set it
 *    below;
 *  - one await a line; an await is a statement, never part of an expression;
 *  - no await inside a `switch` of your own: with a case type wider than int it is only noticed when
 *    it resumes (the process aborts with file and line).
 */
#ifndef WEFT_ASYNC_H
#define WEFT_ASYNC_H

#include <weft/future.h>

WEFT_BEGIN_DECLS

typedef struct weft_frame weft_frame;

/* The head of every frame. Offsets are from its start, in units of 8 bytes; 0: none. */
struct weft_frame {
    weft_future  future;
    weft_future *awaiting_;   /* what the current await waits for */
    uint32_t     line_ : 20;  /* of the current await; 0 before the first */
    uint32_t     n_far_ : 12; /* kept branches that are pending and out of reach of parked_ */
    uint16_t     parked_;     /* the others: a list */
    uint16_t     deferred_;   /* what weft_defer has put off, newest first */
};

/* A call put off by weft_defer, in the frame: `weft_deferred unlock;`. */
typedef struct weft_deferred {
    __attribute__((aligned(8))) void (*call_)(void *arg); /* frames count offsets in 8 bytes */
    void                 *arg_;
    struct weft_deferred *next_;
} weft_deferred;

#define WEFT_FRAME weft_frame weft_frame_

/* WEFT_STRICT: slips that compilers only warn of, or only when asked, become errors. Here and not in the
 * macros, because gcc asks what holds where a macro was defined. */
#ifdef WEFT_STRICT
#ifdef __clang__
#pragma clang diagnostic error "-Wswitch"
#pragma clang diagnostic error "-Wconditional-uninitialized"
#pragma clang diagnostic error "-Wsometimes-uninitialized"
#pragma clang diagnostic error "-Wuninitialized"
#else
#pragma GCC diagnostic error "-Woverflow"
#pragma GCC diagnostic error "-Wmaybe-uninitialized"
#pragma GCC diagnostic error "-Wuninitialized"
#ifndef __cplusplus
#pragma GCC diagnostic error "-Wjump-misses-init"
#endif
#endif
#endif

/* A future that is a local variable lies in the stack below the frame of the thunk, and body, that awaits it. */
#ifdef WEFT_STRICT
#define WEFT_THUNK_ __attribute__((noinline))
#define WEFT_AWAITED_(future_)                                                                     \
    weft_frame_refuse_local_((future_), __builtin_frame_address(0), WEFT_HERE_)
#else
#define WEFT_THUNK_
#define WEFT_AWAITED_(future_) (future_)
#endif

/* WEFT_POISON: what a frame holds besides its arguments is filled with 0xa5 when its function begins. */
#ifdef WEFT_POISON
#define WEFT_POISON_(self)                                                                         \
    weft_frame_poison_((self), sizeof *(self), (size_t)((char *)&(self)->in - (char *)(self)),     \
                       sizeof(self)->in);
#else
#define WEFT_POISON_(self)
#endif

#define WEFT_ASYNC_(linkage, name)                                                                 \
    WEFT_STATIC_ASSERT_(offsetof(struct name, weft_frame_) == 0, "WEFT_FRAME must come first");    \
    WEFT_STATIC_ASSERT_(__alignof__(struct name) <= 32, "frames are aligned to 32 at most");       \
    static weft_poll             weft_body_##name(struct name *self, weft_context *cx);            \
    WEFT_THUNK_ static weft_poll weft_thunk_##name(weft_future *future, weft_context *cx)          \
    {                                                                                              \
        weft_frame *outer = cx->frame_;                                                            \
        weft_poll   poll;                                                                          \
                                                                                                   \
        if (weft_frame_is_rare_(future, cx))                                                       \
            return weft_frame_poll_rare_(future, cx);                                              \
        cx->frame_ = (weft_frame *)(void *)future;                                                 \
        poll = weft_body_##name((struct name *)(void *)future, cx);                                \
        cx->frame_ = outer;                                                                        \
        return poll;                                                                               \
    }                                                                                              \
    linkage const weft_future_ops *weft_ops_##name(void)                                           \
    {                                                                                              \
        static const weft_future_ops ops = {sizeof(struct name), WEFT_FUTURE_DRAINS, #name,        \
                                            weft_thunk_##name, weft_frame_cancel_};                \
        return &ops;                                                                               \
    }                                                                                              \
    static weft_poll weft_body_##name(struct name *self, weft_context *cx)

/* Defines the body of the async function whose frame is `struct name`, for this file. */
#define WEFT_ASYNC(name)                                                                           \
    static const weft_future_ops *weft_ops_##name(void);                                           \
    WEFT_ASYNC_(static, name)
/* Announces it, so that code above the definition can call or spawn it. */
#define WEFT_DECLARE(name) static const weft_future_ops *weft_ops_##name(void)
/* The same two for an async function that other files use; the frame struct goes into a header. */
#define WEFT_ASYNC_EXTERN(name)   WEFT_ASYNC_(, name)
#define WEFT_DECLARE_EXTERN(name) const weft_future_ops *weft_ops_##name(void)

/* The argument struct of async function `name`, and a pointer to one with the named values. */
#define WEFT_ARGS_TYPE_(name) __typeof__(((struct name *)0)->in)
#ifdef __cplusplus
#define WEFT_ARGS_(name, ...)                                                                      \
    weft_args_pointer_<WEFT_ARGS_TYPE_(name)>(WEFT_ARGS_TYPE_(name){__VA_ARGS__})
#else
#define WEFT_ARGS_(name, ...) (&(WEFT_ARGS_TYPE_(name)){__VA_ARGS__})
#endif

/* The future of `name(.arg = ...)` in the caller's memory `frame` (a struct name *), which nothing
 * may touch until it is READY. Returns it, unpolled: weft_select(&self->sel,
 * weft_async(child, &self->child, .x = 1), ...). */
#define weft_async(name, frame, ...)                                                               \
    weft_frame_init_(&(1 ? (frame) : (struct name *)0)->weft_frame_, weft_ops_##name(),            \
                     (uint32_t)offsetof(struct name, in), WEFT_ARGS_(name, __VA_ARGS__),           \
                     sizeof(WEFT_ARGS_TYPE_(name)))

/* First statement of a body: everything below it runs once. */
#define WEFT_BEGIN()                                                                               \
    (void)cx;                                                                                      \
    switch (weft_frame_resume_(&self->weft_frame_)) {                                              \
    default:                                                                                       \
        weft_frame_lost_(&self->weft_frame_, __FILE__);                                            \
    case 0:                                                                                        \
        WEFT_POISON_(self)

/* Waits for the future and assigns its result. Evaluates the second argument once. While the future
 * is pending the task gives its worker to others. */
#define WEFT_AWAIT(result_, future_)                                                               \
    do {                                                                                           \
        weft_frame_await_(&self->weft_frame_, WEFT_AWAITED_(future_), __LINE__);                   \
        __attribute__((fallthrough));                                                              \
    case 1LL << 40 | __LINE__:                                                                     \
        if (!weft_frame_poll_(&self->weft_frame_, cx))                                             \
            return WEFT_PENDING;                                                                   \
        (result_) = weft_frame_take_(&self->weft_frame_);                                          \
    } while (0)

/* Waits for the future as WEFT_AWAIT does, where its result is of no use. */
#define WEFT_WAIT(future_)                                                                         \
    do {                                                                                           \
        weft_frame_await_(&self->weft_frame_, WEFT_AWAITED_(future_), __LINE__);                   \
        __attribute__((fallthrough));                                                              \
    case 1LL << 40 | __LINE__:                                                                     \
        if (!weft_frame_poll_(&self->weft_frame_, cx))                                             \
            return WEFT_PENDING;                                                                   \
        (void)weft_frame_take_(&self->weft_frame_);                                                \
    } while (0)

/* Cancels the future and waits until it has ended: how a branch ends that a select has left pending
 * (weft_keep). In whatever state it is: one that is READY stays as it is, one that was never polled
 * ends at once. Afterwards weft_future_result() tells what it came to: -ECANCELED, or the result of what
 * had completed and could not be undone. */
#define WEFT_CANCEL(future_)                                                                       \
    do {                                                                                           \
        weft_frame_await_(&self->weft_frame_, WEFT_AWAITED_(future_), __LINE__);                   \
        if (!weft_poll_is_ready(weft_future_cancel(self->weft_frame_.awaiting_))) {                \
        case 1LL << 40 | __LINE__:                                                                 \
            if (!weft_frame_poll_(&self->weft_frame_, cx))                                         \
                return WEFT_PENDING;                                                               \
        }                                                                                          \
        (void)weft_frame_take_(&self->weft_frame_);                                                \
    } while (0)

/* Calls an async function and waits for its result; its frame is memory in ours. */
#define WEFT_CALL(result_, name, frame, ...)                                                       \
    WEFT_AWAIT(result_, weft_async(name, frame, __VA_ARGS__))

/* Lets the worker run its other tasks before going on. */
#define WEFT_YIELD()                                                                               \
    do {                                                                                           \
        self->weft_frame_.line_ = __LINE__;                                                        \
        weft_context_yield_(cx);                                                                   \
        return WEFT_PENDING;                                                                       \
    case 1LL << 40 | __LINE__:;                                                                    \
    } while (0)

/* Ends the async function with a result: >= 0, or -errno. */
#define WEFT_RETURN(result_) return weft_frame_finish_(&self->weft_frame_, (result_))

/* Last statement of a body: ends it with a result. */
#define WEFT_END(result_)                                                                          \
    }                                                                                              \
    return weft_frame_finish_(&self->weft_frame_, (result_))

/* Calls `call(arg)` when this async function ends, in whatever way: by WEFT_RETURN or WEFT_END, or
 * because the task panicked. Newest first; a deferred call can't await. `node` is a
 * weft_deferred in the frame's first 512 KiB and is in use until then. */
#define weft_defer(node, call, arg) weft_frame_defer_(&self->weft_frame_, (node), (call), (arg))

#ifndef __cplusplus
/* Ends the task that is being polled: none of its bodies goes on, what they await is cancelled and
 * drained, then the deferred calls run, innermost function first, and whoever joins gets -EOWNERDEAD and
 * the text, a string literal. Other tasks don't notice. In weft_block_on the same happens to its
 * future. Outside of a poll, or again while the task unwinds: the process aborts. Not for C++, whose
 * destructors it would skip; never call it across C++ functions. */
#define weft_panic(text) weft_panic_(WEFT_HERE_ ": " text "\0")
/* Panics unless the condition holds. */
#define WEFT_CHECK(condition)                                                                      \
    ((condition) ? (void)0 : weft_panic_(WEFT_HERE_ ": check failed: " #condition "\0"))
#endif

/* Whether the function has been asked to end: its awaits answer -ECANCELED. */
#define WEFT_CANCELLED() ((cx->flags & WEFT_CONTEXT_CANCELLED_) != 0)

/* ---- what the macros call ---- */

WEFT_API __attribute__((noreturn, cold)) void weft_frame_lost_(const weft_frame *frame,
                                                               const char       *file);
WEFT_API __attribute__((noreturn, cold)) void weft_panic_(const char *message);
/* A select leaves the kept branch pending. */
WEFT_API void weft_frame_park_(weft_frame *frame, weft_future *future);
/* Aborts if one of those was made again. The library's own. */
void weft_frame_check_parked_(weft_frame *frame);
/* Aborts if the future lies between the caller's frame address and this function's. */
WEFT_API void weft_frame_refuse_stack_(const weft_future *future, const void *frame_address,
                                       const char *where);
WEFT_API void weft_frame_defer_(weft_frame *frame, weft_deferred *node, void (*call)(void *arg),
                                void *arg);
/* The function ends: runs what it has deferred; no kept branch may be pending. */
WEFT_API void weft_frame_close_(weft_frame *frame);
/* The rare polls: those of a task that has panicked, which don't run the body, and those of the
 * outermost function that has been asked to end, whose awaits must see that. */
WEFT_API weft_poll weft_frame_poll_rare_(weft_future *future, weft_context *cx);
/* Cancelling an async function cancels its awaits, one after the other, until its body returns. */
WEFT_API void weft_frame_cancel_(weft_future *future);

static inline weft_future *weft_frame_init_(weft_frame *frame, const weft_future_ops *ops,
                                            uint32_t at, const void *args, size_t size)
{
    weft_future_init(&frame->future, ops);
    frame->awaiting_ = NULL;
    frame->line_ = 0;
    frame->n_far_ = 0;
    frame->parked_ = 0;
    frame->deferred_ = 0;
    __builtin_memcpy((char *)frame + at, args, size);
    return &frame->future;
}

/* The future, if it is no local variable of the caller, as far as the address tells. */
static inline weft_future *weft_frame_refuse_local_(weft_future *future, const void *frame_address,
                                                    const char *where)
{
    if ((uintptr_t)frame_address - (uintptr_t)future < 1 << 16)
        weft_frame_refuse_stack_(future, frame_address, where);
    return future;
}

static inline void weft_frame_poison_(void *frame, size_t size, size_t at, size_t n)
{
    __builtin_memset((char *)frame + sizeof(weft_frame), 0xa5, at - sizeof(weft_frame));
    __builtin_memset((char *)frame + at + n, 0xa5, size - at - n);
}

/* Whether this poll is one for weft_frame_poll_rare_. */
static inline bool weft_frame_is_rare_(const weft_future *future, const weft_context *cx)
{
    return __builtin_expect(cx->flags & WEFT_CONTEXT_UNWINDS_, 0) ||
           (__builtin_expect(future->result & WEFT_CANCEL_ASKED_, 0) &&
            !(cx->flags & WEFT_CONTEXT_CANCELLED_));
}

static inline long long weft_frame_resume_(const weft_frame *frame)
{
    return frame->line_ ? 1LL << 40 | frame->line_ : 0;
}

static inline void weft_frame_await_(weft_frame *frame, weft_future *future, uint32_t line)
{
    frame->awaiting_ = future;
    frame->line_ = line;
}

/* Polls the awaited future; true when it is READY. Passes a cancel on, once. */
static inline bool weft_frame_poll_(weft_frame *frame, weft_context *cx)
{
    weft_future *future = frame->awaiting_;

    if (__builtin_expect(cx->flags & WEFT_CONTEXT_CANCELLED_, 0) &&
        !(future->ops->flags & WEFT_FUTURE_CLEANS_UP)) {
        if (!weft_future_is_pending(future) && !weft_context_spend(cx))
            return false;
        if (weft_poll_is_ready(weft_future_cancel(future)))
            return true;
    }
    return weft_poll_is_ready(weft_future_poll_inner(future, cx));
}

static inline int64_t weft_frame_take_(weft_frame *frame)
{
    weft_future *future = frame->awaiting_;

    frame->awaiting_ = NULL;
    return future->result;
}

static inline weft_poll weft_frame_finish_(weft_frame *frame, int64_t result)
{
    if (__builtin_expect(frame->parked_ | frame->deferred_ | frame->n_far_, 0))
        weft_frame_close_(frame);
    return weft_ready(&frame->future, result);
}

WEFT_END_DECLS

#ifdef __cplusplus
template <class T> static inline const T *weft_args_pointer_(const T &args)
{
    return &args;
}
#endif

#endif
