/*
 * combine.c - select, join_all and try_join over branches in the caller's frame
 *
 * Purpose     Polls the branches that were woken until the group is decided. Then cancels the
 *             others and polls them until they have ended. Branches to be kept are polled at every
 *             turn, with the waker of their async function, because they may outlive the group and
 *             the groups around it.
 * Threads     Polls: the owner. Wakes: any thread, through the waker of a branch.
 * Invariants  C1 a pending branch has the waker of its branch or, in direct mode, that of the task.
 *             C2, C3: see branch.h.
 *             C4 a turn ends early when a branch was polled and the budget is used up; the next
 *             turn begins with the branch behind it. So each turn begins with budget for another
 *             branch, and costs no more than its budget. A biased select can't begin elsewhere:
 *             once the budget is used up it gives each branch one operation. C5 a branch that is
 *             polled at every turn and is still pending gets the operation back that the poll cost.
 *             Otherwise many such branches would use up the budget of each turn and ask for another
 *             turn for ever.
 *             C6 a group of more than 64 branches looks only at what marks.h says may be woken. It
 *             looks at all once one of its branches is polled at every turn.
 * Ordering    [combine-1] a wake sets `woken_` before it wakes the task. The poll clears `woken_`
 *             before it polls the branch. So what the waking thread published is seen by this poll
 *             or by a later one.
 * Failure     None: takes no memory and calls nothing that fails.
 */
#include "branch.h"
#include "inner.h"
#include "keep.h"
#include "marks.h"
#include "order.h"
#include "twins.h"
#if __STDC_HOSTED__
#include "task.h"
#endif

enum { PHASE_START, PHASE_RUN, PHASE_DRAIN };

/* Whether the task's waker must not be borrowed, because the future of this poll may be handed
 * on. */
static bool is_counted(const weft_waker *waker)
{
#if __STDC_HOSTED__
    return waker->vtable == &wf_task_counted_vtable;
#else
    (void)waker;
    return false;
#endif
}

/* Branches hold the waker of the first poll, so the group keeps it until its end. If it can't be
 * marked, or if a later poll comes with another one, the group goes direct: every poll polls every
 * branch, with the waker that it came with. */
static void adopt_waker(weft_group *g, const weft_waker *waker, bool first)
{
    if (first) {
        g->direct_ = !waker->vtable->notify_;
        g->counted_ = is_counted(waker);
        g->waker_ = *waker;
        if (g->counted_)
            g->waker_.data = weft_waker_clone(waker).data; /* now with a reference */
    } else if (g->waker_.vtable != waker->vtable || g->waker_.data != waker->data) {
        g->direct_ = 1;
    }
}

static bool is_kept(const weft_branch *b)
{
    return !weft_future_is_ready(b->future) && (b->future->result & WEFT_KEPT_);
}

/* A branch has ended in a group that need not wait for all of them. Decides the group if that was
 * the branch it waited for. */
static void decide(weft_group *g, uint32_t i)
{
    int64_t result = g->branch_[i].future->result;

    if (g->phase_ == PHASE_RUN) {
        if (g->kind_ == WEFT_GROUP_SELECT_ || (g->kind_ == WEFT_GROUP_TRY_JOIN_ && result < 0)) {
            g->winner_ = (int32_t)i;
            g->phase_ = PHASE_DRAIN;
        }
    } else if (result != -ECANCELED) {
        if (g->winner_ < 0 &&
            (g->kind_ == WEFT_GROUP_SELECT_ || (g->kind_ == WEFT_GROUP_TRY_JOIN_ && result < 0)))
            /* The group was cancelled as a whole, but this branch completed (or failed) first. */
            g->winner_ = (int32_t)i;
        else if (i < 64)
            g->undone_ |= UINT64_C(1) << i;
    }
}

static void branch_ended(weft_group *g, uint32_t i)
{
    g->branch_[i].flags_ |= WF_BRANCH_DONE;
    g->n_left_--;
    if (g->phase_ != PHASE_RUN || g->kind_ != WEFT_GROUP_JOIN_)
        decide(g, i);
}

/* Whether the branch has been woken, or waits for its first poll. Takes the wake. */
static bool take_wake(weft_branch *b)
{
    if (b->flags_ & WF_BRANCH_NEW) {
        b->flags_ &= ~WF_BRANCH_NEW;
        return true;
    }
    return wf_flag_take(&b->woken_); /* [combine-1] */
}

