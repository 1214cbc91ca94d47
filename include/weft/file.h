/*
 * file.h - files, paths, and descriptors of other libraries, by the reactor's ring
 *
 * A file is its descriptor, which the caller owns. An operation is a future in a weft_io of the
 * caller's. Any thread may make one, and one owner awaits it. Buffers, paths, arrays and structs
 * are borrowed until READY. A result is that of the system call of that name: >= 0, or -errno.
 * -EOPNOTSUPP means that the kernel has no such operation. Without a runtime the result is -ENXIO.
 * In a forked child it is -ECHILD, also of an operation that the parent has begun.
 * docs/operations.md has a row for each operation.
 *
 * All of them DRAIN, except weft_send_file: a cancelled one stays PENDING until the kernel has let
 * go of what it borrowed. What has been done can't be undone, so its result is the true one, or
 * -ECANCELED if nothing was done.
 *
 * Any of them may answer -EAGAIN, also where the system call has no such error. It means that the
 * kernel could make no thread for the operation, because a limit of processes (RLIMIT_NPROC,
 * pids.max) is reached. Nothing was done then. Try again later. weft_file_close and
 * weft_file_truncate are done by the worker in that case.
 *
 * Writing to a pipe that has no reader answers -EPIPE and raises no SIGPIPE.
 *
 * `dir` is the descriptor of the directory that relative paths start from, or AT_FDCWD.
 *
 * Functions that read and write take an offset. -1 is the file's position, which moves on.
 * Operations of one runtime at the position of a regular file take turns, in the order of their
 * first polls. So tasks that read records from one descriptor get each record once. Each step of
 * weft_file_read_exact and weft_file_write_all is a turn of its own. The turns go by the
 * descriptor's number: they do not wait for duplicates of it, for other runtimes, or for read(2) on
 * other threads. weft_splice takes no turn.
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <fcntl.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

struct statx; /* <sys/stat.h>, with _GNU_SOURCE; <linux/stat.h> for musl before 1.2.5 */

/* ---- opening and closing ---- */

/*
 * Opens a file relative to a directory, as openat(2) does, with O_CLOEXEC. `dir` is the descriptor
 * of the directory that a relative path starts from, or AT_FDCWD. The path is borrowed until READY.
 * An open of a FIFO waits for the other end, and an open of a device may wait, as with openat(2).
 * With O_NONBLOCK in `flags` it does not wait. Opens that wait hold up no other operation.
 *
 * Returns: the descriptor of the file, which the caller owns.
 * Errors:  as openat(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS. If the open had succeeded, the file is closed again, and the result is
 *          -ECANCELED. A file that O_CREAT made stays.
 */
WEFT_API weft_future *weft_file_open_at(weft_io *io, int dir, const char *path, int flags,
                                        unsigned mode);

/*
 * Opens a file as open(2) does, with O_CLOEXEC. The path is borrowed until READY. An open of a FIFO
 * waits for the other end, and an open of a device may wait, as with open(2). With O_NONBLOCK in
 * `flags` it does not wait. Opens that wait hold up no other operation.
 *
 * Returns: the descriptor of the file, which the caller owns.
 * Errors:  as open(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS. If the open had succeeded, the file is closed again, and the result is
 *          -ECANCELED. A file that O_CREAT made stays.
 */
WEFT_API weft_future *weft_file_open(weft_io *io, const char *path, int flags, unsigned mode);

/*
 * Closes the file. The descriptor is the caller's and not weft's, and the kernel holds the file for
 * operations that wait on it. So neither this function nor close(2) ends such an operation. Cancel
 * and await those operations first. The close runs even when the async function that awaits it is
 * being cancelled.
 *
 * Returns: 0.
 * Errors:  -EBADF, the descriptor is not open. Others as close(2) gives them.
 * Cancel:  DRAINS. With -ECANCELED it was cancelled before it began, and the file is still open.
 */
WEFT_API weft_future *weft_file_close(weft_io *io, int fd);

