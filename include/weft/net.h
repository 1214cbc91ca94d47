/*
 * net.h - streams: addresses, listeners, connections by TCP and Unix sockets
 *
 * An operation is a future in a weft_io of the caller's. The weft_io may be used again once it is
 * READY. A result is a count of bytes, or 0, or -errno. Where a comment names no error for a
 * failure, it is that of the system call. Buffers and everything else that is passed by pointer are
 * borrowed until READY. Any thread may call any of these functions, unless its comment says
 * otherwise.
 *
 * Operations on sockets WITHDRAW, except weft_write_zero_copy. A cancelled one answers -ECANCELED
 * at the next poll. It loses no byte and no connection, and the kernel keeps nothing of it.
 *
 * One operation may read from a stream at a time, and one may write to it. Any task may begin them.
 * A second one in the same direction answers -EBUSY.
 *
 * Any thread may close a stream or a listener, at any time. Operations under way end with
 * -ECANCELED. The descriptor closes when the last of them has ended. After the close they make no
 * further system call: no byte is read or sent, and no connection is taken. io->done says how many
 * bytes a write_all had moved by then. Only a system call that another thread is making at that
 * very moment still counts.
 *
 * A weft_stream * is not an address but a handle with a generation. A call or an operation that
 * begins after the close answers -EBADF, also when the memory or the descriptor already serves
 * another connection. Closing a second time does nothing. This holds until the runtime stops, or
 * until 4 million other connections have come and gone. NULL is not a handle. Only the close
 * functions accept it.
 *
 * After a fork the streams and listeners of the parent belong to the parent. In the child every
 * call and every operation on them answers -ECHILD and changes nothing. So does an operation that
 * the parent had begun. Closing in the child closes the child's copy of the descriptor, and the
 * parent does not notice.
 *
 * No call and no operation blocks its worker, whatever other processes do with a descriptor that
 * they share. weft does not rely on the O_NONBLOCK flag for this. A terminal, and a FIFO that was
 * opened by its name, are the exceptions: the kernel has no other way there, so weft sets the flag
 * again before each call.
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

/* One operation on a stream, a listener, a datagram socket or a file. `future` is what the caller
 * awaits. `done` is how many bytes weft_write_all, weft_read_exact and the like have moved so far.
 * For a received datagram it is the datagram's length. The other fields are weft's. */
