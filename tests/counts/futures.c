/*
 * futures.c - rows of futures that end within one poll: timers, limits, groups, streams
 *
 * Purpose     See counts.h.
 * Threads     The main thread.
 * Invariants  A read finds its byte and a write finds room. So each is one system call, whose
 *             instructions in the kernel callgrind does not see, and the reactor has no part in it.
 * Ordering    None.
 * Failure     See counts.h.
 */
#include "counts.h"

/* ---- await: of a future that is ready at once, which the rows below have, too ---- */

struct await {
    WEFT_FRAME;
    struct {
    } in;
    weft_future ready;
    int64_t     left;
};
WEFT_ASYNC(await)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, counts_ready(&self->ready));
        must(n == 1, "an await answered wrongly");
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(await)

/* ---- timer_arm_cancel: a sleep is begun, cancelled, and polled until it has ended ---- */

struct timer_arm_cancel {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep nap, longest;
    int64_t           left;
};
WEFT_ASYNC(timer_arm_cancel)
{
    weft_future *future;

    WEFT_BEGIN();
    /* The reactor has to be woken for the first timer, and sleeps until that from then on. */
    must(!weft_poll_is_ready(weft_future_poll_inner(weft_sleep(&self->longest, WEFT_S(60)), cx)),
         "a sleep ended early");
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        future = weft_sleep(&self->nap, WEFT_S(3600));
        must(!weft_poll_is_ready(weft_future_poll_inner(future, cx)), "a sleep ended early");
        must(!weft_poll_is_ready(weft_future_cancel(future)), "a sleep was not begun");
        must(weft_poll_is_ready(weft_future_poll_inner(future, cx)), "a sleep did not end");
    }
    counts_end(TIMES, (struct counts_proof){.timers = TIMES});
    future = &self->longest.future;
    must(!weft_poll_is_ready(weft_future_cancel(future)), "a sleep was not begun");
    must(weft_poll_is_ready(weft_future_poll_inner(future, cx)), "a sleep did not end");
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(timer_arm_cancel)

/* ---- timeout_ready: a limit around a future that is ready at once ---- */

struct timeout_ready {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_timeout limit;
    weft_future         ready;
    int64_t             left;
};
WEFT_ASYNC(timeout_ready)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_timeout(&self->limit, counts_ready(&self->ready), WEFT_S(3600)));
        must(n == 1, "a timeout answered wrongly");
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(timeout_ready)

/* ---- select_2: the first branch waits, the second is ready, and the first is cancelled ---- */

struct select_2 {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_select select;
    weft_future        never, ready;
    int64_t            left;
};
WEFT_ASYNC(select_2)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_select_biased(&self->select, counts_never(&self->never),
                                         counts_ready(&self->ready)));
        must(n == 1 && self->never.result == -ECANCELED, "a select answered wrongly");
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(select_2)

/* ---- join_all_4: all four are ready ---- */

struct join_all_4 {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_join_all all;
    weft_future          ready[4];
    int64_t              left;
};
WEFT_ASYNC(join_all_4)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_join_all(&self->all, counts_ready(&self->ready[0]),
                                    counts_ready(&self->ready[1]), counts_ready(&self->ready[2]),
                                    counts_ready(&self->ready[3])));
        must(n == 0 && self->ready[3].result == 1, "a join_all answered wrongly");
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(join_all_4)

/* ---- read and write: a byte each. So many fit into the buffer of a Unix socket. ---- */

enum { BYTES = 100 };

static weft_stream *near, *far;

static void open_streams(void)
{
    must(weft_stream_pair(NULL, &near, &far) == 0, "no streams");
}

/* Closes both; `left` bytes must be in the far one, past which it has none. */
static void close_streams(ssize_t left)
{
    char buffer[2 * BYTES];

    must(recv(weft_stream_fd(far), buffer, sizeof buffer, MSG_DONTWAIT) == (left > 0 ? left : -1),
         "the bytes of a stream are not as many as there were operations");
    weft_stream_close(near);
    weft_stream_close(far);
}

struct reads {
    WEFT_FRAME;
    struct {
    } in;
    weft_io io;
    int64_t left;
    char    buffer[BYTES];
};
WEFT_ASYNC(reads)
{
    int64_t n;

    WEFT_BEGIN();
    open_streams();
    n = send(weft_stream_fd(near), self->buffer, BYTES, MSG_DONTWAIT);
    must(n == BYTES, "a send failed");
    counts_begin();
    for (self->left = BYTES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_read(&self->io, far, self->buffer, 1));
        must(n == 1, "a read did not get its byte");
    }
    counts_end(BYTES, (struct counts_proof){0});
    close_streams(0);
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(reads)

struct writes {
    WEFT_FRAME;
    struct {
    } in;
    weft_io io;
    int64_t left;
    char    buffer[1];
};
WEFT_ASYNC(writes)
{
    int64_t n;

    WEFT_BEGIN();
    open_streams();
    counts_begin();
    for (self->left = BYTES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_write(&self->io, near, self->buffer, 1));
        must(n == 1, "a write did not put its byte");
    }
    counts_end(BYTES, (struct counts_proof){0});
    close_streams(BYTES);
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(writes)

const struct counts_row counts_future_rows[] = {{"await", start_await, 1},
                                                {"timer_arm_cancel", start_timer_arm_cancel, 1},
                                                {"timeout_ready", start_timeout_ready, 1},
                                                {"select_2", start_select_2, 1},
                                                {"join_all_4", start_join_all_4, 1},
                                                {"read", start_reads, 1},
                                                {"write", start_writes, 1},
                                                {NULL, NULL, 0}};
