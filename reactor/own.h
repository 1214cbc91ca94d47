/*
 * own.h - makes an adopted descriptor non-blocking without disturbing other programs
 *
 * Purpose     O_NONBLOCK is a flag of the open file. A shell, a parent or other programs may share
 *             that file with a standard stream. So weft replaces it by an open file of its own,
 *             where that is possible. Otherwise weft sets the flag, and clears it again before it
 *             closes or releases the descriptor.
 * Threads     The thread that adopts. The thread that closes or releases.
 * Invariants  W1 a descriptor that was already non-blocking is not changed. W2 the descriptor keeps
 *             its number. W3 regular files get no flag, since they never wait for another program.
 * Ordering    None.
 * Failure     -errno, and the descriptor is unchanged.
 */
#ifndef WF_OWN_H
#define WF_OWN_H

#include "socket.h"

/* Returns the kind of a descriptor: SO_TYPE of a socket, one of these, or -errno. -EINVAL says that
 * weft cannot adopt it. */
enum { WF_OWN_PIPE = 100, WF_OWN_TERMINAL, WF_OWN_DEVICE, WF_OWN_FILE };
int wf_own_kind(int fd);

/* Opens the descriptor's file once more: non-blocking, close-on-exec, and shared with no other
 * program. Fails without /proc, without the right to open the file (a terminal of another user),
 * and for a pipe that has no reader. Returns a descriptor or -1. */
int wf_own_open(int fd);

/* Makes the descriptor non-blocking. Returns 0 or -errno. */
int wf_own_begin(wf_socket *s, int kind);
/* Undoes that before the descriptor is closed or released. */
void wf_own_end(const wf_socket *s);

#endif
