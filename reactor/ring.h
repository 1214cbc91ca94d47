/*
 * ring.h - setting up io_uring, or saying why it can't be had
 *
 * Purpose     The best ring that this kernel gives, and a remedy where it gives none.
 * Threads     The reactor's thread, from creation to exit.
 * Invariants  G1 what a kernel may lack is probed here, once, and masked by WEFT_RING_MASK. G2 once
 *             `error` is set the kernel is not entered any more, and what is prepared goes nowhere:
 *             the reactor fails it.
 * Ordering    The ring's own.
 * Failure     A full submission queue is submitted and tried again. Want of memory is waited out.
 *             Other errors of entering the kernel, 16 in a row, set `error` and are logged.
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
    WF_RING_FTRUNCATE = 1 << 3,     /* 6.9 */
    WF_RING_SEND_ZC = 1 << 4,       /* 6.0 */
};

/* Operations that the headers of liburing 2.3 don't know. */
enum { WF_RING_OP_FTRUNCATE = 55 };

typedef struct wf_ring {
    struct io_uring uring;
    uint32_t        features; /* WF_RING_...: what is used */
    bool            is_open;
    int             error;    /* 0, or why the ring is of no use any more */
    uint32_t        n_failed; /* calls in a row */

    uint32_t n_long;  /* operations that may keep a thread of the kernel's for long, ... */
    uint32_t n_extra; /* ... how many threads it may have for them, ... */
    unsigned n_most;  /* ... and how many it had without them; 0: not yet asked */

    const weft_config  *config;
    struct io_uring_sqe nowhere; /* what is prepared then */
} wf_ring;

/* How long opening asks again for memory. */
#define WF_RING_PATIENCE WEFT_MS(200)

/* 0, or -errno with one line in the log that names cause and remedy. */
int wf_ring_open(wf_ring *ring, const weft_config *config);
/* Once is enough, twice does nothing. */
void wf_ring_close(wf_ring *ring);

/* The ring has no way back: says so, and makes the kernel let go of what it has. */
void wf_ring_break(wf_ring *ring, int error);

/* Makes room for one entry. The ring may break meanwhile, which is logged: not under a lock. */
void wf_ring_make_room(wf_ring *ring);
/* An empty submission entry. It makes room, if that has not been done. */
struct io_uring_sqe *wf_ring_sqe(wf_ring *ring);

/* The user data of the nth entry that is prepared and that the kernel has not seen; 0: there are
 * not so many. */
uint64_t wf_ring_unseen(const wf_ring *ring, uint32_t nth);

/* So many more operations (or fewer) may each keep a thread of the kernel's for long: it gets one
 * more for each, so that others are not held up. Best effort. */
void wf_ring_add_threads(wf_ring *ring, int n);

/* Submits what is prepared, if anything. */
void wf_ring_flush(wf_ring *ring);
/* Submits, and waits for a completion until the instant (WF_DRIVER_AWAKE: does not wait). */
void wf_ring_enter(wf_ring *ring, int64_t until);
/* Whether something has come that the next look will find: a hint. */
bool wf_ring_has_more(const wf_ring *ring);
/* Runs what the kernel has put off, without waiting; false if there was nothing. */
bool wf_ring_run_deferred(wf_ring *ring);

#endif