/* Polls the branch if there is a reason to, and says whether it did. A poll is a guess where the
 * future's waker is not the branch's: then nothing says whether it was woken. */
static bool branch_poll(weft_group *g, uint32_t i, weft_context *cx)
{
    weft_branch      *b = &g->branch_[i];
    const weft_waker *outer = cx->waker;
    weft_waker        waker = {&wf_branch_vtable, b};
    uint32_t          budget = cx->budget;
    bool              kept, guess;

    if (b->flags_ & WF_BRANCH_DONE)
        return false;
    kept = is_kept(b);
    if (kept)
        g->scans_ = 1;
    guess = g->direct_ || kept;
    if (!guess && !take_wake(b)) {
        guess = b->flags_ & WF_BRANCH_ALWAYS;
        /* The task may be unwinding because this branch panicked, in the poll that took its
         * wake. */
        if (!guess && !(cx->flags & WEFT_CONTEXT_UNWINDS_))
            return false;
    }
    if (kept)
        cx->waker = wf_branch_waker_of_function(cx);
    else if (!g->direct_)
        cx->waker = &waker;
    if (weft_poll_is_ready(weft_future_poll_inner(b->future, cx)))
        branch_ended(g, i);
    else if (guess && cx->budget < budget)
        cx->budget++; /* C5 */
    cx->waker = outer;
    return true;
}

/* The group does not poll the kept branch any more. */
static void leave_pending(weft_group *g, weft_branch *b)
{
    b->flags_ |= WF_BRANCH_DONE | (weft_future_is_pending(b->future) ? WF_BRANCH_KEPT : 0);
    g->n_left_--;
    g->any_kept_ = 1;
    (void)wf_keep_pending(b->future); /* Y1 */
}

/* Cancels every branch that has not ended. Kept branches are cancelled only if the whole function
 * is. */
static void cancel_branches(weft_group *g, const weft_context *cx)
{
    bool all = cx->flags & WEFT_CONTEXT_CANCELLED_;

    for (uint32_t i = 0; i < g->n_; i++) {
        weft_branch *b = &g->branch_[i];

        if (b->flags_ & (WF_BRANCH_DONE | WF_BRANCH_KEPT))
            continue;
        if (is_kept(b) && !all) {
            leave_pending(g, b);
            continue;
        }
        /* A read-modify-write keeps what an earlier wake has released. */
        wf_mark(b); /* [combine-1] */
        if (weft_poll_is_ready(weft_future_cancel(b->future)))
            branch_ended(g, i);
    }
}

/* Kept branches outlive the group. They wait with the task's own waker, and their function's frame
 * lists them. */
static void park_kept(weft_group *g, weft_context *cx)
{
    for (uint32_t i = 0; i < g->n_; i++) {
        weft_future *f = g->branch_[i].future;

        if ((g->branch_[i].flags_ & WF_BRANCH_KEPT) && !(f->result & WEFT_PARKED_) && cx->frame_)
            weft_frame_park_(cx->frame_, f);
    }
}

static bool any_cancelled(const weft_group *g)
{
    for (uint32_t i = 0; i < g->n_; i++)
        if (g->branch_[i].future->result == -ECANCELED)
            return true;
    return false;
}

static weft_poll group_end(weft_group *g, weft_context *cx)
{
    if (g->any_kept_)
        park_kept(g, cx);
    if (g->counted_)
        weft_waker_drop(g->waker_);
    if (g->winner_ >= 0)
        return weft_ready(&g->future, g->kind_ == WEFT_GROUP_SELECT_
                                          ? g->winner_
                                          : g->branch_[g->winner_].future->result);
    if (weft_future_is_cancelled(&g->future))
        return weft_ready(&g->future,
                          g->kind_ == WEFT_GROUP_SELECT_ || any_cancelled(g) ? -ECANCELED : 0);
    /* A select of no branches has no winner. */
    return weft_ready(&g->future, g->kind_ == WEFT_GROUP_SELECT_ ? -EINVAL : 0);
}

/* Polls the branches of a biased select in the order in which they were given. C4 */
static void poll_in_order(weft_group *g, weft_context *cx)
{
    uint8_t  phase = g->phase_;
    uint32_t budget = cx->budget;

    for (uint32_t i = 0; i < g->n_ && g->phase_ == phase; i++) {
        bool gone = cx->budget == 0 && budget > 0;

        if (gone)
            cx->budget = 1;
        branch_poll(g, i, cx);
        if (gone)
            cx->budget = 0;
    }
}