typedef struct weft_io {
    weft_future   future;
    size_t        done;
    weft_waker    waker_;
    void         *link_[2];  /* on its way to the reactor */
    void         *target_;   /* a stream or the like, or the reactor */
    unsigned char args_[40]; /* the operation's arguments: a struct of its own */
    int64_t       answer_;
    uint32_t      lock_;
    uint32_t      phase_;
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

/* The size of a buffer that holds the text of any address, for example a Unix path or
 * "[v6%scope]:65535". */
#define WEFT_ADDRESS_TEXT 112

/*
 * Reads an IPv4 or IPv6 address from text, with a port or without. The forms are "127.0.0.1:80" and
 * "[::1]:80", or "127.0.0.1" and "::1", which get the port `port`. The scope of "fe80::1%eth0" is
 * the name or the number of an existing interface.
 *
 * Returns: 0, and the address in *ret_address.
 * Errors:  -EINVAL, the text is not an address.
 */
WEFT_API WEFT_NODISCARD int weft_address_parse(const char *text, uint16_t port,
                                               weft_address *ret_address);

/*
 * Makes the Unix address of a path or of an abstract name. "@name" is an abstract name. "" is the
 * unnamed address: binding to it takes a free abstract name.
 *
 * Returns: 0, and the address in *ret_address.
 * Errors:  -EINVAL, the path is too long.
 */
WEFT_API WEFT_NODISCARD int weft_address_unix(const char *path, weft_address *ret_address);

/*
 * Writes the address as text. The forms are "127.0.0.1:80", "[::1]:80", "/path", "@name" and
 * "(unnamed)". `text` has room for WEFT_ADDRESS_TEXT bytes. A scope whose interface no longer
 * exists is written as its number.
 *
 * Returns: `text`.
 */
WEFT_API const char *weft_address_format(const weft_address *address, char *text);

/* Returns the port of an IPv4 or IPv6 address, and 0 for a Unix address. */
WEFT_API uint16_t weft_address_port(const weft_address *address);

/*
 * Changes the port of an IPv4 or IPv6 address.
 *
 * Returns: 0.
 * Errors:  -EINVAL, the address is of another kind and has no port.
 */
WEFT_API WEFT_NODISCARD int weft_address_set_port(weft_address *address, uint16_t port);

/* How weft_listen sets up the socket. All bytes zero is the usual choice. `replace_stale` is for
 * Unix addresses: it removes a socket file to which no socket is bound any more. A socket that is
 * bound but does not listen yet keeps its file. */
typedef struct weft_listen_options {
    int  backlog;       /* 0: 1024 */
    bool reuse_port;    /* several listeners share the port */
    bool no_reuse_addr; /* SO_REUSEADDR is set unless this is */
    bool v6_only;       /* an IPv6 listener takes no IPv4 connections */
    bool no_delay;      /* TCP_NODELAY on every accepted stream */
    bool replace_stale; /* removes the file of a Unix socket that is gone */
} weft_listen_options;

/*
 * Makes a listener that listens on the address. Port 0 takes any free port, which
 * weft_listener_address returns. `options` may be NULL. `rt` may be NULL for the current runtime.
 * The caller owns the listener and closes it with weft_listener_close.
 *
 * Returns: 0, and the listener in *ret_listener.
 * Errors:  -ENXIO, `rt` is NULL and there is no current runtime. -ENOMEM, there is no memory.
 *          Others as socket(2), bind(2) and listen(2) give them.
 */
WEFT_API WEFT_NODISCARD int weft_listen(weft_runtime *rt, const weft_address *address,
                                        const weft_listen_options *options,
                                        weft_listener            **ret_listener);

/*
 * Returns the address on which the listener listens.
 *
 * Returns: 0, and the address in *ret_address.
 * Errors:  -EBADF, the listener is closed.
 */
WEFT_API int weft_listener_address(const weft_listener *listener, weft_address *ret_address);

/*
 * Returns the file descriptor of the listener, to set socket options. weft still owns the
 * descriptor.
 *
 * Returns: the descriptor.
 * Errors:  -EBADF, the listener is closed.
 */
WEFT_API WEFT_NODISCARD int weft_listener_fd(const weft_listener *listener);

/* Closes the listener. A pending accept ends with -ECANCELED. NULL is allowed, and so is a listener
 * that has been closed before. The file of a Unix socket is not removed. */
WEFT_API void weft_listener_close(weft_listener *listener);

/*
 * Waits for the next connection and makes a stream of it. The caller owns the stream. While the
 * process is out of file descriptors or memory, the accept waits and tries again. A connection that
 * died before it was taken is skipped. weft_stream_peer_address knows where the connection came
 * from, also if the peer has reset it by then.
 *
 * Returns: 0, and the stream in *ret_stream.
 * Errors:  -EBUSY, another accept is under way. -EBADF, the listener is closed. -ECANCELED, the
 *          listener was closed meanwhile. -ENOMEM, there is no memory for the stream.
 * Cancel:  WITHDRAWS; no connection is taken then.
 */
WEFT_API weft_future *weft_accept(weft_io *io, weft_listener *listener, weft_stream **ret_stream);

/*
 * Connects to the address and makes a stream of the connection. The caller owns the stream. The
 * address is borrowed until READY. While the queue of a Unix listener is full, the connect waits.
 *
 * Returns: 0, and the stream in *ret_stream.
 * Errors:  -ECONNREFUSED, nothing listens at the address. This is also the answer where TCP has
 *          connected the socket with itself, as can happen with a port from which connections go
 *          out. -ENXIO, the executor that polls has no runtime. Others as socket(2) and connect(2)
 *          give them.
 * Cancel:  WITHDRAWS; the socket is closed then.
 */
WEFT_API weft_future *weft_connect(weft_io *io, const weft_address *address,
                                   weft_stream **ret_stream);

/*
 * Reads at least one byte from the stream, and at most `size`. The buffer is borrowed until READY.
 *
 * Returns: how many bytes were read. 0, at the end of the stream or if `size` is 0.
 * Errors:  -EBUSY, another operation reads from the stream. -EBADF, the stream is closed.
 *          -ECANCELED, the stream was closed meanwhile.
 * Cancel:  WITHDRAWS; nothing is read then.
 */
WEFT_API weft_future *weft_read(weft_io *io, weft_stream *stream, void *buffer, size_t size);

/*
 * Reads exactly `size` bytes from the stream. The buffer is borrowed until READY. After an error or
 * a cancel io->done bytes are in the buffer.
 *
 * Returns: `size`.
 * Errors:  WEFT_EOF, the stream ended before. -EBUSY, another operation reads from the stream.
 *          -EBADF, the stream is closed. -ECANCELED, the stream was closed meanwhile.
 * Cancel:  WITHDRAWS; io->done bytes are read then.
 */
WEFT_API weft_future *weft_read_exact(weft_io *io, weft_stream *stream, void *buffer, size_t size);

/*
 * Writes at least one byte to the stream, and at most `size`. The buffer is borrowed until READY.
 * The write raises no SIGPIPE.
 *
 * Returns: how many bytes were written.
 * Errors:  -EPIPE, the other side reads no more. -EBUSY, another operation writes to the stream.
 *          -EBADF, the stream is closed. -ECANCELED, the stream was closed meanwhile.
 * Cancel:  WITHDRAWS; nothing is written then.
 */
WEFT_API weft_future *weft_write(weft_io *io, weft_stream *stream, const void *buffer, size_t size);

/*
 * Writes all `size` bytes to the stream. The buffer is borrowed until READY. The write raises no
 * SIGPIPE. After an error or a cancel io->done bytes are written.
 *
 * Returns: `size`.
 * Errors:  -EPIPE, the other side reads no more. -EBUSY, another operation writes to the stream.
 *          -EBADF, the stream is closed. -ECANCELED, the stream was closed meanwhile.
 * Cancel:  WITHDRAWS; io->done bytes are written then.
 */
WEFT_API weft_future *weft_write_all(weft_io *io, weft_stream *stream, const void *buffer,
                                     size_t size);

/*
 * Reads at least one byte from the stream into up to 1024 pieces of memory. The array and the
 * pieces are borrowed until READY.
 *
 * Returns: how many bytes were read. 0, at the end of the stream or if all pieces are empty.
 * Errors:  -EINVAL, there are more than 1024 pieces. -EBUSY, another operation reads from the
 *          stream. -EBADF, the stream is closed. -ECANCELED, the stream was closed meanwhile.
 * Cancel:  WITHDRAWS; nothing is read then.
 */
WEFT_API weft_future *weft_readv(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                 int n);

/*
 * Writes at least one byte to the stream, from up to 1024 pieces of memory. The array and the
 * pieces are borrowed until READY. The write raises no SIGPIPE.
 *
 * Returns: how many bytes were written.
 * Errors:  -EINVAL, there are more than 1024 pieces. -EPIPE, the other side reads no more. -EBUSY,
 *          another operation writes to the stream. -EBADF, the stream is closed. -ECANCELED, the
 *          stream was closed meanwhile.
 * Cancel:  WITHDRAWS; nothing is written then.
 */
WEFT_API weft_future *weft_writev(weft_io *io, weft_stream *stream, const struct iovec *vector,
                                  int n);

/*
 * Reads what the stream has now, at most `size` bytes, without waiting. It takes nothing from a
 * poll's budget, so a loop over it must await something now and then.
 *
 * Returns: how many bytes were read. 0, at the end of the stream or if `size` is 0.
 * Errors:  -EAGAIN, weft_read would have to wait. -EBUSY, another operation reads from the stream.
 *          That operation comes first. -EBADF, the stream is closed.
 */
WEFT_API WEFT_NODISCARD int64_t weft_stream_try_read(weft_stream *stream, void *buffer,
                                                     size_t size);

/*
 * Writes what the stream has room for now, at most `size` bytes, without waiting. It takes nothing
 * from a poll's budget, so a loop over it must await something now and then. The write raises no
 * SIGPIPE.
 *
 * Returns: how many bytes were written.
 * Errors:  -EAGAIN, weft_write would have to wait. -EBUSY, another operation writes to the stream.
 *          That operation comes first. -EPIPE, the other side reads no more. -EBADF, the stream is
 *          closed.
 */
WEFT_API WEFT_NODISCARD int64_t weft_stream_try_write(weft_stream *stream, const void *buffer,
                                                      size_t size);

/*
 * Reads at least one byte from a socket, and leaves the bytes for the next read. The buffer is
 * borrowed until READY. Only sockets can do it.
 *
 * Returns: how many bytes were read, at most `size`. 0, at the end of the stream or if `size` is 0.
 * Errors:  -ENOTSOCK, the stream is not a socket. -EBUSY, another operation reads from the stream.
 *          -EBADF, the stream is closed. -ECANCELED, the stream was closed meanwhile.
 * Cancel:  WITHDRAWS.
 */
WEFT_API weft_future *weft_peek(weft_io *io, weft_stream *stream, void *buffer, size_t size);

/*
 * Writes to the stream without copying the bytes into the kernel, and usually all of them. It pays
 * for 64 KiB and more, to another machine. The buffer is borrowed until READY. READY comes when the
 * kernel has let go of the buffer, which is when the peer has acknowledged the bytes or the
 * connection has failed. Where the kernel cannot do this, the function is weft_write. That is so
 * with Unix sockets, and before Linux 6.0.
 *
 * Returns: how many bytes were written, at most 1 GiB.
 * Errors:  -ENOBUFS or -ENOMEM, the buffer is larger than RLIMIT_MEMLOCK allows. -EPIPE, the other
 *          side reads no more. -EBUSY, another operation writes to the stream. -EBADF, the stream
 *          is closed.
 * Cancel:  DRAINS. A cancelled write sends no more and stays PENDING until the kernel has let go of
 *          the buffer. Its result is how many bytes it has sent, or -ECANCELED if it has sent none.
 *          A write whose stream is closed meanwhile ends in this way, too. A peer that reads
 *          nothing may never acknowledge the bytes: closing the stream after weft_stream_set_reset
 *          drops them, and ends the write.
 */
WEFT_API weft_future *weft_write_zero_copy(weft_io *io, weft_stream *stream, const void *buffer,
                                           size_t size);

/*
 * Receives with recvmsg(2) and its flags, to get control data. Control data are, for example,
 * timestamps and the descriptors that come over Unix sockets. Received descriptors are O_CLOEXEC.
 * The message and all that it points to are borrowed until READY.
 *
 * Returns: the result of recvmsg(2).
 * Errors:  -EBUSY, another operation reads from the stream. -EBADF, the stream is closed.
 *          -ECANCELED, the stream was closed meanwhile. Others as recvmsg(2) gives them.
 * Cancel:  WITHDRAWS; no byte and no descriptor is taken then.
 */
WEFT_API weft_future *weft_receive_message(weft_io *io, weft_stream *stream, struct msghdr *message,
                                           int flags);

/*
 * Sends with sendmsg(2) and its flags, to pass control data. Control data are, for example, the
 * descriptors that go over Unix sockets. The message and all that it points to are borrowed until
 * READY. The write raises no SIGPIPE.
 *
 * Returns: the result of sendmsg(2).
 * Errors:  -EINVAL, the flags have MSG_ZEROCOPY. -EBUSY, another operation writes to the stream.
 *          -EBADF, the stream is closed. -ECANCELED, the stream was closed meanwhile. Others as
 *          sendmsg(2) gives them.
 * Cancel:  WITHDRAWS; nothing is sent then.
 */
WEFT_API weft_future *weft_send_message(weft_io *io, weft_stream *stream,
                                        const struct msghdr *message, int flags);

/*
 * Shuts down the writing half (SHUT_WR), the reading half (SHUT_RD) or both (SHUT_RDWR). It does so
 * at once. A write that waits ends with -EPIPE. A read that waits ends with the bytes that are
 * left, or with 0.
 *
 * Returns: 0.
 * Errors:  -EBADF, the stream is closed. Others as shutdown(2) gives them.
 */
WEFT_API int weft_stream_shutdown(weft_stream *stream, int how);

/* Closes the stream. Operations under way end with -ECANCELED, and the descriptor closes when the
 * last of them has ended. NULL is allowed, and so is a stream that has been closed before. */
WEFT_API void weft_stream_close(weft_stream *stream);

/*
 * Makes two handles of a stream for two tasks, one that reads and one that writes. An operation in
 * the other direction answers -EBADF. Closing the writer sends the end of the stream. The
 * descriptor closes when both handles have been closed. The handle of the whole stream stays valid.
 * Closing that closes what is left.
 *
 * Returns: 0, and the handles in *ret_reader and *ret_writer.
 * Errors:  -EBADF, the stream is closed.
 */
WEFT_API WEFT_NODISCARD int weft_stream_split(weft_stream *stream, weft_stream **ret_reader,
                                              weft_stream **ret_writer);

/*
 * Makes two streams that are connected with each other by Unix sockets. `rt` may be NULL for the
 * current runtime. The caller owns both streams.
 *
 * Returns: 0, and the streams in *ret_a and *ret_b.
 * Errors:  -ENXIO, `rt` is NULL and there is no current runtime. -ENOMEM, there is no memory.
 *          Others as socketpair(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_stream_pair(weft_runtime *rt, weft_stream **ret_a,
                                             weft_stream **ret_b);

/*
 * Makes a stream of an existing descriptor. The descriptor may be a connected stream socket, a
 * pipe, a terminal or another character device (/dev/null), or a regular file. So a program's
 * standard input and output become streams, whatever they are. `rt` may be NULL for the current
 * runtime. On success weft owns the descriptor, and its number stays. On failure the caller still
 * owns it, unchanged.
 *
 * Other programs may share the open file of a pipe or a terminal, and O_NONBLOCK is a flag of the
 * open file. So weft gives the descriptor an open file of its own, by /proc/self/fd. Where that
 * fails, and for sockets and devices, weft sets the flag, and clears it when the stream is closed
 * or released. Until then every duplicate of the descriptor is non-blocking. A program that is
 * killed meanwhile leaves it so.
 *
 * The worker itself reads and writes a regular file, at the file's position, up to 128 KiB at once.
 * For files on a slow disk see weft_file_read.
 *
 * Returns: 0, and the stream in *ret_stream.
 * Errors:  -EINVAL, the descriptor is of another kind, for example a directory. -ENOTCONN, the
 *          socket is not connected. -EBADF, the descriptor is not open. -ENXIO, `rt` is NULL and
 *          there is no current runtime. -ENOMEM, there is no memory.
 */
WEFT_API WEFT_NODISCARD int weft_stream_adopt(weft_runtime *rt, int fd, weft_stream **ret_stream);

/*
 * Makes a listener of an existing stream socket that listens. `rt` may be NULL for the current
 * runtime. On success weft owns the descriptor, and its number stays. On failure the caller still
 * owns it, unchanged. weft sets O_NONBLOCK, and clears it when the listener is closed or released.
 * Until then every duplicate of the descriptor is non-blocking. A program that is killed meanwhile
 * leaves it so.
 *
 * Returns: 0, and the listener in *ret_listener.
 * Errors:  -EINVAL, the descriptor is not a stream socket that listens. -EBADF, the descriptor is
 *          not open. -ENXIO, `rt` is NULL and there is no current runtime. -ENOMEM, there is no
 *          memory.
 */
WEFT_API WEFT_NODISCARD int weft_listener_adopt(weft_runtime *rt, int fd,
                                                weft_listener **ret_listener);

/*
 * Takes the descriptor out of a stream and closes the handle. The caller owns the descriptor then.
 * It is non-blocking, unless it was blocking when weft_stream_adopt took it.
 *
 * Returns: the descriptor.
 * Errors:  -EBUSY, an operation or a call on the stream is under way. Nothing has changed then.
 *          -EBADF, the stream or one of its halves is closed.
 * Cancel:  WITHDRAWS; nothing has changed then.
 */
WEFT_API weft_future *weft_stream_release(weft_io *io, weft_stream *stream);

/*
 * Takes the descriptor out of a listener and closes the handle. The caller owns the descriptor
 * then. It is non-blocking, unless it was blocking when weft_listener_adopt took it.
 *
 * Returns: the descriptor.
 * Errors:  -EBUSY, an operation or a call on the listener is under way. Nothing has changed then.
 *          -EBADF, the listener is closed.
 * Cancel:  WITHDRAWS; nothing has changed then.
 */
WEFT_API weft_future *weft_listener_release(weft_io *io, weft_listener *listener);

/* ---- options and addresses of a stream; these functions return at once ---- */

/*
 * Turns TCP_NODELAY on or off. With `on`, small writes are sent at once and not collected.
 *
 * Returns: 0.
 * Errors:  -EBADF, the stream is closed. Others as setsockopt(2) gives them.
 */
WEFT_API int weft_stream_set_no_delay(weft_stream *stream, bool on);

/* How the kernel finds out that the other side of a silent connection is gone. Durations are in
 * nanoseconds and are rounded up to seconds. 0 is the system's value, also if another value was set
 * before. The limits are 32,767 seconds and 127 probes. */
typedef struct weft_keep_alive {
    int64_t idle;     /* silence before the first probe */
    int64_t interval; /* between two probes */
    int     count;    /* unanswered probes that end the connection */
} weft_keep_alive;

/*
 * Turns TCP keep-alive on with these values. NULL turns it off.
 *
 * Returns: 0.
 * Errors:  -EINVAL, a value is out of range. Nothing has changed then. -EBADF, the stream is
 *          closed. Others as setsockopt(2) gives them.
 */
WEFT_API int weft_stream_set_keep_alive(weft_stream *stream, const weft_keep_alive *keep);

/*
 * Chooses whether closing the stream sends a reset (SO_LINGER of 0). With `on`, closing drops what
 * has not been sent yet. There is no linger that waits, because it would block the thread that
 * closes. To know that all data have arrived, shut down SHUT_WR and read until 0.
 *
 * Returns: 0.
 * Errors:  -EBADF, the stream is closed. Others as setsockopt(2) gives them.
 */
WEFT_API int weft_stream_set_reset(weft_stream *stream, bool on);

/*
 * Sets the sizes of the socket's buffers in bytes (SO_RCVBUF and SO_SNDBUF). 0 leaves a size as it
 * is. The kernel clamps the values to its limits, and doubles them for its own needs.
 * weft_stream_buffers returns the sizes in effect.
 *
 * Returns: 0.
 * Errors:  -EINVAL, a size is below 0. -EBADF, the stream is closed. Others as setsockopt(2) gives
 *          them.
 */
WEFT_API int weft_stream_set_buffers(weft_stream *stream, int receive, int send);

/*
 * Returns the sizes of the socket's buffers in bytes, as the kernel has set them.
 *
 * Returns: 0, and the sizes in *ret_receive and *ret_send.
 * Errors:  -EBADF, the stream is closed. Others as getsockopt(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_stream_buffers(const weft_stream *stream, int *ret_receive,
                                                int *ret_send);

/*
 * Returns the address of the other side of the connection. The address of an IP stream is known
 * also after the connection has ended.
 *
 * Returns: 0, and the address in *ret_address.
 * Errors:  -EBADF, the stream is closed. Others as getpeername(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_stream_peer_address(const weft_stream *stream,
                                                     weft_address      *ret_address);

/*
 * Returns the address of this side of the connection.
 *
 * Returns: 0, and the address in *ret_address.
 * Errors:  -EBADF, the stream is closed. Others as getsockname(2) gives them.
 */
WEFT_API WEFT_NODISCARD int weft_stream_local_address(const weft_stream *stream,
                                                      weft_address      *ret_address);

/*
 * Chooses whether every read tries at once, even if the last one has emptied the socket. Without
 * `on`, a read that got fewer bytes than it asked for has emptied the socket, and the next one
 * waits for the next event before it tries. That saves a system call for each message. It does not
 * work where the peer sends urgent data (MSG_OOB), or with kernel TLS. There, turn it on before the
 * first read.
 *
 * Returns: 0.
 * Errors:  -EBADF, the stream is closed.
 */
WEFT_API int weft_stream_set_eager(weft_stream *stream, bool on);

/*
 * Returns the file descriptor of the stream, to set socket options. weft still owns the descriptor.
 * Do not set a linger of more than 0, which would make weft's threads wait when they close. Some
 * options need weft_stream_set_eager.
 *
 * Returns: the descriptor.
 * Errors:  -EBADF, the stream is closed.
 */
WEFT_API WEFT_NODISCARD int weft_stream_fd(const weft_stream *stream);

WEFT_END_DECLS

#endif
