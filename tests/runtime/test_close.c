/*
 * test_close.c - a socket is closed while an operation waits: the operation moves no more bytes
 */
#include "operation_cases.h"

/* Polls the future once, with a waker that does nothing. Returns whether it is READY. */
static bool poll_with(weft_runtime *rt, weft_future *future, uint32_t budget)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    weft_context_init(&cx, &noop, rt);
    cx.budget = budget;
    return weft_poll_is_ready(weft_future_poll(future, &cx));
}

static bool poll_once(weft_runtime *rt, weft_future *future)
{
    return poll_with(rt, future, WEFT_BUDGET_DEFAULT);
}

static void close_all(stage *s)
{
    weft_stream_close(s->stream);
    weft_stream_close(s->full);
    weft_listener_close(s->listener);
    weft_datagram_close(s->datagram);
    weft_datagram_close(s->sender);
}

static bool is_writable(int fd)
{
    return poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 0) == 1;
}

static int64_t receivable(int fd)
{
    char    rest[65536];
    int64_t n = 0;
    ssize_t r;

    while ((r = recv(fd, rest, sizeof rest, MSG_DONTWAIT)) > 0)
        n += r;
    return n;
}

/* Nothing arrives between the last poll and the close. All that the operation waited for arrives
 * between the close and the next poll. */
static void check_row(weft_runtime *rt, int row)
{
    const row_case *c = &cases[row];
    int             n = n_fds(), kept;
    stage           s;
    weft_io         io;

    set_up(&s, rt, c->let_go == drain_full);
    kept = dup(weft_stream_fd(c->let_go == drain_full ? s.full : s.stream));
    CHECK(row, !poll_once(rt, c->begin(&s, &io)));
    if (c->left) { /* what it could take stays to be seen */
        int in = is_row(row, "weft_receive_from") || is_row(row, "weft_receive_batch")
                     ? weft_datagram_fd(s.datagram)
                     : weft_stream_fd(s.stream);

        check_cmp(dup2(in, kept), >=, 0);
    }
    close_all(&s);
    if (c->let_go == drain_full)
        EVENTUALLY((receivable(s.full_peer), is_writable(kept)));
    else
        c->let_go(&s);
    CHECK(row, poll_once(rt, &io.future));
    CHECK(row, io.future.result == -ECANCELED);
    CHECK(row, io.done == 0);
    CHECK(row, s.granted == NULL);
    if (c->left)
        CHECK(row, receivable(kept) == SIZE);
    if (c->let_go == drain_receiver)
        CHECK(row, recv(s.receiver, s.buffer, SIZE, MSG_DONTWAIT) < 0);
    close(kept);
    tear_down(&s);
    EVENTUALLY(n_fds() == n);
}

Test(close, ends_every_operation_that_waits_and_it_moves_nothing)
{
    weft_runtime *rt = start(1);
    int           n_rows = 0;

    for (int row = 0; row < ROWS; row++)
        if (withdraws(row) && cases[row].let_go) {
            check_row(rt, row);
            n_rows++;
        }
    check_cmp(n_rows, >=, 15);
    stop(rt);
}

/* A task that tries again and again on a socket that is closed leaves its worker to others, and
 * sees that it is cancelled: an operation that cannot begin takes from the budget, too. */
static void check_refused(weft_runtime *rt, int row)
{
    const row_case *c = &cases[row];
    int             n = n_fds();
    stage           s;
    weft_io         io;

    set_up(&s, rt, c->let_go == drain_full);
    close_all(&s);
    CHECK(row, !poll_with(rt, c->begin(&s, &io), 0));
    CHECK(row, !poll_with(rt, &io.future, 0));
    CHECK(row, poll_with(rt, &io.future, 1));
    CHECK(row, io.future.result == -EBADF);
    CHECK(row, !poll_with(rt, c->begin(&s, &io), 0));
    CHECK(row, !weft_poll_is_ready(weft_future_cancel(&io.future)));
    CHECK(row, poll_with(rt, &io.future, 0)); /* it WITHDRAWS */
    CHECK(row, io.future.result == -ECANCELED);
    tear_down(&s);
    EVENTUALLY(n_fds() == n);
}

Test(close, operations_that_begin_later_take_from_the_budget)
{
    weft_runtime *rt = start(1);

    for (int row = 0; row < ROWS; row++)
        if (withdraws(row) && cases[row].let_go)
            check_refused(rt, row);
    stop(rt);
}

/* The peer gets the bytes that were sent before the close, and then the end. */
Test(close, ends_a_write_all_between_two_of_its_steps)
{
    enum { LARGE = 32 << 20 };
    weft_runtime *rt = start(1);
    char         *data = calloc(1, LARGE);
    size_t        n_got = 0;
    weft_stream  *s;
    weft_io       io;
    ssize_t       n;
    static char   rest[65536];
    int           peer = pair(rt, &s);

    check(!poll_with(rt, weft_write_all(&io, s, data, LARGE), 1));
    check_cmp(io.done, >, 0);
    weft_stream_close(s);
    check(poll_once(rt, &io.future));
    check_eq(io.future.result, -ECANCELED);
    while ((n = recv(peer, rest, sizeof rest, 0)) > 0)
        n_got += (size_t)n;
    check_eq(n, 0);
    check_eq(n_got, io.done);
    free(data);
    close(peer);
    stop(rt);
}

/* A half has one direction: the operation of the other half continues. */
Test(close, of_one_half_leaves_the_other_s_operation)
{
    weft_runtime *rt = start(1);
    weft_stream  *s, *reader, *writer;
    weft_io       in, out;
    char          byte;
    int           peer = pair(rt, &s);

    check_eq(weft_stream_split(s, &reader, &writer), 0);
    check(!poll_once(rt, weft_read(&in, reader, &byte, 1)));
    weft_stream_close(writer);
    check(poll_once(rt, weft_write(&out, writer, "x", 1)));
    check_eq(out.future.result, -EBADF);
    raw_write(peer, "y", 1);
    check_eq(weft_block_on(rt, &in.future), 1);
    check_eq(byte, 'y');
    weft_stream_close(reader);
    close(peer);
    stop(rt);
}

/* A file is a descriptor, which weft does not own: the kernel holds what an operation of it waits
 * for. */
Test(close, of_a_file_leaves_its_operations)
{
    weft_runtime *rt = start(1);
    weft_io       io, close_io;
    char          byte;
    int           ends[2];

    check_eq(pipe2(ends, O_CLOEXEC), 0);
    check(!poll_once(rt, weft_file_read(&io, ends[0], &byte, 1, -1)));
    check(!poll_once(rt, weft_fd_ready(&close_io, ends[0], POLLIN)));
    check(!weft_poll_is_ready(weft_future_cancel(&close_io.future)));
    check_eq(weft_block_on(rt, &close_io.future), -ECANCELED);
    check_eq(weft_block_on(rt, weft_file_close(&close_io, ends[0])), 0);
    check(!poll_once(rt, &io.future));
    check_eq(write(ends[1], "z", 1), 1);
    check_eq(weft_block_on(rt, &io.future), 1);
    check_eq(byte, 'z');
    close(ends[1]);
    stop(rt);
}
