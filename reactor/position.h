/*
 * position.h - one operation at a time at a file's position
 *
 * Purpose     The ring reads a file's position, moves bytes and writes the position back without a
 *             lock. Two operations at the same time would move the same bytes. So operations of one
 *             descriptor take turns, in the order in which the reactor took them.
 * Threads     The reactor's thread.
 * Invariants  Q1 the first operation of a descriptor in the list has its turn. The others wait. Q2
 *             the memory of an operation in the list stays valid until it leaves the list.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_POSITION_H
#define WF_POSITION_H

#include <weft/net.h>

#define WF_POSITION_LISTS 64

/* A place in a file. The arguments of an operation that may take turns begin with it. */
typedef struct wf_place {
    weft_io *next; /* in the list */
    int64_t  offset;
    int      fd;
    bool     takes_turns;  /* the operation is at the file's position */
    bool     needs_thread; /* of the kernel, which runs the operation */
    /* How lseek(2) moves the position after the operation: SEEK_CUR or SEEK_END. 0: the kernel
     * moves it. */
    uint8_t moved_by;
} wf_place;

typedef struct wf_positions {
    weft_io *first[WF_POSITION_LISTS]; /* indexed by the descriptor's low bits */
} wf_positions;

/* Adds an operation. Returns true if it has its turn, false if it has to wait. */
bool wf_positions_enter(wf_positions *p, weft_io *io);
/* Removes an operation. Returns the operation that now gets its turn. Returns NULL if there is none
 * or the removed one did not have its turn. */
weft_io *wf_positions_leave(wf_positions *p, weft_io *io);
/* Moves the file's position behind the bytes of an operation that still has its turn, if the kernel
 * has not done so. */
void wf_position_move(const weft_io *io, int64_t n_bytes);

/* For assertions: whether the operation is in the list, and whether it has its turn. */
bool wf_positions_has(const wf_positions *p, const weft_io *io);
bool wf_positions_has_turn(const wf_positions *p, const weft_io *io);

#endif
