/*
 * net.h - streams: addresses, listeners, connections by TCP and Unix sockets
 *
 * An operation is a future in a weft_io of the caller's, which may be used again once READY. Results
 * are counts of bytes, or 0, or -errno; buffers are borrowed until READY. Operations on sockets
 * WITHDRAW: cancelling one leaves no byte half-taken, and nothing with the kernel.
 *
 * One operation may read from a stream and one may write to it at a time, by any tasks (more get -EBUSY).
 *
 * Who closes: anybody, any thread, at any time. Operations under way end with -ECANCELED, and the
 * descriptor closes once the last of them has. They make no further system call: what a write_all has
 * moved by then is in io->done, no byte is read or sent after the close, no connection is taken. Only a
 * call that another thread is making at that very moment still counts. Whatever is begun with the stream
 * or listener afterwards answers -EBADF (closing it again does nothing), also when its memory or its
 * descriptor are in use for another connection by then: a weft_stream * is not an address but a handle
 * with a generation. It is good until the runtime stops, or until 4 million other connections have come
 * and gone. NULL is no handle: nothing but the close functions takes it.
 *
 * In a child that the process forks, what the parent made is the parent's: every call and operation on
 * it answers -ECHILD and changes nothing, also one that the parent had begun. Closing there closes the
 * child's copy of the descriptor, and the parent does not notice.
 *
 * No call and no operation waits within a worker, whatever other processes do with a descriptor that
 * they share: its O_NONBLOCK is not relied upon. (A terminal, and a FIFO that was opened by its name,
 * get the flag back before each call, since the kernel has no other way there.)
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <weft/runtime.h>

WEFT_BEGIN_DECLS

typedef struct weft_stream   weft_stream;
typedef struct weft_listener weft_listener;

/* One operation on a stream, a listener or a file: the future, and in `done` how many bytes write_all
 * or read_exact have moved so far. The rest is weft's. */
typedef struct weft_io {
    weft_future future;
    size_t      done;
    weft_waker  waker_;
    void       *link_[2]; /* on its way to the reactor */
    void       *object_;  /* stream or listener */
    void       *out_;
    void       *memory_;
    size_t      size_;
    int64_t     offset_;
    int64_t     answer_;
    int32_t     fd_;
    uint32_t    option_;
    uint32_t    lock_;
    uint32_t    phase_;
} weft_io;

/* An IPv4 or IPv6 address with a port, or a Unix address. */
typedef struct weft_address {
    union {
        struct sockaddr     any;
        struct sockaddr_in  v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un  un;
    } u;
    uint32_t size_; /* of a Unix address: how much of u.un it takes */
} weft_address;

/* Room for the text of any address: a Unix path, "[v6%scope]:65535". */
#define WEFT_ADDRESS_TEXT 112

/* Reads "127.0.0.1:80", "[::1]:80", or "127.0.0.1" and "::1" with the given port. The scope of
 * "fe80::1%eth0" is the name or the number of an interface that there is. 0, or -EINVAL. */
WEFT_API WEFT_NODISCARD int weft_address_parse(weft_address *ret, const char *text, uint16_t port);
/* The Unix address of a path, or of an abstract name: "@name". "" is unnamed: binding to it takes a free
 * abstract name. 0, or -EINVAL: too long. */
WEFT_API WEFT_NODISCARD int weft_address_unix(weft_address *ret, const char *path);
/* Writes "127.0.0.1:80", "[::1]:80", "/path", "@name" or "(unnamed)" into `text` (WEFT_ADDRESS_TEXT bytes)
 * and returns it. A scope whose interface has gone is written as its number. */
WEFT_API const char *weft_address_format(const weft_address *address, char *text);
/* 0 for a Unix address. */
WEFT_API uint16_t weft_address_port(const weft_address *address);
/* Another port, of an IPv4 or IPv6 address: 0. -EINVAL: it has none. */
WEFT_API WEFT_NODISCARD int weft_address_set_port(weft_address *address, uint16_t port);

typedef struct weft_listen_options {
    int  backlog;       /* 0: 1024 */
    bool reuse_port;    /* several listeners share the port */
    bool no_reuse_addr; /* SO_REUSEADDR is set unless this is */
    bool v6_only;
    bool no_delay;      /* TCP_NODELAY on every accepted stream */
    bool replace_stale; /* Unix: a file is removed first if no socket is bound to it any more, also
                           none that is yet to listen */
} weft_listen_options;

/* Listens on the address (port 0: any free one, see weft_listener_address). `options` may be NULL;
 * `rt` NULL: the current one. 0 or -errno. Any thread. The caller closes the listener. */
WEFT_API WEFT_NODISCARD int weft_listen(weft_runtime *rt, weft_listener **ret,
                                        const weft_address        *address,
                                        const weft_listen_options *options);
