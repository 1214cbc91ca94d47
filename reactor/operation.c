/*
 * operation.c - every operation is a row in one table
 *
 * Purpose     The table, and the two ways to poll a row: on a socket, or through the kernel.
 * Threads     See operation.h.
 * Invariants  See operation.h.
 * Ordering    See operation.h.
 * Failure     See operation.h.
 */
#include "operation.h"

#include "lock.h"
#include "nudge.h"

#include <string.h>

#define ERESTARTSYS 512 /* the kernel's own, which it tells of here and there */

static weft_poll socket_poll(weft_future *future, weft_context *cx);
static weft_poll kernel_poll(weft_future *future, weft_context *cx);
static void      socket_cancel(weft_future *future);
static void      kernel_cancel(weft_future *future);

#define SOCKET(name)                                                                               \
    {                                                                                              \
        sizeof(weft_io), WEFT_FUTURE_WITHDRAWS, name, socket_poll, socket_cancel                   \
    }
#define KERNEL(name, ...)                                                                          \
    {                                                                                              \
        sizeof(weft_io), WEFT_FUTURE_DRAINS __VA_ARGS__, name, kernel_poll, kernel_cancel          \
    }

#define POSITION .begin = wf_file_begin_transfer, .takes_turns = true

const wf_operation wf_operations[WF_OP_COUNT] = {
    [WF_OP_READ] = {SOCKET("weft_read"), WF_SIDE_IN, .attempt = wf_stream_read},
    [WF_OP_READ_EXACT] = {SOCKET("weft_read_exact"), WF_SIDE_IN, .attempt = wf_stream_read_exact},
    [WF_OP_READV] = {SOCKET("weft_readv"), WF_SIDE_IN, .attempt = wf_stream_readv},
    [WF_OP_PEEK] = {SOCKET("weft_peek"), WF_SIDE_IN, .attempt = wf_stream_peek},
    [WF_OP_WRITE] = {SOCKET("weft_write"), WF_SIDE_OUT, .attempt = wf_stream_write},
    [WF_OP_WRITE_ALL] = {SOCKET("weft_write_all"), WF_SIDE_OUT, .attempt = wf_stream_write_all},
    [WF_OP_WRITEV] = {SOCKET("weft_writev"), WF_SIDE_OUT, .attempt = wf_stream_writev},
    [WF_OP_WRITE_ZERO_COPY] = {KERNEL("weft_write_zero_copy"), WF_SIDE_KERNEL,
                               .begin = wf_zero_copy_begin, .prepare = wf_zero_copy_prepare,
                               .needs = WF_RING_SEND_ZC, .end = wf_zero_copy_end},
    [WF_OP_RECEIVE_MESSAGE] = {SOCKET("weft_receive_message"), WF_SIDE_IN,
                               .attempt = wf_message_receive},
    [WF_OP_SEND_MESSAGE] = {SOCKET("weft_send_message"), WF_SIDE_OUT, .attempt = wf_message_send,
                            .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_RECEIVE_FROM] = {SOCKET("weft_receive_from"), WF_SIDE_IN,
                            .attempt = wf_datagram_receive},
    [WF_OP_SEND_TO] = {SOCKET("weft_send_to"), WF_SIDE_OUT, .attempt = wf_datagram_send,
                       .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_RECEIVE_BATCH] = {SOCKET("weft_receive_batch"), WF_SIDE_IN,
                             .attempt = wf_datagram_receive_batch},
    [WF_OP_SEND_BATCH] = {SOCKET("weft_send_batch"), WF_SIDE_OUT, .attempt = wf_datagram_send_batch,
                          .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_ACCEPT] = {SOCKET("weft_accept"), WF_SIDE_IN, .attempt = wf_accept_attempt,
                      .waits = wf_nudge_waits, .end = wf_nudge_end},
    [WF_OP_CONNECT] = {SOCKET("weft_connect"), WF_SIDE_OUT, .begin = wf_connect_begin,
                       .attempt = wf_connect_attempt, .waits = wf_nudge_waits,
                       .end = wf_connect_end},
    [WF_OP_RELEASE] = {SOCKET("weft_stream_release"), WF_SIDE_BOTH, .attempt = wf_release_attempt,
                       .end = wf_release_end},
    [WF_OP_FILE_OPEN] = {KERNEL("weft_file_open"), WF_SIDE_KERNEL, .begin = wf_file_begin_open,
                         .prepare = wf_file_prepare_open, .waits_long = wf_file_open_waits,
                         .end = wf_file_end_open},
    [WF_OP_FILE_CLOSE] = {KERNEL("weft_file_close", | WEFT_FUTURE_CLEANS_UP), WF_SIDE_KERNEL,
                          .prepare = wf_file_prepare_close, .plain = wf_file_plain_close},
    [WF_OP_FILE_READ] = {KERNEL("weft_file_read"), WF_SIDE_KERNEL, POSITION,
                         .at_once = wf_file_read_cached, .prepare = wf_file_prepare_read,
                         .end = wf_file_end_read},
    [WF_OP_FILE_READ_EXACT] = {KERNEL("weft_file_read_exact"), WF_SIDE_KERNEL, POSITION,
                               .at_once = wf_file_read_cached, .prepare = wf_file_prepare_read,
                               .end = wf_file_end_read_exact},
    [WF_OP_FILE_READV] = {KERNEL("weft_file_readv"), WF_SIDE_KERNEL, POSITION,
                          .at_once = wf_file_readv_nothing, .prepare = wf_file_prepare_readv,
                          .end = wf_file_end_readv},
    [WF_OP_FILE_WRITE] = {KERNEL("weft_file_write"), WF_SIDE_KERNEL, POSITION,
                          .prepare = wf_file_prepare_write},
    [WF_OP_FILE_WRITE_ALL] = {KERNEL("weft_file_write_all"), WF_SIDE_KERNEL, POSITION,
                              .prepare = wf_file_prepare_write, .end = wf_file_end_write_all},
    [WF_OP_FILE_WRITEV] = {KERNEL("weft_file_writev"), WF_SIDE_KERNEL, POSITION,
                           .prepare = wf_file_prepare_writev},
    [WF_OP_SPLICE] = {KERNEL("weft_splice"), WF_SIDE_KERNEL, .prepare = wf_file_prepare_splice},
    [WF_OP_SEND_FILE] = {SOCKET("weft_send_file"), WF_SIDE_OUT, .attempt = wf_send_file_attempt},
    [WF_OP_FILE_SYNC] = {KERNEL("weft_file_sync"), WF_SIDE_KERNEL, .prepare = wf_file_prepare_sync},
    [WF_OP_FILE_SYNC_DATA] = {KERNEL("weft_file_sync_data"), WF_SIDE_KERNEL,
                              .prepare = wf_file_prepare_sync},
    [WF_OP_FILE_ALLOCATE] = {KERNEL("weft_file_allocate"), WF_SIDE_KERNEL,
                             .prepare = wf_file_prepare_allocate},
    [WF_OP_FILE_TRUNCATE] = {KERNEL("weft_file_truncate"), WF_SIDE_KERNEL,
                             .prepare = wf_file_prepare_truncate, .needs = WF_RING_FTRUNCATE,
                             .plain = wf_file_plain_truncate},
    [WF_OP_PATH_STAT] = {KERNEL("weft_path_stat"), WF_SIDE_KERNEL, .prepare = wf_path_prepare_stat,
                         .end = wf_path_end_stat},
    [WF_OP_PATH_UNLINK] = {KERNEL("weft_path_unlink"), WF_SIDE_KERNEL,
                           .prepare = wf_path_prepare_unlink},
    [WF_OP_PATH_RENAME] = {KERNEL("weft_path_rename"), WF_SIDE_KERNEL,
                           .prepare = wf_path_prepare_rename},
    [WF_OP_PATH_MAKE_DIR] = {KERNEL("weft_path_make_dir"), WF_SIDE_KERNEL,
                             .prepare = wf_path_prepare_make_dir},
    [WF_OP_PATH_LINK] = {KERNEL("weft_path_link"), WF_SIDE_KERNEL, .prepare = wf_path_prepare_link},
    [WF_OP_PATH_SYMLINK] = {KERNEL("weft_path_symlink"), WF_SIDE_KERNEL,
                            .prepare = wf_path_prepare_symlink},
    [WF_OP_FD_READY] = {KERNEL("weft_fd_ready"), WF_SIDE_KERNEL, .prepare = wf_ready_prepare,
                        .end = wf_ready_end},
};

