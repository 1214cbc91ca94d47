/*
 * sequence.h - items that come one after the other: channels, ticks, merged and in chunks
 *
 * A sequence has one function, which makes the future of its next item. So it has no rules of its
 * own: polls, wakes, budgets and cancels are those of futures. Code that takes a sequence need not
 * know whether its items come from a channel, an interval, or a future of yours.
 *
 *     weft_sequence *s = weft_sequence_of_mpsc(&self->source, receiver);
 *
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_sequence_next(s, &self->item));
 *         if (n < 0)
 *             break;
 *         use(self->item);
 *     }
 *
 * The rules of a sequence:
 *
 * 1. `next(sequence, ret_item)` makes the future of the next item, in memory of the sequence. It
 *    does not wait, and nothing begins before the future is polled. One wait at a time.
 *
 * 2. A result >= 0 is an item, which has been copied to *ret_item. WEFT_EOF is the end, also for
 *    each later wait. Any other error belongs to the sequence, and it may go on.
 *
 * 3. A cancelled wait whose result is -ECANCELED has taken nothing: the next wait gets that item.
 *
 * All memory is the caller's, and nothing is allocated. A sequence must stay in place, and belongs
 * to one task at a time.
 *
 * A loop over a sequence takes the place of combinators that call a function for each item (map,
 * filter, fold, for_each). Items that are made by n futures at once, in the order in which these
 * end, are a weft_future_set (weft/future_set.h).
 */
#ifndef WEFT_SEQUENCE_H
#define WEFT_SEQUENCE_H

#include <weft/broadcast.h>
#include <weft/channel.h>
#include <weft/future_set.h>
#include <weft/mpmc.h>
#include <weft/time.h>
#include <weft/watch.h>

WEFT_BEGIN_DECLS

/* A sequence. It is the first member, or any other, of a struct of its kind (weft_container). */
typedef struct weft_sequence {
    weft_future *(*next)(struct weft_sequence *sequence, void *ret_item);
} weft_sequence;

/*
 * Waits for the next item of a sequence. `ret_item` points to memory for one item, which is
 * borrowed until READY. One wait at a time.
 *
 * Returns: >= 0, an item is in *ret_item. The kind of the sequence says what the number means.
 * Errors:  WEFT_EOF, there are no more items.
 *   An error of the sequence.
 * Cancel:  WITHDRAWS or DRAINS, as the future does that the sequence makes. If the result is
 *          -ECANCELED, nothing is lost: the next wait gets the item.
 */
static inline weft_future *weft_sequence_next(weft_sequence *sequence, void *ret_item)
{
    return sequence->next(sequence, ret_item);
}

/* ---- of channels and intervals ---- */

/* A sequence of what a channel or an interval gives, in memory of the caller. */
typedef struct weft_source {
    weft_sequence sequence;
    weft_future   watch_; /* of a watch: waits for a change, and reads the value */
    weft_wait     wait_;
    void         *from_;
    void         *ret_item_;
} weft_source;

/*
 * Makes a sequence of the messages of an mpsc channel. The receiver stays the caller's, and must
 * not be closed while the sequence is used.
 *
 * Returns: the sequence. Its waits do what weft_mpsc_receive does.
 */
WEFT_API weft_sequence *weft_sequence_of_mpsc(weft_source *source, weft_mpsc_receiver *receiver);

/*
 * Makes a sequence of the messages of an mpmc channel. The receiver stays the caller's, and must
 * not be closed while the sequence is used.
 *
 * Returns: the sequence. Its waits do what weft_mpmc_receive does.
 */
WEFT_API weft_sequence *weft_sequence_of_mpmc(weft_source *source, weft_mpmc_receiver *receiver);

/*
 * Makes a sequence of the messages of a broadcast channel. The receiver stays the caller's, and
 * must not be closed while the sequence is used.
 *
 * Returns: the sequence. Its waits do what weft_broadcast_receive does. The result of one is how
 *          many messages the receiver has missed before the item.
 */
WEFT_API weft_sequence *weft_sequence_of_broadcast(weft_source             *source,
                                                   weft_broadcast_receiver *receiver);

/*
 * Makes a sequence of the values of a watch. Each item is the latest value that the receiver has
 * not seen, and counts as seen then. The receiver stays the caller's, and must not be closed while
 * the sequence is used.
 *
 * Returns: the sequence. Its waits end when weft_watch_changed does.
 */
WEFT_API weft_sequence *weft_sequence_of_watch(weft_source *source, weft_watch_receiver *receiver);

/*
 * Makes a sequence of the ticks of an interval that has been started. A tick has no bytes:
 * `ret_item` may be NULL. The interval must stay in place while the sequence is used.
 *
 * Returns: the sequence. Its waits do what weft_interval_tick does. The result of one is the number
 *          of periods by which the tick is late.
 */
