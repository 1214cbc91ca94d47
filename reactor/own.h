/*
 * own.h - an adopted descriptor does not block, and programs that share its open file don't notice
 *
 * Purpose     O_NONBLOCK is a flag of the open file, which a shell, a parent or other programs may
 *             share with a standard stream. So the descriptor gets an open file of its own where
 *             that can be had; else the flag is set, and given back when weft has done with the
 *             descriptor.
 * Threads     The adopter; the thread that closes or releases.
 * Invariants  W1 a descriptor that already was non-blocking stays as it is. W2 the number stays. W3
 *             regular files get no flag: they never wait for another program.
 * Ordering    None.
 * Failure     -errno, and the descriptor is as it was.
 */
#ifndef WF_OWN_H
#define WF_OWN_H

#include "socket.h"

/* What fstat tells: SO_TYPE of a socket, one of these, or -errno; -EINVAL: no stream. */
enum { WF_OWN_PIPE = 100, WF_OWN_TERMINAL, WF_OWN_DEVICE, WF_OWN_FILE };
int wf_own_kind(int fd);

/* Makes it non-blocking: 0 or -errno. */
int wf_own_begin(wf_socket *s, int kind);
/* Before the descriptor is closed or given away. */
void wf_own_end(const wf_socket *s);

#endif
