/*
 * driver.h - what the scheduler knows of the thread that waits in the kernel
 *
 * Purpose     Lets timers and workers reach the reactor without seeing it, and workers do its work
 *             while it sleeps at its gate.
 * Threads     unpark: any. look, lead: a worker's. sleeps_until: written by the reactor's thread.
 * Invariants  sleeps_until is the instant at which the reactor comes back by itself;
 *             WF_DRIVER_AWAKE while it is not about to sleep. While `sparse` is set there is a
 *             leader, or a worker is awake, which leads when it runs dry. A worker that is stuck
 *             instead is noticed by the monitor, which clears `sparse`, as does a worker that ends
 *             or stands by.
 * Ordering    [driver-1] the reactor announces its sleep, then looks for work once more; others add
 *             work, then look whether it sleeps. All four SEQ_CST: one of the two sees the other.
 *             [driver-2] the reactor closes its gate, then looks whether a worker is awake; a
 *             worker says that it is about to sleep, then looks at the gate. [driver-3] the
 *             reactor, or a worker that runs dry, ends the watch, then looks whether work waits; a
 *             worker queues work, then looks whether it is watched. A worker that has looked for
 *             the reactor says that it is watched, then looks whether the reactor is still at the
 *             gate. All of these SEQ_CST. [driver-4] the reactor sets `sparse`, then wakes a worker
 *             or sees one that searches [idle-1]; a worker announces its sleep or ends its search,
 *             then looks at `sparse`. A thread that clears it kicks the reactor, which forgets the
 *             kick, then looks at `sparse`. All SEQ_CST: the worker that was woken for the last
 *             task leads, and the reactor watches again after the kick. [driver-5] one leader after
 *             the other.
 * Failure     None.
 */
#ifndef WF_DRIVER_H
#define WF_DRIVER_H

#include "futex.h"
#include "order.h"

#define WF_DRIVER_AWAKE INT64_MIN

struct wf_wakes;

typedef struct wf_driver {
    void (*unpark)(struct wf_driver *driver);
    bool (*look)(struct wf_driver *driver);
    /* A worker sleeps among the sockets until some are ready or its bell rings. The wakes are left
     * to be flushed. */
    void (*lead)(struct wf_driver *driver, struct wf_wakes *wakes);
    int      bell;   /* an eventfd among the sockets; constant */
    uint32_t sparse; /* 1: events come one by one, and the reactor leaves the sockets to a worker */
    uint32_t led;    /* 1: a worker is the leader: it sleeps among the sockets, or is about to */
    int64_t  sleeps_until;
    uint32_t kicked;   /* unpark has been called since the reactor last took its inbox */
    uint32_t gate;     /* 1: the reactor waits for a worker to run dry, or for unpark */
    bool     watching; /* the reactor or the monitor looks whether somebody is stuck with work */
} wf_driver;

/* Opens the gate; true if it was closed. */
static inline bool wf_driver_open(wf_driver *driver)
{
    if (wf_load(&driver->gate, SEQ_CST) == 0 || wf_swap(&driver->gate, 0, SEQ_CST) == 0)
        return false; /* [driver-2] */
    wf_futex_wake(&driver->gate, 1);
    return true;
}

/* A worker runs dry: it looks for work once more after this. */
static inline void wf_driver_end_watch(wf_driver *driver)
{
    if (wf_load(&driver->watching,
                RELAXED)) /* if it is set just now, it is for work that we shall see */
        wf_store(&driver->watching, false, SEQ_CST); /* [driver-3] */
}

/* Work has been added that must be seen by the instant (INT64_MIN + 1: at once). */
static inline void wf_driver_hint(wf_driver *driver, int64_t instant)
{
    if (instant < wf_load(&driver->sleeps_until, SEQ_CST)) /* [driver-1] */
        driver->unpark(driver);
}

/* A worker needs work: what comes while the gate is closed it takes itself. True if there was
 * some. */
static inline bool wf_driver_look(wf_driver *driver)
{
    return wf_load(&driver->gate, RELAXED) /* advice: else it gets what there is */ &&
           driver->look(driver);
}

/* A worker that has much to do looks now and then, also where no thread waits for sockets until it
 * runs dry. */
static inline bool wf_driver_look_busy(wf_driver *driver)
{
    return (wf_load(&driver->gate, RELAXED) || wf_load(&driver->sparse, RELAXED)) && /* advice */
           driver->look(driver);
}

/* The reactor watches the sockets itself from its next turn on. Any thread. */
static inline void wf_driver_end_sparse(wf_driver *driver)
{
    if (wf_load(&driver->sparse, SEQ_CST) && wf_swap(&driver->sparse, 0, SEQ_CST)) /* [driver-4] */
        driver->unpark(driver);
}

#define WF_DRIVER_NOW (INT64_MIN + 1)

#endif
