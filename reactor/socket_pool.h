/*
 * socket_pool.h - the memory of sockets
 *
 * Purpose     Sockets live in chunks that stay until the runtime stops. So the generation of a
 *             closed socket can still be compared with that of a handle (socket.h).
 * Threads     take, give: any. stop: the thread that stops the runtime, after all others.
 * Invariants  P1 the memory of a socket is never used for anything else. Its `refs` and `lock` are
 *             valid between lives. P2 the socket that has been unused longest is taken first, and
 *             at least WF_SOCKETS_SPARE stay unused while there is memory for more. So a generation
 *             comes back after 64 * 2^16 = 4 million closings at the earliest.
 * Ordering    `lock`.
 * Failure     If there is no memory for a chunk, the spare sockets are used up. After that take
 *             returns NULL.
 */
#ifndef WF_SOCKET_POOL_H
#define WF_SOCKET_POOL_H

#include "inbox.h"
#include "order.h"

struct wf_reactor;
struct wf_socket;
struct wf_socket_chunk;

#define WF_SOCKETS_SPARE 64

/* A zeroed struct is an empty pool. */
typedef struct wf_socket_pool {
    WF_ALIGNED uint32_t     lock;
    uint32_t                n_spare;
    wf_submission          *oldest, *newest; /* unused sockets, linked by their submissions */
    struct wf_socket_chunk *chunks;
} wf_socket_pool;

/* Returns an unused socket as its last life left it, or NULL. */
struct wf_socket *wf_socket_pool_take(struct wf_reactor *r);
void              wf_socket_pool_give(struct wf_reactor *r, struct wf_socket *s);
/* Writes "a stream of 10.0.0.7:4711, a listener on [::]:80, ...", of up to three sockets that are
 * still open. By the stopping thread. Returns text. */
const char *wf_socket_pool_open_ones(struct wf_reactor *r, char *text, size_t size);
/* How many operations and calls use sockets. By the stopping thread. */
uint32_t wf_socket_pool_uses(struct wf_reactor *r);
/* Closes all sockets that are still open and frees all memory. */
void wf_socket_pool_stop(struct wf_reactor *r);

#endif
