/*
 * stream.h - streams, listeners, messages and addresses
 *
 * Purpose     What the operations on sockets share beside socket.h.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     If there is no memory, the caller still owns the descriptor.
 */
#ifndef WF_STREAM_H
#define WF_STREAM_H

#include "socket.h"

#include <weft/net.h>

/* Makes a stream that owns a non-blocking descriptor. Returns NULL if there is no memory. */
wf_socket *wf_stream_new(wf_reactor *r, int fd, bool tcp);

/* Writes as much as there is room for, without waiting. Returns the count or -errno. */
int64_t wf_stream_transmit(const wf_socket *s, const char *memory, size_t size);

/* Makes a listener that owns a listening descriptor. Returns NULL if there is no memory. */
wf_socket *wf_listener_new(wf_reactor *r, int fd, bool tcp);

/* The events that are always requested for a datagram socket. POLLOUT is requested when a writer
 * first waits. */
#define WF_DATAGRAM_EVENTS (POLLIN | POLLRDHUP)

/* Handles a datagram for which there was no room. Returns -EAGAIN, which makes the operation wait
 * for an event or for a retry timer, or -ENOMEM. */
int64_t wf_message_blocked(wf_socket *s, const struct sockaddr *to);

/* Whether the socket is shut down for reading. For listeners and datagram sockets the kernel
 * reports the end to a blocking call only, so poll(2) is asked. An attempt asks before its system
 * call: after the end nothing more comes, so an EAGAIN then says that everything has been taken. If
 * it asked afterwards, a last message could have come in between, and would be lost. */
bool wf_message_ended(const wf_socket *s);

/* Handles a receive that has failed with errno. `ended` is the answer of wf_message_ended. Returns
 * 0 and empties the message at the end, else -errno. */
int wf_message_missed(bool ended, struct msghdr *message);

static inline bool wf_address_is_ip(const weft_address *address)
{
    return address->u.any.sa_family == AF_INET || address->u.any.sa_family == AF_INET6;
}

/* Turns an option of a new socket on or off. Returns 0 or -errno. */
int wf_stream_switch(int fd, int level, int option, bool on);

socklen_t wf_address_size(const weft_address *address);

/* The local address of a socket. Returns 0 or -errno. */
int wf_address_local(int fd, weft_address *ret);
/* The address of a socket's peer. Returns 0 or -errno. */
int wf_address_peer(int fd, weft_address *ret);

/* Keeps the address if it is an IP address. */
void wf_peer_note(wf_peer *peer, const struct sockaddr *address);
/* Returns the address that was kept, or false if there is none. */
bool wf_peer_recall(const wf_peer *peer, weft_address *ret);

/* Closes a socket that was bound to the address, and removes the file that the bind made for a Unix
 * path. */
void wf_address_unbind(int fd, const weft_address *address);

#endif
