/*
 * socket.h - what streams, listeners and datagram sockets share: a counted descriptor to wait on
 *
 * Purpose     Operations try the system call themselves; what would block waits here for an event
 *             of the socket's (poller.h). So no byte leaves a socket before a read names its
 *             buffer, and cancelling a wait is local.
 * Threads     Any; take: the reactor's.
 * Invariants  K1 the descriptor stays open while anybody holds a reference: the owner until it
 *             closes, each operation from its first poll to READY, each call while it lasts. K2 one
 *             operation a direction, from its first poll to READY. K3 the memory goes to others
 *             once no retry timer is on its way through the reactor's inbox. K4 events are edges:
 *             what was there before is not told again, so whoever waits has seen EAGAIN, or a read
 *             shorter than its buffer, since the last event. POLLOUT is asked for once a writer
 *             waits, and the kernel looks at the socket when it is asked: room that came before
 *             counts. K5 what users hold is no pointer but a handle: address | generation << 48 |
 *             WF_SOCKET_LACKS_... The generation moves on with the last reference, and a handle of
 *             another one is refused without touching more than `refs`.
 * Ordering    `lock` guards waiting. [socket-1] `seq` counts events: read before the attempt,
 *             compared under the lock before waiting. [socket-2] the last reference. [socket-3]
 *             `requests`: who sets the first bit submits, the reactor takes them all. [socket-4]
 *             one operation after the other has a direction, and what is its owner's.
 * Failure     A socket that can't be watched ends the operations that wait, with the error; the
 *             next one that waits tries again. In a forked child all but closing is refused.
 */
#ifndef WF_SOCKET_H
#define WF_SOCKET_H

#include "inbox.h"
#include "order.h"
#include "reactor.h"

#include <weft/net.h>

typedef struct wf_direction {
    weft_io *owner;   /* whose turn it is: claimed and released by operations */
    uint32_t seq;     /* written under the lock */
    bool     waiting; /* the owner waits: under the lock */
} wf_direction;

/* An IP peer's address. All bytes, to fit into what a wf_socket has left of its two cache lines. */
typedef struct wf_peer {
    uint8_t family;  /* AF_INET, AF_INET6; 0: not known */
    uint8_t port[2]; /* in network order, as is the address */
    uint8_t scope[4];
    uint8_t address[16];
} wf_peer;

typedef struct wf_socket {
    WF_ALIGNED wf_submission submission;
    wf_reactor              *reactor; /* constant, also between lives */
    uint64_t                 refs;    /* generation, WF_SOCKET_..., and a count */
    int                      fd;      /* constant in a life; -1: it has been given away */
    uint32_t                 lock;
    uint32_t                 requests; /* for the reactor: WF_SOCKET_NUDGE, ... */
    uint16_t                 events;   /* poll(2) events that are always asked for; constant */
    uint16_t                 asked;    /* ... that are, or are just about to be: under the lock */
    wf_direction             in, out;
    uint64_t drained; /* the reader's: 1 << 32 | in.seq at which a short read emptied it; or 0 */
    struct wf_retry_timer *retry_timer; /* or NULL */
    uint16_t               told;        /* what the kernel was asked for last: under the lock */
    bool                   telling;     /* a thread is asking the kernel just now: under the lock */
    uint8_t n_unwanted;    /* times in a row that only POLLOUT came and no writer waited */
    bool    lent;          /* an operation has the kernel write: under the lock */
    bool    is_socket : 1; /* else a pipe, device or file; constant, as are the next four */
    bool    is_tcp : 1;
    bool    is_file : 1;       /* a regular file: it never waits for another program */
    bool    came_blocking : 1; /* own.h */
    bool    is_shared : 1;     /* adopted: others may have it, and clear its O_NONBLOCK */
    uint8_t always_try;        /* why events and short reads do not tell everything: WF_TRY_... */
    uint8_t nap_ms; /* the operation that is about to wait asks for a retry timer: its own */
    wf_peer peer;   /* of a stream: which is or was at the other end; constant */
} wf_socket;

WEFT_STATIC_ASSERT_(sizeof(wf_socket) == 2 * WF_CACHE_LINE, "a socket is two cache lines");

enum { WF_SOCKET_NUDGE = 1, WF_SOCKET_FREE = 2 };
enum { WF_TRY_KIND = 1, WF_TRY_EAGER = 2, WF_TRY_ENDED = 4 }; /* see stream.c, net.h, socket.c */

/* Directions, as bits. */
enum { WF_SIDE_IN = 1, WF_SIDE_OUT = 2, WF_SIDE_BOTH = 3 };

