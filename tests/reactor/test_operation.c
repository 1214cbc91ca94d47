/*
 * test_operation.c - the table of operations
 */
#include "bare_reactor.h"

#include <fcntl.h>

static bool is_named(const weft_future_ops *row, const char *name)
{
    return strcmp(row->name, name) == 0;
}

static void check_row(const weft_future_ops *row)
{
    const wf_socket_op *s = (const wf_socket_op *)(const void *)row;
    const wf_kernel_op *k = (const wf_kernel_op *)(const void *)row;
    bool                cleans_up = is_named(row, "weft_file_close");

    check(strncmp(row->name, "weft_", 5) == 0);
    check_eq(row->size, sizeof(weft_io));
    if (row->flags == WEFT_FUTURE_WITHDRAWS) {
        check(row->poll == wf_socket_op_poll && row->cancel == wf_socket_op_cancel);
        check(s->attempt != NULL && s->side != 0);
    } else {
        check(row->poll == wf_kernel_op_poll && row->cancel == wf_kernel_op_cancel);
        check(k->prepare != NULL);
        check_eq(row->flags, WEFT_FUTURE_DRAINS | (cleans_up ? WEFT_FUTURE_CLEANS_UP : 0));
    }
}

Test(operation, every_row_has_what_its_type_needs)
{
    for (const weft_future_ops *const *row = wf_operations; *row; row++)
        check_row(*row);
}

Test(operation, names_are_unique)
{
    for (const weft_future_ops *const *a = wf_operations; *a; a++)
        for (const weft_future_ops *const *b = wf_operations; b < a; b++)
            check(!is_named(*a, (*b)->name));
}

Test(operation, ends_with_enxio_where_there_is_no_runtime)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    for (const weft_future_ops *const *row = wf_operations; *row; row++) {
        weft_io io = {0};

        if ((*row)->flags & WEFT_FUTURE_WITHDRAWS && !is_named(*row, "weft_connect"))
            continue; /* its socket must belong to a runtime */
        weft_context_init(&cx, &noop, NULL);
        check(weft_poll_is_ready(weft_future_poll(wf_io_init(&io, *row, NULL), &cx)));
        check_eq(io.future.result, -ENXIO);
    }
}

/* The result of an operation that is cancelled in flight and that the kernel completes with
 * `result`. */
static int64_t cancelled_with(weft_io *io, weft_future *future, int32_t result)
{
    wf_reactor_token token = {&reactor};
    weft_waker       noop = weft_waker_noop();
    weft_context     cx;

    bare_start();
    weft_context_init(&cx, &noop, &rt);
    check(!weft_poll_is_ready(weft_future_poll(future, &cx)));
    bare_take_inbox();
    check(!weft_poll_is_ready(weft_future_cancel(future)));
    bare_take_inbox();
    wf_io_completed(token, io, result, 0);
    check(weft_poll_is_ready(weft_future_poll(future, &cx)));
    bare_stop();
    return io->future.result;
}

#define RESTART (-512) /* -ERESTARTSYS, which no user-space header defines */

Test(operation, one_that_its_cancel_has_interrupted_is_cancelled)
{
    weft_io io;
    char    byte;

    check_eq(cancelled_with(&io, weft_file_read(&io, -1, &byte, 1, 0), -EINTR), -ECANCELED);
    check_eq(cancelled_with(&io, weft_file_read(&io, -1, &byte, 1, 0), RESTART), -ECANCELED);
    check_eq(cancelled_with(&io, weft_file_read(&io, -1, &byte, 1, 0), 1), 1);
}

/* The file is closed by then. -ECANCELED would tell the caller that it is still open. */
Test(operation, a_close_that_its_cancel_has_interrupted_is_not_cancelled)
{
    weft_io io;

    check_eq(cancelled_with(&io, weft_file_close(&io, 0), -EINTR), -EINTR);
    check_eq(cancelled_with(&io, weft_file_close(&io, 0), RESTART), -EINTR);
    check_eq(cancelled_with(&io, weft_file_close(&io, 0), -ECANCELED), -ECANCELED);
}

/* Without a ring a blocking thread runs the operation. */
static void poll_to_end(weft_future *future, weft_context *cx)
{
    while (!weft_poll_is_ready(weft_future_poll(future, cx))) {
        bare_take_inbox();
        sched_yield();
    }
}

