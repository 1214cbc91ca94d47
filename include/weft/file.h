/*
 * file.h - files, paths, and descriptors of other libraries, by the reactor's ring
 *
 * A file is its descriptor. Operations are futures in a weft_io, made by any thread and awaited by one
 * owner; buffers, paths, arrays and structs are borrowed until READY. Results are as the system call of
 * that name gives them: >= 0, or -errno; -EOPNOTSUPP where the kernel has no such operation.
 *
 * They DRAIN: a cancelled one stays PENDING until the kernel has let go of what it borrowed, and then
 * answers its true result (what has been done can't be undone), or -ECANCELED if nothing was done.
 * docs/operations.md has a row for each.
 *
 * -EAGAIN from any of them, also where the system call has no such error: the kernel could make no
 * thread for it, because a limit of processes (RLIMIT_NPROC, pids.max) is reached. Nothing was
 * done; try again later. weft_file_close and weft_file_truncate are done by the worker then.
 * Writing to a pipe without a reader answers -EPIPE and raises no SIGPIPE.
 *
 * `dir` is a descriptor of the directory that relative paths start from, or AT_FDCWD.
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <fcntl.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

struct statx; /* <sys/stat.h>, with _GNU_SOURCE */

/* ---- opening and closing ---- */

/* Opens the file as openat(2) does, with O_CLOEXEC. Returns its descriptor. A FIFO or a device is
 * waited for as there: an open of a FIFO ends when the other end comes, unless the flags have
 * O_NONBLOCK. Opens that wait hold up no other operation. A cancelled open that had succeeded
 * closes the file again and answers -ECANCELED. */
WEFT_API weft_future *weft_file_open_at(weft_io *io, int dir, const char *path, int flags,
                                        unsigned mode);
WEFT_API weft_future *weft_file_open(weft_io *io, const char *path, int flags, unsigned mode);
/* Closes the file: 0. A descriptor is not weft's: operations on the file that wait are not ended by this,
 * nor by close(2), since the kernel holds the file for them. So cancel and await those first. Runs also when awaited by an async function that is being cancelled. With
 * -ECANCELED (it was cancelled itself, before it began) the file is still open. */
WEFT_API weft_future *weft_file_close(weft_io *io, int fd);

/* ---- reading and writing, at an offset; -1: at the file's position, which moves on ----
 *
 * Operations of one runtime at the position of a regular file take turns, in the order of their
 * first polls, so that tasks which read records from one descriptor get each record once. Each
 * step of weft_file_read_exact and weft_file_write_all is a turn. The turns go by the
 * descriptor's number: duplicates of it, other runtimes and read(2) on other threads are not
 * waited for. */

/* Moves up to `size` bytes (2 GiB less a page at most): the count; 0 at the end of the file. A
 * pipe, terminal or socket is waited for, also if it has O_NONBLOCK (before Linux 6.4: -EAGAIN
 * then, of a pipe); an offset is refused there: -ESPIPE. A read of up to 128 KiB that the page
 * cache has is done by the polling thread at once, and costs one more of its poll's budget for
 * each 16 KiB. */
WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size,
                                     int64_t offset);
WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t offset);
/* Moves all `size` bytes, in as many steps as that takes: size, or an error (-EPIPE: the file ended
 * before), with io->done bytes moved. */
WEFT_API weft_future *weft_file_read_exact(weft_io *io, int fd, void *buffer, size_t size,
                                           int64_t offset);
WEFT_API weft_future *weft_file_write_all(weft_io *io, int fd, const void *buffer, size_t size,
                                          int64_t offset);
/* As weft_file_read and weft_file_write, over up to 1024 pieces. */
WEFT_API weft_future *weft_file_readv(weft_io *io, int fd, const struct iovec *vector, int n,
                                      int64_t offset);
WEFT_API weft_future *weft_file_writev(weft_io *io, int fd, const struct iovec *vector, int n,
                                       int64_t offset);
/* splice(2): moves up to `size` bytes between two descriptors, one of them a pipe, without copying:
 * the count; 0 at the end. Offsets: -1 for a pipe, or for the file's position. It runs on a thread of the
 * kernel's own and costs more than a short read and write. */
WEFT_API weft_future *weft_splice(weft_io *io, int fd_in, int64_t offset_in, int fd_out,
                                  int64_t offset_out, size_t size, unsigned flags);
/* Sends `size` bytes of the file from `offset` on, without copying them; SIZE_MAX: to its end. The count,
 * less than size where the file ends; or an error, with io->done bytes sent. It is an operation on the
 * stream (its one writer; stream closed: -ECANCELED) and WITHDRAWS. What the page cache lacks is read by
 * the worker, at most 128 KiB at once: for files on a slow disk, weft_file_read and weft_write_all
 * keep the worker free. */
WEFT_API weft_future *weft_send_file(weft_io *io, weft_stream *stream, int fd, int64_t offset,
                                     size_t size);

/* ---- the file itself ---- */

/* fsync(2), fdatasync(2): 0 once what was written is on the disk. */
WEFT_API weft_future *weft_file_sync(weft_io *io, int fd);
WEFT_API weft_future *weft_file_sync_data(weft_io *io, int fd);
/* fallocate(2): 0. */
WEFT_API weft_future *weft_file_allocate(weft_io *io, int fd, int mode, int64_t offset,
                                         int64_t size);
/* ftruncate(2): 0. Before Linux 6.9 the worker makes the system call itself, at the first poll. */
WEFT_API weft_future *weft_file_truncate(weft_io *io, int fd, int64_t size);
/* statx(2) of an open file: 0 and *ret. `mask`: STATX_... */
WEFT_API weft_future *weft_file_stat(weft_io *io, int fd, unsigned mask, struct statx *ret);

/* ---- paths: statx(2), unlinkat(2), renameat2(2), mkdirat(2), linkat(2), symlinkat(2); 0 ---- */

/* statx(2) of a path: 0 and *ret. `flags`: AT_SYMLINK_NOFOLLOW and the like; `mask`: STATX_... */
WEFT_API weft_future *weft_path_stat(weft_io *io, int dir, const char *path, int flags,
                                     unsigned mask, struct statx *ret);
/* A directory with AT_REMOVEDIR. */
WEFT_API weft_future *weft_path_unlink(weft_io *io, int dir, const char *path, int flags);
WEFT_API weft_future *weft_path_rename(weft_io *io, int dir, const char *path, int new_dir,
                                       const char *new_path, unsigned flags);
WEFT_API weft_future *weft_path_make_dir(weft_io *io, int dir, const char *path, unsigned mode);
WEFT_API weft_future *weft_path_link(weft_io *io, int dir, const char *path, int new_dir,
                                     const char *new_path, int flags);
/* `path` becomes a link that says `target`. */
WEFT_API weft_future *weft_path_symlink(weft_io *io, const char *target, int dir, const char *path);

/* ---- descriptors of other libraries ---- */

/* Waits until the descriptor, of whatever kind, shows one of the poll(2) events, or POLLERR or POLLHUP:
 * those it shows. -EBADF: it is not open. Level-triggered: what it shows already ends the wait at
 * once. Any number of tasks may wait for one descriptor, for the same events or others. Files and
 * directories are always ready, as for poll(2). While it waits the kernel holds the file: a close(2)
 * meanwhile neither ends the wait nor tells a peer. So cancel and await it, then close. */
WEFT_API weft_future *weft_fd_ready(weft_io *io, int fd, unsigned events);

WEFT_END_DECLS

#endif
