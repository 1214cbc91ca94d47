/*
 * kernel_operation.h - operations that the kernel runs: hand over, then drain
 *
 * Purpose     The type of their rows. Where there is no ring, threads run the same entries.
 * Threads     Functions with a token: the reactor's. The others: the owner of the weft_io.
 * Invariants  O3 an operation lends memory to the kernel. phase_ says which side has the weft_io.
 *             It becomes DONE only when neither the ring nor the inbox has the weft_io any more.
 *             target_ is NULL until the operation has begun, and the reactor after that. While the
 *             ring has the operation, answer_ is its slot in inflight.h. O4 an operation at a
 *             file's position has its turn (position.h) from its submission to its last completion.
 * Ordering    lock_; [inbox-1].
 * Failure     -ENXIO, -ECHILD, -ECANCELED, -EOPNOTSUPP, or the kernel's error.
 */
#ifndef WF_KERNEL_OPERATION_H
#define WF_KERNEL_OPERATION_H

#include "operation.h"
#include "reactor.h"

#include <weft/file.h>

typedef struct wf_kernel_op {
    weft_future_ops future; /* first: O1 */
    /* The WF_RING_... that the operation needs. Without them it uses `plain`, or ends with
     * -EOPNOTSUPP. */
    uint32_t needs;
    /* The arguments begin with a wf_place, which says whether this operation takes turns. */
    bool takes_turns;
    /* The reactor that runs the operation, or NULL. If this is NULL, it is that of the runtime that
     * polls. */
    wf_reactor *(*reactor)(const weft_io *io);
    /* Does in the caller's thread what need not wait, before `begin`. Returns WF_IO_MORE if the
     * kernel has to run the operation, or the rest of it. May be NULL. */
    int64_t (*at_once)(weft_io *io, weft_context *cx);
    /* Acquires what the submission needs. Returns 0 or -errno. May be NULL. */
    int (*begin)(weft_io *io, weft_context *cx);
    /* Fills the submission entry. */
    void (*prepare)(const weft_io *io, struct io_uring_sqe *sqe);
    /* Runs the operation by system calls, without the ring. May be NULL. */
    int64_t (*plain)(const weft_io *io);
    /* Whether another program decides how long the operation occupies a thread of the kernel. May
     * be NULL. */
    bool (*waits_long)(const weft_io *io);
    /* Takes the kernel's result and returns that of the future. If the operation was cancelled, it
     * releases what the kernel has granted anyway. May be NULL. */
    int64_t (*end)(weft_io *io, int64_t result, bool cancelled);
} wf_kernel_op;

weft_poll wf_kernel_op_poll(weft_future *future, weft_context *cx);
void      wf_kernel_op_cancel(weft_future *future);

/* The beginning of a row. */
#define WF_KERNEL_OP(name_) WF_KERNEL_OP_FLAGS(name_, WEFT_FUTURE_DRAINS)
#define WF_KERNEL_OP_FLAGS(name_, flags_)                                                          \
    .future = {.size = sizeof(weft_io),                                                            \
               .flags = (flags_),                                                                  \
               .name = (name_),                                                                    \
               .poll = wf_kernel_op_poll,                                                          \
               .cancel = wf_kernel_op_cancel}

static inline weft_future *wf_kernel_op_init(weft_io *io, const wf_kernel_op *op)
{
    return wf_io_init(io, &op->future, NULL);
}

static inline const wf_kernel_op *wf_kernel_op_of(const weft_io *io)
{
    WF_ASSERT(io->future.ops->poll == wf_kernel_op_poll); /* O1 */
    return (const wf_kernel_op *)(const void *)io->future.ops;
}

/* Handles a completion with its result and flags. */
void wf_io_completed(wf_reactor_token token, weft_io *io, int32_t result, uint32_t flags);
/* Handles an operation for which the kernel has done nothing, and will do nothing, because the ring
 * was lost. */
void wf_io_unseen(wf_reactor_token token, weft_io *io);
/* Repeats a cancel that found the operation busy in a thread of the kernel. Does nothing if the
 * operation was not cancelled. */
void wf_io_cancel_again(wf_reactor_token token, weft_io *io);
/* Fails an operation that the kernel had when the ring was lost. What the kernel has done for it is
 * unknown. */
void wf_io_lost(wf_reactor_token token, weft_io *io);

#endif