/* A close that never gets to the kernel must close the file all the same. */
static void check_closes(bool taken, bool cancelled, void (*lose)(void))
{
    weft_waker   noop = weft_waker_noop();
    int          fd = dup(2);
    weft_context cx;
    weft_io      io;
    weft_future *future = weft_file_close(&io, fd);

    bare_start();
    weft_context_init(&cx, &noop, &rt);
    check(!weft_poll_is_ready(weft_future_poll(future, &cx)));
    if (taken)
        bare_take_inbox();
    lose();
    if (cancelled)
        check(!weft_poll_is_ready(weft_future_cancel(future)));
    bare_take_inbox();
    if (taken) {
        check_eq(wf_ring_unseen(&reactor.ring, 0), (uintptr_t)&io);
        check_eq(wf_ring_unseen(&reactor.ring, 1), 0);
        wf_io_unseen((wf_reactor_token){&reactor}, &io);
    }
    poll_to_end(future, &cx);
    check_eq(io.future.result, cancelled ? -ECANCELED : 0);
    check_eq(fcntl(fd, F_GETFD) < 0, !cancelled);
    if (cancelled)
        close(fd);
    bare_stop();
}

static void lose_ring(void)
{
    reactor.ring.error = -EIO;
}

static void *no_memory(void *arg, size_t size)
{
    (void)arg, (void)size;
    return NULL;
}

static void lose_memory(void)
{
    rt.config.allocator.allocate = no_memory;
}

Test(operation, a_close_that_the_kernel_never_sees_closes_all_the_same)
{
    check_closes(false, false, lose_ring);
    check_closes(true, false, lose_ring);
    check_closes(true, true, lose_ring);
    check_closes(false, true, lose_ring);
    check_closes(false, false, lose_memory);
}

/* The result of an operation that the kernel cancels by itself because it has no thread for it. */
static int64_t cancelled_by_kernel(weft_io *io, weft_future *future, int ring_error, bool late)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    bare_start();
    weft_context_init(&cx, &noop, &rt);
    check(!weft_poll_is_ready(weft_future_poll(future, &cx)));
    bare_take_inbox();
    reactor.ring.error = ring_error;
    wf_io_completed((wf_reactor_token){&reactor}, io, -ECANCELED, 0);
    if (late) /* the owner cancels it after it has ended */
        (void)!weft_poll_is_ready(weft_future_cancel(future));
    bare_take_inbox();
    check(weft_poll_is_ready(weft_future_poll(future, &cx)));
    reactor.ring.error = 0;
    bare_stop();
    return io->future.result;
}

Test(operation, what_the_kernel_has_no_thread_for_is_not_cancelled)
{
    weft_io io;
    char    byte;

    check_eq(cancelled_by_kernel(&io, weft_file_read(&io, -1, &byte, 1, 0), 0, false), -EAGAIN);
    check_eq(cancelled_by_kernel(&io, weft_file_sync(&io, -1), -EIO, false), -EIO);
    check_eq(cancelled_by_kernel(&io, weft_file_sync(&io, -1), 0, true), -ECANCELED);
}

Test(operation, a_close_that_the_kernel_has_no_thread_for_closes_all_the_same)
{
    weft_io io;
    int     fd = dup(2);

    check_eq(cancelled_by_kernel(&io, weft_file_close(&io, fd), 0, false), 0);
    check_cmp(fcntl(fd, F_GETFD), <, 0);
}

/* ---- nothing the size of the user's data is done on the reactor's thread ---- */

static bool goes_to_a_thread(weft_io *io, weft_future *future)
{
    struct io_uring_sqe sqe = {0};

    (void)future;
    wf_kernel_op_of(io)->prepare(io, &sqe);
    return sqe.flags & IOSQE_ASYNC;
}

#define AT_ONCE ((size_t)128 << 10)

static char area[AT_ONCE + 1];

Test(operation, a_long_copy_goes_to_a_thread_of_the_kernels)
{
    weft_io      io;
    struct iovec two[] = {{area, AT_ONCE / 2}, {area, AT_ONCE / 2}};
    size_t       n = AT_ONCE;

    check(!goes_to_a_thread(&io, weft_file_read(&io, 3, area, n, 0)));
    check(goes_to_a_thread(&io, weft_file_read(&io, 3, area, n + 1, 0)));
    check(!goes_to_a_thread(&io, weft_file_read_exact(&io, 3, area, n, 0)));
    check(goes_to_a_thread(&io, weft_file_read_exact(&io, 3, area, n + 1, 0)));
    check(!goes_to_a_thread(&io, weft_file_write(&io, 3, area, n, -1)));
    check(goes_to_a_thread(&io, weft_file_write(&io, 3, area, n + 1, -1)));
    check(!goes_to_a_thread(&io, weft_file_write_all(&io, 3, area, n, 0)));
    check(goes_to_a_thread(&io, weft_file_write_all(&io, 3, area, n + 1, 0)));
    check(!goes_to_a_thread(&io, weft_file_readv(&io, 3, two, 2, 0)));
    check(!goes_to_a_thread(&io, weft_file_writev(&io, 3, two, 2, 0)));
    two[1].iov_len++;
    check(goes_to_a_thread(&io, weft_file_readv(&io, 3, two, 2, 0)));
    check(goes_to_a_thread(&io, weft_file_writev(&io, 3, two, 2, 0)));
    two[1].iov_len = SIZE_MAX; /* which the kernel refuses */
    check(goes_to_a_thread(&io, weft_file_writev(&io, 3, two, 2, 0)));
}

