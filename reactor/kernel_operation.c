/*
 * kernel_operation.c - operations that the kernel runs: hand over, then wait until it lets go
 *
 * Purpose     Polls a wf_kernel_op. The states are in phase_, with 0 for START:
 *
 *               START --poll--> IN_INBOX -----------------+--> IN_RING ---+--> DONE --poll--> READY
 *                 |                 |                     |               |     |
 *                 |                 +--> QUEUED --turn----+--> IN_FILES --+     |
 *                 |                                                             |
 *                 +--poll--> READY               IN_INBOX <--poll, WF_IO_MORE---+
 *
 *             START ends at once what is refused or need not wait. IN_INBOX and QUEUED lead to
 *             DONE, too: when the operation has been cancelled, or can't be given to the kernel
 *             (UNSEEN). A cancel visits the reactor: IN_INBOX then stands beside the other state
 *             until it has got there.
 * Threads     The owner polls and cancels. The reactor's thread takes, begins and completes.
 * Invariants  O3 and O4 in kernel_operation.h.
 * Ordering    lock_; [inbox-1]. [reactor-3] an operation is counted until its owner has seen its
 *             end, because until then the owner comes to the reactor.
 * Failure     See kernel_operation.h.
 */
#include "kernel_operation.h"

#include "lock.h"

#define ERESTARTSYS 512 /* the kernel's own code, which some completions carry */

enum {
    IN_INBOX = 1 << 0, /* on its way to the reactor */
    QUEUED = 1 << 1,   /* the reactor keeps the operation until its turn at the position */
    IN_RING = 1 << 2,  /* answer_ is its slot */
    IN_FILES = 1 << 3, /* answer_ points to its job of files.h, in place of the ring */
    DONE = 1 << 4,     /* answer_ is the result */
    /* Beside these: */
    CANCEL = 1 << 5, /* the owner has cancelled it */
    UNSEEN = 1 << 6, /* the kernel has done nothing, because ring, memory or threads are missing */
};

static void take(void *reactor, wf_submission *submission);

static void submit(weft_io *io)
{
    wf_submission *s = (wf_submission *)(void *)io->link_;
    wf_reactor    *r = io->target_;

    WF_ASSERT(!(io->phase_ & (IN_INBOX | DONE))); /* O3 */
    io->phase_ |= IN_INBOX;
    s->take = take;
    wf_inbox_push_any(&r->inbox, s);
}

/* No other thread has the weft_io. */
static weft_poll start(weft_io *io, weft_context *cx)
{
    wf_reactor *r = io->target_;

    wf_waker_store(&io->waker_, cx->waker);
    io->answer_ = -ECANCELED; /* unless the ring gives another */
    io->phase_ = 0;
    submit(io);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
    return WEFT_PENDING;
}

/* The kernel lacks a feature, which never changes. The operation is refused, or done by a system
 * call if its row has one. */
static weft_poll end_without(weft_io *io)
{
    const wf_kernel_op *op = wf_kernel_op_of(io);

    return weft_ready(&io->future, op->plain ? op->plain(io) : -EOPNOTSUPP);
}

/* The operation is READY. Nothing uses its reactor after this, which may be freed. */
static weft_poll finish(weft_io *io, int64_t result)
{
    wf_reactor *r = io->target_;

    WF_ASSERT(wf_peek(&r->n_asked) > 0);
    wf_sub(&r->n_asked, 1, RELEASE); /* [reactor-3] */
    return weft_ready(&io->future, result);
}

static weft_poll end(weft_io *io, weft_context *cx)
{
    const wf_kernel_op *op = wf_kernel_op_of(io);
    bool                cancelled = weft_future_is_cancelled(&io->future);
    bool                unseen = io->phase_ & UNSEEN;
    int64_t             result = unseen && cancelled ? -ECANCELED : io->answer_;

    if (unseen && !cancelled && op->plain)
        return finish(io, op->plain(io));
    if (result == -ERESTARTSYS)
        result = -EINTR;
    /* The kernel interrupts operations that run on a thread of its own. An interrupted close has
     * closed the file all the same. */
    if (cancelled && result == -EINTR && !(op->future.flags & WEFT_FUTURE_CLEANS_UP))
        result = -ECANCELED;
    if (op->end)
        result = op->end(io, result, cancelled);
    return result == WF_IO_MORE ? start(io, cx) : finish(io, result);
}

/* Tries the operation here, on the worker. Returns its result, or WF_IO_MORE if it has to wait. */
static int64_t at_once(weft_io *io, weft_context *cx)
{
    const wf_kernel_op *op = wf_kernel_op_of(io);
    int64_t             n = op->at_once ? op->at_once(io, cx) : WF_IO_MORE;

    return n == WF_IO_MORE || !op->end ? n : op->end(io, n, false);
}