static const wf_operation *row(const weft_io *io)
{
    return (const wf_operation *)(const void *)io->future.ops;
}

weft_future *wf_io_init(weft_io *io, int op)
{
    weft_future_init(&io->future, &wf_operations[op].future);
    io->done = 0;
    io->waker_ = (weft_waker){0};
    io->object_ = io->out_ = io->memory_ = NULL;
    io->size_ = 0;
    io->offset_ = io->answer_ = 0;
    io->fd_ = -1;
    io->option_ = io->lock_ = io->phase_ = 0;
    return &io->future;
}

static weft_poll io_end(weft_io *io, int64_t result)
{
    const wf_operation *op = row(io);

    if (op->end)
        result = op->end(io, result, weft_future_is_cancelled(&io->future));
    return weft_ready(&io->future, result);
}

/* ---- sockets: try, then wait for readiness ---- */

enum { SOCKET_START, SOCKET_TRY, SOCKET_WAIT };

#define STILL_WAITS 1

static wf_direction *direction(const weft_io *io, wf_socket *s)
{
    return row(io)->side & WF_SIDE_IN ? &s->in : &s->out;
}

/* The first poll: 0, or the result. */
static int64_t socket_start(weft_io *io, weft_context *cx)
{
    int        r = 0;
    wf_socket *s;

    if (row(io)->begin && (r = row(io)->begin(io, cx)) < 0)
        return r;
    s = wf_socket_ref(io->object_, row(io)->side);
    if (s && wf_reactor_is_child(s->reactor)) {
        r = -ECHILD; /* the count is the child's own, and does not matter there */
    } else if (s) {
        if (wf_socket_claim(direction(io, s), io)) {
            io->object_ = s; /* the handle before */
            io->phase_ = SOCKET_TRY;
            return 0;
        }
        wf_socket_unref(s);
        r = -EBUSY;
    } else {
        r = -EBADF;
    }
    io->object_ = NULL; /* nothing to clean up */
    return r;
}

