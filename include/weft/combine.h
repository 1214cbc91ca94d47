/*
 * combine.h - several futures inside one task: select, join_all, try_join
 *
 * The branches are futures in the caller's frame. A combinator polls the branches that were woken,
 * and no others; it is READY only when every branch has ended (or is kept), so that no buffer stays
 * with the kernel and nothing that completed is lost: afterwards each branch has its own result.
 * Until then the branches stay in place, those that have ended, too. A future is one branch of one
 * group: the same one twice aborts. A poll stops when its budget is gone, and the next one goes on from
 * there, so no branch is kept from its turn by busy ones. No heap, no thread-local state.
 */
#ifndef WEFT_COMBINE_H
#define WEFT_COMBINE_H

#include <weft/async.h>

WEFT_BEGIN_DECLS

#define WEFT_BRANCHES_MAX 8

struct weft_group;

/* One future of a group. For the ..._array functions, set `future`; the rest is weft's. */
typedef struct weft_branch {
    weft_future       *future;
    struct weft_group *group_;
    uint8_t            woken_; /* set by any waker, cleared by the poll */
    uint8_t            flags_; /* the poll's */
} weft_branch;

typedef struct weft_group {
    weft_future  future;
    weft_waker   waker_; /* of the task: set at the first poll, gone at the last */
    weft_frame  *frame_; /* of the async function that polls it */
    weft_branch *branch_;
    uint64_t     undone_;
    uint32_t     n_, n_left_;
    uint32_t     start_; /* where the next round of polls begins */
    int32_t      winner_;
    uint8_t      kind_, order_, phase_, any_kept_, direct_, counted_;
    weft_branch  inline_[WEFT_BRANCHES_MAX];
} weft_group;

/* The state of a combinator, in the caller's frame: `weft_select sel;`. */
typedef weft_group weft_select;
typedef weft_group weft_join_all;
typedef weft_group weft_try_join;

/* weft_select(group, a, b, ...): a future that ends when the first of up to 8 futures does; its result
 * is that branch's index, from 0. Among branches that are ready together it picks fairly. The others
 * are cancelled and polled until they have ended.
 *
 * After it:
 *  - the branch with that index is READY, with its own result;
 *  - a branch that lost is READY, too. Its result is -ECANCELED if it was never polled, or could be
 *    undone. Otherwise it is what had completed all the same, and weft_select_undone() names it;
 *  - a branch marked by weft_keep that lost is pending if it was polled, else as it was made.
 *    weft_future_is_ready() and weft_future_is_pending() tell.
 *  Each branch was polled at least once, unless another one had ended before its turn came.
 *
 * If the select itself is cancelled: the index of a branch that completed all the same, else
 * -ECANCELED; all branches are READY, kept ones as far as weft_keep says. That is also so when the
 * cancel came before the first poll: then no branch has been polled. -EINVAL: there are no branches.
 * DRAINS. */
#define weft_select(group, ...)                                                                    \
    WEFT_BRANCHES_(group, WEFT_GROUP_SELECT_, 0, __VA_ARGS__, NULL, NULL, NULL, NULL, NULL, NULL,  \
                   NULL, NULL)
/* The same; among branches that are ready together the first named wins. The branches behind one that
 * uses up the budget of each poll get one operation each. */
#define weft_select_biased(group, ...)                                                             \
    WEFT_BRANCHES_(group, WEFT_GROUP_SELECT_, 1, __VA_ARGS__, NULL, NULL, NULL, NULL, NULL, NULL,  \
                   NULL, NULL)
/* weft_join_all(group, a, b, ...): ends with 0 when all have ended; each has its own result. Cancelled,
 * it cancels all: -ECANCELED, or 0 if every branch completed all the same. DRAINS. */
#define weft_join_all(group, ...)                                                                  \
    WEFT_BRANCHES_(group, WEFT_GROUP_JOIN_, 0, __VA_ARGS__, NULL, NULL, NULL, NULL, NULL, NULL,    \
                   NULL, NULL)
/* weft_try_join(group, a, b, ...): as join_all, but the first branch that ends with an error makes it
 * cancel the others; its result is that error. Cancelled as a whole: the error of a branch that failed
 * with another one than -ECANCELED, else as join_all. DRAINS. */
#define weft_try_join(group, ...)                                                                  \
    WEFT_BRANCHES_(group, WEFT_GROUP_TRY_JOIN_, 0, __VA_ARGS__, NULL, NULL, NULL, NULL, NULL,      \
                   NULL, NULL, NULL)

/* The same over n branches in the caller's array, which must stay in place until READY. */
WEFT_API weft_future *weft_select_array(weft_group *group, weft_branch *branch, uint32_t n);
WEFT_API weft_future *weft_select_biased_array(weft_group *group, weft_branch *branch, uint32_t n);
WEFT_API weft_future *weft_join_all_array(weft_group *group, weft_branch *branch, uint32_t n);
WEFT_API weft_future *weft_try_join_array(weft_group *group, weft_branch *branch, uint32_t n);

/* After a select: bit i is set if branch i < 64 lost, and yet completed with a result that could not
 * be undone (read it from the branch). */
static inline uint64_t weft_select_undone(const weft_group *group)
{
    return group->undone_;
}

/* Marks a branch of a select that, when it loses, stays pending and pinned instead of being
 * cancelled; await it again, alone or in another select of the same async function, or end it with
 * WEFT_CANCEL. Until then it must not be made again: that aborts, in the next group of the function or
 * at the function's end. An async function that returns with such a branch unfinished aborts. A
 * branch that has not even been polled when it loses stays as it is, too. A cancelled task cancels
 * kept branches like all others.
 *
 *     weft_read(&self->read, conn, self->buf, sizeof self->buf);
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_select(&self->sel, weft_keep(&self->read.future), ...));
 *         if (n != 0)
 *             break;
 *         use(self->buf, self->read.future.result);
 *         weft_read(&self->read, conn, self->buf, sizeof self->buf);          the next one
 *     }
 *     WEFT_CANCEL(&self->read.future);
 */
WEFT_API weft_future *weft_keep(weft_future *future);

/* ---- what the macros call ---- */

enum { WEFT_GROUP_SELECT_, WEFT_GROUP_JOIN_, WEFT_GROUP_TRY_JOIN_ };

#define WEFT_BRANCHES_(group, kind, biased, a, b, c, d, e, f, g, h, ...)                           \
    weft_group_init_(group, kind, biased, a, b, c, d, e, f, g, h, WEFT_FIRST_(__VA_ARGS__, NULL))
#define WEFT_FIRST_(first, ...) first

WEFT_API weft_future *weft_group_init_(weft_group *group, int kind, int biased, weft_future *a,
                                       weft_future *b, weft_future *c, weft_future *d,
                                       weft_future *e, weft_future *f, weft_future *g,
                                       weft_future *h, weft_future *one_too_many);

WEFT_END_DECLS

#endif