static wf_reactor *reactor_of(const weft_io *io, const weft_context *cx)
{
    const wf_kernel_op *op = wf_kernel_op_of(io);

    if (op->reactor)
        return op->reactor(io);
    return cx->runtime ? cx->runtime->reactor : NULL;
}

/* The polls until the operation is handed over, or has ended without that. */
static weft_poll begin(weft_io *io, weft_context *cx)
{
    const wf_kernel_op *op = wf_kernel_op_of(io);
    weft_future        *future = &io->future;
    wf_reactor         *r = reactor_of(io, cx);
    int64_t             n;

    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    if (!r)
        return weft_ready(future, -ENXIO);
    if (wf_reactor_is_child(r))
        return weft_ready(future, -ECHILD);
    if (!weft_context_spend(cx))
        return WEFT_PENDING;
    if (op->needs & ~r->ring.features)
        return end_without(io);
    if ((n = at_once(io, cx)) != WF_IO_MORE)
        return weft_ready(future, n);
    if (op->begin && (n = op->begin(io, cx)) < 0)
        return weft_ready(future, n);
    io->target_ = r;
    wf_add(&r->n_asked, 1, RELAXED); /* [reactor-3] its end is what counts */
    return start(io, cx);
}

weft_poll wf_kernel_op_poll(weft_future *future, weft_context *cx)
{
    weft_io   *io = weft_container(future, weft_io, future);
    weft_waker next;
    bool       done;

    if (!io->target_) /* only its owner writes it */
        return begin(io, cx);
    if (wf_reactor_is_child(io->target_)) /* the ring has the parent's operation */
        return weft_ready(future, -ECHILD);
    next = wf_waker_prepare(cx->waker);
    wf_lock(&io->lock_);
    done = io->phase_ & DONE;
    if (!done)
        wf_waker_exchange(&io->waker_, &next);
    wf_unlock(&io->lock_);
    wf_waker_discard(next);
    return done ? end(io, cx) : WEFT_PENDING;
}

void wf_kernel_op_cancel(weft_future *future)
{
    weft_io    *io = weft_container(future, weft_io, future);
    wf_reactor *r = io->target_;

    if (!r || wf_reactor_is_child(r))
        return; /* begin has not started it yet (the budget), or the next poll refuses it */
    wf_lock(&io->lock_);
    if (!(io->phase_ & DONE)) {
        io->phase_ |= CANCEL;
        if (!(io->phase_ & IN_INBOX))
            submit(io);
    }
    wf_unlock(&io->lock_);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
}

/* The operation has its answer, and ends if no other thread has the weft_io. The caller holds the
 * operation's lock. */
static void settle(wf_reactor *r, weft_io *io)
{
    if (io->phase_ & (IN_INBOX | IN_RING | IN_FILES))
        return;
    WF_ASSERT(!(io->phase_ & (QUEUED | DONE))); /* O3 */
    io->phase_ |= DONE;
    wf_waker_fire(&io->waker_, &r->wakes);
}

static void settle_unseen(wf_reactor *r, weft_io *io, int error)
{
    io->answer_ = error;
    io->phase_ |= UNSEEN;
    settle(r, io);
}

static bool takes_turns(const weft_io *io)
{
    return wf_kernel_op_of(io)->takes_turns && WF_ARGS(io, wf_place)->takes_turns;
}

static bool waits_long(const weft_io *io)
{
    return wf_kernel_op_of(io)->waits_long && wf_kernel_op_of(io)->waits_long(io);
}

/* Prepares the entry. There is room for it and in r->inflight, and the caller holds the operation's
 * lock. Returns false if the ring is broken. */
static bool give_to_ring(wf_reactor *r, weft_io *io)
{
    uint64_t             tag = wf_reactor_tag(io, WF_TAG_IO);
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    if (r->ring.error < 0)
        return false;
    if (waits_long(io))
        wf_ring_add_threads(&r->ring, 1);
    wf_kernel_op_of(io)->prepare(io, sqe);
    sqe->user_data = tag;
    io->answer_ = wf_inflight_add(&r->inflight, tag);
    io->phase_ |= IN_RING;
    wf_count(&r->n_begun, 1);
    return true;
}

/* The slot of an operation that the ring has. The upper half of answer_ is the first of two
 * answers. */
static uint32_t slot_of(const weft_io *io)
{
    return (uint32_t)io->answer_;
}

static wf_file_job *job_of(const weft_io *io)
{
    return (wf_file_job *)(uintptr_t)io->answer_;
}

