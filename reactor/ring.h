/*
 * ring.h - sets up io_uring, or logs why it is not available
 *
 * Purpose     Opens the best ring that this kernel supports. If the kernel refuses, the log names
 *             the cause and the remedy.
 * Threads     The reactor's thread, from creation to exit.
 * Invariants  G1 features that a kernel may lack are probed here, once, and masked by
 *             WEFT_RING_MASK. G2 once `error` is set the reactor does not enter the kernel again.
 *             Entries that are prepared after that are discarded, and the reactor fails their
 *             operations.
 * Ordering    The ring's own.
 * Failure     A full submission queue is submitted, then the caller tries again. If memory is
 *             short, the reactor retries until there is some. After 16 other errors in a row of
 *             entering the kernel, the ring sets `error` and logs it.
 */
#ifndef WF_RING_H
#define WF_RING_H

#include "rt.h"

#include <liburing.h>

/* Features of the kernel, as bits of WEFT_RING_MASK. A bit that is set there turns the feature
 * off. */
enum {
    WF_RING_DEFER_TASKRUN = 1 << 0, /* 6.1 */
    WF_RING_SINGLE_ISSUER = 1 << 1, /* 6.0 */
    WF_RING_COOP_TASKRUN = 1 << 2,  /* 5.19 */
    WF_RING_FTRUNCATE = 1 << 3,     /* 6.9 */
    WF_RING_SEND_ZC = 1 << 4,       /* 6.0 */
};

/* Operations that the headers of liburing 2.3 do not declare. */
enum { WF_RING_OP_FTRUNCATE = 55 };

typedef struct wf_ring {
    struct io_uring uring;
    uint32_t        features; /* WF_RING_... that are in use */
    bool            is_open;
    int             error;    /* 0, or the -errno that made the ring unusable */
    uint32_t        n_failed; /* failed calls in a row */

    /* -- threads of the kernel for operations that may take long -- */
    uint32_t n_long;  /* operations that may occupy such a thread for long */
    uint32_t n_extra; /* threads that the kernel was allowed for them */
    unsigned n_most;  /* threads that the kernel allowed before; 0: not asked yet */

    const weft_config  *config;
    struct io_uring_sqe nowhere; /* once `error` is set, entries are prepared here */
} wf_ring;

/* How long opening a ring retries when memory is short. */
#define WF_RING_PATIENCE WEFT_MS(200)

/* Returns 0, or -errno after one log line with the cause and the remedy. */
int wf_ring_open(wf_ring *ring, const weft_config *config);
/* A second call does nothing. */
void wf_ring_close(wf_ring *ring);
/* Keeps the standard descriptors free, see descriptor.h. The duplicate must be the only descriptor
 * of the ring, so the original is closed. Returns 0 or -errno. */
int wf_ring_leave_standard(struct io_uring *uring);

/* Gives up the ring for good, logs that, and makes the kernel end the operations that it has. */
void wf_ring_break(wf_ring *ring, int error);

/* Makes room for one entry. The ring may break meanwhile, which calls the log, so the caller must
 * hold no lock. */
void wf_ring_make_room(wf_ring *ring);
/* Returns an empty submission entry. Makes room if the caller has not. */
struct io_uring_sqe *wf_ring_sqe(wf_ring *ring);

/* Returns the user data of the nth entry that is prepared and that the kernel has not seen. Returns
 * 0 if there are fewer. */
uint64_t wf_ring_unseen(const wf_ring *ring, uint32_t nth);

/* Adds n operations (fewer, if n is negative) that may each occupy a thread of the kernel for long.
 * The kernel gets one more thread for each, so that they do not delay other operations. Best
 * effort. */
void wf_ring_add_threads(wf_ring *ring, int n);

/* Whether the kernel is known to be Linux 6.0 or newer, of which SEND_ZC is the sign. False if
 * WEFT_RING_MASK hides it. */
static inline bool wf_ring_is_6_0(const wf_ring *ring)
{
    return ring->features & WF_RING_SEND_ZC;
}

/* Submits the prepared entries, if there are any. */
void wf_ring_flush(wf_ring *ring);
/* Submits, and waits for a completion until that instant. WF_DRIVER_NO_WAIT does not wait. */
void wf_ring_enter(wf_ring *ring, int64_t until);
/* Whether there are completions that the next collect will find. A racy hint. */
bool wf_ring_has_more(const wf_ring *ring);
/* Runs the work that the kernel has deferred, without waiting. Returns false if there was none. */
bool wf_ring_run_deferred(wf_ring *ring);

#endif
