/*
 * async.h - async functions: a state machine whose frame is a struct you can see
 *
 *     struct greet {
 *         WEFT_FRAME;
 *         struct { weft_stream *conn; } in;    the arguments: all that spawning copies
 *         weft_io io;                          what lives across an await
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
 * The body sees `self`, its frame, and `cx`, the context of the poll. The frame must have the
 * member `in`: a function without arguments has `struct {} in;`. The compiler can't check these
 * rules:
 *
 * - What lives across an await is a member of the frame. A local variable is garbage after an
 *   await. Where WEFT_STRICT is defined, clang reports such a variable as an error. gcc does so
 *   with -O2 -Wall only, and not if it knows the variable's value (`n = 0;` before the await).
 *   Neither reports an array.
 * - Futures live across awaits, so they are members of the frame, too. Where WEFT_STRICT is
 *   defined, awaiting a future that is a local variable aborts. A local variable that is a branch
 *   of a group, or the inner future of a limit, is not detected.
 * - When a body begins, its frame holds the arguments and nothing else. The other members are
 *   garbage, not zero, whether the function was spawned or called. Where WEFT_POISON is defined
 *   (-DWEFT_POISON for the whole program), they are filled with 0xa5 bytes, so that the use of a
 *   member before it is set shows. The await of a future that was never made then aborts. A branch
 *   of a group, or the inner future of a limit, that was never made is not detected.
 * - Nothing is computed before WEFT_BEGIN(): it would run again at every poll. The initialiser of a
 *   local variable (`int n = 0;`) would, too, and no compiler reports that. Declare the variable
 *   there, and set it below.
 * - There is one await a line. An await is a statement, never part of an expression. A future that
 *   is made and not awaited does nothing, and no compiler reports it.
 * - There is no await inside a `switch` of your own. If the case type of that `switch` is wider
 *   than int, the mistake shows only when the function resumes: the process aborts with file and
 *   line.
 */
#ifndef WEFT_ASYNC_H
#define WEFT_ASYNC_H

#include <weft/future.h>

WEFT_BEGIN_DECLS

typedef struct weft_frame weft_frame;

/*
 * The head of every frame. Offsets count from its start, in units of 8 bytes. The offset 0 means
 * none.
 */
struct weft_frame {
    weft_future  future;
    weft_future *awaiting_;   /* the future of the current await */
    uint32_t     line_ : 20;  /* of the current await; 0 before the first */
    uint32_t     n_far_ : 12; /* kept branches that are pending and too far away for parked_ */
    uint16_t     parked_;     /* offset of the other kept branches that are pending: a list */
    uint16_t     deferred_;   /* offset of the deferred calls: a list, newest first */
};

/* A call that weft_defer has put off. It is a member of the frame: `weft_deferred unlock;`. */
typedef struct weft_deferred {
    __attribute__((aligned(8))) void (*call_)(void *arg); /* frames count offsets in 8 bytes */
    void                 *arg_;
    struct weft_deferred *next_;
} weft_deferred;

/* The first member of every frame struct. */
#define WEFT_FRAME weft_frame weft_frame_

/*
 * WEFT_STRICT turns mistakes that compilers only warn about, or report only when asked, into
 * errors. The pragmas are here and not in the macros, because gcc uses the diagnostic state at a
 * macro's definition.
 */
#ifdef WEFT_STRICT
#ifdef __clang__
#pragma clang diagnostic error "-Wswitch"
#pragma clang diagnostic error "-Wconditional-uninitialized"
#pragma clang diagnostic error "-Wsometimes-uninitialized"
#pragma clang diagnostic error "-Wuninitialized"
#ifndef __cplusplus
#pragma clang diagnostic error "-Wincompatible-pointer-types"
#pragma clang diagnostic error "-Wint-conversion"
#endif
#else
#pragma GCC diagnostic error "-Woverflow"
#pragma GCC diagnostic error "-Wmaybe-uninitialized"
#pragma GCC diagnostic error "-Wuninitialized"
#ifndef __cplusplus
#pragma GCC diagnostic error "-Wjump-misses-init"
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#pragma GCC diagnostic error "-Wint-conversion"
#endif
#endif
#endif

/*
 * WEFT_POISON fills a frame, except its head and its arguments, with 0xa5 when its function begins.
 * An await aborts if its future has kept that pattern.
 */
#ifdef WEFT_POISON
#define WEFT_POISON_(self)                                                                         \
    weft_frame_poison_((self), sizeof *(self), (size_t)((char *)&(self)->in - (char *)(self)),     \
                       sizeof(self)->in);