static void job_done(void *reactor, wf_submission *back)
{
    wf_reactor  *r = reactor;
    wf_file_job *job = weft_container(back, wf_file_job, back);
    weft_io     *io = job->io;
    int32_t      result = job->result;

    wf_files_give_back(job);
    wf_files_reserve(&r->files); /* frees those that are too many */
    wf_count(&r->counts.completions, 1);
    wf_io_completed((wf_reactor_token){r}, io, result, 0);
}

/* The caller has reserved memory and holds the operation's lock. Returns 0, or -errno if nothing
 * has begun. */
static int give_to_files(wf_reactor *r, weft_io *io)
{
    wf_file_job *job = wf_files_take(&r->files, io);
    int          result;

    if (!job)
        return -ENOMEM;
    job->back.take = job_done;
    wf_kernel_op_of(io)->prepare(io, &job->sqe);
    result = wf_files_begin(job);
    if (result < 0)
        return result;
    io->answer_ = (int64_t)(uintptr_t)job;
    io->phase_ |= IN_FILES;
    wf_count(&r->n_begun, 1);
    return 0;
}

/* Begins the operation, in the ring or without one. The caller holds its lock. Returns false if it
 * has ended at once. */
static bool begin_in_kernel(wf_reactor *r, weft_io *io, bool room)
{
    int result;

    WF_ASSERT(!(io->phase_ & (QUEUED | IN_RING | IN_FILES | DONE)));         /* O3 */
    WF_ASSERT(!takes_turns(io) || wf_positions_has_turn(&r->positions, io)); /* O4 */
    if (r->ring.error == 0 && room && give_to_ring(r, io))
        return true;
    result = r->ring.error < 0 ? give_to_files(r, io) : -ENOMEM;
    if (result < 0)
        settle_unseen(r, io, result);
    return result == 0;
}

static void cancel_in_ring(wf_reactor *r, weft_io *io)
{
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    io_uring_prep_cancel64(sqe, wf_reactor_tag(io, WF_TAG_IO), 0);
    sqe->user_data = wf_reactor_tag(NULL, WF_TAG_CANCEL);
}

void wf_io_cancel_again(wf_reactor_token token, weft_io *io)
{
    wf_ring_make_room(&token.r->ring);
    wf_lock(&io->lock_);
    if ((io->phase_ & IN_RING) && (io->phase_ & CANCEL))
        cancel_in_ring(token.r, io);
    wf_unlock(&io->lock_);
}

/* The kernel has no more to do with the operation. Returns the one whose turn comes next, or
 * NULL. */
static weft_io *leave_ring(wf_reactor *r, weft_io *io)
{
    WF_ASSERT(io->phase_ & (IN_RING | IN_FILES));                            /* O3 */
    WF_ASSERT(wf_reactor_held(r) > 0);                                       /* N1 in reactor.h */
    WF_ASSERT(!takes_turns(io) || wf_positions_has_turn(&r->positions, io)); /* O4 */
    if (io->phase_ & IN_RING) {
        WF_ASSERT(wf_inflight_at(&r->inflight, slot_of(io)) ==
                  wf_reactor_tag(io, WF_TAG_IO)); /* H1 */
        wf_inflight_remove(&r->inflight, slot_of(io));
        if (waits_long(io))
            wf_ring_add_threads(&r->ring, -1);
    }
    io->phase_ &= ~(uint32_t)(IN_RING | IN_FILES);
    wf_count(&r->n_ended, 1);
    return takes_turns(io) ? wf_positions_leave(&r->positions, io) : NULL;
}

/* Returns the operation whose turn comes next, or NULL. The caller holds the lock. */
static weft_io *cancel_in_files(wf_reactor *r, weft_io *io)
{
    weft_io *next;

    if (!wf_files_cancel(job_of(io)))
        return NULL; /* the thread that has the job gives it back soon */
    next = leave_ring(r, io);
    io->answer_ = -ECANCELED;
    settle(r, io);
    return next;
}

/* The operation is on its way to the ring, or has its answer already. */
static void cancel_outside(wf_reactor *r, weft_io *io)
{
    if (io->phase_ & QUEUED)
        (void)wf_positions_leave(&r->positions, io); /* it was not its turn */
    io->phase_ &= ~(uint32_t)QUEUED;
    settle(r, io);
}

static void begin_turn(wf_reactor *r, weft_io *io);

/* Allocates what beginning an operation takes, before its lock is taken, because the allocator is
 * the host's code. Returns false if memory is short or the ring is lost. */
static bool reserve(wf_reactor *r)
{
    bool room = wf_inflight_reserve(&r->inflight, &r->rt->config.allocator);

    wf_ring_make_room(&r->ring);
    if (r->ring.error < 0)
        wf_files_reserve(&r->files);
    return room;
}

