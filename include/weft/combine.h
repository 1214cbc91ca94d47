/*
 * combine.h - several futures inside one task: select, join_all, try_join
 *
 * The branches of a group are futures in the caller's frame. A combinator polls the branches that
 * were woken, and no others. It is READY only when every branch has ended or is kept. So no buffer
 * stays with the kernel, and nothing that completed is lost: afterwards each branch has its own
 * result. Until then all branches stay in place, also those that have ended. A future can be one
 * branch of one group. A group that has it as two branches aborts.
 *
 * A wake in a group of 100,000 branches costs little more than one in a group of 100, because a
 * poll skips the branches that were not woken. A group that has a branch of weft_keep, or one whose
 * future clones its waker, looks at all of its branches at each poll. So does a group on bare
 * metal.
 *
 * A poll of a group stops when its budget is used up, and the next poll continues from there. So
 * busy branches do not keep another branch from its turn. Groups need no heap and no thread-local
 * state.
 */
#ifndef WEFT_COMBINE_H
#define WEFT_COMBINE_H

#include <weft/async.h>

WEFT_BEGIN_DECLS

#define WEFT_BRANCHES_MAX 8 /* what a macro takes; the ..._array functions take any number */

struct weft_group;

/* One branch of a group. A caller of the ..._array functions sets `future`. The rest is weft's. */
typedef struct weft_branch {
    weft_future       *future;
    struct weft_group *group_;
    uint8_t            woken_; /* set by any waker, cleared by the poll */
    uint8_t            flags_; /* used by polls only */
    uint8_t            block_; /* some of the 64 branches from this one on have been woken */
    uint8_t            blocks_;
} weft_branch;

/* What the combinators have in common. It must stay in place until READY. */
typedef struct weft_group {
    weft_future  future;
    weft_waker   waker_; /* of the task, from the first poll until the last */
    weft_frame  *frame_; /* of the async function that polls the group */
    weft_branch *branch_;
    uint64_t     undone_;
    uint32_t     n_, n_left_;
    uint32_t     start_; /* the branch with which the next round of polls begins */
    int32_t      winner_;
    uint8_t      kind_, order_, phase_, any_kept_, direct_, counted_, scans_;
    weft_branch  inline_[WEFT_BRANCHES_MAX];
} weft_group;

/* The state of a weft_select, in the caller's frame. */
struct weft_select {
    union {
        weft_future future;
        weft_group  group_;
    };
};

/* The state of a weft_join_all, in the caller's frame. */
struct weft_join_all {
    union {
        weft_future future;
        weft_group  group_;
    };
};

/* The state of a weft_try_join, in the caller's frame. */
struct weft_try_join {
    union {
        weft_future future;
        weft_group  group_;
    };
};

/*
 * Makes a future that ends when the first of its branches does. It takes up to 8 branches:
 * weft_select(group, a, b, ...). With more it aborts: use weft_select_array. If several branches
 * are ready together, it picks one fairly. The other branches are cancelled and polled until they
 * have ended. When the select has ended:
 *
 * - The branch that won is READY, with its own result.
 * - A branch that lost is READY, too. Its result is -ECANCELED if it was never polled, or could be
 *   undone. Otherwise it had completed all the same: it has its true result, and
 *   weft_select_undone() names it.
 * - A branch that lost and was marked by weft_keep is pending if it was polled. Otherwise it is as
 *   it was made. weft_future_is_ready() and weft_future_is_pending() tell its state.
 *
 * Each branch was polled at least once, unless another branch had ended before its turn came.
 *
 * A branch that is not always there comes last, and is NULL when it is not: NULLs at the end are
 * left out. A NULL before another branch aborts. For several such branches fill an array, and use
 * weft_select_array.
 *
 *     WEFT_AWAIT(n, weft_select(&self->sel, weft_keep(&self->line.future),
 *                               n_jobs > 0 ? weft_future_set_next(&self->jobs) : NULL));
 *
 * Returns: the index of the branch that won, from 0.
 * Errors:  -EINVAL, there are no branches.
 * Cancel:  DRAINS. The result is the index of a branch that completed all the same, or -ECANCELED.
 *          All branches are READY then, except those that weft_keep leaves. If the cancel came
 *          before the first poll, no branch has been polled.
 */
