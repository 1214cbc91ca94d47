/*
 * driver.h - what the scheduler knows of the thread that waits in the kernel
 *
 * Purpose     Lets timers and workers reach the reactor without seeing it, and workers do its work while it sleeps
 *             at its gate.
 * Threads     unpark: any. look: a worker's. sleeps_until: written by the reactor's thread.
 * Invariants  sleeps_until is the instant at which the reactor comes back by itself; WF_DRIVER_AWAKE
 *             while it is not about to sleep.
 * Ordering    [driver-1] the reactor announces its sleep, then looks for work once more; others add
 *             work, then look whether it sleeps. All four SEQ_CST: one of the two sees the other.
 *             [driver-2] the reactor closes its gate, then looks whether a worker is awake; a worker
 *             says that it is about to sleep, then looks at the gate. [driver-3] the reactor, or a
 *             worker that runs dry, ends the watch, then looks whether work waits; a worker queues
 *             work, then looks whether it is watched. A worker that has looked for the reactor says that it is
 *             watched, then looks whether the reactor is still at the gate. All of these SEQ_CST.
 * Failure     None.
 */
#ifndef WF_DRIVER_H
#define WF_DRIVER_H

#include "futex.h"
#include "order.h"

#define WF_DRIVER_AWAKE INT64_MIN

typedef struct wf_driver {
    void (*unpark)(struct wf_driver *driver);
    bool (*look)(struct wf_driver *driver);
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

/* A worker needs work: what comes while the gate is closed it takes itself. True if there was some. */
static inline bool wf_driver_look(wf_driver *driver)
{
    return wf_load(&driver->gate, RELAXED) /* advice: else it gets what there is */ &&
           driver->look(driver);
}

#define WF_DRIVER_NOW (INT64_MIN + 1)

#endif
