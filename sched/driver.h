/*
 * driver.h - the scheduler's view of the reactor
 *
 * Purpose     Lets timers and workers reach the reactor without seeing it. Lets workers do its work
 *             while it sleeps at its gate.
 *
 *             The reactor's sleep is one word, `state`:
 *
 *                 AWAKE -- close_gate ---> AT_GATE -- leave_gate (the instant) -> AWAKE
 *                   |                         '------ open (a worker ran dry) --> AWAKE
 *                   '----- enter_kernel -> IN_KERNEL
 *
 *             notify, by any thread, adds NOTIFIED to each of them and ends the sleep. A reactor
 *             that is AWAKE and NOTIFIED can't fall asleep. begin_turn goes from each state to
 *             AWAKE.
 * Threads     notify and open: any thread. look, lead: a worker. The other arrows: the reactor's.
 *             Only the reactor's thread writes sleeps_until.
 * Invariants  sleeps_until is the instant at which the reactor comes back by itself, or
 *             WF_DRIVER_NO_WAIT while it is not about to sleep. While `sparse` is set there is a
 *             leader, or a worker is awake and will lead when it runs dry. If that worker gets
 *             stuck, the monitor notices it and clears `sparse`. A worker that ends or stands by
 *             clears it, too.
 * Ordering    [driver-1] the reactor announces its sleep, then looks for work once more. Another
 *             thread adds work, then looks whether the reactor sleeps. All four are SEQ_CST, so one
 *             of the two sees the other. The reactor forgets a notice, then takes its inbox. A
 *             thread adds work, then notifies. [driver-2] the reactor closes its gate, then looks
 *             whether a worker is awake. A worker says that it is about to sleep, then looks at the
 *             gate. [driver-3] the reactor, or a worker that runs dry, ends the watch, then looks
 *             whether work waits. A worker queues work, then looks whether the reactor watches. A
 *             worker that has looked in place of the reactor sets `watching`, then looks whether
 *             the reactor is still at the gate. All of these are SEQ_CST. [driver-4] the reactor
 *             sets `sparse`, then wakes a worker or sees one that searches [idle-1]. A worker
 *             announces its sleep or ends its search, then looks at `sparse`. A thread that clears
 *             `sparse` notifies the reactor, which forgets the notice, then looks at `sparse`. All
 *             are SEQ_CST. So the worker that was woken for the last task leads, and the reactor
 *             watches again after the notice. [driver-5] each leader releases to the next.
 * Failure     None.
 */
#ifndef WF_DRIVER_H
#define WF_DRIVER_H

#include "futex.h"
#include "order.h"

#define WF_DRIVER_NO_WAIT INT64_MIN

struct weft_future;
struct wf_wakes;

/* The address of the peer of a stream, as the reactor keeps it. */
typedef struct wf_driver_peer {
    uint8_t bytes[24];
} wf_driver_peer;

typedef enum wf_driver_state {
    WF_DRIVER_AWAKE,     /* awake */
    WF_DRIVER_AT_GATE,   /* sleeps on the word until a worker runs dry */
    WF_DRIVER_IN_KERNEL, /* sleeps in the kernel, or is about to */
    WF_DRIVER_NOTIFIED = 4,
} wf_driver_state;

typedef struct wf_driver {
    /* Ends a sleep in the kernel. */
    void (*wake)(struct wf_driver *driver);
    /* A worker takes the ready sockets in place of the reactor. Returns true if there were some,
     * and false also if another worker is doing so. */
    bool (*look)(struct wf_driver *driver);
    /* A worker sleeps in epoll_wait until sockets are ready or its bell rings. The caller flushes
     * the wakes. */
    void (*lead)(struct wf_driver *driver, struct wf_wakes *wakes);
    /* For dumps. Returns true, and the peer of the stream that the future waits for, if it waits
     * for one and the peer has an address. The caller keeps the future from being polled. */
    bool (*find_peer)(const struct weft_future *future, wf_driver_peer *ret_peer);
    /* Writes the address into `text`, which has room for WEFT_ADDRESS_TEXT bytes. Returns text. */
    const char *(*peer_text)(const wf_driver_peer *peer, char *text);
    int      bell;   /* an eventfd in the epoll set; constant */
    uint32_t sparse; /* 1: events come one by one, and the reactor leaves the sockets to a worker */
    uint32_t led;    /* 1: a worker is the leader: it sleeps in epoll_wait, or is about to */
    int64_t  sleeps_until;
    uint32_t state;    /* wf_driver_state */
    bool     watching; /* the reactor or the monitor looks for workers that are stuck */
} wf_driver;