#define weft_select(group, ...)                                                                    \
    WEFT_BRANCHES_(struct weft_select, group, WEFT_GROUP_SELECT_, 0, __VA_ARGS__, NULL, NULL,      \
                   NULL, NULL, NULL, NULL, NULL, NULL)

/*
 * Makes a select in which the first named of the branches that are ready together wins. In all else
 * it does what weft_select does. If a branch uses up the budget of each poll, the branches behind
 * it get one operation each.
 *
 * Returns: the index of the branch that won, from 0.
 * Errors:  -EINVAL, there are no branches.
 * Cancel:  DRAINS. The result is the index of a branch that completed all the same, or -ECANCELED.
 *          The branches end as in weft_select.
 */
#define weft_select_biased(group, ...)                                                             \
    WEFT_BRANCHES_(struct weft_select, group, WEFT_GROUP_SELECT_, 1, __VA_ARGS__, NULL, NULL,      \
                   NULL, NULL, NULL, NULL, NULL, NULL)

/*
 * Makes a future that ends when all of its branches have ended. It takes up to 8 branches:
 * weft_join_all(group, a, b, ...). With more it aborts: use weft_join_all_array. Each branch has
 * its own result.
 *
 * Returns: 0.
 * Errors:  none but -ECANCELED.
 * Cancel:  DRAINS; all branches are cancelled. The result is -ECANCELED, or 0 if every branch
 *          completed all the same.
 */
#define weft_join_all(group, ...)                                                                  \
    WEFT_BRANCHES_(struct weft_join_all, group, WEFT_GROUP_JOIN_, 0, __VA_ARGS__, NULL, NULL,      \
                   NULL, NULL, NULL, NULL, NULL, NULL)

/*
 * Makes a future that ends when all of its branches have ended, or one has failed. It takes up to 8
 * branches: weft_try_join(group, a, b, ...). With more it aborts: use weft_try_join_array. When a
 * branch ends with an error, the other branches are cancelled and polled until they have ended.
 * Each branch has its own result.
 *
 * Returns: 0.
 * Errors:  the error of the first branch that failed.
 * Cancel:  DRAINS; all branches are cancelled. If a branch fails with another error than
 *          -ECANCELED, the result is that error. Otherwise it is -ECANCELED, or 0 if every branch
 *          completed all the same.
 */
#define weft_try_join(group, ...)                                                                  \
    WEFT_BRANCHES_(struct weft_try_join, group, WEFT_GROUP_TRY_JOIN_, 0, __VA_ARGS__, NULL, NULL,  \
                   NULL, NULL, NULL, NULL, NULL, NULL)

/*
 * Makes a select, fair or biased, over the branches in the caller's array. weft_select_array does
 * what weft_select does. weft_select_biased_array does what weft_select_biased does. The caller
 * sets `future` of each of the `n` branches. The array must stay in place until READY.
 *
 * Returns: the index of the branch that won, from 0.
 * Errors:  -EINVAL, `n` is 0.
 * Cancel:  DRAINS. The result is the index of a branch that completed all the same, or -ECANCELED.
 *          The branches end as in weft_select.
 */
WEFT_API weft_future *weft_select_array(struct weft_select *group, weft_branch *branch, uint32_t n);
WEFT_API weft_future *weft_select_biased_array(struct weft_select *group, weft_branch *branch,
                                               uint32_t n);

/*
 * Makes a weft_join_all over the branches in the caller's array. The caller sets `future` of each
 * of the `n` branches. The array must stay in place until READY.
 *
 * Returns: 0.
 * Errors:  none but -ECANCELED.
 * Cancel:  DRAINS; all branches are cancelled. The result is -ECANCELED, or 0 if every branch
 *          completed all the same.
 */
