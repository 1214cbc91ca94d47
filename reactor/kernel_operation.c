/*
 * kernel_operation.c - operations that the kernel runs: hand over, wait for the answer
 *
 * Purpose     Polls a row of the table whose side is KERNEL: its entry goes to the reactor by the
 *             inbox, and from there to the ring, or to a thread of files.h where there is no ring.
 *
 *               new --poll--> IN_INBOX --reactor--> [QUEUED, its turn] --> IN_RING or IN_FILES
 *                                ^                                              |
 *                                +---- a cancel visits the reactor again        +--> DONE --poll-->
 *                                READY
 *
 * Threads     The owner polls and cancels. The reactor's thread takes, begins and completes.
 * Invariants  O2 and O3 in operation.h.
 * Ordering    lock_; [inbox-1]. [reactor-3] the end of an operation is counted before its owner
 *             knows.
 * Failure     See operation.h.
 */
#include "operation.h"

#include "lock.h"

#define ERESTARTSYS 512 /* the kernel's own, which it tells of here and there */

enum {
    KERNEL_IN_INBOX = 1 << 0,
    KERNEL_IN_RING = 1 << 1,
    KERNEL_CANCEL = 1 << 2,
    KERNEL_DONE = 1 << 3,
    KERNEL_UNSEEN =
        1 << 4, /* the kernel has done nothing: the ring is lost, or memory or threads are short */
    KERNEL_QUEUED = 1 << 5, /* the reactor has it, until it is its turn */
    KERNEL_IN_FILES =
        1 << 6, /* a job of files.h has it, in place of the ring: `answer_` points to it */
};

static void kernel_take(void *reactor, wf_submission *submission);

static void kernel_submit(weft_io *io)
{
    wf_submission *s = (wf_submission *)(void *)io->link_;
    wf_reactor    *r = io->target_;

    io->phase_ |= KERNEL_IN_INBOX;
    s->take = kernel_take;
    wf_inbox_push_any(&r->inbox, s);
}

/* No other thread has the weft_io. */
static weft_poll kernel_start(weft_io *io, weft_context *cx)
{
    wf_reactor *r = io->target_;

    wf_waker_store(&io->waker_, cx->waker);
    io->answer_ = -ECANCELED; /* unless the ring gives another */
    io->phase_ = 0;
    wf_add(&r->n_asked, 1, RELAXED); /* [reactor-3] its end is what counts */
    kernel_submit(io);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
    return WEFT_PENDING;
}

/* What a kernel lacks never changes: a table's row is refused, or done without the ring. */
static weft_poll kernel_end_without(weft_io *io)
{
    return weft_ready(&io->future, wf_io_row(io)->plain ? wf_io_row(io)->plain(io) : -EOPNOTSUPP);
}

static weft_poll kernel_end(weft_io *io, weft_context *cx)
{
    bool    cancelled = weft_future_is_cancelled(&io->future);
    bool    unseen = io->phase_ & KERNEL_UNSEEN;
    int64_t result = unseen && cancelled ? -ECANCELED : io->answer_;

    if (unseen && !cancelled && wf_io_row(io)->plain)
        return weft_ready(&io->future, wf_io_row(io)->plain(io));
    if (result == -ERESTARTSYS)
        result = -EINTR;
    /* The kernel interrupts what a thread of its own works on. A file is closed then all the
     * same. */
    if (cancelled && result == -EINTR && !(wf_io_row(io)->future.flags & WEFT_FUTURE_CLEANS_UP))
        result = -ECANCELED;
    if (wf_io_row(io)->end)
        result = wf_io_row(io)->end(io, result, cancelled);
    return result == WF_IO_MORE ? kernel_start(io, cx) : weft_ready(&io->future, result);
}

/* What need not wait is done here; the answer, or WF_IO_MORE. */
static int64_t kernel_at_once(weft_io *io, weft_context *cx)
{
    int64_t n = wf_io_row(io)->at_once ? wf_io_row(io)->at_once(io, cx) : WF_IO_MORE;

    return n == WF_IO_MORE ? n : wf_io_row(io)->end(io, n, false);
}

/* The polls until it is handed over, or has ended without that. */
static weft_poll kernel_begin(weft_io *io, weft_context *cx)
{
    weft_future *future = &io->future;
    int64_t      n;
    int          r;

    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    if (!cx->runtime)
        return weft_ready(future, -ENXIO);
    if (wf_reactor_is_child(cx->runtime->reactor))
        return weft_ready(future, -ECHILD);
    if (!weft_context_spend(cx))
        return WEFT_PENDING;
    if (wf_io_row(io)->needs & ~cx->runtime->reactor->ring.features)
        return kernel_end_without(io);
    if ((n = kernel_at_once(io, cx)) != WF_IO_MORE)
        return weft_ready(future, n);
    if (wf_io_row(io)->begin && (r = wf_io_row(io)->begin(io, cx)) < 0)
        return weft_ready(future, r);
    io->target_ = cx->runtime->reactor;
    return kernel_start(io, cx);
}

