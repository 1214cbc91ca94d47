/*
 * future_set.c - see weft/future_set.h
 *
 * Purpose     Runs futures side by side and gives out their results in the order in which they end.
 *             A join of all slots does the polling, so that only slots that were woken are polled.
 *             A slot is a future that passes polls on to the one in it. When that one has ended,
 *             the slot adds itself to a list and stays PENDING, so the join goes on.
 * Threads     The set's owner.
 * Invariants  X1 The join is pending from the first wait after an add until the set has ended. A
 *             slot is READY only after a cancel of the join. X2 When a wait has ended, and the join
 *             is pending, the frame of the async function lists the join as a kept branch. So a
 *             panic drains it, and the function can't return without having ended it. While a wait
 *             is pending, it drains the join itself. X3 The join may outlive the wait and the
 *             groups around it, so it is polled with a counted waker.
 * Ordering    See combine.c.
 * Failure     A slot that is taken or does not exist aborts.
 */
#include "future_set.h"

#include "inner.h"
#include "invariant.h"
#include "marks.h"

enum { FREE, RUNS, ENDED };

static weft_future_slot *slot_at(const weft_future_set *set, uint32_t i)
{
    return (weft_future_slot *)(void *)((char *)set->slot_ + i * set->stride_);
}

/* ---- the list of slots whose futures have ended ---- */

static void append_ended(weft_future_set *set, weft_future_slot *s)
{
    uint32_t number = (uint32_t)(((char *)s - (char *)set->slot_) / (ptrdiff_t)set->stride_) + 1;

    s->state_ = ENDED;
    s->next_ = 0;
    if (set->last_)
        slot_at(set, set->last_ - 1)->next_ = number;
    else
        set->first_ = number;
    set->last_ = number;
}

static uint32_t take_ended(weft_future_set *set)
{
    uint32_t          number = set->first_;
    weft_future_slot *s = slot_at(set, number - 1);

    WF_ASSERT(number > 0 && s->state_ == ENDED);
    s->state_ = FREE;
    set->first_ = s->next_;
    if (!set->first_)
        set->last_ = 0;
    return number - 1;
}

/* ---- a slot ---- */

static weft_poll slot_poll(weft_future *future, weft_context *cx)
{
    weft_future_slot *s = weft_container(future, weft_future_slot, own_);
    bool              cancelled = weft_future_is_cancelled(future);
    weft_poll         poll = WEFT_PENDING;

    if (s->state_ != RUNS)
        return cancelled ? weft_ready(future, -ECANCELED) : WEFT_PENDING;
    if (cancelled)
        poll = weft_future_cancel(s->future);
    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(s->future, cx);
    if (!weft_poll_is_ready(poll))
        return WEFT_PENDING;
    s->set_->n_running_--;
    append_ended(s->set_, s);
    return cancelled ? weft_ready(future, s->future->result) : WEFT_PENDING; /* X1 */
}

static void slot_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the future in the slot */
}

static const weft_future *slot_inner(const weft_future *future, uint32_t i)
{
    const weft_future_slot *s = weft_container(future, weft_future_slot, own_);

    return i == 0 && s->state_ == RUNS ? s->future : NULL;
}

static const wf_outer_ops slot_ops = {{sizeof(weft_future_slot),
                                       WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_,
                                       "weft_future_set", slot_poll, slot_cancel},
                                      slot_inner,
                                      false,
                                      NULL,
                                      NULL};

/* ---- the join of all slots ---- */

static weft_future *join_of(weft_future_set *set)
{
    return &set->all_.future;
}

/* Makes the join anew. Its slots poll what was added since. */
static void begin(weft_future_set *set)
{
    for (uint32_t i = 0; i < set->n_; i++) {
        weft_future_init(&slot_at(set, i)->own_, &slot_ops.ops);
        set->branch_[i].future = &slot_at(set, i)->own_;
    }
    (void)weft_join_all_array(&set->all_, set->branch_, set->n_);
}

/* Lets the async function keep the join between two waits: X2. */
static void keep(weft_future_set *set, weft_context *cx)
{
    weft_future *join = join_of(set);

    if (weft_future_is_pending(join) && !(join->result & WEFT_PARKED_) && cx->frame_)
        weft_frame_park_(cx->frame_, join);
}

/* Cancels the join, and with it all futures that run. Returns true once all have ended. */
static bool drain(weft_future_set *set, weft_context *cx)
{
    weft_future *join = join_of(set);

    return weft_poll_is_ready(weft_future_cancel(join)) ||
           weft_poll_is_ready(weft_future_poll(join, cx)); /* X3 */
}