/* ---- the reactor's sleep ---- */

/* The state changes if it is `from`. Returns whether it was. */
static inline bool wf_driver_change(wf_driver *driver, wf_driver_state from, wf_driver_state to)
{
    uint32_t seen = from;

    return wf_cas(&driver->state, &seen, to, SEQ_CST); /* [driver-1] [driver-2] */
}

/* The reactor is awake and forgets that it was notified. It takes the inbox after this. */
static inline void wf_driver_begin_turn(wf_driver *driver)
{
    wf_swap(&driver->state, WF_DRIVER_AWAKE, SEQ_CST); /* [driver-1] */
}

/* Falls asleep at the gate or in the kernel. Returns false if it was notified, and stays awake. */
static inline bool wf_driver_close_gate(wf_driver *driver)
{
    return wf_driver_change(driver, WF_DRIVER_AWAKE, WF_DRIVER_AT_GATE);
}
static inline bool wf_driver_enter_kernel(wf_driver *driver)
{
    return wf_driver_change(driver, WF_DRIVER_AWAKE, WF_DRIVER_IN_KERNEL);
}

/* The reactor leaves the gate by itself. Returns false if another thread has ended the sleep. */
static inline bool wf_driver_leave_gate(wf_driver *driver)
{
    return wf_driver_change(driver, WF_DRIVER_AT_GATE, WF_DRIVER_AWAKE);
}

/* Whether the reactor sleeps at the gate and no thread has ended that. */
static inline bool wf_driver_is_at_gate(const wf_driver *driver)
{
    return wf_load(&driver->state, SEQ_CST) == WF_DRIVER_AT_GATE; /* [driver-2] [driver-3] */
}

/* Opens the gate if it is closed. */
static inline void wf_driver_open(wf_driver *driver)
{
    if (wf_driver_is_at_gate(driver) &&
        wf_driver_change(driver, WF_DRIVER_AT_GATE, WF_DRIVER_AWAKE))
        wf_futex_wake(&driver->state, 1);
}

/* Ends the reactor's sleep, or the next one before it begins. */
static inline void wf_driver_notify(wf_driver *driver)
{
    uint32_t was = wf_or(&driver->state, WF_DRIVER_NOTIFIED, SEQ_CST); /* [driver-1] */

    if (was == WF_DRIVER_AT_GATE)
        wf_futex_wake(&driver->state, 1);
    else if (was == WF_DRIVER_IN_KERNEL)
        driver->wake(driver);
}

/* ---- what other threads ask of it ---- */

/* Called by a worker that runs dry and looks for work once more after this. */
static inline void wf_driver_end_watch(wf_driver *driver)
{
    /* A thread that sets it just now does so for work that this worker is about to see. */
    if (wf_load(&driver->watching, RELAXED))
        wf_store(&driver->watching, false, SEQ_CST); /* [driver-3] */
}

/* Work was added that the reactor must see by the instant (WF_DRIVER_NOW: at once). */
static inline void wf_driver_hint(wf_driver *driver, int64_t instant)
{
    if (instant < wf_load(&driver->sleeps_until, SEQ_CST)) /* [driver-1] */
        wf_driver_notify(driver);
}

/* Called by a worker that needs work. While the gate is closed, the worker takes the ready sockets
 * itself. Returns true if it found some. */
static inline bool wf_driver_look(wf_driver *driver)
{
    return wf_load(&driver->state, RELAXED) == WF_DRIVER_AT_GATE /* a hint */ &&
           driver->look(driver);
}

/* Called now and then by a worker that has much to do. It also looks where no thread waits for the
 * sockets until this worker runs dry. */
static inline bool wf_driver_look_busy(wf_driver *driver)
{
    return (wf_load(&driver->state, RELAXED) == WF_DRIVER_AT_GATE || /* hints */
            wf_load(&driver->sparse, RELAXED)) &&
           driver->look(driver);
}

/* Makes the reactor watch the sockets itself from its next turn on. Any thread may call it. */
static inline void wf_driver_end_sparse(wf_driver *driver)
{
    if (wf_load(&driver->sparse, SEQ_CST) && wf_swap(&driver->sparse, 0, SEQ_CST)) /* [driver-4] */
        wf_driver_notify(driver);
}

#define WF_DRIVER_NOW (INT64_MIN + 1)

#endif
