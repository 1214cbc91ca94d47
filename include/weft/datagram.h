/*
 * datagram.h - UDP and Unix datagram sockets
 *
 * As with streams (net.h): an operation is a future in a weft_io of the caller's, WITHDRAWS, and
 * borrows its buffers until READY. One operation may receive and one may send at a time (more get
 * -EBUSY). A weft_datagram may be closed by anybody at any time: what is under way ends with
 * -ECANCELED, every later call on it answers -EBADF.
 *
 * A datagram that is larger than the buffer is cut: the result says how many bytes are in the buffer,
 * io->done how many the datagram had.
 */
#ifndef WEFT_DATAGRAM_H
#define WEFT_DATAGRAM_H

#include <weft/net.h>

WEFT_BEGIN_DECLS

typedef struct weft_datagram weft_datagram;

typedef struct weft_datagram_options {
    bool reuse_addr; /* SO_REUSEADDR: several sockets may have a multicast address */
    bool reuse_port; /* several sockets share the port, and what comes is spread over them */
    bool v6_only;
} weft_datagram_options;

/* Binds to the address: a port of 0 takes any free one, the Unix address "" an abstract name that is
 * free (see weft_datagram_local_address). `options` may be NULL; `rt` NULL: the current one. 0 or
 * -errno. Any thread. The caller closes it. */
WEFT_API WEFT_NODISCARD int weft_datagram_bind(weft_runtime *rt, weft_datagram **ret,
                                               const weft_address          *address,
                                               const weft_datagram_options *options);
/* Sends to, and takes from, this address only, from now on. NULL: any again; the socket keeps its port
 * (-EADDRINUSE: another process has taken it in that moment). Afterwards an unreachable peer is told
 * of by the next operation (-ECONNREFUSED). 0 or -errno. Any thread. */
WEFT_API int weft_datagram_connect(weft_datagram *datagram, const weft_address *address);
/* Closes it. Any thread; NULL is fine, and so is one that has been closed. */
WEFT_API void weft_datagram_close(weft_datagram *datagram);

/* Sends one datagram, to the address or, if that is NULL, to where it is connected: size, or -errno
 * (-EMSGSIZE: too large for one). */
WEFT_API weft_future *weft_send_to(weft_io *io, weft_datagram *datagram, const void *buffer,
                                   size_t size, const weft_address *address);
/* Takes the next datagram: how many bytes are in the buffer (0: it was empty), and in io->done how many
 * it had. *ret_from (or NULL) is who sent it. */
WEFT_API weft_future *weft_receive_from(weft_io *io, weft_datagram *datagram, void *buffer,
                                        size_t size, weft_address *ret_from);
/* The same, and the datagram stays for the next operation. */
WEFT_API weft_future *weft_peek_from(weft_io *io, weft_datagram *datagram, void *buffer,
                                     size_t size, weft_address *ret_from);

/* One datagram among many. */
typedef struct weft_packet {
    void        *data;
    size_t       size;    /* of data: to be sent, or room */
    size_t       length;  /* received: what the datagram had, more than `size` if it was cut */
    weft_address address; /* to, or from; all zero: to where the socket is connected */
} weft_packet;

/* More packets than this in one operation are left for the next. */
#define WEFT_BATCH_MOST 64

/* Takes what is there, at least one datagram and at most n: how many. One system call. */
WEFT_API weft_future *weft_receive_batch(weft_io *io, weft_datagram *datagram, weft_packet *packets,
                                         int n);
/* Sends at least one datagram and at most n: how many. One system call. An error is that of the first;
 * that of a later one is told when it is sent again. */
WEFT_API weft_future *weft_send_batch(weft_io *io, weft_datagram *datagram,
                                      const weft_packet *packets, int n);

/* As weft_receive_message and weft_send_message in net.h. */
WEFT_API weft_future *weft_datagram_receive_message(weft_io *io, weft_datagram *datagram,
                                                    struct msghdr *message, int flags);
WEFT_API weft_future *weft_datagram_send_message(weft_io *io, weft_datagram *datagram,
                                                 const struct msghdr *message, int flags);

/* ---- what can be set and asked, at once: 0 or -errno; any thread ---- */

/* SO_BROADCAST: with `on`, datagrams may be sent to broadcast addresses. */
WEFT_API int weft_datagram_set_broadcast(weft_datagram *datagram, bool on);
/* Takes what is sent to the multicast group, at the interface of that index (if_nametoindex; 0: the
 * kernel's choice). A socket that weft_datagram_bind has made gets nothing of groups that only other
 * sockets have joined (IP_MULTICAST_ALL is off); an adopted one is left as it was. */
WEFT_API int weft_datagram_join(weft_datagram *datagram, const weft_address *group,
                                unsigned interface);
WEFT_API int weft_datagram_leave(weft_datagram *datagram, const weft_address *group,
                                 unsigned interface);
/* For what is sent to multicast groups. Where it leaves the machine: the interface of that index, 0: the
 * route decides. How many hops it goes: 0 to 255, at first 1. Whether sockets of this machine get it,
 * too: at first they do. -EINVAL: out of range, or no IP socket. */
WEFT_API int weft_datagram_set_multicast_interface(weft_datagram *datagram, unsigned interface);
WEFT_API int weft_datagram_set_multicast_hops(weft_datagram *datagram, int hops);
WEFT_API int weft_datagram_set_multicast_loop(weft_datagram *datagram, bool on);
/* As weft_stream_set_buffers and weft_stream_buffers in net.h. */
WEFT_API int weft_datagram_set_buffers(weft_datagram *datagram, int receive, int send);
WEFT_API int weft_datagram_buffers(const weft_datagram *datagram, int *ret_receive, int *ret_send);
WEFT_API int weft_datagram_local_address(const weft_datagram *datagram, weft_address *ret);
WEFT_API int weft_datagram_peer_address(const weft_datagram *datagram, weft_address *ret);
/* The file descriptor, still weft's: for socket options. */
WEFT_API int weft_datagram_fd(const weft_datagram *datagram);

/* As weft_stream_adopt and weft_stream_release in net.h: a socket that keeps the bounds of messages. */
WEFT_API WEFT_NODISCARD int weft_datagram_adopt(weft_runtime *rt, weft_datagram **ret, int fd);
WEFT_API weft_future       *weft_datagram_release(weft_io *io, weft_datagram *datagram);

WEFT_END_DECLS

#endif
