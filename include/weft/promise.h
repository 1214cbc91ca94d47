/*
 * promise.h - a result that comes once, for any number of tasks and threads
 *
 * A promise is completed once, by any thread. From then on every wait on it ends with that result,
 * also one that begins later. A oneshot (weft/channel.h) has one receiver and carries bytes. A
 * promise has any number of waiters, and its result is that of a future: >= 0, or -errno.
 *
 * A value that is larger than a result stands beside the promise, and is written before the promise
 * is completed. If several threads race to complete it, each has a value of its own, and completes
 * the promise with the value's address, which is a result > 0.
 *
 *     struct lookup { weft_promise done; struct address address; };
 *
 *     lookup->address = address;                     in any thread
 *     weft_promise_complete(&lookup->done, 0);
 *
 *     WEFT_AWAIT(n, weft_promise_get(&self->wait, &lookup->done));
 *     if (n == 0)
 *         use(&lookup->address);
 *
 * A promise is a struct in memory of yours. All bytes zero is a promise that has no result yet.
 * Nothing is allocated, and no runtime is needed. Any thread may call any of these functions.
 *
 * The promise must stay in place while a wait is pending. It is not closed: its memory may be freed
 * once no wait is pending and no thread will complete it. The owner of the last wait may free it as
 * soon as that wait is READY, even if the completing thread has not returned yet. If more than 64
 * plain threads and tasks of other executors wait, that thread must have returned, too.
 *
 * weft does not notice if the code that was to complete a promise ends without doing so, and the
 * waits then never end. A deferred call (weft_defer) that completes the promise with an error makes
 * sure of the end. If there is a result by then, the call changes nothing.
 */
#ifndef WEFT_PROMISE_H
#define WEFT_PROMISE_H

#include <weft/sync.h>

WEFT_BEGIN_DECLS

/* A result that comes once. Zero: it has not come yet. */
typedef struct weft_promise {
    weft_waits_ waits_;
    int64_t     result_;
    bool        complete_;
} weft_promise;

/*
 * Completes a promise, with a result that is >= 0 or -errno. It ends all waits on the promise. What
 * the calling thread has written before is seen by the code that gets the result. Aborts if the
 * result is below -4095.
 *
 * Thread:  any.
 * Returns: 0.
 * Errors:  -EALREADY, the promise has a result already, and keeps it.
 */
WEFT_API int weft_promise_complete(weft_promise *promise, int64_t result);

/*
 * Waits until a promise has been completed.
 *
 * Thread:  any. A thread that is not a runtime's waits by weft_block_on.
 * Returns: the result of the promise.
 * Errors:  the result of the promise.
 * Cancel:  WITHDRAWS, with -ECANCELED. The promise and its other waits are not affected.
 */
WEFT_API weft_future *weft_promise_get(weft_wait *wait, weft_promise *promise);

/*
 * Gets the result of a promise if there is one. It never waits for it.
 *
 * Thread:  any.
 * Returns: 0, and *ret_result is the result.
 * Errors:  -EAGAIN, the promise has not been completed.
 */
WEFT_API WEFT_NODISCARD int weft_promise_try_get(weft_promise *promise, int64_t *ret_result);

WEFT_END_DECLS

#endif
