/*
 * operation.h - what all operations on a weft_io share
 *
 * Purpose     How an operation accesses its arguments, and the list of all operations. An operation
 *             is a wf_socket_op or a wf_kernel_op.
 * Threads     A weft_io belongs to the task that awaits it. While the reactor has it, `lock_`
 *             guards phase_, answer_ and waker_.
 * Invariants  O1 an operation is a constant row of function pointers. The row begins with the ops
 *             of its futures, so a weft_io leads to its row.
 * Ordering    lock_; [inbox-1].
 * Failure     -ENXIO where there is no runtime.
 */
#ifndef WF_OPERATION_H
#define WF_OPERATION_H

#include "invariant.h"

#include <stddef.h>
#include <weft/net.h>

/* Returned by an attempt that has moved some bytes and is to be called again, and by the end of a
 * kernel operation that is to be submitted again. */
#define WF_IO_MORE INT64_MIN

/* Accesses args_ as the operation's own struct. Fails to compile if the struct does not fit. The
 * constructor of the operation assigns the whole struct. */
#define WF_ARGS(io, type)                                                                          \
    ((void)sizeof(char[sizeof(type) <= sizeof(io)->args_ ? 1 : -1]), (type *)(uintptr_t)(io)->args_)

WEFT_STATIC_ASSERT_(offsetof(weft_io, args_) % sizeof(void *) == 0, "arguments are aligned");

/* The rows of all operations, then NULL. An operation that WITHDRAWS is a wf_socket_op, and one
 * that DRAINS is a wf_kernel_op. */
extern const weft_future_ops *const wf_operations[];

/* Initializes a weft_io as an unpolled operation. The constructor sets the arguments itself. */
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
