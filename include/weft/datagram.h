/*
 * datagram.h - UDP and Unix datagram sockets
 *
 * An operation is a future in a weft_io of the caller's, as with streams (net.h). The weft_io may
 * be used again once it is READY. Buffers and everything else that is passed by pointer are
 * borrowed until READY. All operations WITHDRAW: a cancelled one answers -ECANCELED at the next
 * poll, and has taken or sent no datagram. Any thread may call any of these functions.
 *
 * One operation may receive at a time, and one may send. A second one in the same direction answers
 * -EBUSY.
 *
 * Any thread may close a weft_datagram, at any time. Operations under way end with -ECANCELED.
 * Every later call and operation answers -EBADF. Closing a second time does nothing. What net.h
 * says of handles and of forked children holds here, too.
 *
 * A datagram that is larger than the buffer is cut. The result is how many bytes are in the buffer,
 * and io->done is how many bytes the datagram had. Where a comment names no error for a failure, it
 * is that of the system call.
 */
#ifndef WEFT_DATAGRAM_H
#define WEFT_DATAGRAM_H

#include <weft/net.h>

WEFT_BEGIN_DECLS

typedef struct weft_datagram weft_datagram;

/* How weft_datagram_bind sets up the socket. All bytes zero is the usual choice. */
typedef struct weft_datagram_options {
    bool reuse_addr; /* SO_REUSEADDR: several sockets may have a multicast address */
    bool reuse_port; /* several sockets share the port, and datagrams are spread over them */
    bool v6_only;    /* an IPv6 socket takes no IPv4 datagrams */
} weft_datagram_options;

/*
 * Makes a datagram socket that is bound to the address. Port 0 takes any free port. The Unix
 * address "" takes a free abstract name. weft_datagram_local_address returns what was taken.
 * `options` may be NULL. `rt` may be NULL for the current runtime. The caller owns the socket and
 * closes it with weft_datagram_close.
 *
 * Returns: 0, and the socket in *ret_datagram.
 * Errors:  -ENXIO, `rt` is NULL and there is no current runtime. -ENOMEM, there is no memory.
 *          Others as socket(2) and bind(2) give them.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_bind(weft_runtime *rt, const weft_address *address,
                                               const weft_datagram_options *options,
                                               weft_datagram              **ret_datagram);

/*
 * Sets the peer of the socket. From now on datagrams go to this address by default, and only
 * datagrams from it are received. NULL removes the peer, and the socket keeps its port. If the peer
 * is unreachable, the next operation answers -ECONNREFUSED.
 *
 * Returns: 0.
 * Errors:  -EADDRINUSE, with NULL, another process has taken the port at that moment. -EBADF, the
 *          socket is closed. Others as connect(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_connect(weft_datagram      *datagram,
                                                  const weft_address *address);

/* Closes the socket. Operations under way end with -ECANCELED. NULL is allowed, and so is a socket
 * that has been closed before. */
WEFT_API void weft_datagram_close(weft_datagram *datagram);

/*
 * Sends one datagram of `size` bytes to the address. If `address` is NULL, the datagram goes to the
 * peer that weft_datagram_connect has set. The buffer and the address are borrowed until READY.
 *
 * Returns: `size`.
 * Errors:  -EMSGSIZE, the bytes are too many for one datagram. -ECONNREFUSED, the peer that
 *          weft_datagram_connect has set is unreachable. -EBUSY, another operation sends. -EBADF,
 *          the socket is closed. -ECANCELED, the socket was closed meanwhile.
 * Cancel:  WITHDRAWS; the datagram is not sent then.
 */
WEFT_API weft_future *weft_send_to(weft_io *io, weft_datagram *datagram, const void *buffer,
                                   size_t size, const weft_address *address);

/*
 * Waits for the next datagram and takes it. The buffer and *ret_from are borrowed until READY.
 * `ret_from` may be NULL. io->done is how many bytes the datagram had, which is more than the
 * result if it was cut.
 *
 * Returns: how many bytes are in the buffer, and the sender's address in *ret_from. 0, the datagram
 *          was empty.
 * Errors:  -ECONNREFUSED, the peer that weft_datagram_connect has set is unreachable. -EBUSY,
 *          another operation receives. -EBADF, the socket is closed. -ECANCELED, the socket was
 *          closed meanwhile.
 * Cancel:  WITHDRAWS; no datagram is taken then.
 */
WEFT_API weft_future *weft_receive_from(weft_io *io, weft_datagram *datagram, void *buffer,
                                        size_t size, weft_address *ret_from);

/*
 * Waits for the next datagram and leaves it for the next operation. The buffer and *ret_from are
 * borrowed until READY. `ret_from` may be NULL. io->done is how many bytes the datagram has, which
 * is more than the result if it was cut.
 *
 * Returns: how many bytes are in the buffer, and the sender's address in *ret_from. 0, the datagram
 *          is empty.
 * Errors:  -ECONNREFUSED, the peer that weft_datagram_connect has set is unreachable. -EBUSY,
 *          another operation receives. -EBADF, the socket is closed. -ECANCELED, the socket was
 *          closed meanwhile.
 * Cancel:  WITHDRAWS.
 */