WEFT_API int                weft_listener_address(const weft_listener *listener, weft_address *ret);
/* The file descriptor, still weft's: for socket options. */
WEFT_API int weft_listener_fd(const weft_listener *listener);
/* Stops listening; a pending accept ends with -ECANCELED. See "who closes" above. NULL is fine. The
 * file of a Unix socket stays. */
WEFT_API void weft_listener_close(weft_listener *listener);

/* Takes the next connection: 0 and *ret_stream, which is then the caller's. When the process is out
 * of file descriptors it waits and tries again. Connections that died before they were taken are
 * skipped. weft_stream_peer_address tells of the stream where it came from, also if it has been reset
 * by then. WITHDRAWS: a cancelled accept has taken no connection. */
WEFT_API weft_future *weft_accept(weft_io *io, weft_listener *listener, weft_stream **ret_stream);

/* Connects: 0 and *ret_stream, which is then the caller's. The address is borrowed until READY. When
 * the queue of a Unix listener is full, it waits for room. -ECONNREFUSED also where TCP has connected
 * the socket with itself, as can happen with a port from which connections go out. WITHDRAWS. */
WEFT_API weft_future *weft_connect(weft_io *io, weft_stream **ret_stream,
                                   const weft_address *address);

/* Reads at least one byte, at most `size`; 0 at the end of the stream (or if size is 0). */
WEFT_API weft_future *weft_read(weft_io *io, weft_stream *stream, void *buffer, size_t size);
/* Reads `size` bytes: size, or an error (-EPIPE: the stream ended before), with io->done bytes read. */
WEFT_API weft_future *weft_read_exact(weft_io *io, weft_stream *stream, void *buffer, size_t size);
/* Writes at least one byte, at most `size`. */
WEFT_API weft_future *weft_write(weft_io *io, weft_stream *stream, const void *buffer, size_t size);
/* Writes all: size, or an error, with io->done bytes written. */
WEFT_API weft_future *weft_write_all(weft_io *io, weft_stream *stream, const void *buffer,
                                     size_t size);
/* As weft_read and weft_write, at least one byte, over up to 1024 pieces; the array is borrowed until
 * READY. */
WEFT_API weft_future *weft_readv(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                 int n);
WEFT_API weft_future *weft_writev(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                  int n);

/* Read and write at once or not at all, on any thread: what weft_read and weft_write would answer if
 * they need not wait. -EAGAIN: they would. -EBUSY: an operation of that direction is under way; it comes
 * first. They cost nothing of a poll's budget: a loop over one must await something now and then. */
WEFT_API WEFT_NODISCARD int64_t weft_stream_try_read(weft_stream *stream, void *buffer,
                                                     size_t size);
WEFT_API WEFT_NODISCARD int64_t weft_stream_try_write(weft_stream *stream, const void *buffer,
                                                      size_t size);

/* As weft_read, and the bytes stay for the next read. Sockets only. */
WEFT_API weft_future *weft_peek(weft_io *io, weft_stream *stream, void *buffer, size_t size);

/* As weft_write, without copying the bytes into the kernel, and usually all of them: for 64 KiB and
 * more, to another machine. It DRAINS: READY when the kernel has let go of the buffer, that is when the
 * peer has acknowledged the bytes or the connection has failed. A cancelled one, or one whose stream is
 * closed, sends no more and answers what it has sent, or -ECANCELED. Where it can't be had (Unix sockets,
 * before Linux 6.0) it is weft_write. -ENOBUFS or -ENOMEM: the buffer is beyond RLIMIT_MEMLOCK. */
WEFT_API weft_future *weft_write_zero_copy(weft_io *io, weft_stream *stream, const void *buffer,
                                           size_t size);

/* recvmsg and sendmsg with these flags: their result. For control data: descriptors that are passed
 * over Unix sockets (received ones are O_CLOEXEC), timestamps. The message and all that it points to
 * are borrowed until READY. MSG_ZEROCOPY: -EINVAL. */
WEFT_API weft_future *weft_receive_message(weft_io *io, weft_stream *stream, struct msghdr *message,
                                           int flags);
WEFT_API weft_future *weft_send_message(weft_io *io, weft_stream *stream,
                                        const struct msghdr *message, int flags);

/* Ends the writing half (SHUT_WR), the reading half (SHUT_RD) or both, at once. A write that waits ends
 * with -EPIPE, a read with what is left or 0. 0 or -errno. */
WEFT_API int weft_stream_shutdown(weft_stream *stream, int how);
/* Closes the stream: see "who closes" above. Any thread; NULL is fine, and so is one that has been
 * closed. */
WEFT_API void weft_stream_close(weft_stream *stream);

