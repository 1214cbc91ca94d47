/*
 * socket.h - what streams and listeners share: a counted descriptor that can be waited on
 *
 * Purpose     Operations try the system call themselves; what would block waits here for the socket's
 *             multishot poll, which the reactor completes. So no byte leaves a socket before a read
 *             names its buffer, and cancelling a wait is local.
 * Threads     Any; completed, take: the reactor's.
 * Invariants  K1 the descriptor stays open while anybody holds a reference: the owner until it closes,
 *             each operation from its first poll to READY. K2 one operation a direction, from its first poll to READY. K3 once the poll
 *             has been asked for, the socket's memory is the reactor's to free, after the poll's last
 *             completion: until then the kernel holds the file, and close(2) would send no FIN. K4 the
 *             poll is edge-like: what was there before the event is not told again, so whoever waits
 *             has seen EAGAIN, or a read shorter than its buffer, since the last event.
 * Ordering    `lock` guards waiters. [socket-1] `seq` counts events: read before the attempt, compared
 *             under the lock before waiting. [socket-2] the last reference. [socket-3] `requests`: who sets the first
 *             bit submits, the reactor takes them all. [socket-4] one operation after the other has
 *             a direction, and what is its owner's.
 * Failure     A poll that the kernel ends is armed again; one that fails wakes both directions, whose
 *             attempts then get the error.
 */
#ifndef WF_SOCKET_H
#define WF_SOCKET_H

#include "inbox.h"
#include "order.h"
#include "reactor.h"

#include <weft/net.h>

typedef struct wf_direction {
    weft_io *owner;  /* whose turn it is: claimed and released by operations */
    weft_io *waiter; /* the owner, while it waits: under the lock */
    uint32_t seq;    /* written under the lock */
} wf_direction;

typedef struct wf_socket {
    wf_submission submission;
    wf_reactor   *reactor; /* constant */
    int           fd;      /* constant */
    uint32_t      refs;    /* WF_SOCKET_CLOSED and a count */
    uint32_t      lock;
    uint32_t      requests;   /* for the reactor: WF_SOCKET_ARM, WF_SOCKET_CLOSE */
    uint32_t      events;     /* poll(2) events to wait for; constant */
    bool          asked;      /* under the lock: the poll has been asked for */
    bool          always_try; /* events no longer tell of everything: see completed in socket.c */
    uint64_t drained; /* the reader's: 1 << 32 | in.seq at which a short read emptied it; or 0 */
    wf_direction in, out;
    bool         polling, closing; /* the reactor's */
    size_t       size;             /* of the whole object; constant */
} wf_socket;

enum { WF_SOCKET_ARM = 1, WF_SOCKET_CLOSE = 2 };
#define WF_SOCKET_CLOSED (UINT32_C(1) << 31)

/* Fills a socket of `size` bytes of memory from the runtime's hooks, with one reference. */
void wf_socket_init(wf_socket *s, wf_reactor *r, int fd, uint32_t events, size_t size);
/* A reference for an operation; false if the socket is closed. */
bool wf_socket_ref(wf_socket *s);
void wf_socket_unref(wf_socket *s);
/* The direction is the operation's until it lets it go; false: it is another's. */
static inline bool wf_socket_claim(wf_direction *d, weft_io *io)
{
    weft_io *nobody = NULL;

    return wf_cas(&d->owner, &nobody, io, ACQUIRE); /* [socket-4] */
}

static inline void wf_socket_let_go(wf_direction *d)
{
    wf_store(&d->owner, NULL, RELEASE); /* [socket-4] */
}

/* The owner closes: waiters are woken and find it closed. */
void wf_socket_close(wf_socket *s);

typedef enum wf_socket_wait_result {
    WF_SOCKET_WAITING, /* the waker will be woken */
    WF_SOCKET_RETRY,   /* an event came since `seq` was read */
    WF_SOCKET_IS_CLOSED,
} wf_socket_wait_result;

/* Waits for the direction's next event after `seq`. */
WEFT_NODISCARD wf_socket_wait_result wf_socket_wait(wf_socket *s, wf_direction *d, weft_io *io,
                                                    uint32_t seq, const weft_waker *waker);
/* Whether `io` still waits; then `waker` is the one to wake. */
WEFT_NODISCARD bool wf_socket_is_waiting(wf_socket *s, wf_direction *d, weft_io *io,
                                         const weft_waker *waker);
/* `io` does not wait any more. */
void wf_socket_withdraw(wf_socket *s, wf_direction *d, weft_io *io);
/* An event, made up: lets whoever waits in the direction try again. Returns what waker.h calls step
 * one: the task to be queued, or NULL. */
void *wf_socket_nudge(wf_socket *s, wf_direction *d);

static inline uint32_t wf_socket_seq(const wf_direction *d)
{
    return wf_load(&d->seq, ACQUIRE); /* [socket-1] */
}

/* The reactor's thread. */
void wf_socket_completed(wf_reactor_token token, wf_socket *s, int32_t result, bool more);

#endif
