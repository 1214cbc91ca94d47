/*
 * socket.h - what streams, listeners and datagram sockets share: a counted descriptor to wait on
 *
 * Purpose     Operations try the system call themselves. If it would block, they wait here for an
 *             event of the socket (poller.h). So no byte leaves a socket before a read names its
 *             buffer, and cancelling a wait needs no other thread.
 * Threads     Any. take: the reactor's.
 * Invariants  K1 the descriptor stays open while there is a reference. The owner holds one until it
 *             closes, an operation from its first poll to READY, and a call while it lasts. K2 one
 *             operation at a time has a direction, from its first poll to READY. K3 the memory is
 *             reused only when no retry of it is in the reactor's inbox. K4 events are edges, and
 *             the kernel does not report an old one again. So an operation that waits has seen
 *             EAGAIN, or a read shorter than its buffer, since the last event. POLLOUT is requested
 *             when a writer first waits. The kernel then looks at the socket, so room that came
 *             before makes an event. K5 users hold a handle instead of a pointer: address |
 *             generation << 48 | the sides that it lacks. The generation changes with the last
 *             reference. A handle of another generation is refused after a look at `refs` only.
 * Ordering    `lock` guards waiting. [socket-1] `seq` counts events. An operation reads it before
 *             the attempt and compares it under the lock before it waits. [socket-2] the last
 *             reference. [socket-3] the thread that sets the first bit of `requests` submits, and
 *             the reactor takes all bits. [socket-4] operations own a direction, and the data of
 *             its owner, one after the other.
 * Failure     If a socket cannot be watched, the operations that wait end with the error. The next
 *             operation that waits tries to watch it again. In a forked child every call but
 *             closing is refused.
 */
#ifndef WF_SOCKET_H
#define WF_SOCKET_H

#include "inbox.h"
#include "invariant.h"
#include "order.h"
#include "reactor.h"

#include <weft/net.h>

typedef struct wf_direction {
    weft_io *owner;   /* the operation that has the direction, or NULL */
    uint32_t seq;     /* counts events; written under the lock */
    bool     waiting; /* the owner waits; under the lock */
} wf_direction;

/* The address of an IP peer. Its fields are bytes, so that it fits into the rest of a wf_socket's
 * two cache lines. */
typedef struct wf_peer {
    uint8_t family;  /* AF_INET, AF_INET6; 0: not known */
    uint8_t port[2]; /* in network order */
    uint8_t scope[4];
    uint8_t address[16]; /* in network order */
} wf_peer;

typedef struct wf_socket {
    WF_ALIGNED wf_submission submission;
    wf_reactor              *reactor; /* constant, also between lives */
    uint64_t                 refs;    /* generation, WF_SOCKET_..., and a count */
    int                      fd;      /* constant in a life; -1 once it has been released */
    uint32_t                 lock;
    uint32_t                 requests; /* WF_SOCKET_NUDGE, WF_SOCKET_FREE: for the reactor */
    /* Under the lock: the poll(2) events that are always requested, and those wanted now. */
    uint16_t     events, asked;
    wf_direction in, out;
    uint64_t     drained; /* the reader's; 1 << 32 | the in.seq of a read that emptied it, or 0 */
    struct wf_retry_timer *retry_timer; /* or NULL */
    uint16_t               told;        /* under the lock; events last requested of the kernel */
    bool                   telling;     /* under the lock; a thread is requesting events */
    /* Under the lock; events in a row that had POLLOUT only while no writer waited. */
    uint8_t n_unwanted;
    bool    lent; /* under the lock; the kernel writes for an operation */

    /* -- constant in a life -- */
    bool is_socket : 1; /* else a pipe, device or file */
    bool is_tcp : 1;
    bool is_file : 1;       /* a regular file, which never waits for another program */
    bool came_blocking : 1; /* O_NONBLOCK was not set when it was adopted, see own.h */
    bool is_shared : 1;     /* adopted; other programs may have it and clear O_NONBLOCK */

    uint8_t always_try; /* WF_TRY_... */
    uint8_t nap_ms;     /* the owner's; the delay after which it wants to try again */
    wf_peer peer;       /* constant; the peer of a stream, even after it has gone */
} wf_socket;