WEFT_API weft_future *weft_join_all_array(struct weft_join_all *group, weft_branch *branch,
                                          uint32_t n);

/*
 * Makes a weft_try_join over the branches in the caller's array. The caller sets `future` of each
 * of the `n` branches. The array must stay in place until READY.
 *
 * Returns: 0.
 * Errors:  the error of the first branch that failed.
 * Cancel:  DRAINS; all branches are cancelled. If a branch fails with another error than
 *          -ECANCELED, the result is that error. Otherwise it is -ECANCELED, or 0 if every branch
 *          completed all the same.
 */
WEFT_API weft_future *weft_try_join_array(struct weft_try_join *group, weft_branch *branch,
                                          uint32_t n);

/*
 * Returns the set of the branches that lost a select, and yet completed. Bit i is set if branch i <
 * 64 lost, and has a result that could not be undone. Read that result from the branch.
 */
static inline uint64_t weft_select_undone(const struct weft_select *select)
{
    return select->group_.undone_;
}

/*
 * Marks a branch of a select that stays pending, and is not cancelled, when it loses. A try_join in
 * which another branch fails leaves it in the same way. It is still pinned then. Await it again,
 * alone or in another select of the same async function or fiber, or end it with WEFT_CANCEL, in a
 * fiber with weft_await_cancel. Until it has ended it must not be made again: the function then
 * aborts, in its next group or at its end. A function that returns while such a branch is pending
 * aborts. A branch that was never polled when it loses stays as it was made. A cancelled task
 * cancels kept branches like all others.
 *
 * A kept branch is not polled until it is awaited again. A wait for a lock, a semaphore, a once, a
 * notify, a message of an mpmc channel, a permit or the next task of a set in it keeps its place in
 * the queue, but is passed over meanwhile: what it could be given goes to the next. This does not
 * reach waits that a future of your own polls. A message that waits to be sent needs no poll: it is
 * sent as soon as there is room.
 *
 *     weft_read(&self->read, conn, self->buf, sizeof self->buf);
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_select(&self->sel, weft_keep(&self->read.future), ...));
 *         if (n != 0 || self->read.future.result <= 0)
 *             break;
 *         use(self->buf, self->read.future.result);
 *         weft_read(&self->read, conn, self->buf, sizeof self->buf);          the next one
 *     }
 *     WEFT_CANCEL(&self->read.future);
 *
 * The branch should be in the first 512 KiB of the frame of its async function. A function can keep
 * up to 4095 branches that are elsewhere. They work, but a panic can't drain them, and aborts the
 * process. A fiber may keep any number of branches, wherever they are. One that is a local variable
 * must end before its block does.
 *
 * Returns: the future.
 */
WEFT_API weft_future *weft_keep(weft_future *future);

/* ---- what the macros call ---- */

enum { WEFT_GROUP_SELECT_, WEFT_GROUP_JOIN_, WEFT_GROUP_TRY_JOIN_ };

#define WEFT_BRANCHES_(type, group, kind, biased, a, b, c, d, e, f, g, h, ...)                     \
    weft_group_init_(                                                                              \
        &WEFT_POINTER_(type, group, "the first argument of a group is a pointer to its " #type)    \
             ->group_,                                                                             \
        kind, biased, a, b, c, d, e, f, g, h, WEFT_FIRST_(__VA_ARGS__, NULL))
#define WEFT_FIRST_(first, ...) first

WEFT_API weft_future *weft_group_init_(weft_group *group, int kind, int biased, weft_future *a,
                                       weft_future *b, weft_future *c, weft_future *d,
                                       weft_future *e, weft_future *f, weft_future *g,
                                       weft_future *h, weft_future *one_too_many);

WEFT_END_DECLS

#endif
