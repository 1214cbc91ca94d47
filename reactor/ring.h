/*
 * ring.h - setting up io_uring, or saying why it can't be had
 *
 * Purpose     The best ring that this kernel gives, and a remedy where it gives none.
 * Threads     The reactor's thread, from creation to exit.
 * Invariants  G1 what a kernel may lack is probed here, once, and masked by WEFT_RING_MASK.
 * Ordering    The ring's own.
 * Failure     A full submission queue is submitted and tried again; wf_ring_sqe always succeeds.
 */
#ifndef WF_RING_H
#define WF_RING_H

#include "rt.h"

#include <liburing.h>

/* Features of the kernel, as bits of WEFT_RING_MASK: a set bit means, do without. */
enum {
    WF_RING_DEFER_TASKRUN = 1 << 0, /* 6.1 */
    WF_RING_SINGLE_ISSUER = 1 << 1, /* 6.0 */
    WF_RING_COOP_TASKRUN = 1 << 2,  /* 5.19 */
};

typedef struct wf_ring {
    struct io_uring uring;
    uint32_t        features; /* WF_RING_...: what is used */
} wf_ring;

/* 0, or -errno with one line in the log that names cause and remedy. */
int  wf_ring_open(wf_ring *ring, const weft_config *config);
void wf_ring_close(wf_ring *ring);

/* An empty submission entry, with its user data. */
struct io_uring_sqe *wf_ring_sqe(wf_ring *ring);

/* Submits what is prepared, if anything. */
void wf_ring_flush(wf_ring *ring);
/* Submits, and waits for a completion until the instant (WF_DRIVER_AWAKE: does not wait). */
void wf_ring_enter(wf_ring *ring, int64_t until);
/* Runs what the kernel has put off, without waiting; false if there was nothing. */
bool wf_ring_run_deferred(wf_ring *ring);

#endif
