/*
 * file_at_once.c - what a worker moves itself of a file, instead of the ring
 *
 * Purpose     A copy from or to the page cache, which does not wait and is cheaper than a
 *             completion. Transfers of no bytes, with which the ring would wait.
 * Threads     The future's owner.
 * Invariants  None of these calls waits, but for an O_DIRECT file that took the number of another
 *             one a moment ago.
 * Ordering    None.
 * Failure     See transfer.h.
 */
#include "calls.h"
#include "transfer.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHED_UNIT ((size_t)16 << 10) /* bytes that cost one more operation of the budget */
#define SECTOR      512                /* offsets and sizes of O_DIRECT are multiples of it */
#define REFUSALS    255                /* writes that are not tried after one was refused */
#define TRUSTED     63                 /* reads before a file is asked again for O_DIRECT */
#define ASKED       8                  /* files that a thread remembers */

/* Reads 0 bytes by the system call. The ring would wait for a terminal, and would not refuse a
 * directory. read(2) refuses one, but may wait for a device, and does so for an inotify descriptor.
 * So devices are read by a vector, which does neither. */
static int64_t read_nothing(const weft_io *io)
{
    const wf_place *place = WF_ARGS(io, wf_place);
    mode_t          type = wf_type_of(place->fd);
    bool            may_wait = type == S_IFCHR || type == 0;
    char            none;
    struct iovec    piece = {.iov_base = &none, .iov_len = 0};
    ssize_t         n;

    if (place->offset != WF_NO_OFFSET)
        n = may_wait ? preadv(place->fd, &piece, 0, place->offset)
                     : pread(place->fd, &none, 0, place->offset);
    else
        n = may_wait ? readv(place->fd, &piece, 0) : read(place->fd, &none, 0);
    return n < 0 ? -errno : n;
}

/* Writes 0 bytes to a pipe by the system call, which does not wait. Before Linux 6.4 the ring would
 * wait for room in the pipe. The ring writes to other files: 0 bytes may be an empty packet. */
static int64_t write_nothing(const weft_io *io)
{
    const wf_place *place = WF_ARGS(io, wf_place);
    ssize_t         n;

    if (wf_type_of(place->fd) != S_IFIFO)
        return WF_IO_MORE;
    n = place->offset == WF_NO_OFFSET ? write(place->fd, "", 0)
                                      : pwrite(place->fd, "", 0, place->offset);
    return n < 0 ? -errno : n;
}

/* Whether a worker may move the bytes itself: few enough, and at an offset. At the file's own
 * position a part would have moved it. */
static bool is_for_cache(const weft_io *io)
{
    return WF_ARGS(io, wf_place)->offset >= 0 && wf_transfer_length(io) <= WF_CACHED_MOST;
}

/* A read of an O_DIRECT file waits for the disk in spite of RWF_NOWAIT. The system call that asks
 * for the flag costs an eighth of a read, so each thread remembers the answer for some reads. If
 * the descriptor is closed meanwhile, and another file with O_DIRECT gets its number, the worker
 * waits for as many reads. */
static bool is_direct(const weft_io *io)
{
    static _Thread_local struct asked {
        int      fd;
        uint32_t trusted; /* reads for which the file is known to have no O_DIRECT */
    } all[ASKED] WF_TLS_MODEL;
    int           fd = wf_transfer_fd(io), flags;
    struct asked *asked = &all[(unsigned)fd % ASKED];

    if ((wf_transfer_length(io) | wf_transfer_offset(io)) % SECTOR != 0)
        return false; /* as O_DIRECT demands */
    if (asked->fd == fd && asked->trusted > 0) {
        asked->trusted--;
        return false;
    }
    flags = fcntl(fd, F_GETFL);
    *asked = (struct asked){fd, flags & O_DIRECT ? 0 : TRUSTED};
    return flags & O_DIRECT;
}

/* Whether a write is a mere copy to the page cache: one to an O_SYNC file waits for the disk, and a
 * part of an O_APPEND write would be one of two. */