static weft_poll socket_end(weft_io *io, int64_t result)
{
    wf_socket *s = io->object_;
    weft_poll  poll = io_end(io, result);

    wf_socket_let_go(direction(io, s));
    wf_socket_unref(s);
    return poll;
}

/* A later poll: 0: it tries again, STILL_WAITS, or its result. */
static int64_t socket_resume(weft_io *io, weft_context *cx)
{
    wf_socket    *s = io->object_;
    wf_direction *d = direction(io, s);

    if (weft_future_is_cancelled(&io->future) || wf_socket_is_closed(s, row(io)->side)) {
        wf_socket_withdraw(s, d, io);
        return -ECANCELED;
    }
    if (io->phase_ != SOCKET_WAIT)
        return 0;
    if (wf_socket_is_waiting(s, d, io, cx->waker))
        return STILL_WAITS;
    io->phase_ = SOCKET_TRY;
    return io->answer_ < 0 ? io->answer_ : 0; /* waiting has failed, or not */
}

/* Until it ends, or has to wait. */
static weft_poll socket_try(weft_io *io, weft_context *cx)
{
    wf_socket    *s = io->object_;
    wf_direction *d = direction(io, s);

    while (weft_context_spend(cx)) {
        uint32_t seq = wf_socket_seq(d);
        int64_t  r = row(io)->attempt(io, s);

        if (r == WF_IO_MORE || r == -EINTR) {
            if (wf_socket_is_closed(s, row(io)->side))
                return socket_end(io, -ECANCELED);
            continue;
        }
        if (r != -EAGAIN)
            return socket_end(io, r);
        switch (wf_socket_wait(s, d, io, seq, cx->waker)) {
        case WF_SOCKET_WAITING:
            io->phase_ = SOCKET_WAIT;
            if (row(io)->waits)
                row(io)->waits(io, s, cx);
            return WEFT_PENDING;
        case WF_SOCKET_RETRY:
            break;
        case WF_SOCKET_IS_CLOSED:
            return socket_end(io, -ECANCELED);
        }
    }
    return WEFT_PENDING;
}

static weft_poll socket_poll(weft_future *future, weft_context *cx)
{
    weft_io *io = weft_container(future, weft_io, future);
    int64_t  r;

    if (io->phase_ == SOCKET_START) {
        r = socket_start(io, cx);
        if (r < 0)
            return io_end(io, r);
    } else {
        /* Of the parent's it is left as it is: its ends take locks, which may be held for ever. */
        if (wf_reactor_is_child(((wf_socket *)io->object_)->reactor))
            return weft_ready(future, -ECHILD);
        r = socket_resume(io, cx);
        if (r == STILL_WAITS)
            return WEFT_PENDING;
        if (r < 0)
            return socket_end(io, r);
    }
    return socket_try(io, cx);
}

static void socket_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws it */
}

/* ---- the kernel: hand over, wait for the answer ---- */

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
    wf_reactor    *r = io->object_;

    io->phase_ |= KERNEL_IN_INBOX;
    s->take = kernel_take;
    wf_inbox_push_any(&r->inbox, s);
}

/* Nobody else has the weft_io. */
static weft_poll kernel_start(weft_io *io, weft_context *cx)
{
    wf_reactor *r = io->object_;

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
    return weft_ready(&io->future, row(io)->plain ? row(io)->plain(io) : -EOPNOTSUPP);
}

