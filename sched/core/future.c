/*
 * future.c - rules of futures and frames that do not fit into an inline function
 *
 * Purpose     Reports the rule that a caller broke. Keeps a frame's list of kept branches and of
 *             deferred calls. Unwinds a frame whose task has panicked.
 * Threads     The future's owner.
 * Invariants  F1 a READY future is not polled. F2 a pending future stays at the address of its
 *             first poll. F3 a kept branch that its select has left pending is PARKED: it is in its
 *             frame's list, which is linked through the address in each result, or it is counted as
 *             far. Of a fiber the list has all of them: stackful.h.
 * Ordering    None: a future has one owner at a time.
 * Failure     Breaking a rule aborts.
 */
#include <weft/combine.h>

#include "stackful.h"
#include "text.h"

/* Reports a future that is READY already, or that has moved since its first poll. */
__attribute__((noreturn, cold)) static void misuse(const weft_future *future)
{
    char     where[160];
    uint64_t was = (uint64_t)future->result & ~((uint64_t)WEFT_UNPOLLED_ | WEFT_RESULT_FLAGS_);

    if (weft_future_is_ready(future)) {
        wf_text(where, sizeof where, "%s at %p", future->ops->name, (const void *)future);
        weft_misuse_("weft_future_poll", "the future was READY before and is polled again", where);
    }
    wf_text(where, sizeof where, "%s, first polled at %p, now at %p", future->ops->name,
            (const void *)(uintptr_t)was, (const void *)future);
    weft_misuse_("weft_future_poll", "a future must not move between its first poll and READY",
                 where);
}

/* Each context starts with another random number, so that selects do not all begin with the same
 * branch. Without threads there is no counter to start from: weft_local carries the number from
 * poll to poll. */
static uint32_t context_seed(void)
{
#if __STDC_HOSTED__
    static _Thread_local uint32_t n_contexts;

    return ++n_contexts * 2654435761u;
#else
    return 0;
#endif
}

WEFT_API void weft_context_init(weft_context *cx, const weft_waker *waker, weft_runtime *rt)
{
    *cx = (weft_context){.waker = waker,
                         .runtime = rt,
                         .deadline = WEFT_FOREVER,
                         .budget = WEFT_BUDGET_DEFAULT,
                         .random_ = context_seed()};
}

WEFT_API void weft_frame_lost_(const weft_frame *frame, const char *file)
{
    char where[256];

    wf_text(where, sizeof where, "%s at %s:%u; is that await inside a switch of its own?",
            frame->future.ops->name, file, (unsigned)frame->line_);
    weft_misuse_("WEFT_BEGIN", "the function can't resume at its await", where);
}

WEFT_API __attribute__((noinline)) void
weft_frame_refuse_stack_(const weft_future *future, const void *frame_end, const char *where)
{
    if ((uintptr_t)future > (uintptr_t)__builtin_frame_address(0) &&
        (uintptr_t)future < (uintptr_t)frame_end)
        weft_misuse_("WEFT_AWAIT", "the future is a local variable; it must live in the frame",
                     where);
}

WEFT_API void weft_frame_cancel_(weft_future *future)
{
    /* Nothing to do here: the next poll sees the flag and cancels what the frame awaits. */
    (void)future;
}

WEFT_API weft_future *weft_keep(weft_future *future)
{
    if (!weft_future_is_ready(future))
        future->result |= WEFT_KEPT_;
    return future;
}

/* ---- parked branches: F3 ---- */

#define UNIT 8          /* of a frame's offsets */
#define FAR  INT64_C(8) /* stands in place of the next address: not in the list */
#define NEAR UINT16_MAX /* units that an offset can reach */

static int64_t address_in(const weft_future *f)
{
    return f->result & ~(WEFT_UNPOLLED_ | WEFT_RESULT_FLAGS_);
}

static void set_address(weft_future *f, const void *address, int64_t flags)
{
    f->result = WEFT_UNPOLLED_ | (int64_t)(uintptr_t)address | flags;
}