/* ---- reading and writing, at an offset or, with -1, at the file's position ---- */

/*
 * Reads up to `size` bytes from the file, at the offset or, with -1, at the file's position. The
 * buffer is borrowed until READY. It reads at most 2 GiB less a page. The operation waits for a
 * pipe, a terminal or a socket, also if it has O_NONBLOCK. A read of up to 128 KiB at an offset is
 * done at once by the polling thread if the page cache has all of it. It takes one more from the
 * poll's budget for each 16 KiB.
 *
 * Returns: how many bytes were read. 0, at the end of the file.
 * Errors:  -ESPIPE, there is an offset and the file is a pipe, a terminal or a socket. -EINVAL, the
 *          offset is below -1. -EAGAIN, before Linux 6.4, a pipe has O_NONBLOCK and is empty.
 *          -EAGAIN, the kernel could make no thread and nothing was done. Others as read(2) gives
 *          them.
 * Cancel:  DRAINS; the true count, or -ECANCELED if nothing was read.
 */
WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size,
                                     int64_t offset);

/*
 * Writes up to `size` bytes to the file, at the offset or, with -1, at the file's position. The
 * buffer is borrowed until READY. It writes at most 2 GiB less a page. The operation waits for a
 * pipe, a terminal or a socket, also if it has O_NONBLOCK. A pipe without a reader raises no
 * SIGPIPE.
 *
 * Returns: how many bytes were written.
 * Errors:  -ESPIPE, there is an offset and the file is a pipe, a terminal or a socket. -EPIPE, the
 *          pipe has no reader. -EINVAL, the offset is below -1. -EAGAIN, before Linux 6.4, a pipe
 *          has O_NONBLOCK and is full. -EAGAIN, the kernel could make no thread and nothing was
 *          done. Others as write(2) gives them.
 * Cancel:  DRAINS; the true count, or -ECANCELED if nothing was written.
 */
WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t offset);

/*
 * Reads exactly `size` bytes from the file, in as many steps as that takes. The offset is as with
 * weft_file_read. The buffer is borrowed until READY. After an error or a cancel io->done bytes are
 * in the buffer.
 *
 * Returns: `size`.
 * Errors:  WEFT_EOF, the file ended before. Others as weft_file_read gives them.
 * Cancel:  DRAINS; `size`, or -ECANCELED with io->done bytes read.
 */
WEFT_API weft_future *weft_file_read_exact(weft_io *io, int fd, void *buffer, size_t size,
                                           int64_t offset);

/*
 * Writes all `size` bytes to the file, in as many steps as that takes. The offset is as with
 * weft_file_write. The buffer is borrowed until READY. After an error or a cancel io->done bytes
 * are written.
 *
 * Returns: `size`.
 * Errors:  -EIO, the file takes no more bytes and names no cause. Others as weft_file_write gives
 *          them.
 * Cancel:  DRAINS; `size`, or -ECANCELED with io->done bytes written.
 */
WEFT_API weft_future *weft_file_write_all(weft_io *io, int fd, const void *buffer, size_t size,
                                          int64_t offset);

/*
 * Reads from the file into up to 1024 pieces of memory. It reads at the offset or, with -1, at the
 * file's position. The array and the pieces are borrowed until READY. The operation waits for a
 * pipe, a terminal or a socket, also if it has O_NONBLOCK.
 *
 * Returns: how many bytes were read. 0, at the end of the file or if all pieces are empty.
 * Errors:  -EINVAL, there are more than 1024 pieces. Others as weft_file_read gives them.
 * Cancel:  DRAINS; the true count, or -ECANCELED if nothing was read.
 */
WEFT_API weft_future *weft_file_readv(weft_io *io, int fd, const struct iovec *vector, int n,
                                      int64_t offset);

