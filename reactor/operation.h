/*
 * operation.h - every operation is a row in one table
 *
 * Purpose     What each operation is called, how it is tried or handed to the kernel, and what is left
 *             to do when it has ended. A backend without a ring would add a column, not a table.
 * Threads     A weft_io belongs to whoever awaits it; while the reactor has it, `lock_` guards phase_,
 *             answer_ and waker_.
 * Invariants  O1 socket operations (side IN or OUT) try first, then wait: socket.h. O2 kernel
 *             operations lend memory to the kernel: phase_ says who has the weft_io, and DONE is set
 *             only when neither the ring nor the inbox has it any more.
 * Ordering    lock_; [inbox-1].
 * Failure     -ENXIO where there is no runtime.
 */
#ifndef WF_OPERATION_H
#define WF_OPERATION_H

#include "reactor.h"
#include "socket.h"

#include <weft/file.h>

enum { WF_SIDE_IN, WF_SIDE_OUT, WF_SIDE_KERNEL };

/* What an attempt answers when it has moved some bytes and wants to be called again. */
#define WF_IO_MORE INT64_MIN

typedef struct wf_operation {
    weft_future_ops future; /* first: the row of a weft_io is its ops */
    int             side;
    /* Sockets: acquires what the first attempt needs: 0 or -errno. */
    int (*begin)(weft_io *io, weft_context *cx);
    /* Sockets: the system call, without blocking; -EAGAIN: wait. */
    int64_t (*attempt)(weft_io *io, wf_socket *s);
    /* Sockets: the operation waits now. */
    void (*waits)(weft_io *io, wf_socket *s, weft_context *cx);
    /* Kernel: the submission entry. */
    void (*prepare)(const weft_io *io, struct io_uring_sqe *sqe);
    /* The result is known; returns what the future answers. A cancelled one takes grants back. */
    int64_t (*end)(weft_io *io, int64_t result, bool cancelled);
} wf_operation;

enum {
    WF_OP_READ,
    WF_OP_READ_EXACT,
    WF_OP_READV,
    WF_OP_WRITE,
    WF_OP_WRITE_ALL,
    WF_OP_WRITEV,
    WF_OP_ACCEPT,
    WF_OP_CONNECT,
    WF_OP_FILE_OPEN,
    WF_OP_FILE_READ,
    WF_OP_FILE_WRITE,
    WF_OP_FILE_CLOSE,
    WF_OP_FD_READY,
    WF_OP_COUNT,
};

extern const wf_operation wf_operations[WF_OP_COUNT];

/* Makes an unpolled operation of the caller's weft_io. */
weft_future *wf_io_init(weft_io *io, int op);

/* Rows of the table that live with their kind. */
int64_t wf_stream_read(weft_io *io, wf_socket *s);
int64_t wf_stream_read_exact(weft_io *io, wf_socket *s);
int64_t wf_stream_readv(weft_io *io, wf_socket *s);
int64_t wf_stream_write(weft_io *io, wf_socket *s);
int64_t wf_stream_write_all(weft_io *io, wf_socket *s);
int64_t wf_stream_writev(weft_io *io, wf_socket *s);
int     wf_connect_begin(weft_io *io, weft_context *cx);
int64_t wf_connect_attempt(weft_io *io, wf_socket *s);
int64_t wf_connect_end(weft_io *io, int64_t result, bool cancelled);
int64_t wf_accept_attempt(weft_io *io, wf_socket *s);
int64_t wf_accept_end(weft_io *io, int64_t result, bool cancelled);
void    wf_accept_waits(weft_io *io, wf_socket *s, weft_context *cx);
void    wf_file_prepare_open(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_read(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_write(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_close(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_ready(const weft_io *io, struct io_uring_sqe *sqe);
int64_t wf_file_end_read(weft_io *io, int64_t result, bool cancelled);
int64_t wf_file_end_open(weft_io *io, int64_t result, bool cancelled);

/* The reactor's thread: the kernel's answer. */
void wf_io_completed(wf_reactor_token token, weft_io *io, int32_t result);

#endif
