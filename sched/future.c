/*
 * future.c - the rules of futures and frames that need more than a line
 *
 * Purpose     Names the rule that a caller broke; polls kept branches.
 * Threads     The future's owner.
 * Invariants  F1 a READY future is not polled. F2 a pending one stays where its first poll was.
 * Ordering    None: one owner at a time.
 * Failure     Breaking a rule aborts.
 */
#include <weft/combine.h>

#include "text.h"

WEFT_API void weft_future_misuse_(const weft_future *future, const char *function)
{
    char     where[160];
    uint64_t was = (uint64_t)future->result & ~((uint64_t)WEFT_UNPOLLED_ | WEFT_RESULT_FLAGS_);

    if (weft_future_is_ready(future)) {
        wf_text(where, sizeof where, "%s at %p", future->ops->name, (const void *)future);
        weft_misuse_(function, "the future was READY before; it is polled once more", where);
    }
    wf_text(where, sizeof where, "%s, first polled at %p, now at %p", future->ops->name,
            (const void *)(uintptr_t)was, (const void *)future);
    weft_misuse_(function, "a future must not move between its first poll and READY", where);
}

/* Contexts differ in where their selects begin. Without threads to count by, the executor hands that on
 * from poll to poll itself, as weft_local does. */
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

WEFT_API void weft_frame_kept_(const weft_frame *frame)
{
    weft_misuse_("WEFT_END", "an async function returned while a branch it had kept is pending",
                 frame->future.ops->name);
}

WEFT_API void weft_frame_cancel_(weft_future *future)
{
    (void)future; /* the flag is enough: the next poll passes it to the await */
}

WEFT_API weft_future *weft_keep(weft_future *future)
{
    if (!weft_future_is_ready(future))
        future->result |= WEFT_KEPT_;
    return future;
}

WEFT_API weft_poll weft_future_poll_parked_(weft_future *future, weft_context *cx)
{
    weft_poll poll;

    if (weft_future_is_cancelled(future) && !future->ops->cancel)
        poll = weft_ready(future, -ECANCELED);
    else
        poll = future->ops->poll(future, cx);
    if (weft_poll_is_ready(poll) && cx->frame_) {
        if (cx->frame_->n_parked_ == 0)
            weft_misuse_("weft_keep", "a kept branch must end in the async function that kept it",
                         future->ops->name);
        cx->frame_->n_parked_--;
    }
    return poll;
}