WEFT_API weft_future *weft_peek_from(weft_io *io, weft_datagram *datagram, void *buffer,
                                     size_t size, weft_address *ret_from);

/* One datagram of weft_receive_batch or weft_send_batch. */
typedef struct weft_packet {
    void        *data;    /* the bytes */
    size_t       size;    /* of data: how many to send, or how much room */
    size_t       length;  /* received: how many the datagram had, more than `size` if it was cut */
    weft_address address; /* to, or from; all zero: to where the socket is connected */
} weft_packet;

/* The most packets of one operation. More are left for the next. */
#define WEFT_BATCH_MOST 64

/*
 * Waits for a datagram, then takes up to `n` in one system call. It takes at most WEFT_BATCH_MOST.
 * The packets and their memory are borrowed until READY. Each packet that was taken gets its length
 * and its sender's address.
 *
 * Returns: how many datagrams were taken, at least 1. 0, if `n` is 0.
 * Errors:  -EINVAL, `n` is below 0. -EBUSY, another operation receives. -EBADF, the socket is
 *          closed. -ECANCELED, the socket was closed meanwhile.
 * Cancel:  WITHDRAWS; no datagram is taken then.
 */
WEFT_API weft_future *weft_receive_batch(weft_io *io, weft_datagram *datagram, weft_packet *packets,
                                         int n);

/*
 * Sends up to `n` datagrams in one system call, and at least one. It sends at most WEFT_BATCH_MOST.
 * The packets and their memory are borrowed until READY. An error is that of the first datagram.
 * The error of a later one comes when that one is sent again.
 *
 * Returns: how many datagrams were sent, at least 1. 0, if `n` is 0.
 * Errors:  -EINVAL, `n` is below 0. -EMSGSIZE, the first datagram is too large. -EBUSY, another
 *          operation sends. -EBADF, the socket is closed. -ECANCELED, the socket was closed
 *          meanwhile.
 * Cancel:  WITHDRAWS; no datagram is sent then.
 */
WEFT_API weft_future *weft_send_batch(weft_io *io, weft_datagram *datagram,
                                      const weft_packet *packets, int n);

/*
 * Receives with recvmsg(2) and its flags, to get control data. Control data are, for example,
 * timestamps and the descriptors that come over Unix sockets. Received descriptors are O_CLOEXEC.
 * The message and all that it points to are borrowed until READY.
 *
 * Returns: the result of recvmsg(2).
 * Errors:  -EBUSY, another operation receives. -EBADF, the socket is closed. -ECANCELED, the socket
 *          was closed meanwhile. Others as recvmsg(2) gives them.
 * Cancel:  WITHDRAWS; no datagram and no descriptor is taken then.
 */
WEFT_API weft_future *weft_datagram_receive_message(weft_io *io, weft_datagram *datagram,
                                                    struct msghdr *message, int flags);

/*
 * Sends with sendmsg(2) and its flags, to pass control data. Control data are, for example, the
 * descriptors that go over Unix sockets. The message and all that it points to are borrowed until
 * READY.
 *
 * Returns: the result of sendmsg(2).
 * Errors:  -EINVAL, the flags have MSG_ZEROCOPY. -EBUSY, another operation sends. -EBADF, the
 *          socket is closed. -ECANCELED, the socket was closed meanwhile. Others as sendmsg(2)
 *          gives them.
 * Cancel:  WITHDRAWS; nothing is sent then.
 */
WEFT_API weft_future *weft_datagram_send_message(weft_io *io, weft_datagram *datagram,
                                                 const struct msghdr *message, int flags);

/* ---- options and addresses of a socket; these functions return at once ---- */

/*
 * Turns SO_BROADCAST on or off. With `on`, datagrams may be sent to broadcast addresses.
 *
 * Returns: 0.
 * Errors:  -EBADF, the socket is closed. Others as setsockopt(2) gives them.
 */
WEFT_API int weft_datagram_set_broadcast(weft_datagram *datagram, bool on);

/*
 * Joins the multicast group, so that the socket receives what is sent to it. `interface` is the
 * index of an interface (if_nametoindex), or 0 for the kernel's choice. A socket of
 * weft_datagram_bind receives nothing of groups that only other sockets have joined, because
 * IP_MULTICAST_ALL is off (for IPv6 since Linux 4.20). An adopted socket keeps the setting that it
 * had.
 *
 * Returns: 0.
 * Errors:  -EINVAL, the group is not an IP address. -EBADF, the socket is closed. Others as
 *          setsockopt(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_join(weft_datagram *datagram, const weft_address *group,
                                               unsigned interface);

/*
 * Leaves the multicast group, which the socket has joined with weft_datagram_join. `interface` is
 * the index that was given there.
 *
 * Returns: 0.
 * Errors:  -EINVAL, the group is not an IP address. -EBADF, the socket is closed. Others as
 *          setsockopt(2) gives them.
 */
