/*
 * file.h - files, by the reactor's ring
 *
 * A file is its descriptor. Operations are futures in a weft_io; buffers and paths are borrowed until
 * READY. They DRAIN: a cancelled one stays PENDING until the kernel has let go of the buffer, and
 * then answers its true result, or -ECANCELED.
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <fcntl.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

/* Opens the file as open(2) does, with O_CLOEXEC: its descriptor, or -errno. A cancelled open that had
 * succeeded closes the file again and answers -ECANCELED. */
WEFT_API weft_future *weft_file_open(weft_io *io, const char *path, int flags, unsigned mode);
/* Reads or writes up to `size` bytes at `offset` (-1: at the file's position): the count, or -errno;
 * 0 at the end of the file. */
WEFT_API weft_future *weft_file_read(weft_io *io, int fd, void *buffer, size_t size,
                                     int64_t offset);
WEFT_API weft_future *weft_file_write(weft_io *io, int fd, const void *buffer, size_t size,
                                      int64_t offset);
/* Closes the file: 0 or -errno. Runs also when awaited by an async function that is being cancelled. */
WEFT_API weft_future *weft_file_close(weft_io *io, int fd);

/* Waits until the descriptor, of whatever kind, shows one of the poll(2) events: those it shows. */
WEFT_API weft_future *weft_fd_ready(weft_io *io, int fd, unsigned events);

WEFT_END_DECLS

#endif
