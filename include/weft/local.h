/*
 * local.h - an executor in the caller's memory: no heap, no threads, no operating system
 *
 *     static weft_local      local;
 *     static weft_local_task task;
 *     static struct blink    blink;
 *
 *     weft_local_init(&local, &port);
 *     weft_local_add(&local, &task, weft_async(blink, &blink, .pin = 13));
 *     weft_local_run(&local);
 *
 * One thread polls: the owner, which is the thread that calls weft_local_turn or weft_local_run. A
 * wake only sets two flags. So interrupt handlers may use wakers and call weft_local_cancel. In a
 * process, signal handlers and any thread may, too. Futures may use wakers as they do everywhere.
 *
 * All memory is the caller's, and must stay in place:
 *
 * - a weft_local, while it has tasks, or while wakers of its tasks are left;
 * - a weft_local_task, from weft_local_add until its future is READY and no waker of the task is
 *   left. A waker that is used after READY does nothing, as long as the memory is there;
 * - a future, from weft_local_add until it is READY, as always.
 *
 * There is no runtime. Futures that need one (timers, I/O) end with -ENXIO, and weft_panic in a
 * task ends the program. If a task of a runtime calls weft_local_run, weft_panic ends that task,
 * and the executor can't be used any more.
 */
#ifndef WEFT_LOCAL_H
#define WEFT_LOCAL_H

#include <weft/future.h>

WEFT_BEGIN_DECLS

typedef struct weft_local      weft_local;
typedef struct weft_local_task weft_local_task;

/*
 * How the owner waits when no task is ready: mask, look at the flags once more, idle, unmask. An
 * interrupt that comes between mask and unmask must end idle, and its handler must have run by the
 * end of unmask. Then no wake is lost. On Cortex-M the three are `cpsid i`, `wfi` and `cpsie i`. A
 * process with signals blocks them, calls sigsuspend, and unblocks them. Each function may be NULL
 * and is then left out. Without idle, the owner polls in a busy loop.
 */
typedef struct weft_local_port {
    void (*mask)(void *arg);   /* keeps interrupt handlers that use wakers from running */
    void (*idle)(void *arg);   /* returns when a masked handler wants to run, or for no reason */
    void (*unmask)(void *arg); /* lets the handlers run */
    /*
     * Is called after each wake by the thread or handler that wakes, also during a poll. It ends an
     * idle that only sleeps (on a semaphore, or on an event for another core). An idle that begins
     * after it must return, too. In a process it may run under a lock of weft's, for example that
     * of a channel. So it must not block, and must not call weft. NULL where the interrupt itself
     * ends idle.
     */
    void (*notify)(void *arg);
    void *arg;
} weft_local_port;

/* The executor. Its members belong to weft. */
struct weft_local {
    const weft_local_port *port_;
    weft_local_task       *first_, **end_; /* in the order of weft_local_add */
    uint32_t               n_;
    uint32_t               random_;
    uint8_t                any_; /* set by any waker after a task's woken_, cleared by a turn */
    uint8_t                turning_;
};

/* The task of one future. The data of its wakers points to it. */
struct weft_local_task {
    weft_future     *future;
    weft_local      *local_;
    weft_local_task *next_;
    uint8_t          woken_;  /* set by any waker, cleared before the poll */
    uint8_t          cancel_; /* set by weft_local_cancel, never cleared */
};

/*
 * Makes an executor without tasks. `port` is not copied, and must stay in place while the executor
 * is in use. It may be NULL: then weft_local_run never idles.
 *
 * Thread: the owner.
 */
WEFT_API void weft_local_init(weft_local *local, const weft_local_port *port);

/*
 * Adds a task for the future. It is polled after the tasks that were added before it. A turn that
 * is under way leaves it to the next turn.
 *
 * Thread: the owner, also in a poll. Not an interrupt handler.
 */
WEFT_API void weft_local_add(weft_local *local, weft_local_task *task, weft_future *future);

/*
 * Asks the task's future to end soon. The executor polls it on until it is READY. Asking again
 * changes nothing, and neither does asking once it is READY.
 *
 * Thread: any, and any interrupt handler.
 */
WEFT_API void weft_local_cancel(weft_local_task *task);

/*
 * Polls each task that was woken, once, in the order of weft_local_add. It is for a main loop of
 * your own, in place of weft_local_run. When it returns false the loop may sleep, in the order that
 * weft_local_port describes. Aborts in a poll of this executor.
 *
 * Thread:  the owner, not in a poll.
 * Returns: true, a task is ready to be polled again. false, no task is ready.
 */
WEFT_API bool weft_local_turn(weft_local *local);

/*
 * Polls until all tasks are READY, and idles in between.
 *
 * Thread: the owner, not in a poll.
 */
WEFT_API void weft_local_run(weft_local *local);

/*
 * Returns how many tasks are not READY yet.
 *
 * Thread: the owner.
 */
static inline uint32_t weft_local_count(const weft_local *local)
{
    return local->n_;
}

WEFT_END_DECLS

#endif