static weft_poll kernel_end(weft_io *io, weft_context *cx)
{
    bool    cancelled = weft_future_is_cancelled(&io->future);
    bool    unseen = io->phase_ & KERNEL_UNSEEN;
    int64_t result = unseen && cancelled ? -ECANCELED : io->answer_;

    if (unseen && !cancelled && row(io)->plain)
        return weft_ready(&io->future, row(io)->plain(io));
    if (result == -ERESTARTSYS)
        result = -EINTR;
    /* The kernel interrupts what a thread of its own works on. A file is closed then all the same. */
    if (cancelled && result == -EINTR && !(row(io)->future.flags & WEFT_FUTURE_CLEANS_UP))
        result = -ECANCELED;
    if (row(io)->end)
        result = row(io)->end(io, result, cancelled);
    return result == WF_IO_MORE ? kernel_start(io, cx) : weft_ready(&io->future, result);
}

/* What need not wait is done here; the answer, or WF_IO_MORE. */
static int64_t kernel_at_once(weft_io *io, weft_context *cx)
{
    int64_t n = row(io)->at_once ? row(io)->at_once(io, cx) : WF_IO_MORE;

    return n == WF_IO_MORE ? n : row(io)->end(io, n, false);
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
    if (row(io)->needs & ~cx->runtime->reactor->ring.features)
        return kernel_end_without(io);
    if ((n = kernel_at_once(io, cx)) != WF_IO_MORE)
        return weft_ready(future, n);
    if (row(io)->begin && (r = row(io)->begin(io, cx)) < 0)
        return weft_ready(future, r);
    io->object_ = cx->runtime->reactor;
    return kernel_start(io, cx);
}

static weft_poll kernel_poll(weft_future *future, weft_context *cx)
{
    weft_io   *io = weft_container(future, weft_io, future);
    weft_waker next;
    bool       done;

    if (!io->object_) /* only its owner writes it */
        return kernel_begin(io, cx);
    if (wf_reactor_is_child(io->object_)) /* it is the parent's that the ring has */
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

static void kernel_cancel(weft_future *future)
{
    weft_io    *io = weft_container(future, weft_io, future);
    wf_reactor *r = io->object_;

    if (!r || wf_reactor_is_child(r))
        return; /* polled, but not started: see kernel_begin's budget; or the next poll refuses it */
    wf_lock(&io->lock_);
    if (!(io->phase_ & KERNEL_DONE)) {
        io->phase_ |= KERNEL_CANCEL;
        if (!(io->phase_ & KERNEL_IN_INBOX))
            kernel_submit(io);
    }
    wf_unlock(&io->lock_);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
}

/* Under the lock: the operation has its answer, and may end if nobody else has the weft_io. */
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
    return row(io)->takes_turns && io->option_;
}

static bool waits_long(const weft_io *io)
{
    return row(io)->waits_long && row(io)->waits_long(io);
}

/* Under the lock, with room in r->held. False: the ring has broken while it made room for the entry, so the
 * kernel will never see the operation. */
static bool give_to_ring(wf_reactor *r, weft_io *io)
{
    uint64_t             tag = wf_reactor_tag(io, WF_TAG_IO);
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    if (r->ring.error < 0)
        return false;
    if (waits_long(io))
        wf_ring_add_threads(&r->ring, 1);
    row(io)->prepare(io, sqe);
    sqe->user_data = tag;
    io->answer_ = wf_held_add(&r->held, tag);
    io->phase_ |= KERNEL_IN_RING;
    wf_count(&r->n_begun, 1);
    return true;
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
    row(io)->prepare(io, &job->sqe);
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
    sqe->user_data = wf_reactor_tag(NULL, WF_TAG_NOTHING);
}

/* The operation whose turn comes then, or NULL. */
static weft_io *leave_ring(wf_reactor *r, weft_io *io)
{
    if (io->phase_ & KERNEL_IN_RING) {
        wf_held_remove(&r->held, (uint32_t)io->answer_);
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

/* The kernel cancels by itself what needs a thread of its own that it can't make, because a limit of
 * processes is reached, and what it held when the ring was lost. */
static int reason_to_cancel(const wf_reactor *r)
{
    return r->ring.error < 0 ? r->ring.error : -EAGAIN;
}

void wf_io_lost(wf_reactor_token token, weft_io *io)
{
    bool     cleans_up = row(io)->future.flags & WEFT_FUTURE_CLEANS_UP;
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
        io->offset_ = result;
        wf_unlock(&io->lock_);
        return;
    }
    next = leave_ring(token.r, io);
    io->answer_ = flags & IORING_CQE_F_NOTIF ? io->offset_ : result;
    if (io->answer_ == -ECANCELED && !(io->phase_ & KERNEL_CANCEL))
        settle_unseen(token.r, io, reason_to_cancel(token.r));
    else
        settle(token.r, io);
    wf_unlock(&io->lock_);
    begin_turn(token.r, next);
}
