/*
 * stream.h - making streams of connected sockets, and addresses
 *
 * Purpose     What all kinds of sockets share beside socket.h.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     -ENOMEM leaves the descriptor the caller's.
 */
#ifndef WF_STREAM_H
#define WF_STREAM_H

#include "socket.h"

#include <weft/net.h>

/* A stream of a non-blocking descriptor, which it owns from now on; NULL: no memory. */
wf_socket *wf_stream_new(wf_reactor *r, int fd, bool tcp);

/* Writes what there is room for at once: the count or -errno. */
int64_t wf_stream_transmit(const wf_socket *s, const char *memory, size_t size);

/* The same with one that listens. */
wf_socket *wf_listener_new(wf_reactor *r, int fd, bool tcp);

/* What a datagram socket always asks for; POLLOUT comes with the first writer that waits. */
#define WF_DATAGRAM_EVENTS (POLLIN | POLLRDHUP)

/* Of a datagram that found no room: -EAGAIN, tried again after an event or in a while; or
 * -ENOMEM. */
int64_t wf_message_blocked(wf_socket *s, const struct sockaddr *to);

/* After a call that found nothing: whether the socket is shut down for reading. Where datagrams or
 * Unix connections come in, the kernel tells that only a call that waits. */
bool wf_message_ended(const wf_socket *s);

/* Of a message that did not come, with errno: 0 at the end, and the message is empty; or -errno. */
int wf_message_missed(const wf_socket *s, struct msghdr *message);

static inline bool wf_address_is_ip(const weft_address *address)
{
    return address->u.any.sa_family == AF_INET || address->u.any.sa_family == AF_INET6;
}

/* Switches an option of a socket that nobody else has yet: 0 or -errno. */
int wf_stream_switch(int fd, int level, int option, bool on);

socklen_t wf_address_size(const weft_address *address);

/* What the kernel says of a socket: 0 or -errno. */
int wf_address_local(int fd, weft_address *ret);
int wf_address_peer(int fd, weft_address *ret);

/* Keeps the address, if it is an IP address; and the way back: false if none has been kept. */
void wf_peer_note(wf_peer *peer, const struct sockaddr *address);
bool wf_peer_recall(const wf_peer *peer, weft_address *ret);

/* Closes a socket that has been bound to the address; the file that this made of a Unix path goes,
 * too. */
void wf_address_unbind(int fd, const weft_address *address);

#endif