WEFT_API int weft_datagram_leave(weft_datagram *datagram, const weft_address *group,
                                 unsigned interface);

/*
 * Sets the interface by which datagrams to multicast groups leave the machine. `interface` is the
 * index of an interface (if_nametoindex). With 0 the route decides.
 *
 * Returns: 0.
 * Errors:  -EINVAL, the index is out of range, or the socket is not an IP socket. -EBADF, the
 *          socket is closed. Others as setsockopt(2) gives them.
 */
WEFT_API int weft_datagram_set_multicast_interface(weft_datagram *datagram, unsigned interface);

/*
 * Sets how many hops datagrams to multicast groups go, from 0 to 255. The value of a new socket is
 * 1.
 *
 * Returns: 0.
 * Errors:  -EINVAL, the value is out of range, or the socket is not an IP socket. -EBADF, the
 *          socket is closed. Others as setsockopt(2) gives them.
 */
WEFT_API int weft_datagram_set_multicast_hops(weft_datagram *datagram, int hops);

/*
 * Chooses whether sockets of this machine also get what is sent to multicast groups. They do unless
 * this is turned off.
 *
 * Returns: 0.
 * Errors:  -EINVAL, the socket is not an IP socket. -EBADF, the socket is closed. Others as
 *          setsockopt(2) gives them.
 */
WEFT_API int weft_datagram_set_multicast_loop(weft_datagram *datagram, bool on);

/*
 * Sets the sizes of the socket's buffers in bytes (SO_RCVBUF and SO_SNDBUF). 0 leaves a size as it
 * is. The kernel clamps the values to its limits, and doubles them for its own needs.
 * weft_datagram_buffers returns the sizes in effect.
 *
 * Returns: 0.
 * Errors:  -EINVAL, a size is below 0. -EBADF, the socket is closed. Others as setsockopt(2) gives
 *          them.
 */
WEFT_API int weft_datagram_set_buffers(weft_datagram *datagram, int receive, int send);

/*
 * Returns the sizes of the socket's buffers in bytes, as the kernel has set them.
 *
 * Returns: 0, and the sizes in *ret_receive and *ret_send.
 * Errors:  -EBADF, the socket is closed. Others as getsockopt(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_buffers(const weft_datagram *datagram, int *ret_receive,
                                                  int *ret_send);

/*
 * Returns the address to which the socket is bound.
 *
 * Returns: 0, and the address in *ret_address.
 * Errors:  -EBADF, the socket is closed. Others as getsockname(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_local_address(const weft_datagram *datagram,
                                                        weft_address        *ret_address);

/*
 * Returns the address of the peer that weft_datagram_connect has set.
 *
 * Returns: 0, and the address in *ret_address.
 * Errors:  -ENOTCONN, the socket has no peer. -EBADF, the socket is closed. Others as
 *          getpeername(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_peer_address(const weft_datagram *datagram,
                                                       weft_address        *ret_address);

/*
 * Returns the file descriptor of the socket, to set socket options. weft still owns the descriptor.
 *
 * Returns: the descriptor.
 * Errors:  -EBADF, the socket is closed.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_fd(const weft_datagram *datagram);

/*
 * Makes a weft_datagram of an existing socket that keeps the bounds of messages. The kinds are
 * SOCK_DGRAM and SOCK_SEQPACKET. `rt` may be NULL for the current runtime. On success weft owns the
 * descriptor, and its number stays. On failure the caller still owns it, unchanged. weft sets
 * O_NONBLOCK, and clears it when the socket is closed or released. Until then every duplicate of
 * the descriptor is non-blocking. A program that is killed meanwhile leaves it so.
 *
 * Returns: 0, and the socket in *ret_datagram.
 * Errors:  -EINVAL, the descriptor is of another kind. -EBADF, the descriptor is not open. -ENXIO,
 *          `rt` is NULL and there is no current runtime. -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_datagram_adopt(weft_runtime *rt, int fd,
                                                weft_datagram **ret_datagram);

/*
 * Takes the descriptor out of a weft_datagram and closes the handle. The caller owns the descriptor
 * then. It is non-blocking, unless it was blocking when weft_datagram_adopt took it.
 *
 * Returns: the descriptor.
 * Errors:  -EBUSY, an operation or a call on the socket is under way. Nothing has changed then.
 *          -EBADF, the socket is closed.
 * Cancel:  WITHDRAWS; nothing has changed then.
 */
WEFT_API weft_future *weft_datagram_release(weft_io *io, weft_datagram *datagram);

WEFT_END_DECLS

#endif
