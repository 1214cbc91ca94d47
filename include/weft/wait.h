/*
 * wait.h - one wait on a lock or a channel
 *
 * Everything that a task can wait for in weft/sync.h and weft/channel.h has the same state:
 *
 *     weft_wait wait;
 *     WEFT_AWAIT(n, weft_mutex_lock(&self->wait, mutex));
 *
 * It stands in the frame of the function that waits. It must stay in place until READY, and may be
 * used again then, also for another object.
 */
#ifndef WEFT_WAIT_H
#define WEFT_WAIT_H

#include <weft/future.h>
#include <weft/waker.h>

WEFT_BEGIN_DECLS

/* One wait, in memory of the caller. All of it is weft's. */
typedef struct weft_wait {
    weft_future       future;
    weft_waker        waker_;
    struct weft_wait *next_, *prev_;
    void             *object_; /* what it waits for */
    void             *second_; /* of a channel: the message; of a condition: its mutex */
    int64_t           answer_;
    uint32_t          n_;
    int16_t           outcome_; /* of a condition, while it waits for its mutex */
    uint16_t          state_;
} weft_wait;

WEFT_END_DECLS

#endif