/*
 * Writes to the file from up to 1024 pieces of memory. It writes at the offset or, with -1, at the
 * file's position. The array and the pieces are borrowed until READY. The operation waits for a
 * pipe, a terminal or a socket, also if it has O_NONBLOCK. A pipe without a reader raises no
 * SIGPIPE.
 *
 * Returns: how many bytes were written.
 * Errors:  -EINVAL, there are more than 1024 pieces. Others as weft_file_write gives them.
 * Cancel:  DRAINS; the true count, or -ECANCELED if nothing was written.
 */
WEFT_API weft_future *weft_file_writev(weft_io *io, int fd, const struct iovec *vector, int n,
                                       int64_t offset);

/*
 * Moves up to `size` bytes between two descriptors without copying them, as splice(2) does. One of
 * the descriptors is a pipe. An offset is -1 for a pipe, or for the file's position. `flags` are
 * those of splice(2). The operation runs on a thread of the kernel's own, and costs more than a
 * short read and write.
 *
 * Returns: how many bytes were moved. 0, at the end.
 * Errors:  as splice(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS; the true count, or -ECANCELED if nothing was moved.
 */
WEFT_API weft_future *weft_splice(weft_io *io, int fd_in, int64_t offset_in, int fd_out,
                                  int64_t offset_out, size_t size, unsigned flags);

/*
 * Sends a part of a file into a stream without copying the bytes. It sends `size` bytes from
 * `offset` on. SIZE_MAX sends to the end of the file. The bytes are copied after all where another
 * process may have the stream's descriptor, as with an adopted stream. weft_send_file counts as the
 * one operation that writes to the stream. The worker itself reads what the page cache lacks, at
 * most 128 KiB at once. For files on a slow disk, weft_file_read and weft_write_all keep the worker
 * free. After an error or a cancel io->done bytes are sent. It raises no SIGPIPE.
 *
 * Returns: how many bytes were sent, which is less than `size` if the file ended before.
 * Errors:  -EBUSY, another operation writes to the stream. -EBADF, the stream is closed.
 *          -ECANCELED, the stream was closed meanwhile. Others as sendfile(2) gives them.
 * Cancel:  WITHDRAWS; io->done bytes are sent then.
 */
WEFT_API weft_future *weft_send_file(weft_io *io, weft_stream *stream, int fd, int64_t offset,
                                     size_t size);

/* ---- the file itself ---- */

/*
 * Waits until all that was written to the file is on the disk, as fsync(2) does.
 *
 * Returns: 0.
 * Errors:  as fsync(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_file_sync(weft_io *io, int fd);

/*
 * Waits until the data written to the file are on the disk, as fdatasync(2) does.
 *
 * Returns: 0.
 * Errors:  as fdatasync(2) gives them. -EAGAIN, the kernel could make no thread and nothing was
 *          done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_file_sync_data(weft_io *io, int fd);

/*
 * Allocates or frees space of the file, as fallocate(2) does. `mode`, `offset` and `size` are those
 * of fallocate(2).
 *
 * Returns: 0.
 * Errors:  as fallocate(2) gives them. -EAGAIN, the kernel could make no thread and nothing was
 *          done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_file_allocate(weft_io *io, int fd, int mode, int64_t offset,
                                         int64_t size);

/*
 * Sets the size of the file in bytes, as ftruncate(2) does. Before Linux 6.9 the worker makes the
 * system call itself, at the first poll.
 *
 * Returns: 0.
 * Errors:  as ftruncate(2) gives them.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_file_truncate(weft_io *io, int fd, int64_t size);

/*
 * Reads the status of an open file, as statx(2) does. `mask` has STATX_... flags, which say what is
 * wanted. `ret_stat` is borrowed until READY.
 *
 * Returns: 0, and the status in *ret_stat.
 * Errors:  as statx(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED. *ret_stat may have been written
 *          then.
 */
WEFT_API weft_future *weft_file_stat(weft_io *io, int fd, unsigned mask, struct statx *ret_stat);

/* ---- paths: statx(2), unlinkat(2), renameat2(2), mkdirat(2), linkat(2), symlinkat(2) ---- */

