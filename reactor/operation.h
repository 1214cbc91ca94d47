/*
 * operation.h - what all operations on a weft_io share
 *
 * Purpose     How an operation sees its arguments; all operations. There are two types of them:
 *             wf_socket_op and wf_kernel_op.
 * Threads     A weft_io belongs to the task that awaits it. While the reactor has it, `lock_`
 *             guards phase_, answer_ and waker_.
 * Invariants  O1 an operation is a const row beside the functions that it names. The row begins
 *             with the ops of its futures, so a weft_io leads to its row.
 * Ordering    lock_; [inbox-1].
 * Failure     -ENXIO where there is no runtime.
 */
#ifndef WF_OPERATION_H
#define WF_OPERATION_H

#include <stddef.h>
#include <weft/net.h>

/* What an attempt answers when it has moved some bytes and wants to be called again, and what the
 * end of a kernel operation answers when it wants to be submitted again. */
#define WF_IO_MORE INT64_MIN

/* The arguments of an operation: what is in args_, as the operation's own struct. Its constructor
 * assigns the whole struct. */
#define WF_ARGS(io, type)                                                                          \
    ((void)sizeof(char[sizeof(type) <= sizeof(io)->args_ ? 1 : -1]), (type *)(uintptr_t)(io)->args_)

WEFT_STATIC_ASSERT_(offsetof(weft_io, args_) % sizeof(void *) == 0, "arguments are aligned");

/* The rows of all operations, then NULL. One that WITHDRAWS is a wf_socket_op, one that DRAINS a
 * wf_kernel_op. */
extern const weft_future_ops *const wf_operations[];

/* Makes an unpolled operation of the caller's weft_io, whose arguments are set apart. */
static inline weft_future *wf_io_init(weft_io *io, const weft_future_ops *row, void *target)
{
    weft_future_init(&io->future, row);
    io->done = 0;
    io->waker_ = (weft_waker){0};
    io->target_ = target;
    io->answer_ = 0;
    io->lock_ = io->phase_ = 0;
    return &io->future;
}

#endif
