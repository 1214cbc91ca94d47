/*
 * socket_operation.h - operations on sockets: try, then wait for readiness
 *
 * Purpose     The type of their rows.
 * Threads     The owner of the weft_io.
 * Invariants  O2 an operation makes the system call itself, without blocking, and waits only after
 *             -EAGAIN. target_ is the handle until the operation has claimed its direction of the
 *             socket, and the socket after that. It is NULL if the operation ended before.
 * Ordering    The socket's lock.
 * Failure     -EBADF, -EBUSY, -ECANCELED, -ECHILD, or the error of the system call.
 */
#ifndef WF_SOCKET_OPERATION_H
#define WF_SOCKET_OPERATION_H

#include "operation.h"
#include "socket.h"

typedef struct wf_socket_op {
    weft_future_ops future; /* first: O1 */
    unsigned        side;   /* WF_SIDE_... */
    /* Acquires what the first attempt needs. Returns 0 or -errno. May be NULL. */
    int (*begin)(weft_io *io, weft_context *cx);
    /* Makes the system call without blocking. Returns -EAGAIN if the operation has to wait. */
    int64_t (*attempt)(weft_io *io, wf_socket *s);
    /* Called after the operation has begun to wait. May be NULL. */
    void (*waits)(weft_io *io, wf_socket *s, weft_context *cx);
    /* Takes the result of the last attempt and returns that of the future. If the operation fails
     * or was cancelled, it releases what `begin` and the attempts have acquired. May be NULL. */
    int64_t (*end)(weft_io *io, int64_t result, bool cancelled);
} wf_socket_op;

weft_poll wf_socket_op_poll(weft_future *future, weft_context *cx);
void      wf_socket_op_cancel(weft_future *future);

/* find_peer and peer_text of driver.h. */
bool        wf_socket_op_find_peer(const weft_future *future, wf_driver_peer *ret_peer);
const char *wf_socket_op_peer_text(const wf_driver_peer *peer, char *text);

/* The beginning of a row. */
#define WF_SOCKET_OP(name_)                                                                        \
    .future = {.size = sizeof(weft_io),                                                            \
               .flags = WEFT_FUTURE_WITHDRAWS,                                                     \
               .name = (name_),                                                                    \
               .poll = wf_socket_op_poll,                                                          \
               .cancel = wf_socket_op_cancel}

static inline weft_future *wf_socket_op_init(weft_io *io, const wf_socket_op *op, void *handle)
{
    return wf_io_init(io, &op->future, handle);
}

static inline const wf_socket_op *wf_socket_op_of(const weft_io *io)
{
    WF_ASSERT(io->future.ops->poll == wf_socket_op_poll); /* O1 */
    return (const wf_socket_op *)(const void *)io->future.ops;
}

#endif
