/*
 * socket_pool.h - the memory of sockets
 *
 * Purpose     Sockets live in chunks that stay until the runtime stops, so that a handle of a
 *             closed one can still be asked for its generation (socket.h).
 * Threads     take, give: any. stop: the thread that stops the runtime, after all others.
 * Invariants  P1 memory of a socket is a socket for ever: its `refs` and `lock` are valid between
 *             lives. P2 the longest unused goes first, and at least WF_SOCKETS_SPARE stay unused
 *             while there is memory for more: so a generation comes back after 64 * 2^16 = 4
 *             million closings at the earliest.
 * Ordering    `lock`.
 * Failure     Without memory for a chunk the spare ones are used up, then take answers NULL.
 */
#ifndef WF_SOCKET_POOL_H
#define WF_SOCKET_POOL_H

#include "inbox.h"
#include "order.h"

struct wf_reactor;
struct wf_socket;
struct wf_socket_chunk;

#define WF_SOCKETS_SPARE 64

/* Zeroed, it is an empty one. */
typedef struct wf_socket_pool {
    WF_ALIGNED uint32_t     lock;
    uint32_t                n_spare;
    wf_submission          *oldest, *newest; /* the unused, by their submission */
    struct wf_socket_chunk *chunks;
} wf_socket_pool;

/* An unused socket, as its last life left it; or NULL. */
struct wf_socket *wf_socket_pool_take(struct wf_reactor *r);
void              wf_socket_pool_give(struct wf_reactor *r, struct wf_socket *s);
/* Closes what is still open and frees all. */
void wf_socket_pool_stop(struct wf_reactor *r);

#endif