WEFT_STATIC_ASSERT_(sizeof(wf_socket) == 2 * WF_CACHE_LINE, "a socket is two cache lines");

enum { WF_SOCKET_NUDGE = 1, WF_SOCKET_FREE = 2 };
/* Why a read always tries. KIND: this kind of socket has short reads that do not empty it. EAGER:
 * the program has called weft_stream_set_eager. ENDED: no event will follow the end. */
enum { WF_TRY_KIND = 1, WF_TRY_EAGER = 2, WF_TRY_ENDED = 4 };

/* Sides of a socket, as bits. */
enum { WF_SIDE_IN = 1, WF_SIDE_OUT = 2, WF_SIDE_BOTH = 3 };

/* -- the bits of `refs` -- */
#define WF_SOCKET_GENERATION (UINT64_C(0xffff) << 48)
#define WF_SOCKET_NEXT       (UINT64_C(1) << 48)
#define WF_SOCKET_SIDE       46 /* the position of the two bits of closed sides */
#define WF_SOCKET_CLOSED     (UINT64_C(3) << WF_SOCKET_SIDE)
#define WF_SOCKET_UNUSED     (UINT64_C(1) << 45)
#define WF_SOCKET_COUNT      (UINT64_C(0xffffffff))

/* The low bits of a handle. They are the sides that it may not use, if it is one half. */
#define WF_SOCKET_LACKS WF_SIDE_BOTH

static inline wf_socket *wf_socket_of(const void *handle)
{
    return (wf_socket *)((uintptr_t)handle & ~(uintptr_t)(WF_SOCKET_GENERATION | WF_SOCKET_LACKS));
}

/* The handle of a socket to which the caller has a reference. */
static inline void *wf_socket_handle(const wf_socket *s)
{
    /* RELAXED: the caller's reference keeps the generation constant. */
    uint64_t refs = wf_load(&s->refs, RELAXED);

    return (void *)((uintptr_t)s | (uintptr_t)(refs & WF_SOCKET_GENERATION));
}

/* Makes a socket that owns the descriptor, with one reference. Returns NULL if there is no memory;
 * then the caller still owns the descriptor. */
wf_socket *wf_socket_new(wf_reactor *r, int fd, uint16_t events);

void wf_socket_unref(wf_socket *s);

/* Takes a reference for an operation on these sides. Returns NULL if one of them is closed or not
 * the handle's. It counts first and then compares, which needs no lock. */
static inline wf_socket *wf_socket_ref(const void *handle, unsigned sides)
{
    wf_socket *s = wf_socket_of(handle);
    uint64_t   h = (uintptr_t)handle;
    /* RELAXED: the transfer of the handle to this thread has ordered the rest. */
    uint64_t refs = wf_add(&s->refs, 1, RELAXED);

    if ((((refs ^ h) & WF_SOCKET_GENERATION) | (((refs >> WF_SOCKET_SIDE) | h) & sides)) == 0)
        return s;
    wf_socket_unref(s);
    return NULL;
}

/* Whether a system call that has no flag against waiting might wait for the socket. O_NONBLOCK is a
 * flag of the open file, which other processes may share and clear. Of a descriptor that weft has
 * made, the flag is read. Of an adopted descriptor another process may change it at any time. */
bool wf_socket_may_wait(const wf_socket *s);

/* Whether one of the sides has been closed. A close does not wait for references. So an operation
 * asks before each system call, and none begins after the close. */