/* refs */
#define WF_SOCKET_GENERATION (UINT64_C(0xffff) << 48)
#define WF_SOCKET_NEXT       (UINT64_C(1) << 48)
#define WF_SOCKET_SIDE       46 /* where the closed sides are */
#define WF_SOCKET_CLOSED     (UINT64_C(3) << WF_SOCKET_SIDE)
#define WF_SOCKET_UNUSED     (UINT64_C(1) << 45)
#define WF_SOCKET_COUNT      (UINT64_C(0xffffffff))

/* The low bits of a handle: the sides it may not use, being a half. */
#define WF_SOCKET_LACKS WF_SIDE_BOTH

static inline wf_socket *wf_socket_of(const void *handle)
{
    return (wf_socket *)((uintptr_t)handle & ~(uintptr_t)(WF_SOCKET_GENERATION | WF_SOCKET_LACKS));
}

/* The handle of a socket to which the caller has a reference. */
static inline void *wf_socket_handle(const wf_socket *s)
{
    uint64_t refs = wf_load(&s->refs, RELAXED); /* the generation is constant meanwhile */

    return (void *)((uintptr_t)s | (uintptr_t)(refs & WF_SOCKET_GENERATION));
}

/* A socket of the descriptor, which it owns from now on, with one reference; or NULL. */
wf_socket *wf_socket_new(wf_reactor *r, int fd, uint16_t events);

void wf_socket_unref(wf_socket *s);

/* A reference for an operation on these sides; NULL: one of them is closed, or is not the
 * handle's. */
static inline wf_socket *wf_socket_ref(const void *handle, unsigned sides)
{
    wf_socket *s = wf_socket_of(handle);
    uint64_t   h = (uintptr_t)handle;
    uint64_t   refs = wf_add(&s->refs, 1, RELAXED); /* with the handle came what it points to */

    if ((((refs ^ h) & WF_SOCKET_GENERATION) | (((refs >> WF_SOCKET_SIDE) | h) & sides)) == 0)
        return s;
    wf_socket_unref(s);
    return NULL;
}

/* Whether a system call that has no flag against it might wait for the socket: O_NONBLOCK is a flag
 * of the open file, which other processes may have and may clear. Of a descriptor that weft has
 * made it is asked for; of an adopted one another process may change it at any time. */
bool wf_socket_may_wait(const wf_socket *s);

/* Whether one of the sides has been closed. For the holder of a reference, which a close does not
 * wait for: asked before each system call, so that none begins after the close. */
static inline bool wf_socket_is_closed(const wf_socket *s, unsigned sides)
{
    /* A thread that was woken by the close has had the lock after it; others race with it
     * anyhow. */
    return (wf_load(&s->refs, RELAXED) >> WF_SOCKET_SIDE) & sides;
}

/* A reference for a call, which any side will do for; NULL: both are closed. */
wf_socket *wf_socket_ref_any(const void *handle);
/* The same as every call of the interface begins: 0, -EBADF, or -ECHILD in a forked child. */
WEFT_NODISCARD int wf_socket_use(const void *handle, wf_socket **ret);

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

/* Closes what the handle has of its socket: waiters are woken and find it closed. */
void wf_socket_close(const void *handle);
/* These sides have been shut down: what waits there tries again, since not every kind of socket has
 * an event for it. */
void wf_socket_end(wf_socket *s, unsigned sides);
/* Takes the descriptor out of a socket of which the caller has both directions: it, or -EBUSY, or
 * -EBADF: a side is closed. */
int wf_socket_take_fd(wf_socket *s);
/* The kernel writes for an operation: false if it is closed. Closing shuts the socket down then. */
WEFT_NODISCARD bool wf_socket_lend(wf_socket *s);
/* It has ended; whether the socket has been closed meanwhile. */
bool wf_socket_regain(wf_socket *s);

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
/* An event, made up by the reactor: lets whoever waits try again. From any thread, under any
 * lock. */
void wf_socket_nudge_any(wf_socket *s);

static inline uint32_t wf_socket_seq(const wf_direction *d)
{
    return wf_load(&d->seq, ACQUIRE); /* [socket-1] */
}

/* What the kernel says of the socket that had the handle; nothing, if it has ended since. Foreign
 * wakers are woken, the other wakes are left to be flushed. Any thread, outside all locks. */
void wf_socket_event(const void *handle, uint32_t events, wf_wakes *wakes);
/* Closes the descriptor and frees what else it has. Nobody uses it any more. */
void wf_socket_dispose(wf_socket *s);

/* setsockopt on a handle: 0 or -errno, -EBADF if it has been closed. */
int wf_socket_set(const void *handle, int level, int option, const void *value, socklen_t size);
/* getsockopt of a number. */
int wf_socket_get(const void *handle, int level, int option, int *ret);

#endif