static bool is_copied(const weft_io *io)
{
    return !(fcntl(wf_transfer_fd(io), F_GETFL) & (O_APPEND | O_DIRECT | O_SYNC | O_DSYNC));
}

/* What a worker copies costs budget by its size. */
static int64_t moved(weft_context *cx, size_t size)
{
    size_t more = size / CACHED_UNIT;

    cx->budget -= more < cx->budget ? (uint32_t)more : cx->budget;
    return (int64_t)size;
}

/* Reads from the page cache if it has all the bytes. Otherwise the ring reads, and reports errors.
 * A short result may be the end of the file or of the cached part, and Linux 5.9 and 5.10 wrongly
 * return 0. */
int64_t wf_transfer_read_cached(weft_io *io, weft_context *cx)
{
    struct iovec piece = {.iov_base = wf_transfer_rest(io), .iov_len = wf_transfer_length(io)};

    if (piece.iov_len == 0)
        return read_nothing(io);
    if (!is_for_cache(io) || is_direct(io) ||
        preadv2(wf_transfer_fd(io), &piece, 1, (off_t)wf_transfer_offset(io), RWF_NOWAIT) !=
            (ssize_t)piece.iov_len)
        return WF_IO_MORE;
    return moved(cx, piece.iov_len);
}

/* Beyond RLIMIT_FSIZE a write raises SIGXFSZ in the thread that writes. The reactor's blocks it. */
static bool is_within_limit(const weft_io *io)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           wf_transfer_offset(io) + wf_transfer_length(io) <= limit.rlim_cur;
}

/* Writes to the page cache what it takes without waiting. The ring writes the rest, and reports
 * errors. ext4 and tmpfs refuse, so after a refusal some writes are not tried. XFS and
 * Btrfs refuse only now and then, as when the file's time has to change. */
int64_t wf_transfer_write_cached(weft_io *io, weft_context *cx)
{
    static uint32_t refusals; /* RELAXED everywhere: a hint */
    struct iovec    piece = {.iov_base = wf_transfer_rest(io), .iov_len = wf_transfer_length(io)};
    uint32_t        left = wf_load(&refusals, RELAXED);
    ssize_t         n;

    if (piece.iov_len == 0)
        return write_nothing(io);
    if (left > 0) {
        wf_store(&refusals, left - 1, RELAXED);
        return WF_IO_MORE;
    }
    if (!is_for_cache(io) || !is_copied(io) || !is_within_limit(io))
        return WF_IO_MORE;
    n = pwritev2(wf_transfer_fd(io), &piece, 1, (off_t)wf_transfer_offset(io), RWF_NOWAIT);
    if (n < 0 && errno == EOPNOTSUPP)
        wf_store(&refusals, REFUSALS, RELAXED);
    if (n == (ssize_t)piece.iov_len)
        return moved(cx, piece.iov_len);
    io->done += n > 0 ? (size_t)n : 0;
    return WF_IO_MORE;
}

/* Whether the vector is valid and has no bytes. */
static bool is_empty(const wf_pieces *args)
{
    return args->n >= 0 && args->n <= WF_PIECES_MOST && wf_pieces_size(args) == 0;
}

/* Unlike read(2), readv(2) of no bytes refuses no directory, and never waits. */
int64_t wf_transfer_read_nothing(weft_io *io, weft_context *cx)
{
    const wf_pieces *args = WF_ARGS(io, wf_pieces);
    int64_t          at = args->place.offset;
    ssize_t          n;

    (void)cx;
    if (!is_empty(args))
        return WF_IO_MORE;
    n = at == WF_NO_OFFSET ? readv(wf_transfer_fd(io), args->first, args->n)
                           : preadv(wf_transfer_fd(io), args->first, args->n, at);
    return n < 0 ? -errno : n;
}

int64_t wf_transfer_write_nothing(weft_io *io, weft_context *cx)
{
    (void)cx;
    return is_empty(WF_ARGS(io, wf_pieces)) ? write_nothing(io) : WF_IO_MORE;
}