/* ---- waiting ---- */

static void poll_slots(weft_future_set *set, weft_context *cx)
{
    weft_poll poll = weft_future_poll(join_of(set), cx); /* X3 */

    WF_ASSERT(!weft_poll_is_ready(poll)); /* X1 */
    (void)poll;
}

/* A wait that is cancelled alone leaves the futures to the next one. */
static weft_poll next_cancelled(weft_future_set *set, weft_context *cx)
{
    if ((cx->flags & WEFT_CONTEXT_CANCELLED_) && !drain(set, cx))
        return WEFT_PENDING;
    keep(set, cx);
    return weft_ready(&set->future, -ECANCELED);
}

static weft_poll next_poll(weft_future *future, weft_context *cx)
{
    weft_future_set *set = weft_container(future, weft_future_set, future);

    if (weft_future_is_cancelled(future))
        return next_cancelled(set, cx);
    /* A future that ends within this poll has paid for it. One that ended earlier has paid for the
     * poll in which it ended, which gave out another one. */
    if (set->first_ && !weft_context_spend(cx))
        return WEFT_PENDING;
    if (!set->first_ && set->n_running_ > 0)
        poll_slots(set, cx);
    if (set->first_) {
        keep(set, cx);
        return weft_ready(future, take_ended(set));
    }
    if (set->n_running_ > 0 || !drain(set, cx)) /* without futures it ends at once */
        return WEFT_PENDING;
    return weft_ready(future, WEFT_EOF);
}

static void next_cancel(weft_future *future)
{
    (void)future; /* the next poll looks at what is cancelled */
}

static const weft_future *next_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? &weft_container(future, weft_future_set, future)->all_.future : NULL;
}

static const wf_outer_ops next_ops = {{sizeof(weft_future_set),
                                       WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_,
                                       "weft_future_set_next", next_poll, next_cancel},
                                      next_inner,
                                      false,
                                      NULL,
                                      NULL};

WEFT_API weft_future *weft_future_set_next(weft_future_set *set)
{
    weft_future_init(&set->future, &next_ops.ops);
    return &set->future;
}

/* ---- closing ---- */

/* A cancel does not end it. */
static weft_poll close_poll(weft_future *future, weft_context *cx)
{
    weft_future_set *set = weft_container(future, weft_future_set, future);

    if (!drain(set, cx))
        return WEFT_PENDING;
    while (set->first_)
        (void)take_ended(set);
    return weft_ready(future, 0);
}

static const wf_outer_ops close_ops = {
    {sizeof(weft_future_set),
     WEFT_FUTURE_DRAINS | WEFT_FUTURE_CLEANS_UP | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_,
     "weft_future_set_close", close_poll, next_cancel},
    next_inner,
    false,
    NULL,
    NULL};

WEFT_API weft_future *weft_future_set_close(weft_future_set *set)
{
    weft_future_init(&set->future, &close_ops.ops);
    return &set->future;
}

/* ---- filling ---- */

void wf_future_set_init(weft_future_set *set, weft_future_slot *first, size_t stride,
                        weft_branch *branches, uint32_t n)
{
    *set = (weft_future_set){.slot_ = first, .stride_ = stride, .branch_ = branches, .n_ = n};
    for (uint32_t i = 0; i < n; i++)
        *slot_at(set, i) = (weft_future_slot){.set_ = set};
    begin(set);
}

WEFT_API void weft_future_set_init(weft_future_set *set, weft_future_slot *slots,
                                   weft_branch *branches, uint32_t n)
{
    wf_future_set_init(set, slots, sizeof *slots, branches, n);
}

WEFT_API void weft_future_set_add(weft_future_set *set, uint32_t slot, weft_future *future)
{
    weft_future_slot *s;

    if (slot >= set->n_)
        weft_misuse_("weft_future_set_add", "there is no such slot", future->ops->name);
    s = slot_at(set, slot);
    if (s->state_ != FREE)
        weft_misuse_("weft_future_set_add", "the slot has a future that was not returned yet",
                     s->future->ops->name);
    if (weft_future_is_ready(join_of(set)))
        begin(set); /* the set had ended */
    s->future = future;
    s->state_ = RUNS;
    set->n_running_++;
    if (weft_future_is_pending(join_of(set)))
        wf_mark(&set->branch_[slot]); /* the first poll of a join looks at all slots */
}

WEFT_API uint32_t weft_future_set_count(const weft_future_set *set)
{
    uint32_t n = set->n_running_;

    for (uint32_t number = set->first_; number; number = slot_at(set, number - 1)->next_)
        n++;
    return n;
}