WEFT_API weft_sequence *weft_sequence_of_interval(weft_source *source, weft_interval *interval);

/* ---- several sequences as one ---- */

/* One sequence of a merge. The caller sets the first two members. The rest is weft's. */
typedef struct weft_merge_input {
    weft_sequence   *sequence;
    void            *item;   /* memory for an item that has come and was not returned yet */
    int64_t          result; /* of the last wait on the sequence; for reading */
    weft_future_slot slot_;
} weft_merge_input;

/* Several sequences as one, in memory of the caller. */
typedef struct weft_merge {
    weft_sequence     sequence;
    weft_future       future_;
    weft_future_set   set_;
    weft_merge_input *inputs_;
    size_t            size_;
    void             *ret_item_;
} weft_merge;

/*
 * Makes one sequence of `n` sequences, whose items are `size` bytes. Items come in the
 * order in which the sequences have them, and no sequence keeps another one from its turn. A wake
 * costs the same for any number of sequences, as in a weft_future_set. The arrays have `n`
 * elements, and must stay in place as long as the merge is used. So must the sequences and the
 * places of their items, which are of `size` bytes each.
 *
 * A wait on the merge returns the index of the input whose item it is. The input's `result` is what
 * its sequence returned. An input that has ended is left out. If a sequence returns another error,
 * the wait returns that error, the input is left out from then on, and the others go on. WEFT_EOF
 * comes when all inputs are left out.
 *
 * Between two waits the inputs stay pending, and each may have taken an item already, which the
 * merge keeps in `item`. So a merge is in the frame of the async function that awaits it, and ends
 * before that function returns, as weft/future_set.h says of sets: with WEFT_EOF, by
 * weft_merge_close, or in a wait while the function is being cancelled.
 *
 * Thread:  the owner of the sequences.
 * Returns: the sequence.
 */
WEFT_API weft_sequence *weft_sequence_merge(weft_merge *merge, weft_merge_input *inputs,
                                            weft_branch *branches, uint32_t n, size_t size);

/*
 * Ends a merge: cancels the waits on its inputs, and waits until they have ended. An item that an
 * input has taken and the merge has not returned is in the input's `item`, and `result` is >= 0.
 * For all other inputs `result` is below 0. Nothing is lost: the sequences can be used again.
 *
 * Returns: 0.
 * Cancel:  DRAINS, as long as the inputs do. It runs even when the async function that awaits it is
 *          being cancelled.
 */
WEFT_API weft_future *weft_merge_close(weft_merge *merge);

/* ---- several items at once ---- */

/* Items of a sequence in chunks, and the future of the next chunk, in memory of the caller. */
typedef struct weft_chunks {
    weft_future       future;
    weft_sequence    *from_;
    weft_future      *next_; /* the wait for another item, or NULL */
    char             *items_;
    size_t            size_;
    uint32_t          most_, n_;
    int64_t           duration_, instant_;
    int64_t           ended_; /* the error that the sequence has returned, or 0 */
    bool              returned_, is_over_;
    struct weft_sleep nap_;
} weft_chunks;

/*
 * Gathers the items of a sequence, of `size` bytes each, into chunks of up to `most`, at least 1. A
 * chunk is returned when it is full, or `duration` nanoseconds after its first item came, whichever
 * is first. With a duration of WEFT_FOREVER it is returned when it is full, or at the end of the
 * sequence; then no runtime is needed. `items` is memory for `most` items. Chunks need no call that
 * ends them, but a merge that gives them their items does: weft_merge_close.
 *
 * Thread: the owner of the sequence.
 */
WEFT_API void weft_chunks_init(weft_chunks *chunks, weft_sequence *sequence, void *items,
                               size_t size, uint32_t most, int64_t duration);

/*
 * Waits for the next chunk. Its items are at the beginning of the array that weft_chunks_init was
 * given, until the next call. One wait at a time. Between two waits the sequence has no wait
 * pending.
 *
 * Returns: how many items the chunk has, at least 1.
 * Errors:  WEFT_EOF, there are no more items.
 *   An error of the sequence, or -ENXIO: there is no runtime for the time limit. The items that
 *   came before the error are a chunk of their own, which comes first.
 * Cancel:  DRAINS, as long as the sequence does, with -ECANCELED. No item is lost: those that have
 *          come stay in the array, and the next wait adds to them. Their time goes on. A function
 *          that is itself being cancelled has no next wait: weft_chunks_count() says how many items
 *          are there.
 */
WEFT_API weft_future *weft_chunks_next(weft_chunks *chunks);

/*
 * Returns how many items have come for the next chunk. After a wait that was cancelled they are at
 * the beginning of the array. After any other wait there are none.
 *
 * Thread: the owner of the chunks, not while weft_chunks_next is pending.
 */
WEFT_API uint32_t weft_chunks_count(const weft_chunks *chunks);

WEFT_END_DECLS

#endif