weft_poll wf_kernel_operation_poll(weft_future *future, weft_context *cx)
{
    weft_io   *io = weft_container(future, weft_io, future);
    weft_waker next;
    bool       done;

    if (!io->target_) /* only its owner writes it */
        return kernel_begin(io, cx);
    if (wf_reactor_is_child(io->target_)) /* it is the parent's that the ring has */
        return weft_ready(future, -ECHILD);
    next = wf_waker_prepare(cx->waker);
    wf_lock(&io->lock_);
    done = io->phase_ & KERNEL_DONE;
    if (!done)
        wf_waker_exchange(&io->waker_, &next);
    wf_unlock(&io->lock_);
    wf_waker_discard(next);
    return done ? kernel_end(io, cx) : WEFT_PENDING;
}

void wf_kernel_operation_cancel(weft_future *future)
{
    weft_io    *io = weft_container(future, weft_io, future);
    wf_reactor *r = io->target_;

    if (!r || wf_reactor_is_child(r))
        return; /* not started: see kernel_begin's budget; or the next poll refuses it */
    wf_lock(&io->lock_);
    if (!(io->phase_ & KERNEL_DONE)) {
        io->phase_ |= KERNEL_CANCEL;
        if (!(io->phase_ & KERNEL_IN_INBOX))
            kernel_submit(io);
    }
    wf_unlock(&io->lock_);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
}

/* Under the lock: the operation has its answer, and may end if no other thread has the weft_io. */
static void settle(wf_reactor *r, weft_io *io)
{
    if (io->phase_ & (KERNEL_IN_INBOX | KERNEL_IN_RING | KERNEL_IN_FILES))
        return;
    wf_sub(&r->n_asked, 1, RELEASE); /* [reactor-3] before its owner can know */
    io->phase_ |= KERNEL_DONE;
    wf_waker_fire(&io->waker_, &r->wakes);
}

static void settle_unseen(wf_reactor *r, weft_io *io, int error)
{
    io->answer_ = error;
    io->phase_ |= KERNEL_UNSEEN;
    settle(r, io);
}

static bool takes_turns(const weft_io *io)
{
    return wf_io_row(io)->takes_turns && WF_ARGS(io, wf_place)->takes_turns;
}

static bool waits_long(const weft_io *io)
{
    return wf_io_row(io)->waits_long && wf_io_row(io)->waits_long(io);
}

/* Under the lock, with room in r->held and for the entry. False: the ring is broken. */
static bool give_to_ring(wf_reactor *r, weft_io *io)
{
    uint64_t             tag = wf_reactor_tag(io, WF_TAG_IO);
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    if (r->ring.error < 0)
        return false;
    if (waits_long(io))
        wf_ring_add_threads(&r->ring, 1);
    wf_io_row(io)->prepare(io, sqe);
    sqe->user_data = tag;
    io->answer_ = wf_held_add(&r->held, tag);
    io->phase_ |= KERNEL_IN_RING;
    wf_count(&r->n_begun, 1);
    return true;
}

/* While the ring has it. Above the slot is the first of two answers. */
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

    wf_files_free(job);
    wf_count(&r->counts.completions, 1);
    wf_io_completed((wf_reactor_token){r}, io, result, 0);
}

/* Under the lock. 0, or -errno and nothing has begun. */
static int give_to_files(wf_reactor *r, weft_io *io)
{
    wf_file_job *job = wf_files_job(&r->files, io, waits_long(io));
    int          result;

    if (!job)
        return -ENOMEM;
    job->back.take = job_done;
    wf_io_row(io)->prepare(io, &job->sqe);
    result = wf_files_begin(job);
    if (result < 0)
        return result;
    io->answer_ = (int64_t)(uintptr_t)job;
    io->phase_ |= KERNEL_IN_FILES;
    wf_count(&r->n_begun, 1);
    return 0;
}

/* Under the lock. Begins it, in the ring or without one; or it ends at once. True: it has begun. */
static bool begin_in_kernel(wf_reactor *r, weft_io *io, bool room)
{
    int result;

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
    if ((io->phase_ & KERNEL_IN_RING) && (io->phase_ & KERNEL_CANCEL))
        cancel_in_ring(token.r, io);
    wf_unlock(&io->lock_);
}

