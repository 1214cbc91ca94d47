/*
 * driver.h - what the scheduler knows of the thread that waits in the kernel
 *
 * Purpose     Lets timers and workers reach the reactor without seeing it.
 * Threads     unpark: any. sleeps_until: written by the reactor's thread.
 * Invariants  sleeps_until is the instant at which the reactor comes back by itself; WF_DRIVER_AWAKE
 *             while it is not about to sleep.
 * Ordering    [driver-1] the reactor announces its sleep, then looks for work once more; others add
 *             work, then look whether it sleeps. All four SEQ_CST: one of the two sees the other.
 * Failure     None.
 */
#ifndef WF_DRIVER_H
#define WF_DRIVER_H

#include "order.h"

#define WF_DRIVER_AWAKE INT64_MIN

typedef struct wf_driver {
    void (*unpark)(struct wf_driver *driver);
    int64_t sleeps_until;
} wf_driver;

/* Work has been added that must be seen by the instant (INT64_MIN + 1: at once). */
static inline void wf_driver_hint(wf_driver *driver, int64_t instant)
{
    if (instant < wf_load(&driver->sleeps_until, SEQ_CST)) /* [driver-1] */
        driver->unpark(driver);
}

#define WF_DRIVER_NOW (INT64_MIN + 1)

#endif