static void take(void *reactor, wf_submission *submission)
{
    wf_reactor *r = reactor;
    weft_io    *io = weft_container(submission, weft_io, link_), *next = NULL;
    bool        room = reserve(r);

    wf_lock(&io->lock_);
    WF_ASSERT((io->phase_ & IN_INBOX) && !(io->phase_ & DONE)); /* O3 */
    io->phase_ &= ~(uint32_t)IN_INBOX;
    if (io->phase_ & IN_RING) /* it comes a second time, to be cancelled */
        cancel_in_ring(r, io);
    else if (io->phase_ & IN_FILES)
        next = cancel_in_files(r, io);
    else if (io->phase_ & CANCEL)
        cancel_outside(r, io);
    else if (takes_turns(io) && !wf_positions_enter(&r->positions, io))
        io->phase_ |= QUEUED;
    else if (!begin_in_kernel(r, io, room) && takes_turns(io))
        next = wf_positions_leave(&r->positions, io);
    WF_ASSERT(!(io->phase_ & DONE) || !takes_turns(io) ||
              !wf_positions_has(&r->positions, io)); /* Q2 */
    wf_unlock(&io->lock_);
    begin_turn(r, next);
}

/* It is the operation's turn. If it ends at once, it is the next one's turn. Each may fire a waker,
 * and the caller has fired one. */
static void begin_turn(wf_reactor *r, weft_io *io)
{
    while (io) {
        bool     room = reserve(r);
        weft_io *next = NULL;

        wf_wakes_flush_foreign(&r->wakes); /* W4 */
        wf_lock(&io->lock_);
        WF_ASSERT((io->phase_ & QUEUED) && !(io->phase_ & DONE)); /* O4 */
        io->phase_ &= ~(uint32_t)QUEUED;
        if (io->phase_ & CANCEL) {
            next = wf_positions_leave(&r->positions, io);
            settle(r, io);
        } else if (!begin_in_kernel(r, io, room)) {
            next = wf_positions_leave(&r->positions, io);
        }
        WF_ASSERT(!(io->phase_ & DONE) || !wf_positions_has(&r->positions, io)); /* Q2 */
        wf_unlock(&io->lock_);
        io = next;
    }
}

void wf_io_unseen(wf_reactor_token token, weft_io *io)
{
    weft_io *next;

    wf_lock(&io->lock_);
    next = leave_ring(token.r, io);
    settle_unseen(token.r, io, token.r->ring.error);
    wf_unlock(&io->lock_);
    begin_turn(token.r, next);
}

/* The kernel cancels two kinds of operations by itself: those that need a thread which it cannot
 * create, because a limit of processes is reached, and those that it held when the ring was
 * lost. */
static int reason_to_cancel(const wf_reactor *r)
{
    return r->ring.error < 0 ? r->ring.error : -EAGAIN;
}

void wf_io_lost(wf_reactor_token token, weft_io *io)
{
    bool     cleans_up = wf_kernel_op_of(io)->future.flags & WEFT_FUTURE_CLEANS_UP;
    weft_io *next;

    wf_lock(&io->lock_);
    next = leave_ring(token.r, io);
    /* For a close, -ECANCELED would say that the file is still open, which is not known. */
    io->answer_ = io->phase_ & CANCEL && !cleans_up ? -ECANCELED : token.r->ring.error;
    settle(token.r, io);
    wf_unlock(&io->lock_);
    begin_turn(token.r, next);
}

void wf_io_completed(wf_reactor_token token, weft_io *io, int32_t result, uint32_t flags)
{
    weft_io *next;
    bool     in_ring;

    wf_lock(&io->lock_);
    WF_ASSERT(io->phase_ & (IN_RING | IN_FILES)); /* O3 */
    if (flags & IORING_CQE_F_MORE) { /* SEND_ZC: the kernel has the buffer until the notification */
        io->answer_ = result * (INT64_C(1) << 32) | slot_of(io);
        wf_unlock(&io->lock_);
        return;
    }
    if (takes_turns(io))
        wf_position_move(io, result);
    in_ring = io->phase_ & IN_RING;
    next = leave_ring(token.r, io);
    io->answer_ = flags & IORING_CQE_F_NOTIF ? io->answer_ >> 32 : result;
    if (io->answer_ == -ECANCELED && in_ring && !(io->phase_ & CANCEL))
        settle_unseen(token.r, io, reason_to_cancel(token.r));
    else
        settle(token.r, io);
    wf_unlock(&io->lock_);
    begin_turn(token.r, next);
}