Test(operation, a_close_goes_to_a_thread_of_the_kernels)
{
    weft_io io;

    check(goes_to_a_thread(&io, weft_file_close(&io, 3)));
}

/* ---- a ring that breaks ---- */

/* The submission queue is full, and the reactor finds the ring broken when it enters the kernel to
 * make room for the close. */
Test(operation, a_close_that_finds_the_ring_broken_closes_all_the_same)
{
    weft_waker   noop = weft_waker_noop();
    int          fd = dup(2), ring;
    weft_context cx;
    weft_io      io;
    weft_future *future = weft_file_close(&io, fd);

    bare_start();
    weft_context_init(&cx, &noop, &rt);
    check(!weft_poll_is_ready(weft_future_poll(future, &cx)));
    while (io_uring_sq_space_left(&reactor.ring.uring) > 0) {
        struct io_uring_sqe *sqe = wf_ring_sqe(&reactor.ring);

        io_uring_prep_nop(sqe);
        sqe->user_data = wf_reactor_tag(NULL, WF_TAG_NOTHING);
    }
    ring = reactor.ring.uring.ring_fd;
    reactor.ring.uring.enter_ring_fd = -1;
    bare_take_inbox();
    check_eq(reactor.ring.error, -EBADF);
    poll_to_end(future, &cx);
    check_eq(io.future.result, 0);
    check_cmp(fcntl(fd, F_GETFD), <, 0);
    bare_stop();
    close(ring);
}

/* The result of an operation when the ring is lost while the operation is in flight. */
static int64_t lost(weft_io *io, weft_future *future, bool cancelled)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    bare_start();
    weft_context_init(&cx, &noop, &rt);
    check(!weft_poll_is_ready(weft_future_poll(future, &cx)));
    bare_take_inbox();
    if (cancelled)
        check(!weft_poll_is_ready(weft_future_cancel(future)));
    bare_take_inbox();
    reactor.ring.error = -EIO;
    wf_io_lost((wf_reactor_token){&reactor}, io);
    check(weft_poll_is_ready(weft_future_poll(future, &cx)));
    bare_stop();
    return io->future.result;
}

/* A close is the exception: -ECANCELED would tell the caller that the file is still open. */
Test(operation, one_that_was_cancelled_says_so_also_when_the_ring_is_lost)
{
    weft_io io;
    char    byte;

    check_eq(lost(&io, weft_file_read(&io, -1, &byte, 1, 0), false), -EIO);
    check_eq(lost(&io, weft_file_read(&io, -1, &byte, 1, 0), true), -ECANCELED);
    check_eq(lost(&io, weft_file_close(&io, -1), false), -EIO);
    check_eq(lost(&io, weft_file_close(&io, -1), true), -EIO);
}

/* ---- in a forked child ---- */

static int n_wakes;

static void count_wake(wf_driver *driver)
{
    (void)driver;
    n_wakes++;
}

/* The child inherits the parent's wake descriptor. A write to it would wake the parent. */
Test(operation, a_cancel_in_a_forked_child_does_not_wake_the_parent_s_reactor)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;
    weft_io      io;
    char         byte;
    weft_future *future = weft_file_read(&io, -1, &byte, 1, 0);

    bare_start();
    weft_context_init(&cx, &noop, &rt);
    check(!weft_poll_is_ready(weft_future_poll(future, &cx)));
    bare_take_inbox();
    reactor.driver.wake = count_wake;
    reactor.driver.state = WF_DRIVER_IN_KERNEL;
    reactor.driver.sleeps_until = WEFT_FOREVER;
    reactor.is_parent = "";
    check(!weft_poll_is_ready(weft_future_cancel(future)));
    check(wf_inbox_is_empty(&reactor.inbox));
    check_eq(n_wakes, 0);
    check(weft_poll_is_ready(weft_future_poll(future, &cx)));
    check_eq(io.future.result, -ECHILD);
    check_eq(wf_reactor_held(&reactor), 1); /* the request belongs to the parent */
}
