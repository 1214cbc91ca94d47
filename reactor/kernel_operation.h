/*
 * kernel_operation.h - operations that the kernel runs: hand over, then drain
 *
 * Purpose     The type of their rows. Where there is no ring the same entries are run by threads.
 * Threads     Functions with a token: the reactor's. The others: the owner of the weft_io.
 * Invariants  O3 an operation lends memory to the kernel: phase_ says who has the weft_io, and DONE
 *             is set only when neither the ring nor the inbox has it any more. target_ is the
 *             reactor once it has begun; NULL: not yet. While the ring has it, answer_ is its slot
 *             in inflight.h. O4 an operation at a file's position has its turn (position.h) from
 *             when it is given to the ring until the ring has let go of it.
 * Ordering    lock_; [inbox-1].
 * Failure     -ENXIO, -ECHILD, -ECANCELED, -EOPNOTSUPP; else what the kernel answers.
 */
#ifndef WF_KERNEL_OPERATION_H
#define WF_KERNEL_OPERATION_H

#include "operation.h"
#include "reactor.h"

#include <weft/file.h>

typedef struct wf_kernel_op {
    weft_future_ops future; /* first: O1 */
    uint32_t        needs;  /* the WF_RING_... that it takes: -EOPNOTSUPP without, or `plain` */
    bool takes_turns; /* the arguments begin with a wf_place, which says whether it does just now */
    /* What need not wait is done by the caller itself, before `begin`. WF_IO_MORE: the ring must.
     * Or NULL. */
    int64_t (*at_once)(const weft_io *io, weft_context *cx);
    /* Acquires what the submission needs: 0 or -errno. Or NULL. */
    int (*begin)(weft_io *io, weft_context *cx);
    /* Fills the submission entry. */
    void (*prepare)(const weft_io *io, struct io_uring_sqe *sqe);
    /* Does it without the ring. Or NULL. */
    int64_t (*plain)(const weft_io *io);
    /* Whether it may keep a thread of the kernel's as long as another program likes. Or NULL. */
    bool (*waits_long)(const weft_io *io);
    /* The result is known; returns what the future answers. A cancelled one takes grants back. Or
     * NULL. */
    int64_t (*end)(weft_io *io, int64_t result, bool cancelled);
} wf_kernel_op;

weft_poll wf_kernel_op_poll(weft_future *future, weft_context *cx);
void      wf_kernel_op_cancel(weft_future *future);

/* What the row of one begins with. */
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
    return (const wf_kernel_op *)(const void *)io->future.ops;
}

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