static inline bool wf_socket_is_closed(const wf_socket *s, unsigned sides)
{
    /* RELAXED: a thread that the close woke has had the lock since. Other threads race with the
     * close in any case. */
    return (wf_load(&s->refs, RELAXED) >> WF_SOCKET_SIDE) & sides;
}

/* Takes a reference for a call that needs any of the handle's sides. Returns NULL if all are
 * closed. */
wf_socket *wf_socket_ref_any(const void *handle);
/* Takes such a reference at the beginning of a public call. Returns 0, -EBADF, or -ECHILD in a
 * forked child. */
WEFT_NODISCARD int wf_socket_use(const void *handle, wf_socket **ret);

/* Gives the direction to the operation until it lets go. Returns false if another one has it. */
static inline bool wf_socket_claim(wf_direction *d, weft_io *io)
{
    weft_io *none = NULL;

    return wf_cas(&d->owner, &none, io, ACQUIRE); /* [socket-4] */
}

static inline void wf_socket_let_go(wf_direction *d)
{
    WF_ASSERT(wf_peek(&d->owner));      /* K2 */
    wf_store(&d->owner, NULL, RELEASE); /* [socket-4] */
}

/* Closes the sides of the handle. Operations that wait there are woken and find them closed. */
void wf_socket_close(const void *handle);
/* Makes operations that wait on these sides try again after a shutdown, because not every kind of
 * socket has an event for it. */
void wf_socket_end(wf_socket *s, unsigned sides);
/* Takes the descriptor out of the socket. The caller must have both directions. Returns the
 * descriptor, -EBUSY if there are other references, or -EBADF if a side is closed. */
int wf_socket_take_fd(wf_socket *s);
/* Lends the socket to the kernel, which writes for an operation. A close then shuts the socket
 * down, so that the kernel stops. Returns false if the socket is closed. */
WEFT_NODISCARD bool wf_socket_lend(wf_socket *s);
/* Ends the lending. Returns whether the socket has been closed meanwhile. */
bool wf_socket_regain(wf_socket *s);

typedef enum wf_socket_wait_result {
    WF_SOCKET_WAITING, /* the next event will call the waker */
    WF_SOCKET_RETRY,   /* an event has come since the caller read `seq` */
    WF_SOCKET_IS_CLOSED,
} wf_socket_wait_result;

/* Begins to wait for the direction's next event after `seq`. */
WEFT_NODISCARD wf_socket_wait_result wf_socket_wait(wf_socket *s, wf_direction *d, weft_io *io,
                                                    uint32_t seq, const weft_waker *waker);
/* Whether `io` still waits. If so, the next event calls `waker`. */
WEFT_NODISCARD bool wf_socket_is_waiting(wf_socket *s, wf_direction *d, weft_io *io,
                                         const weft_waker *waker);
/* Makes `io` stop waiting. */
void wf_socket_withdraw(wf_socket *s, wf_direction *d, weft_io *io);
/* Makes the reactor deliver an event that the kernel did not send, so that waiting operations try
 * again. Any thread, also under a lock. */
void wf_socket_nudge_any(wf_socket *s);

static inline uint32_t wf_socket_seq(const wf_direction *d)
{
    return wf_load(&d->seq, ACQUIRE); /* [socket-1] */
}

/* Delivers the kernel's events to the socket of the handle. Does nothing if that life has ended.
 * Calls foreign wakers, and leaves the other wakes for the caller to flush. Any thread, under no
 * lock. */
void wf_socket_event(const void *handle, uint32_t events, wf_wakes *wakes);
/* Closes the descriptor and frees what else the socket has. No thread uses it any more. */
void wf_socket_dispose(wf_socket *s);

/* setsockopt(2) on a handle. Returns 0 or -errno, -EBADF if the handle has been closed. */
int wf_socket_set(const void *handle, int level, int option, const void *value, socklen_t size);
/* getsockopt(2) of an int. Returns 0 or -errno. */
int wf_socket_get(const void *handle, int level, int option, int *ret);

#endif