/* Polls the branches in turn. `all`: the branches have just been cancelled and are polled even if
 * the budget is used up. */
static void poll_in_turn(weft_group *g, weft_context *cx, bool all)
{
    uint8_t  phase = g->phase_;
    uint32_t i = g->start_;

    /* Not a remainder: small cores have no division. */
    g->start_ = i + 1 < g->n_ ? i + 1 : 0;
    for (uint32_t n = g->n_; n > 0 && g->phase_ == phase; n--) {
        bool polled = branch_poll(g, i, cx);

        i = i + 1 < g->n_ ? i + 1 : 0;
        if (polled && cx->budget == 0 && !all && n > 1 && g->phase_ == phase && g->n_left_ > 0) {
            g->start_ = i; /* C4 */
            weft_context_yield_(cx);
            return;
        }
    }
}

/* A poll of a group of many. */
struct turn {
    weft_context *cx;
    uint32_t      budget; /* at its beginning */
    uint8_t       phase;
    bool          all;
};

static bool visit(weft_group *g, uint32_t i, void *arg)
{
    const struct turn *turn = arg;
    weft_context      *cx = turn->cx;
    bool               gone = g->order_ && cx->budget == 0 && turn->budget > 0, polled;

    if (gone)
        cx->budget = 1; /* C4 */
    polled = branch_poll(g, i, cx);
    if (gone)
        cx->budget = 0;
    if (g->phase_ != turn->phase)
        return false;
    if (g->order_ || !polled || cx->budget > 0 || turn->all || g->n_left_ == 0)
        return true;
    g->start_ = i + 1 < g->n_ ? i + 1 : 0; /* C4 */
    weft_context_yield_(cx);
    return false;
}

/* Polls the branches of a group of many that have been woken. */
static void poll_marked(weft_group *g, weft_context *cx, bool all)
{
    struct turn turn = {cx, cx->budget, g->phase_, all};
    uint32_t    start = g->order_ ? 0 : g->start_;

    g->start_ = start + 1 < g->n_ ? start + 1 : 0;
    wf_marks_walk(g, start, visit, &turn);
}

static void poll_branches(weft_group *g, weft_context *cx, bool all)
{
    if (wf_marks_are_used(g) && !g->direct_ && !g->scans_ && !(cx->flags & WEFT_CONTEXT_UNWINDS_))
        poll_marked(g, cx, all);
    else if (g->order_)
        poll_in_order(g, cx);
    else
        poll_in_turn(g, cx, all);
}

/* Joins begin with their first branch. A select begins with a random one, so that no branch
 * starves. */
static void begin(weft_group *g, weft_context *cx)
{
    if (cx->frame_ && cx->frame_->parked_)
        weft_frame_check_parked_(cx->frame_);
    g->phase_ = PHASE_RUN;
    g->start_ = 0;
    if (g->kind_ != WEFT_GROUP_SELECT_ || g->n_ == 0)
        return;
    g->start_ = (uint32_t)((uint64_t)cx->random_ * g->n_ >> 32);
    cx->random_ = cx->random_ * 1664525 + 1013904223;
}

static weft_poll group_poll(weft_future *future, weft_context *cx)
{
    weft_group *g = weft_container(future, weft_group, future);
    bool        just_cancelled = false;

    adopt_waker(g, cx->waker, g->phase_ == PHASE_START);
    g->frame_ = cx->frame_;
    if (g->phase_ == PHASE_START)
        begin(g, cx);
    if (g->phase_ == PHASE_RUN) {
        if (weft_future_is_cancelled(future))
            g->phase_ = PHASE_DRAIN;
        else if (g->n_left_ > 0)
            poll_branches(g, cx, false);
        just_cancelled = g->phase_ == PHASE_DRAIN;
        if (just_cancelled)
            cancel_branches(g, cx);
    }
    if (g->phase_ == PHASE_DRAIN && g->n_left_ > 0)
        poll_branches(g, cx, just_cancelled);
    return g->n_left_ > 0 ? WEFT_PENDING : group_end(g, cx);
}

static void group_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the branches */
}

