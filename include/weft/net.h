/*
 * net.h - TCP: addresses, listeners, streams
 *
 * An operation is a future in a weft_io of the caller's, which may be used again once READY. Results
 * are counts of bytes, or 0, or -errno; buffers are borrowed until READY. Operations on sockets
 * WITHDRAW: cancelling one leaves no byte half-taken, and nothing with the kernel.
 *
 * One operation may read from a stream and one may write to it at a time, by any tasks (more get -EBUSY).
 *
 * Who closes: the task that uses the stream or listener, once; or another, when every task that uses it
 * has ended, or waits in an operation and will make no further call on it. Operations that wait end
 * with -ECANCELED. To stop a loop from outside, cancel its task: the loop then closes.
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
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

/* An IPv4 or IPv6 address with a port. */
typedef struct weft_address {
    union {
        struct sockaddr     any;
        struct sockaddr_in  v4;
        struct sockaddr_in6 v6;
    } u;
} weft_address;

/* Room for the text of any address: "[v6%scope]:65535". */
#define WEFT_ADDRESS_TEXT 80

/* Reads "127.0.0.1:80", "[::1]:80", or "127.0.0.1" and "::1" with the given port. 0, or -EINVAL. */
WEFT_API WEFT_NODISCARD int weft_address_parse(weft_address *ret, const char *text, uint16_t port);
/* Writes "127.0.0.1:80" or "[::1]:80" into `text` (WEFT_ADDRESS_TEXT bytes) and returns it. */
WEFT_API const char *weft_address_format(const weft_address *address, char *text);
WEFT_API uint16_t    weft_address_port(const weft_address *address);

typedef struct weft_listen_options {
    int  backlog;       /* 0: 1024 */
    bool reuse_port;    /* several listeners share the port */
    bool no_reuse_addr; /* SO_REUSEADDR is set unless this is */
    bool v6_only;
    bool no_delay; /* TCP_NODELAY on every accepted stream */
} weft_listen_options;

/* Listens on the address (port 0: any free one, see weft_listener_address). `options` may be NULL;
 * `rt` NULL: the current one. 0 or -errno. Any thread. The caller closes the listener. */
WEFT_API WEFT_NODISCARD int weft_listen(weft_runtime *rt, weft_listener **ret,
                                        const weft_address        *address,
                                        const weft_listen_options *options);
WEFT_API int                weft_listener_address(const weft_listener *listener, weft_address *ret);
/* Stops listening; a pending accept ends with -ECANCELED. See "who closes" above. NULL is fine. */
WEFT_API void weft_listener_close(weft_listener *listener);

/* Takes the next connection: 0 and *ret_stream, which is then the caller's. When the process is out
 * of file descriptors it waits and tries again. Connections that died before they were taken are
 * skipped. WITHDRAWS: a cancelled accept has taken no connection. */
WEFT_API weft_future *weft_accept(weft_io *io, weft_listener *listener, weft_stream **ret_stream);

/* Connects: 0 and *ret_stream, which is then the caller's. The address is borrowed until READY.
 * WITHDRAWS. */
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

/* Ends the writing half (SHUT_WR), the reading half (SHUT_RD) or both, at once. 0 or -errno. */
WEFT_API int weft_stream_shutdown(weft_stream *stream, int how);
/* Closes the stream: pending operations end with -ECANCELED, the socket closes once the last of them
 * has. See "who closes" above. Any thread; NULL is fine. */
WEFT_API void weft_stream_close(weft_stream *stream);

WEFT_API int weft_stream_set_no_delay(weft_stream *stream, bool on);
WEFT_API int weft_stream_peer_address(const weft_stream *stream, weft_address *ret);
WEFT_API int weft_stream_local_address(const weft_stream *stream, weft_address *ret);
/* The file descriptor, still weft's: for socket options. Not for those that make a read return less
 * than the socket has (kernel TLS): a read that got less than it asked for waits for the next event. */
WEFT_API int weft_stream_fd(const weft_stream *stream);

WEFT_END_DECLS

#endif
