/*
 * sparse.h - when the reactor leaves the sockets to a worker
 *
 * Purpose     At low load each event wakes the reactor, and the reactor wakes a worker. That is two
 *             sleeps a request. If events have come one by one for a while, and found all workers
 *             asleep, the reactor no longer waits for the sockets: it removes their poll from the
 *             ring, or waits without their set. Then a worker that runs dry waits for them. It is
 *             the leader, and a request costs one sleep. When events come in batches the reactor
 *             takes the sockets back, because its gate saves more then.
 * Threads     hand_over and wf_sparse: the reactor's. note and wf_leads: the leader's. There is one
 *             leader at a time.
 * Invariants  S1 the sparse mode begins only while all workers are in the mask of sleepers, there
 *             are no long polls. It never begins in a current-thread runtime or with a clock that
 *             jumps. S2 while the driver is not sparse, the reactor waits for the sockets, or will
 *             from its next turn on.
 * Ordering    [driver-4] [driver-5]
 * Failure     None.
 */
#ifndef WF_SPARSE_H
#define WF_SPARSE_H

#include "driver.h"
#include "executor.h"

typedef struct wf_sparse {
    uint32_t n_alone; /* hand-overs in a row of one task while all workers slept */
    bool     armed;   /* the ring has the poll of the sockets, or the reactor's waits have it */
    bool     ending;  /* the reactor has asked the ring to end that poll */
} wf_sparse;

typedef struct wf_leads {
    uint32_t crowd; /* grows when events come in batches, shrinks when they come one by one */

    /* -- counters -- */
    uint64_t n_waits, n_found;
} wf_leads;

/* Records a hand-over. `alone` says that it is of one task and that all workers sleep. Returns
 * whether the sparse mode has begun: then the reactor wakes a worker after this call. One that it
 * woke before, for a bound task, may be asleep again. */
WEFT_NODISCARD bool wf_sparse_hand_over(wf_sparse *p, wf_executor *e, bool alone);
/* Records that the leader has found n events. */
void wf_sparse_note(wf_leads *l, wf_driver *driver, int n);

#endif
