/*
 * message.c - sendmsg and recvmsg, for streams and datagram sockets
 *
 * Purpose     The operations that take a struct msghdr.
 * Threads     Any.
 * Invariants  A message is taken in the poll that delivers it. So a cancelled receive loses no
 *             descriptor.
 * Ordering    socket.h.
 * Failure     -errno of the system calls.
 */
#include "retry_timer.h"
#include "socket_operation.h"
#include "stream.h"

#include <poll.h>
#include <weft/datagram.h>

#define FULL_PAUSE_MS 5

typedef struct message {
    struct msghdr *header;
    int            flags;
} message;

/* poll(2) cannot report when a Unix socket has room again to which this one is not connected. So
 * the operation tries again after a while. */
int64_t wf_message_blocked(wf_socket *s, const struct sockaddr *to)
{
    return to && to->sa_family == AF_UNIX ? wf_retry_timer_again(s, FULL_PAUSE_MS) : -EAGAIN;
}

bool wf_message_ended(const wf_socket *s)
{
    struct pollfd end = {s->fd, POLLRDHUP, 0};

    return wf_load(&s->always_try, RELAXED) & WF_TRY_ENDED && /* published by seq */
           poll(&end, 1, 0) > 0 && end.revents & POLLRDHUP;
}

int wf_message_missed(bool ended, struct msghdr *message)
{
    if (errno != EAGAIN || !ended)
        return -errno;
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
    return 0;
}

static int64_t attempt_receive(weft_io *io, wf_socket *s)
{
    const message *args = WF_ARGS(io, message);
    int            flags = args->flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    bool           ended = !(flags & MSG_ERRQUEUE) && wf_message_ended(s);
    ssize_t        n = recvmsg(s->fd, args->header, flags);

    return n < 0 ? wf_message_missed(ended, args->header) : n;
}

static int64_t attempt_send(weft_io *io, wf_socket *s)
{
    const message *args = WF_ARGS(io, message);
    ssize_t        n;

    if (args->flags & MSG_ZEROCOPY)
        /* The kernel would use the memory after the future is READY. */
        return -EINVAL;
    n = sendmsg(s->fd, args->header, args->flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == EAGAIN ? wf_message_blocked(s, args->header->msg_name) : -errno;
}

const wf_socket_op wf_op_receive_message = {WF_SOCKET_OP("weft_receive_message"),
                                            .side = WF_SIDE_IN, .attempt = attempt_receive};

const wf_socket_op wf_op_send_message = {WF_SOCKET_OP("weft_send_message"), .side = WF_SIDE_OUT,
                                         .attempt = attempt_send, WF_NUDGED};

static weft_future *make(weft_io *io, const wf_socket_op *op, void *handle,
                         const struct msghdr *header, int flags)
{
    *WF_ARGS(io, message) = (message){(struct msghdr *)(uintptr_t)header, flags};
    return wf_socket_op_init(io, op, handle);
}

WEFT_API weft_future *weft_receive_message(weft_io *io, weft_stream *stream, struct msghdr *message,
                                           int flags)
{
    return make(io, &wf_op_receive_message, stream, message, flags);
}

WEFT_API weft_future *weft_send_message(weft_io *io, weft_stream *stream,
                                        const struct msghdr *message, int flags)
{
    return make(io, &wf_op_send_message, stream, message, flags);
}

WEFT_API weft_future *weft_datagram_receive_message(weft_io *io, weft_datagram *datagram,
                                                    struct msghdr *message, int flags)
{
    return make(io, &wf_op_receive_message, datagram, message, flags);
}

WEFT_API weft_future *weft_datagram_send_message(weft_io *io, weft_datagram *datagram,
                                                 const struct msghdr *message, int flags)
{
    return make(io, &wf_op_send_message, datagram, message, flags);
}
