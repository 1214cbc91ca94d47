/*
 * position.h - one operation at a time at a file's position
 *
 * Purpose     The ring reads the position, moves bytes and writes the position back without a lock:
 *             of two operations at once both would move the same bytes. So those of one descriptor
 *             take turns, in the order in which the reactor got them.
 * Threads     The reactor's thread.
 * Invariants  Q1 the first operation of a descriptor in the list has its turn; the others wait.
 *             Q2 an operation in the list stays until it leaves.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_POSITION_H
#define WF_POSITION_H

#include <weft/net.h>

#define WF_POSITION_LISTS 64

/* Where in a file: what the arguments of an operation that may take turns begin with. */
typedef struct wf_place {
    weft_io *next; /* in the list */
    int64_t  offset;
    int      fd;
    bool     takes_turns; /* it is at the file's position */
} wf_place;

typedef struct wf_positions {
    weft_io *first[WF_POSITION_LISTS]; /* by the descriptor's low bits */
} wf_positions;

/* True: it is the operation's turn. False: it waits for it. */
bool wf_positions_enter(wf_positions *p, weft_io *io);
/* The operation whose turn it is now; NULL: none, or it was not this one's. */
weft_io *wf_positions_leave(wf_positions *p, weft_io *io);

#endif