#define WEFT_MADE_(future_) weft_frame_refuse_unmade_((future_), WEFT_HERE_)
#else
#define WEFT_POISON_(self)
#define WEFT_MADE_(future_) (future_)
#endif

/*
 * With WEFT_STRICT an await aborts if its future is a local variable: such a future lies in the
 * stack below the end of the frame of the thunk, and of the body, that awaits it. (That is the
 * canonical frame address; __builtin_frame_address is the frame's other end on ARM.)
 */
#ifdef WEFT_STRICT
#define WEFT_THUNK_ __attribute__((noinline))
#define WEFT_AWAITED_(future_)                                                                     \
    weft_frame_refuse_local_(WEFT_MADE_(future_), __builtin_dwarf_cfa(), WEFT_HERE_)
#else
#define WEFT_THUNK_
#define WEFT_AWAITED_(future_) WEFT_MADE_(future_)
#endif

/* Whether a type may be copied and forgotten as bytes, which C++ must ask for. A type whose default
 * constructor does something passes, too, for the defaults of arguments. In the rest of a frame
 * that constructor does not run. */
#ifdef __cplusplus
#define WEFT_PLAIN_(type) __is_trivially_copyable(type)
#else
#define WEFT_PLAIN_(type) 1
#endif

#define WEFT_ASYNC_(linkage, name)                                                                 \
    WEFT_STATIC_ASSERT_(offsetof(struct name, weft_frame_) == 0, "WEFT_FRAME must come first");    \
    WEFT_STATIC_ASSERT_(__alignof__(struct name) <= 32, "frames are aligned to 32 at most");       \
    WEFT_STATIC_ASSERT_(WEFT_PLAIN_(struct name),                                                  \
                        "what is in a frame is copied and forgotten as bytes");                    \
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

/*
 * Defines the body of an async function of this file. Its frame is `struct name`. WEFT_FRAME must
 * be the first member of the frame, and the frame's alignment is 32 at most.
 */
#define WEFT_ASYNC(name)                                                                           \
    static const weft_future_ops *weft_ops_##name(void);                                           \
    WEFT_ASYNC_(static, name)

/*
 * Announces an async function of this file, so that code above its definition can call or spawn it.
 */
#define WEFT_DECLARE(name) static const weft_future_ops *weft_ops_##name(void)

/*
 * Defines, or announces, an async function that other files use. WEFT_ASYNC_EXTERN defines the body
 * in one file. WEFT_DECLARE_EXTERN announces the function in a header, which also has the frame
 * struct.
 */
#define WEFT_ASYNC_EXTERN(name)   WEFT_ASYNC_(, name)
#define WEFT_DECLARE_EXTERN(name) const weft_future_ops *weft_ops_##name(void)

/*
 * The type of the arguments of the async function `name`, and a pointer to arguments with the named
 * values.
 */
#define WEFT_ARGS_TYPE_(name) __typeof__(((struct name *)0)->in)
#ifdef __cplusplus
#define WEFT_ARGS_(name, ...)                                                                      \
    weft_args_pointer_<WEFT_ARGS_TYPE_(name)>(WEFT_ARGS_TYPE_(name){__VA_ARGS__})
#else
#define WEFT_ARGS_(name, ...) (&(WEFT_ARGS_TYPE_(name)){__VA_ARGS__})
#endif

/*
 * The pointer, which must be a `type *`. In C the compiler says `text` if it is not. The inner
 * conditional makes a pointer of an array, and drops qualifiers.
 */
#ifdef __cplusplus
#define WEFT_POINTER_(type, pointer, text) (1 ? (pointer) : (type *)0)
#else
#define WEFT_POINTER_(type, pointer, text)                                                         \
    ((void)sizeof(struct {                                                                         \
         _Static_assert(                                                                           \
             _Generic((__typeof__(1 ? (pointer) : (pointer)) *)0, type * * : 1, default : 0),      \
             text);                                                                                \
         int unused_;                                                                              \
     }),                                                                                           \
     (type *)(void *)(pointer))
#endif

/*
 * Makes the future of an async function, unpolled, in memory of the caller's. `frame` points to
 * that memory, a `struct name`. It must stay in place, and nothing else may touch it, until the
 * future is READY. The arguments are given by name, and copied.
 *
 *     WEFT_AWAIT(n, weft_select(&self->sel, weft_async(child, &self->child, .x = 1), ...));
 *
 * Returns: the future, which ends with what the body returns.
 * Cancel:  DRAINS. The awaits of the function answer -ECANCELED until its body returns, and the
 *          result is what the body returns. If the future was never polled, the result is
 *          -ECANCELED, and the body does not run.
 */