/* Two handles for two tasks: one reads, the other writes (else -EBADF). Closing the writer sends the
 * end of the stream; the descriptor closes when both have been closed. The whole stream's handle stays
 * good: closing it closes what is left. 0 or -EBADF. */
WEFT_API WEFT_NODISCARD int weft_stream_split(weft_stream *stream, weft_stream **ret_reader,
                                              weft_stream **ret_writer);

/* Two streams that are connected with each other (Unix sockets). 0 or -errno. Any thread. */
WEFT_API WEFT_NODISCARD int weft_stream_pair(weft_runtime *rt, weft_stream **ret_a,
                                             weft_stream **ret_b);

/* Makes a stream of a descriptor: a connected stream socket, a pipe, a terminal or another
 * character device (/dev/null), a regular file; a listener of a socket that listens. So a
 * program's standard input and output become streams, whatever they are. On success weft owns the
 * descriptor; its number stays. Any thread.
 *
 * Other programs may share the open file behind a pipe or terminal, and O_NONBLOCK is a flag of
 * that. So the descriptor gets an open file of its own (by /proc/self/fd). Where that can't be
 * had, and for sockets and devices, the flag is set and taken away again when the stream is
 * closed or released; until then every duplicate is non-blocking. A program that is killed
 * meanwhile leaves it so.
 *
 * A regular file is read and written at its position by the worker itself, up to 128 KiB at once;
 * for files on a slow disk see weft_file_read.
 *
 * On failure the descriptor is the caller's and as it was:
 * -EINVAL: it is none of these, for example a directory.
 * -ENOTCONN: the socket is not connected. */
WEFT_API WEFT_NODISCARD int weft_stream_adopt(weft_runtime *rt, weft_stream **ret, int fd);
WEFT_API WEFT_NODISCARD int weft_listener_adopt(weft_runtime *rt, weft_listener **ret, int fd);
/* The other way: ends with the descriptor, which is the caller's then, and non-blocking unless it
 * was adopted as a blocking one; the handle is closed. -EBUSY, and nothing has changed, if an
 * operation or a call is under way; -EBADF if it is closed, also one half. WITHDRAWS: a cancelled
 * release has changed nothing. */
WEFT_API weft_future *weft_stream_release(weft_io *io, weft_stream *stream);
WEFT_API weft_future *weft_listener_release(weft_io *io, weft_listener *listener);

/* ---- what can be set and asked, at once: 0 or -errno; any thread ---- */

/* TCP_NODELAY: with `on`, small writes are sent at once and not collected. */
WEFT_API int weft_stream_set_no_delay(weft_stream *stream, bool on);

/* How a connection that is silent is found dead. Durations are rounded up to seconds; 0: the system's
 * value, also if another was set before. At most 32,767 seconds and 127 probes. */
typedef struct weft_keep_alive {
    int64_t idle;     /* silence before the first probe */
    int64_t interval; /* between two */
    int     count;    /* unanswered ones that end the connection */
} weft_keep_alive;

/* NULL turns it off. -EINVAL: a value is out of range, and nothing has changed. */
WEFT_API int weft_stream_set_keep_alive(weft_stream *stream, const weft_keep_alive *keep);
/* Closing sends a reset, and drops what has not been sent yet (SO_LINGER of 0). There is no linger that
 * waits: it would block the thread that closes. To know that all has arrived, shut down SHUT_WR and
 * read until 0. */
WEFT_API int weft_stream_set_reset(weft_stream *stream, bool on);
/* SO_RCVBUF and SO_SNDBUF, in bytes; 0: leave as it is; -EINVAL: below 0. The kernel keeps within its limits, and
 * doubles what it is told for its own needs: weft_stream_buffers tells what came of it. */
WEFT_API int weft_stream_set_buffers(weft_stream *stream, int receive, int send);
WEFT_API int weft_stream_buffers(const weft_stream *stream, int *ret_receive, int *ret_send);

/* The address of the other side of the connection. That of an IP stream is known also when the
 * connection has ended. */
WEFT_API int weft_stream_peer_address(const weft_stream *stream, weft_address *ret);
/* The address of this side of the connection. */
WEFT_API int weft_stream_local_address(const weft_stream *stream, weft_address *ret);
/* A read that got less than it asked for has emptied the socket, so the next one waits for the next event
 * before it tries: one system call less for each message. That isn't so where the peer sends urgent data
 * (MSG_OOB), or with kernel TLS. With `on`, reads always try first. 0. Before the first read. */
WEFT_API int weft_stream_set_eager(weft_stream *stream, bool on);
/* The file descriptor, still weft's: for socket options. See weft_stream_set_eager.
 * Not for a linger of more than 0, which would have weft's threads wait when closing. */
WEFT_API int weft_stream_fd(const weft_stream *stream);

WEFT_END_DECLS

#endif