/* The last branch of the list points back to the frame: an offset of 0 means an empty list. */
static weft_future *first_parked(weft_frame *frame)
{
    const wf_stackful *stackful = wf_stackful_of(frame);

    if (stackful && frame->parked_)
        return stackful->parked;
    return (weft_future *)(void *)((char *)frame + (size_t)frame->parked_ * UNIT);
}

static weft_future *next_parked(const weft_future *f)
{
    return (weft_future *)(uintptr_t)address_in(f);
}

static uint16_t units(const weft_frame *frame, const void *p, const char *function)
{
    uintptr_t n = ((uintptr_t)p - (uintptr_t)frame) / UNIT;

    if (n == 0 || n > NEAR)
        weft_misuse_(function, "must be in the first 512 KiB of its async function's frame",
                     frame->future.ops->name);
    return (uint16_t)n;
}

/* `first` is the frame: the list is empty. */
static void set_first_parked(weft_frame *frame, weft_future *first)
{
    wf_stackful *stackful = wf_stackful_of(frame);

    if (stackful) {
        stackful->parked = first;
        frame->parked_ = first != &frame->future;
    } else {
        frame->parked_ = first == &frame->future ? 0 : units(frame, first, "weft_keep");
    }
}

static bool is_near(weft_frame *frame, const weft_future *future)
{
    uintptr_t n = ((uintptr_t)future - (uintptr_t)frame) / UNIT;

    return (n > 0 && n <= NEAR) || wf_stackful_of(frame);
}

WEFT_API void weft_frame_park_(weft_frame *frame, weft_future *future)
{
    int64_t flags = (future->result & WEFT_RESULT_FLAGS_) | WEFT_PARKED_;

    if (is_near(frame, future)) {
        set_address(future, first_parked(frame), flags);
        set_first_parked(frame, future);
        return;
    }
    set_address(future, (const void *)(uintptr_t)FAR, flags);
    if (++frame->n_far_ == 0)
        weft_misuse_("weft_keep", "4096 kept branches are not in the frame",
                     frame->future.ops->name);
}

void weft_frame_check_parked_(weft_frame *frame)
{
    for (weft_future *f = first_parked(frame); f != &frame->future; f = next_parked(f))
        if (weft_future_is_ready(f) || !(f->result & WEFT_PARKED_))
            weft_misuse_("weft_keep", "a kept future was made again while it was pending",
                         f->ops->name);
}

/* Takes the branch out of the frame's list. False if it is not in there. */
static bool unpark(weft_frame *frame, weft_future *future)
{
    weft_future *before = NULL, *f = first_parked(frame);
    int64_t      flags = future->result & (WEFT_KEPT_ | WEFT_CANCEL_ASKED_);

    if (address_in(future) == FAR) {
        if (frame->n_far_ == 0)
            return false;
        frame->n_far_--;
    } else {
        for (; f != future; before = f, f = next_parked(f))
            if (f == &frame->future)
                return false;
        if (before)
            set_address(before, next_parked(f), before->result & WEFT_RESULT_FLAGS_);
        else
            set_first_parked(frame, next_parked(f));
    }
    set_address(future, future, flags);
    return true;
}

WEFT_API weft_poll weft_future_poll_parked_(weft_future *future, weft_context *cx)
{
    weft_frame *frame = cx->frame_;
    weft_poll   poll;

    if (weft_future_is_ready(future) || !(future->result & WEFT_PARKED_))
        misuse(future);
    if (!frame || !unpark(frame, future))
        weft_misuse_("weft_keep", "a kept branch must end in the async function that kept it",
                     future->ops->name);
    if (weft_future_is_cancelled(future) && !future->ops->cancel)
        return weft_ready(future, -ECANCELED);
    poll = future->ops->poll(future, cx);
    if (!weft_poll_is_ready(poll))
        weft_frame_park_(frame, future);
    return poll;
}

/* ---- the end of a function ---- */