#define weft_async(name, frame, ...)                                                               \
    weft_frame_init_(&WEFT_POINTER_(struct name, frame,                                            \
                                    "the frame of an async function is a pointer to its struct")   \
                          ->weft_frame_,                                                           \
                     weft_ops_##name(), (uint32_t)offsetof(struct name, in),                       \
                     WEFT_ARGS_(name, __VA_ARGS__), sizeof(WEFT_ARGS_TYPE_(name)))

/* Begins a body. It is the first statement, and everything below it runs once. */
#define WEFT_BEGIN()                                                                               \
    (void)cx;                                                                                      \
    switch (weft_frame_resume_(&self->weft_frame_)) {                                              \
    default:                                                                                       \
        weft_frame_lost_(&self->weft_frame_, __FILE__);                                            \
    case 0:                                                                                        \
        WEFT_POISON_(self)

/*
 * Waits for the future and assigns its result. While the future is pending, the worker runs other
 * tasks. The argument `future_` is evaluated once. When the async function is cancelled, the future
 * that it awaits is cancelled, too, unless that future releases a resource (WEFT_FUTURE_CLEANS_UP).
 */
#define WEFT_AWAIT(result_, future_)                                                               \
    do {                                                                                           \
        weft_frame_await_(&self->weft_frame_, WEFT_AWAITED_(future_), __LINE__);                   \
        __attribute__((fallthrough));                                                              \
    case 1LL << 40 | __LINE__:                                                                     \
        if (!weft_frame_poll_(&self->weft_frame_, cx))                                             \
            return WEFT_PENDING;                                                                   \
        (result_) = weft_frame_take_(&self->weft_frame_);                                          \
    } while (0)

/*
 * Waits for the future and discards its result. While the future is pending, the worker runs other
 * tasks. A cancel of the async function reaches the future as WEFT_AWAIT says.
 */
#define WEFT_WAIT(future_)                                                                         \
    do {                                                                                           \
        weft_frame_await_(&self->weft_frame_, WEFT_AWAITED_(future_), __LINE__);                   \
        __attribute__((fallthrough));                                                              \
    case 1LL << 40 | __LINE__:                                                                     \
        if (!weft_frame_poll_(&self->weft_frame_, cx))                                             \
            return WEFT_PENDING;                                                                   \
        (void)weft_frame_take_(&self->weft_frame_);                                                \
    } while (0)

/*
 * Cancels the future and waits until it has ended. It ends a branch that a select has left pending
 * (weft_keep). The future may be in any state: one that is READY stays as it is, and one that was
 * never polled ends at once. Afterwards weft_future_result() returns -ECANCELED, or the result of
 * what had completed and could not be undone.
 */
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

/*
 * Calls an async function and waits for its result. Its frame is memory in the caller's frame, and
 * no task is made.
 *
 *     WEFT_CALL(n, child, &self->child, .x = 1);
 */
#define WEFT_CALL(result_, name, frame, ...)                                                       \
    WEFT_AWAIT(result_, weft_async(name, frame, __VA_ARGS__))

/* Lets the worker run its other tasks before this one continues. */
#define WEFT_YIELD()                                                                               \
    do {                                                                                           \
        self->weft_frame_.line_ = __LINE__;                                                        \
        weft_context_yield_(cx);                                                                   \
        return WEFT_PENDING;                                                                       \
    case 1LL << 40 | __LINE__:;                                                                    \
    } while (0)

/*
 * Ends the async function with a result: >= 0, or -errno. Aborts if a branch that the function has
 * kept (weft_keep) is pending.
 */
#define WEFT_RETURN(result_) return weft_frame_finish_(&self->weft_frame_, (result_))

/*
 * Ends the body, and the async function with a result: >= 0, or -errno. It is the last statement.
 * Aborts if a branch that the function has kept (weft_keep) is pending.
 */
#define WEFT_END(result_)                                                                          \
    }                                                                                              \
    return weft_frame_finish_(&self->weft_frame_, (result_))

