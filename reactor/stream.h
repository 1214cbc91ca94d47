/*
 * stream.h - making streams of connected sockets, and addresses of them
 *
 * Purpose     What listener and stream share.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     -ENOMEM leaves the descriptor the caller's.
 */
#ifndef WF_STREAM_H
#define WF_STREAM_H

#include "reactor.h"

#include <weft/net.h>

/* A stream of a non-blocking socket: 0 and *ret, which owns fd from now on; or -ENOMEM. */
int wf_stream_new(wf_reactor *r, int fd, weft_stream **ret);

socklen_t wf_address_size(const weft_address *address);
/* getsockname or getpeername: 0 or -errno. */
int wf_address_of(int fd, int (*ask)(int, struct sockaddr *, socklen_t *), weft_address *ret);

#endif