static weft_deferred *first_deferred(weft_frame *frame)
{
    return frame->deferred_
               ? (weft_deferred *)(void *)((char *)frame + (size_t)frame->deferred_ * UNIT)
               : NULL;
}

WEFT_API void weft_frame_defer_(weft_frame *frame, weft_deferred *node, void (*call)(void *arg),
                                void *arg)
{
    uint16_t at = units(frame, node, "weft_defer");

    for (const weft_deferred *d = first_deferred(frame); d; d = d->next_)
        if (d == node)
            weft_misuse_("weft_defer", "the node is in use until the function ends",
                         frame->future.ops->name);
    *node = (weft_deferred){call, arg, NULL};
    node->next_ = first_deferred(frame);
    frame->deferred_ = at;
}

static void run_deferred(weft_frame *frame)
{
    while (frame->deferred_) {
        weft_deferred *node = first_deferred(frame);

        frame->deferred_ = node->next_ ? units(frame, node->next_, "weft_defer") : 0;
        node->call_(node->arg_);
    }
}

WEFT_API void weft_frame_close_(weft_frame *frame)
{
    if (!wf_stackful_of(frame)) /* a fiber's local variables are gone */
        weft_frame_check_parked_(frame);
    if (frame->parked_ || frame->n_far_)
        weft_misuse_("WEFT_END",
                     wf_stackful_of(frame)
                         ? "a fiber returned while a branch it had kept is pending"
                         : "an async function returned while a branch it had kept is pending",
                     frame->future.ops->name);
    run_deferred(frame);
}

/* ---- unwinding ---- */

/* Cancels a future that is in flight. Returns true once it has ended. */
static bool drain(weft_future *f, weft_context *cx)
{
    /* A future that releases a resource must not be cancelled: it is only polled to its end. */
    if (!(f->ops->flags & WEFT_FUTURE_CLEANS_UP) && weft_poll_is_ready(weft_future_cancel(f)))
        return true;
    return weft_poll_is_ready(weft_future_poll_inner(f, cx));
}

static weft_poll unwind(weft_frame *frame, weft_context *cx)
{
    weft_future *awaits = frame->awaiting_, *next;

    if (frame->n_far_)
        weft_misuse_("weft_panic", "a kept branch that is not in its frame can't be drained",
                     frame->future.ops->name);
    /* The body of the function does not run again: it panicked in the middle of a statement. What
     * it awaited and kept may still be used by the kernel, so the frame lives until all of that has
     * ended. */
    if (awaits && !weft_future_is_ready(awaits) && !drain(awaits, cx))
        return WEFT_PENDING;
    frame->awaiting_ = NULL;
    for (weft_future *f = first_parked(frame); f != &frame->future; f = next) {
        next = next_parked(f);
        (void)drain(f, cx);
    }
    if (frame->parked_)
        return WEFT_PENDING;
    run_deferred(frame);
    return weft_ready(&frame->future, -EOWNERDEAD);
}

WEFT_API weft_poll weft_frame_poll_rare_(weft_future *future, weft_context *cx)
{
    weft_frame *outer = cx->frame_;
    uint32_t    flags = cx->flags;
    weft_poll   poll;

    if (flags & WEFT_CONTEXT_UNWINDS_) {
        if (future->result & WEFT_CANCEL_ASKED_)
            cx->flags |= WEFT_CONTEXT_CANCELLED_;
        cx->frame_ = (weft_frame *)(void *)future;
        poll = unwind(cx->frame_, cx);
        cx->frame_ = outer;
    } else {
        /* The flag makes the second call of poll an ordinary one, so it does not come back here. */
        cx->flags |= WEFT_CONTEXT_CANCELLED_;
        poll = future->ops->poll(future, cx);
    }
    cx->flags = flags;
    return poll;
}

/* With an operating system, panic.c has this function. */
#if !__STDC_HOSTED__
WEFT_API void weft_panic_(const char *message)
{
    weft_misuse_("weft_panic", "there is no runtime to catch it", message);
}
#endif
