/*
 * operation.h - every operation is a row in one table
 *
 * Purpose     What each operation is called, how it is tried or handed to the kernel, and what is
 *             left to do when it has ended. Where there is no ring the same entries are run by
 *             threads.
 * Threads     A weft_io belongs to the task that awaits it; while the reactor has it, `lock_`
 *             guards phase_, answer_ and waker_.
 * Invariants  O1 socket operations (side IN or OUT) try first, then wait: socket.h. O2 kernel
 *             operations lend memory to the kernel: phase_ says who has the weft_io, and DONE is
 *             set only when neither the ring nor the inbox has it any more; while the ring has it,
 *             answer_ is its slot in held.h. O3 an operation at a file's position has its turn
 *             (position.h) from when it is given to the ring until the ring has let go of it.
 * Ordering    lock_; [inbox-1].
 * Failure     -ENXIO where there is no runtime.
 */
#ifndef WF_OPERATION_H
#define WF_OPERATION_H

#include "reactor.h"
#include "socket.h"

#include <weft/file.h>

/* What an attempt answers when it has moved some bytes and wants to be called again, and what the
 * end of a kernel operation answers when it wants to be submitted again. */
#define WF_IO_MORE INT64_MIN

/* The arguments of an operation: what is in args_, as the operation's own struct. Its constructor
 * assigns the whole struct. */
#define WF_ARGS(io, type)                                                                          \
    ((void)sizeof(char[sizeof(type) <= sizeof(io)->args_ ? 1 : -1]), (type *)(uintptr_t)(io)->args_)

WEFT_STATIC_ASSERT_(offsetof(weft_io, args_) % sizeof(void *) == 0, "arguments are aligned");

typedef struct wf_operation {
    weft_future_ops future; /* first: the row of a weft_io is its ops */
    unsigned        side;   /* WF_SIDE_... */
    /* Acquires what the first attempt needs: 0 or -errno. */
    int (*begin)(weft_io *io, weft_context *cx);
    /* Sockets: the system call, without blocking; -EAGAIN: wait. */
    int64_t (*attempt)(weft_io *io, wf_socket *s);
    /* Sockets: the operation waits now. */
    void (*waits)(weft_io *io, wf_socket *s, weft_context *cx);
    /* Kernel: what need not wait is done by the caller itself, before `begin`. WF_IO_MORE: the ring
     * must. Or NULL. */
    int64_t (*at_once)(const weft_io *io, weft_context *cx);
    /* Kernel: the submission entry. */
    void (*prepare)(const weft_io *io, struct io_uring_sqe *sqe);
    /* Kernel: the WF_RING_... it takes (-EOPNOTSUPP without), and what does without the ring, or
     * NULL. */
    uint32_t needs;
    int64_t (*plain)(const weft_io *io);
    /* Kernel: whether it may keep a thread of the kernel's for as long as another program likes. Or
     * NULL. */
    bool (*waits_long)(const weft_io *io);
    /* Kernel: the arguments begin with a wf_place, which says whether it takes turns. */
    bool takes_turns;
    /* The result is known; returns what the future answers. A cancelled one takes grants back. */
    int64_t (*end)(weft_io *io, int64_t result, bool cancelled);
} wf_operation;

enum {
    WF_OP_READ,
    WF_OP_READ_EXACT,
    WF_OP_READV,
    WF_OP_PEEK,
    WF_OP_WRITE,
    WF_OP_WRITE_ALL,
    WF_OP_WRITEV,
    WF_OP_WRITE_ZERO_COPY,
    WF_OP_RECEIVE_MESSAGE,
    WF_OP_SEND_MESSAGE,
    WF_OP_RECEIVE_FROM,
    WF_OP_SEND_TO,
    WF_OP_RECEIVE_BATCH,
    WF_OP_SEND_BATCH,
    WF_OP_RELEASE,
    WF_OP_ACCEPT,
    WF_OP_CONNECT,
    WF_OP_FILE_OPEN,
    WF_OP_FILE_CLOSE,
    WF_OP_FILE_READ,
    WF_OP_FILE_READ_EXACT,
    WF_OP_FILE_READV,
    WF_OP_FILE_WRITE,
    WF_OP_FILE_WRITE_ALL,
    WF_OP_FILE_WRITEV,
    WF_OP_SPLICE,
    WF_OP_SEND_FILE,
    WF_OP_FILE_SYNC,
    WF_OP_FILE_SYNC_DATA,
    WF_OP_FILE_ALLOCATE,
    WF_OP_FILE_TRUNCATE,
    WF_OP_PATH_STAT,
    WF_OP_PATH_UNLINK,
    WF_OP_PATH_RENAME,
    WF_OP_PATH_MAKE_DIR,
    WF_OP_PATH_LINK,
    WF_OP_PATH_SYMLINK,
    WF_OP_FD_READY,
    WF_OP_COUNT,
};

extern const wf_operation wf_operations[WF_OP_COUNT];