/*
 * Reads the status of a path, as statx(2) does. `dir` is the descriptor of the directory that a
 * relative path starts from, or AT_FDCWD. `flags` has AT_SYMLINK_NOFOLLOW and the like. `mask` has
 * STATX_... flags, which say what is wanted. The path and `ret_stat` are borrowed until READY.
 *
 * Returns: 0, and the status in *ret_stat.
 * Errors:  as statx(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED. *ret_stat may have been written
 *          then.
 */
WEFT_API weft_future *weft_path_stat(weft_io *io, int dir, const char *path, int flags,
                                     unsigned mask, struct statx *ret_stat);

/*
 * Removes a file, or with AT_REMOVEDIR in `flags` an empty directory, as unlinkat(2) does. `dir` is
 * the descriptor of the directory that a relative path starts from, or AT_FDCWD. The path is
 * borrowed until READY.
 *
 * Returns: 0.
 * Errors:  as unlinkat(2) gives them. -EAGAIN, the kernel could make no thread and nothing was
 *          done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_path_unlink(weft_io *io, int dir, const char *path, int flags);

/*
 * Renames `path` to `new_path`, as renameat2(2) does. `dir` and `new_dir` are the descriptors of
 * the directories that the relative paths start from, or AT_FDCWD. `flags` are those of
 * renameat2(2). The paths are borrowed until READY.
 *
 * Returns: 0.
 * Errors:  as renameat2(2) gives them. -EAGAIN, the kernel could make no thread and nothing was
 *          done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_path_rename(weft_io *io, int dir, const char *path, int new_dir,
                                       const char *new_path, unsigned flags);

/*
 * Makes a directory, as mkdirat(2) does. `dir` is the descriptor of the directory that a relative
 * path starts from, or AT_FDCWD. The path is borrowed until READY.
 *
 * Returns: 0.
 * Errors:  as mkdirat(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_path_make_dir(weft_io *io, int dir, const char *path, unsigned mode);

/*
 * Makes `new_path` another name of the file `path`, as linkat(2) does. `dir` and `new_dir` are the
 * descriptors of the directories that the relative paths start from, or AT_FDCWD. `flags` are those
 * of linkat(2). The paths are borrowed until READY.
 *
 * Returns: 0.
 * Errors:  as linkat(2) gives them. -EAGAIN, the kernel could make no thread and nothing was done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_path_link(weft_io *io, int dir, const char *path, int new_dir,
                                     const char *new_path, int flags);

/*
 * Makes `path` a symbolic link that says `target`, as symlinkat(2) does. `dir` is the descriptor of
 * the directory that a relative path starts from, or AT_FDCWD. The path and the target are borrowed
 * until READY.
 *
 * Returns: 0.
 * Errors:  as symlinkat(2) gives them. -EAGAIN, the kernel could make no thread and nothing was
 *          done.
 * Cancel:  DRAINS; 0 if the kernel has done it, else -ECANCELED.
 */
WEFT_API weft_future *weft_path_symlink(weft_io *io, const char *target, int dir, const char *path);

/* ---- descriptors of other libraries ---- */

/*
 * Waits until a descriptor shows one of the poll(2) events, or POLLERR or POLLHUP. The descriptor
 * may be of any kind. The wait is level-triggered: what the descriptor shows already ends the wait
 * at once. Any number of tasks may wait for one descriptor, for equal or different events. Files
 * and directories are always ready, as for poll(2). During the wait the kernel holds the file. A
 * close(2) meanwhile neither ends the wait nor tells a peer. So cancel and await the wait, then
 * close.
 *
 * Returns: the events that the descriptor shows.
 * Errors:  -EBADF, the descriptor is not open. -EINVAL, it is always ready, but shows none of these
 *          events, as a file shows no POLLPRI. -EAGAIN, the kernel could make no thread and nothing
 *          was done.
 * Cancel:  DRAINS; the events, or -ECANCELED.
 */
WEFT_API weft_future *weft_fd_ready(weft_io *io, int fd, unsigned events);

WEFT_END_DECLS

#endif
