/*
 * delay_queue.h - many instants, and one wait for whichever comes first
 *
 * A delay queue holds entries, each with an instant. weft_delay_queue_next returns an entry when
 * its instant has come, the earliest first. A cache that forgets its entries after a while, or a
 * table of connections that time out, needs no task and no sleep for each of them.
 *
 * A queue and its entries are structs in memory of yours, and nothing is allocated. All bytes zero
 * is an empty queue. An entry is part of a larger struct (weft_container). It must stay in place
 * while it is in the queue. An insert takes constant time, and all else O(log n).
 *
 * A queue belongs to one task. If other code of that task changes it while a wait is pending, as
 * between two selects that keep the wait (weft_keep), the next poll of the wait sees that.
 */
#ifndef WEFT_DELAY_QUEUE_H
#define WEFT_DELAY_QUEUE_H

#include <weft/time.h>

WEFT_BEGIN_DECLS

/* An entry, in memory of the caller. */
typedef struct weft_delay {
    int64_t            instant_;
    bool               queued_;
    struct weft_delay *child_;
    struct weft_delay *next_, *prev_; /* siblings; prev_ of the first one is the parent */
} weft_delay;

/* A queue, and the future of its next entry. Zero: empty. */
typedef struct weft_delay_queue {
    weft_future       future;
    weft_delay       *first_;
    uint32_t          n_;
    weft_delay      **ret_entry_;
    struct weft_sleep nap_;
} weft_delay_queue;

/*
 * Puts an entry into a queue, for `duration` nanoseconds from now. The entry must be in no queue.
 * It need not have been set before.
 *
 * Thread:  the owner of the queue.
 */
WEFT_API void weft_delay_queue_insert(weft_delay_queue *queue, weft_delay *entry, int64_t duration);

/*
 * Puts an entry into a queue, for an instant of the runtime's clock (weft_now). The entry must be
 * in no queue. It need not have been set before.
 *
 * Thread:  the owner of the queue.
 */
WEFT_API void weft_delay_queue_insert_at(weft_delay_queue *queue, weft_delay *entry,
                                         int64_t instant);

/*
 * Moves an entry of a queue to `duration` nanoseconds from now. Aborts if it is not in the queue.
 *
 * Thread:  the owner of the queue.
 */
WEFT_API void weft_delay_queue_reset(weft_delay_queue *queue, weft_delay *entry, int64_t duration);

/*
 * Moves an entry of a queue to an instant. Aborts if it is not in the queue.
 *
 * Thread:  the owner of the queue.
 */
WEFT_API void weft_delay_queue_reset_at(weft_delay_queue *queue, weft_delay *entry,
                                        int64_t instant);

/*
 * Takes an entry out of a queue. The entry must have been inserted before.
 *
 * Thread:  the owner of the queue.
 * Returns: true. false, the entry is not in the queue: weft_delay_queue_next has returned it, or it
 *          was removed before.
 */
WEFT_API bool weft_delay_queue_remove(weft_delay_queue *queue, weft_delay *entry);

/* Returns how many entries a queue has. */
static inline uint32_t weft_delay_queue_count(const weft_delay_queue *queue)
{
    return queue->n_;
}

/* Returns the instant of the earliest entry of a queue, or WEFT_FOREVER if the queue is empty. */
static inline int64_t weft_delay_queue_instant(const weft_delay_queue *queue)
{
    return queue->first_ ? queue->first_->instant_ : WEFT_FOREVER;
}

/*
 * Waits until the instant of the earliest entry has come, and takes the entry out of the queue.
 * `*ret_entry` must stay in place until READY. One wait at a time.
 *
 * Returns: 0, and `*ret_entry` is the entry.
 * Errors:  WEFT_EOF, the queue is empty.
 *   -ENXIO, there is no runtime.
 *   -ECHILD, the process is a fork of the process that started the runtime.
 * Cancel:  WITHDRAWS, with -ECANCELED. The entry stays in the queue.
 */
WEFT_API weft_future *weft_delay_queue_next(weft_delay_queue *queue, weft_delay **ret_entry);

WEFT_END_DECLS

#endif