/*
 * Calls a function when this async function ends. The call `call(arg)` is made after WEFT_RETURN,
 * after WEFT_END, and when the task panics. The newest deferred call is made first. A deferred call
 * can't await. `node` is a weft_deferred in the first 512 KiB of the frame, and is in use until the
 * call is made. Aborts if the node is elsewhere, or in use already.
 *
 *     static void close_stream(void *stream)
 *     {
 *         weft_stream_close(stream);
 *     }
 *
 *     weft_defer(&self->close, close_stream, self->in.conn);
 *
 * `call` takes a void *. A function that takes another pointer, as weft_stream_close does, needs
 * such a wrapper: calling it through a pointer of another type is undefined.
 */
#define weft_defer(node, call, arg) weft_frame_defer_(&self->weft_frame_, (node), (call), (arg))

#ifndef __cplusplus
/*
 * Ends the task that is being polled. None of its bodies continues. What they await is cancelled
 * and drained. Then the deferred calls are made, those of the innermost function first. A join of
 * the task gets -EOWNERDEAD, and weft_handle_panic() returns the text, which must be a string
 * literal. Other tasks are not affected. In weft_block_on this ends the future that it polls.
 * Outside of a poll or a blocking job, or again while the task unwinds, it aborts the process. An
 * executor without a runtime (weft/local.h) does not catch it, and the program ends. C++ does not
 * have this macro, because it would skip destructors. Never call it across C++ functions.
 */
#define weft_panic(text) weft_panic_(WEFT_HERE_ ": " text "\0")
/* Panics (weft_panic) unless the condition holds. */
#define WEFT_CHECK(condition)                                                                      \
    ((condition) ? (void)0 : weft_panic_(WEFT_HERE_ ": check failed: " #condition "\0"))
#endif

/* Reports whether the async function has been asked to end. Its awaits then answer -ECANCELED. What
 * is asked while the function computes is seen after its next await that was not READY at once. */
#define WEFT_CANCELLED() ((cx->flags & WEFT_CONTEXT_CANCELLED_) != 0)

/* ---- what the macros call ---- */

/* Aborts: the function can't resume at the line of its await. */
WEFT_API __attribute__((noreturn, cold)) void weft_frame_lost_(const weft_frame *frame,
                                                               const char       *file);
WEFT_API __attribute__((noreturn, cold)) void weft_panic_(const char *message);
/* Records in the frame that a select leaves the kept branch pending. */
WEFT_API void weft_frame_park_(weft_frame *frame, weft_future *future);
/* Aborts if one of the frame's pending kept branches was made again. For the library only. */
void weft_frame_check_parked_(weft_frame *frame);
/* Aborts if the future lies between the end of the caller's frame and this function's. */
WEFT_API void weft_frame_refuse_stack_(const weft_future *future, const void *frame_end,
                                       const char *where);
WEFT_API void weft_frame_defer_(weft_frame *frame, weft_deferred *node, void (*call)(void *arg),
                                void *arg);

/*
 * Makes the deferred calls of a function that ends. Aborts if one of its kept branches is pending.
 */
WEFT_API void weft_frame_close_(weft_frame *frame);

/*
 * Polls a frame in two rare cases. The task has panicked, so the body must not run. Or this is the
 * outermost function that has been asked to end, so its awaits must see that.
 */
WEFT_API weft_poll weft_frame_poll_rare_(weft_future *future, weft_context *cx);

/*
 * Cancels an async function: its awaits are cancelled, one after the other, until its body returns.
 */
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

/* Returns the future. Aborts if its address tells that it is a local variable of the caller. */
static inline weft_future *weft_frame_refuse_local_(weft_future *future, const void *frame_end,
                                                    const char *where)
{
    if ((uintptr_t)frame_end - (uintptr_t)future < 1 << 16)
        weft_frame_refuse_stack_(future, frame_end, where);
    return future;
}

/* Returns the future. Aborts if nothing has been stored there since the frame was filled. */
static inline weft_future *weft_frame_refuse_unmade_(weft_future *future, const char *where)
{
    if ((uintptr_t)future->ops == UINTPTR_MAX / 0xff * 0xa5)
        weft_misuse_("WEFT_AWAIT", "the future was never made", where);
    return future;
}

static inline void weft_frame_poison_(void *frame, size_t size, size_t at, size_t n)
{
    __builtin_memset((char *)frame + sizeof(weft_frame), 0xa5, at - sizeof(weft_frame));
    __builtin_memset((char *)frame + at + n, 0xa5, size - at - n);
}

/* Reports whether weft_frame_poll_rare_ must do this poll. */
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

/*
 * Polls the awaited future, and passes a cancel on to it once. Returns true when the future is
 * READY.
 */
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
