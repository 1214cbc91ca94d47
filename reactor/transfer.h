/*
 * transfer.h - what reads and writes of files know of the bytes that they move
 *
 * Purpose     The arguments of a transfer, in one piece or in several. What is left of it, and what
 *             of it a worker may do at once.
 * Threads     The future's owner, or the thread that moves the bytes for it.
 * Invariants  See file.c.
 * Ordering    None.
 * Failure     The functions that move bytes return what they have moved, -errno, or WF_IO_MORE: the
 *             ring does it, or the rest of it.
 */
#ifndef WF_TRANSFER_H
#define WF_TRANSFER_H

#include "kernel_operation.h"

#include <sys/uio.h>

#define WF_CACHED_MOST  ((size_t)128 << 10) /* bytes that a worker copies in one call: 12 us */
#define WF_MOST_AT_ONCE 0x7ffff000          /* bytes that the kernel moves in one call */
#define WF_PIECES_MOST  1024                /* pieces that the kernel accepts in a vector */
#define WF_NO_OFFSET    (-1)                /* at the file's own position */

/* The arguments of all transfers begin with a wf_place. */
typedef struct wf_transfer {
    wf_place place;
    char    *memory;
    size_t   size;
} wf_transfer;

typedef struct wf_pieces {
    wf_place            place;
    const struct iovec *first;
    int                 n;
} wf_pieces;

static inline char *wf_transfer_rest(const weft_io *io)
{
    return WF_ARGS(io, wf_transfer)->memory + io->done;
}

static inline unsigned wf_transfer_at_most(size_t size)
{
    return size < WF_MOST_AT_ONCE ? (unsigned)size : WF_MOST_AT_ONCE;
}

static inline unsigned wf_transfer_length(const weft_io *io)
{
    return wf_transfer_at_most(WF_ARGS(io, wf_transfer)->size - io->done);
}

static inline int wf_transfer_fd(const weft_io *io)
{
    return WF_ARGS(io, wf_place)->fd;
}

static inline uint64_t wf_transfer_offset(const weft_io *io)
{
    int64_t at = WF_ARGS(io, wf_place)->offset;

    return (uint64_t)(at == WF_NO_OFFSET ? WF_NO_OFFSET : at + (int64_t)io->done);
}

/* Adds up the sizes of the pieces. Stops above the bound, since the exact sum does not matter
 * then. */
static inline size_t wf_pieces_size(const wf_pieces *args)
{
    size_t size = 0;

    for (int i = 0; i < args->n && i < WF_PIECES_MOST && size <= WF_CACHED_MOST; i++)
        if (__builtin_add_overflow(size, args->first[i].iov_len, &size))
            return SIZE_MAX;
    return size;
}

/* -- what a worker does at once, instead of the ring -- */
/* Reads from the page cache if that has all the bytes. */
int64_t wf_transfer_read_cached(weft_io *io, weft_context *cx);
/* Writes to the page cache what that takes without waiting. */
int64_t wf_transfer_write_cached(weft_io *io, weft_context *cx);
/* Reads or writes a vector without bytes. */
int64_t wf_transfer_read_nothing(weft_io *io, weft_context *cx);
int64_t wf_transfer_write_nothing(weft_io *io, weft_context *cx);

#endif