/* The operation whose turn comes then, or NULL. */
static weft_io *leave_ring(wf_reactor *r, weft_io *io)
{
    if (io->phase_ & KERNEL_IN_RING) {
        wf_held_remove(&r->held, slot_of(io));
        if (waits_long(io))
            wf_ring_add_threads(&r->ring, -1);
    }
    io->phase_ &= ~(uint32_t)(KERNEL_IN_RING | KERNEL_IN_FILES);
    wf_count(&r->n_ended, 1);
    return takes_turns(io) ? wf_positions_leave(&r->positions, io) : NULL;
}

/* Under the lock. The operation whose turn comes then, or NULL. */
static weft_io *cancel_in_files(wf_reactor *r, weft_io *io)
{
    weft_io *next;

    if (!wf_files_cancel(job_of(io)))
        return NULL; /* it comes back soon */
    next = leave_ring(r, io);
    io->answer_ = -ECANCELED;
    settle(r, io);
    return next;
}

/* On its way to the ring, or it has its answer already. */
static void cancel_outside(wf_reactor *r, weft_io *io)
{
    if (io->phase_ & KERNEL_QUEUED)
        (void)wf_positions_leave(&r->positions, io); /* it was not its turn */
    io->phase_ &= ~(uint32_t)KERNEL_QUEUED;
    settle(r, io);
}

static void begin_turn(wf_reactor *r, weft_io *io);

static void kernel_take(void *reactor, wf_submission *submission)
{
    wf_reactor *r = reactor;
    weft_io    *io = weft_container(submission, weft_io, link_), *next = NULL;
    bool        room = wf_held_reserve(&r->held, &r->rt->config.allocator);

    wf_ring_make_room(&r->ring);
    wf_lock(&io->lock_);
    io->phase_ &= ~(uint32_t)KERNEL_IN_INBOX;
    if (io->phase_ & KERNEL_IN_RING) /* a second visit: to be cancelled */
        cancel_in_ring(r, io);
    else if (io->phase_ & KERNEL_IN_FILES)
        next = cancel_in_files(r, io);
    else if (io->phase_ & KERNEL_CANCEL)
        cancel_outside(r, io);
    else if (takes_turns(io) && !wf_positions_enter(&r->positions, io))
        io->phase_ |= KERNEL_QUEUED;
    else if (!begin_in_kernel(r, io, room) && takes_turns(io))
        next = wf_positions_leave(&r->positions, io);
    wf_unlock(&io->lock_);
    begin_turn(r, next);
}

/* It is the operation's turn; and the next one's if this one ends at once. */
static void begin_turn(wf_reactor *r, weft_io *io)
{
    while (io) {
        bool     room = wf_held_reserve(&r->held, &r->rt->config.allocator);
        weft_io *next = NULL;

        wf_ring_make_room(&r->ring);
        wf_lock(&io->lock_);
        io->phase_ &= ~(uint32_t)KERNEL_QUEUED;
        if (io->phase_ & KERNEL_CANCEL) {
            next = wf_positions_leave(&r->positions, io);
            settle(r, io);
        } else if (!begin_in_kernel(r, io, room)) {
            next = wf_positions_leave(&r->positions, io);
        }
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

/* The kernel cancels by itself what needs a thread of its own that it can't make, because a limit
 * of processes is reached, and what it held when the ring was lost. */
static int reason_to_cancel(const wf_reactor *r)
{
    return r->ring.error < 0 ? r->ring.error : -EAGAIN;
}

void wf_io_lost(wf_reactor_token token, weft_io *io)
{
    bool     cleans_up = wf_io_row(io)->future.flags & WEFT_FUTURE_CLEANS_UP;
    weft_io *next;

    wf_lock(&io->lock_);
    next = leave_ring(token.r, io);
    /* Of a close -ECANCELED would say that the file is still open, which is not known. */
    io->answer_ = io->phase_ & KERNEL_CANCEL && !cleans_up ? -ECANCELED : token.r->ring.error;
    settle(token.r, io);
    wf_unlock(&io->lock_);
    begin_turn(token.r, next);
}

void wf_io_completed(wf_reactor_token token, weft_io *io, int32_t result, uint32_t flags)
{
    weft_io *next;

    wf_lock(&io->lock_);
    if (flags & IORING_CQE_F_MORE) { /* of SEND_ZC: the buffer is lent until the notification */
        io->answer_ = result * (INT64_C(1) << 32) | slot_of(io);
        wf_unlock(&io->lock_);
        return;
    }
    next = leave_ring(token.r, io);
    io->answer_ = flags & IORING_CQE_F_NOTIF ? io->answer_ >> 32 : result;
    if (io->answer_ == -ECANCELED && !(io->phase_ & KERNEL_CANCEL))
        settle_unseen(token.r, io, reason_to_cancel(token.r));
    else
        settle(token.r, io);
    wf_unlock(&io->lock_);
    begin_turn(token.r, next);
}
