/*
 * future_set.h - futures whose results come in the order in which they end
 *
 * A set runs up to `n` futures at once within one task. weft_future_set_next waits for the future
 * that ends first, and its slot is then free for another one. So a function keeps a number of
 * operations going without a task for each of them:
 *
 *     weft_future_set_init(&self->set, self->slot, self->branch, 8);
 *     for (i = 0; i < 8; i++)
 *         weft_future_set_add(&self->set, i, fetch_next(self, i));
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_future_set_next(&self->set));
 *         if (n < 0)
 *             break;
 *         use(weft_future_result(self->slot[n].future));
 *         if (more(self))
 *             weft_future_set_add(&self->set, n, fetch_next(self, n));
 *     }
 *
 * An end costs the same whether the set has ten futures or a hundred thousand, under the conditions
 * that weft/combine.h names for groups.
 *
 * Between two waits the futures of a set stay pending. They go on when the set is awaited again,
 * and not before. A lock or permit that one of them waits for may be given to it meanwhile, and
 * others wait until the set is awaited again. So do not await what needs that lock between two
 * waits. A set is what a branch of weft_keep is: it belongs to the async function that awaits it
 * and should be in the first 512 KiB of that function's frame. The function ends it before it
 * returns, or aborts. A set ends when weft_future_set_next returns WEFT_EOF, by
 * weft_future_set_close, and when the function is cancelled while it awaits the set.
 *
 * Other code than an async function must end a set itself, too: a future of yours, or a thread that
 * awaits the set in one weft_block_on after the other. On a current-thread runtime weft_block_on is
 * an async function, and the set has to end within one call.
 *
 * All memory is the caller's, and nothing is allocated: the set, and two arrays of `n` elements. It
 * must stay in place from weft_future_set_init until the set has ended.
 */
#ifndef WEFT_FUTURE_SET_H
#define WEFT_FUTURE_SET_H

#include <weft/combine.h>

WEFT_BEGIN_DECLS

struct weft_future_set;

/* The place of one future in a set. */
typedef struct weft_future_slot {
    weft_future             own_;
    weft_future            *future; /* that was added last; for reading */
    struct weft_future_set *set_;
    uint32_t                next_; /* of those that have ended: the index of the next one plus 1 */
    uint8_t                 state_;
} weft_future_slot;

/* A set of futures, and the future of its next result. */
typedef struct weft_future_set {
    weft_future          future;
    struct weft_join_all all_; /* of the slots: it polls those that were woken */
    weft_future_slot    *slot_;
    size_t               stride_;
    weft_branch         *branch_;
    uint32_t             n_, n_running_;
    uint32_t             first_, last_; /* of those that have ended: an index plus 1, or 0 */
} weft_future_set;

/*
 * Makes an empty set of `n` slots. They are numbered from 0.
 *
 * Thread: the owner of the set.
 */
WEFT_API void weft_future_set_init(weft_future_set *set, weft_future_slot *slots,
                                   weft_branch *branches, uint32_t n);

/*
 * Puts a future into a slot of a set. The next weft_future_set_next polls it. The future must stay
 * in place until its slot has been returned, or the set has ended. Aborts if there is no such slot,
 * or if it has a future that was not returned yet.
 *
 * Thread: the owner of the set, not while weft_future_set_next is pending.
 */
WEFT_API void weft_future_set_add(weft_future_set *set, uint32_t slot, weft_future *future);

/*
 * Waits until a future of a set has ended. Slots are returned in the order in which their futures
 * have ended, each one once. One wait at a time.
 *
 * Returns: the number of the slot, which is free again. The future has its result.
 * Errors:  WEFT_EOF, the set is empty: all slots have been returned. Futures may be added again.
 *          Reaching the end takes time in proportion to `n`.
 * Cancel:  the set loses nothing. The result is -ECANCELED, and the next wait returns what this one
 *          would have returned. A wait that loses a select or runs out of time WITHDRAWS, and the
 *          futures stay pending. If the function itself is being cancelled, the wait DRAINS: the
 *          futures are cancelled, too, and the set has ended.
 */
WEFT_API weft_future *weft_future_set_next(weft_future_set *set);

/*
 * Ends a set: cancels its futures and waits until they have ended. Afterwards each future that was
 * added is READY, with its own result, and the set is empty.
 *
 * Returns: 0.
 * Cancel:  DRAINS, as long as the futures do. It runs even when the async function that awaits it
 *          is being cancelled.
 */
WEFT_API weft_future *weft_future_set_close(weft_future_set *set);

/*
 * Returns how many slots of a set are taken: futures that run, and those that have ended and were
 * not returned yet.
 *
 * Thread: the owner of the set.
 */
WEFT_API uint32_t weft_future_set_count(const weft_future_set *set);

WEFT_END_DECLS

#endif