/* The i-th branch that has not ended. */
static const weft_future *group_inner(const weft_future *future, uint32_t i)
{
    const weft_group *g = weft_container(future, weft_group, future);

    for (uint32_t at = 0; at < g->n_; at++)
        if (!(g->branch_[at].flags_ & WF_BRANCH_DONE) && i-- == 0)
            return g->branch_[at].future;
    return NULL;
}

/* The group is part of a branch that another group keeps. */
static bool group_keep(weft_future *future)
{
    weft_group *g = weft_container(future, weft_group, future);
    bool        any = false;

    for (uint32_t i = 0; i < g->n_; i++) {
        weft_branch *b = &g->branch_[i];

        if (!(b->flags_ & WF_BRANCH_DONE) && wf_keep_pending(b->future)) {
            wf_mark(b); /* [combine-1] Y2 */
            any = true;
        }
    }
    return any;
}

#define GROUP_FLAGS (WEFT_FUTURE_DRAINS | WEFT_FUTURE_HOLDS_ | WEFT_FUTURE_SHOWS_)
#define GROUP_OPS(name)                                                                            \
    {                                                                                              \
        {sizeof(weft_group), GROUP_FLAGS, name, group_poll, group_cancel}, group_inner, true,      \
            NULL, group_keep                                                                       \
    }

static const wf_outer_ops group_ops[] = {
    GROUP_OPS("weft_select"),
    GROUP_OPS("weft_join_all"),
    GROUP_OPS("weft_try_join"),
};

static weft_future *group_start(weft_group *g, int kind, int biased, weft_branch *branch,
                                uint32_t n)
{
    uint64_t seen = 0, again = 0;

    weft_future_init(&g->future, &group_ops[kind].ops);
    g->branch_ = branch;
    g->undone_ = 0;
    g->n_ = g->n_left_ = n;
    g->winner_ = -1;
    g->kind_ = (uint8_t)kind;
    g->order_ = (uint8_t)biased;
    g->phase_ = PHASE_START;
    g->any_kept_ = 0;
    g->scans_ = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t bit = UINT64_C(1) << ((uintptr_t)branch[i].future / sizeof(weft_future) & 63);

        branch[i].group_ = g;
        branch[i].woken_ = 0;
        branch[i].flags_ = WF_BRANCH_NEW;
        branch[i].block_ = branch[i].blocks_ = 1;
        again |= seen & bit;
        seen |= bit;
    }
    /* The filter has 64 bits for all addresses, so this is mostly a false alarm. */
    if (again)
        wf_twins_refuse(group_ops[kind].ops.name, branch, n);
    return &g->future;
}

WEFT_API weft_future *weft_group_init_(weft_group *group, int kind, int biased, weft_future *a,
                                       weft_future *b, weft_future *c, weft_future *d,
                                       weft_future *e, weft_future *f, weft_future *g,
                                       weft_future *h, weft_future *one_too_many)
{
    weft_future *list[] = {a, b, c, d, e, f, g, h};
    uint32_t     n = 0;

    if (one_too_many)
        weft_misuse_(group_ops[kind].ops.name, "more than 8 branches; use the ..._array function",
                     one_too_many->ops->name);
    for (; n < WEFT_BRANCHES_MAX && list[n]; n++)
        group->inline_[n].future = list[n];
    if (n + 1 < WEFT_BRANCHES_MAX && list[n + 1]) /* it would be left out without a word */
        weft_misuse_(group_ops[kind].ops.name, "a NULL branch stands before another one",
                     list[n + 1]->ops->name);
    return group_start(group, kind, biased, group->inline_, n);
}

WEFT_API weft_future *weft_select_array(struct weft_select *group, weft_branch *branch, uint32_t n)
{
    return group_start(&group->group_, WEFT_GROUP_SELECT_, 0, branch, n);
}

WEFT_API weft_future *weft_select_biased_array(struct weft_select *group, weft_branch *branch,
                                               uint32_t n)
{
    return group_start(&group->group_, WEFT_GROUP_SELECT_, 1, branch, n);
}

WEFT_API weft_future *weft_join_all_array(struct weft_join_all *group, weft_branch *branch,
                                          uint32_t n)
{
    return group_start(&group->group_, WEFT_GROUP_JOIN_, 0, branch, n);
}

WEFT_API weft_future *weft_try_join_array(struct weft_try_join *group, weft_branch *branch,
                                          uint32_t n)
{
    return group_start(&group->group_, WEFT_GROUP_TRY_JOIN_, 0, branch, n);
}