/* Makes an unpolled operation of the caller's weft_io, whose arguments are set apart. */
weft_future *wf_io_init(weft_io *io, int op, void *target);

static inline const wf_operation *wf_io_row(const weft_io *io)
{
    return (const wf_operation *)(const void *)io->future.ops;
}

/* The poll and cancel functions of the two kinds of rows: see socket_operation.c,
 * kernel_operation.c. */
weft_poll wf_socket_operation_poll(weft_future *future, weft_context *cx);
void      wf_socket_operation_cancel(weft_future *future);
weft_poll wf_kernel_operation_poll(weft_future *future, weft_context *cx);
void      wf_kernel_operation_cancel(weft_future *future);

/* Rows of the table that live with their kind. */
int64_t wf_stream_read(weft_io *io, wf_socket *s);
int64_t wf_stream_read_exact(weft_io *io, wf_socket *s);
int64_t wf_stream_readv(weft_io *io, wf_socket *s);
int64_t wf_stream_peek(weft_io *io, wf_socket *s);
int64_t wf_stream_write(weft_io *io, wf_socket *s);
int64_t wf_stream_write_all(weft_io *io, wf_socket *s);
int64_t wf_stream_writev(weft_io *io, wf_socket *s);
int     wf_zero_copy_begin(weft_io *io, weft_context *cx);
void    wf_zero_copy_prepare(const weft_io *io, struct io_uring_sqe *sqe);
int64_t wf_zero_copy_end(weft_io *io, int64_t result, bool cancelled);
int64_t wf_message_receive(weft_io *io, wf_socket *s);
int64_t wf_message_send(weft_io *io, wf_socket *s);
int64_t wf_datagram_receive(weft_io *io, wf_socket *s);
int64_t wf_datagram_send(weft_io *io, wf_socket *s);
int64_t wf_datagram_receive_batch(weft_io *io, wf_socket *s);
int64_t wf_datagram_send_batch(weft_io *io, wf_socket *s);
int64_t wf_release_attempt(weft_io *io, wf_socket *s);
int64_t wf_release_end(weft_io *io, int64_t result, bool cancelled);
int     wf_connect_begin(weft_io *io, weft_context *cx);
int64_t wf_connect_attempt(weft_io *io, wf_socket *s);
int64_t wf_connect_end(weft_io *io, int64_t result, bool cancelled);
int64_t wf_accept_attempt(weft_io *io, wf_socket *s);
int64_t wf_send_file_attempt(weft_io *io, wf_socket *s);
int     wf_file_begin_open(weft_io *io, weft_context *cx);
bool    wf_file_open_waits(const weft_io *io);
int     wf_file_begin_transfer(weft_io *io, weft_context *cx);
void    wf_file_prepare_open(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_close(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_read(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_readv(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_write(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_writev(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_splice(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_sync(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_allocate(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_file_prepare_truncate(const weft_io *io, struct io_uring_sqe *sqe);
int64_t wf_file_end_open(weft_io *io, int64_t result, bool cancelled);
int64_t wf_file_end_read(weft_io *io, int64_t result, bool cancelled);
int64_t wf_file_end_read_exact(weft_io *io, int64_t result, bool cancelled);
int64_t wf_file_end_readv(weft_io *io, int64_t result, bool cancelled);
int64_t wf_file_end_write_all(weft_io *io, int64_t result, bool cancelled);
int64_t wf_file_plain_close(const weft_io *io);
int64_t wf_file_read_cached(const weft_io *io, weft_context *cx);
int64_t wf_file_readv_nothing(const weft_io *io, weft_context *cx);
int64_t wf_file_plain_truncate(const weft_io *io);
void    wf_path_prepare_stat(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_path_prepare_unlink(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_path_prepare_rename(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_path_prepare_make_dir(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_path_prepare_link(const weft_io *io, struct io_uring_sqe *sqe);
void    wf_path_prepare_symlink(const weft_io *io, struct io_uring_sqe *sqe);
int64_t wf_path_end_stat(weft_io *io, int64_t result, bool cancelled);
void    wf_ready_prepare(const weft_io *io, struct io_uring_sqe *sqe);
int64_t wf_ready_end(weft_io *io, int64_t result, bool cancelled);

/* The reactor's thread: the kernel's answer, with the flags of its completion. */
void wf_io_completed(wf_reactor_token token, weft_io *io, int32_t result, uint32_t flags);
/* The ring was lost, and the kernel has done nothing for the operation, nor will it. */
void wf_io_unseen(wf_reactor_token token, weft_io *io);
/* A cancel has met the operation while a thread of the kernel's was busy with it: if it is still
 * there it is cancelled once more. */
void wf_io_cancel_again(wf_reactor_token token, weft_io *io);
/* The ring was lost while the kernel had it: what it has done cannot be learned any more. */
void wf_io_lost(wf_reactor_token token, weft_io *io);

#endif
