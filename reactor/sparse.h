/*
 * sparse.h - when the reactor leaves the sockets to a worker
 *
 * Purpose     At low load each event wakes the reactor, and the reactor wakes a worker: two sleeps
 *             a request. When events have come one by one for a while, to workers that all slept,
 *             the reactor takes its poll of the sockets out of the ring, and a worker that runs dry
 *             sleeps among the sockets itself, the leader: one sleep a request. When events come
 *             together the reactor takes the sockets back, for then its gate saves more than that.
 * Threads     begin, and wf_sparse: the reactor's. note, and wf_leads: the leader's, one after the
 *             other.
 * Invariants  L1 sparse is begun only while all workers are in the mask of sleepers, polls are
 *             calm, and the ring works; never for a current-thread runtime or a clock that jumps.
 *             L2 the poll is in the ring, or will be after the reactor's next turn, while the
 *             driver is not sparse.
 * Ordering    [driver-4] [driver-5]
 * Failure     The ring's: then the reactor asks the set itself in each turn.
 */
#ifndef WF_SPARSE_H
#define WF_SPARSE_H

#include "driver.h"
#include "executor.h"

typedef struct wf_sparse {
    uint32_t n_alone; /* hand-overs in a row of one task to workers that all slept */
    bool     armed;   /* the ring has a poll of the sockets */
    bool     ending;  /* the kernel has been asked to end it */
} wf_sparse;

typedef struct wf_leads {
    uint32_t crowd; /* grows with events that come together, shrinks with those that come alone */
    uint64_t n_waits, n_found; /* counters */
} wf_leads;

/* A hand-over, of one task to workers that all sleep (alone) or another, before a worker is woken
 * for it. */
void wf_sparse_hand_over(wf_sparse *p, wf_executor *e, bool alone);
/* The leader has found so many events. */
void wf_sparse_note(wf_leads *l, wf_driver *driver, int n);

#endif
