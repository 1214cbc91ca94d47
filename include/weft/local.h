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
 * One thread, the owner, polls; it is whoever calls weft_local_turn or weft_local_run. A wake is two
 * flags set, so wakers and weft_local_cancel may be called from interrupt handlers (hosted: from signal
 * handlers and any thread), and from futures as everywhere.
 *
 * All memory is the caller's, and stays in place:
 *   a weft_local       while it has tasks, or wakers of its tasks are left;
 *   a weft_local_task  from weft_local_add until its future is READY and no waker of it is left. A
 *                      waker that is used after READY does nothing, as long as the memory is there;
 *   a future           from weft_local_add until it is READY, as always.
 * There is no runtime: contexts have none, futures that need one (timers, I/O) end with -ENXIO, and
 * weft_panic in a task ends the program. (Under a runtime's task that calls weft_local_run, it ends that
 * task; the executor is then unusable.)
 */
#ifndef WEFT_LOCAL_H
#define WEFT_LOCAL_H

#include <weft/future.h>

WEFT_BEGIN_DECLS

typedef struct weft_local      weft_local;
typedef struct weft_local_task weft_local_task;

/*
 * How the owner waits when no task is ready: mask, look once more, idle, unmask. Interrupts that come
 * between mask and unmask must end idle, and their handlers run by the end of unmask: then no wake is
 * lost. On Cortex-M: `cpsid i`, `wfi`, `cpsie i`. In a process with signals: block them, sigsuspend,
 * unblock. Each may be NULL and is then left out: without idle, the owner goes round and round.
 */
typedef struct weft_local_port {
    void (*mask)(void *arg);   /* keeps interrupt handlers that wake from running */
    void (*idle)(void *arg);   /* masked: returns when one wants to run. May return for nothing */
    void (*unmask)(void *arg); /* lets them run */
    /* After each wake, by whoever wakes, even in a poll: ends an idle that only sleeps (a semaphore, an
     * event for another core). An idle that begins after it must return, too. In a process it may
     * run under a lock of weft's (a channel's, say): it must not block, nor call weft. NULL where the interrupt itself does it. */
    void (*notify)(void *arg);
    void *arg;
} weft_local_port;

struct weft_local {
    const weft_local_port *port_;
    weft_local_task       *first_, **end_; /* in the order of weft_local_add */
    uint32_t               n_;
    uint32_t               random_;
    uint8_t                any_; /* set after a task's woken_, by any waker; cleared by a turn */
    uint8_t                turning_;
};

/* Of one future; a waker's data points here. */
struct weft_local_task {
    weft_future     *future;
    weft_local      *local_;
    weft_local_task *next_;
    uint8_t          woken_;  /* set by any waker, cleared before the poll */
    uint8_t          cancel_; /* set by weft_local_cancel, for good */
};

/* Makes an executor without tasks. `port` may be NULL: then weft_local_run never idles. It is not
 * copied. Owner. */
WEFT_API void weft_local_init(weft_local *local, const weft_local_port *port);

/* Adds a task for the future, to be polled after those there are; a turn that is under way leaves it
 * to the next. Owner, also in a poll; not in an interrupt handler. */
WEFT_API void weft_local_add(weft_local *local, weft_local_task *task, weft_future *future);

/* Asks the task's future to end soon; the executor keeps polling it until it is READY. Asking again,
 * or once it is READY, changes nothing. Any thread, any interrupt handler. */
WEFT_API void weft_local_cancel(weft_local_task *task);

/* Polls each task that was woken, once, in the order of weft_local_add. True: one is ready already to
 * be polled again. For a main loop of your own: see weft_local_run. Owner, not in a poll. */
WEFT_API bool weft_local_turn(weft_local *local);

/* Polls until all tasks are READY, and idles in between. Owner, not in a poll. */
WEFT_API void weft_local_run(weft_local *local);

/* How many tasks are not READY yet. Owner. */
static inline uint32_t weft_local_count(const weft_local *local)
{
    return local->n_;
}

WEFT_END_DECLS

#endif
