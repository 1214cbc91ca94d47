/*
 * test_reactor_counters.c - the counters of the reactor are consistent
 */
#include "../sockets.h"

#define READERS 32
#define ROUNDS  20

struct reader {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    int     n;
    char    byte;
};
WEFT_ASYNC(reader)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->n = 0; self->n < ROUNDS; self->n++) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
        check_eq(n, 1);
    }
    WEFT_END(0);
}

/* Many readers are woken at once: all bytes of a round arrive before the reactor looks again. */
static void read_all(weft_runtime *rt)
{
    weft_stream *s[READERS];
    weft_handle  handle[READERS];
    int          fd[READERS];

    for (int i = 0; i < READERS; i++) {
        fd[i] = pair(rt, &s[i]);
        check_eq(weft_spawn_on(rt, &handle[i], reader, .stream = s[i]), 0);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < READERS; i++)
            raw_write(fd[i], "x", 1);
    for (int i = 0; i < READERS; i++) {
        check_eq(join(rt, &handle[i]), 0);
        weft_stream_close(s[i]);
        close(fd[i]);
    }
}

static bool at_a_gate(weft_runtime *rt)
{
    struct weft_runtime_counters c = counters(rt);

    return c.gates != c.gates_dry + c.gates_called + c.gates_timer + c.gates_expired;
}

Test(reactor_counters, hand_overs_and_gates_add_up)
{
    weft_runtime                *rt = start(2);
    struct weft_runtime_counters c;
    uint64_t                     batches = 0, least = 0;

    read_all(rt);
    EVENTUALLY(counters(rt).streams_open == 0); /* the reactor is done, too */
    c = counters(rt);
    for (int i = 0; i < WEFT_BATCH_BUCKETS; i++) {
        batches += c.batches[i];
        least += c.batches[i] << i;
    }
    check_cmp(batches, >, 0);
    check_eq(c.worker_wakes + c.worker_wakes_saved, batches);
    check_cmp(c.completions + c.worker_found, >=, READERS); /* each has waited once at least */
    check_cmp(least, <=, c.polls); /* a task that is handed over is polled */
    check_cmp(c.completions, >=, batches);
    EVENTUALLY(!at_a_gate(rt));
    stop(rt);
}

struct bound_reader {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    byte;
};
WEFT_ASYNC(bound_reader)
{
    int64_t n;

    WEFT_BEGIN();
    do
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
    while (n > 0);
    weft_stream_close(self->in.stream);
    WEFT_END(n);
}

static uint64_t large_batches(weft_runtime *rt)
{
    struct weft_runtime_counters c = counters(rt);
    uint64_t                     n = 0;

    for (int i = 1; i < WEFT_BATCH_BUCKETS; i++)
        n += c.batches[i];
    return n;
}

/* Tasks that are bound to a worker come in batches, too, and the reactor leaves the kernel alone
 * while their workers are busy. */
Test(reactor_counters, bound_tasks_come_in_batches_and_have_gates)
{
    weft_runtime *rt = start(2);
    weft_handle   handle[READERS];
    int           fd[READERS];
    int64_t       end = weft_now() + WEFT_S(20) * test_slow();

    for (int i = 0; i < READERS; i++) {
        weft_stream *s;

        fd[i] = pair(rt, &s);
        check_eq(weft_spawn_bound(rt, &handle[i], i % 2, bound_reader, .stream = s), 0);
    }
    while ((counters(rt).gates < 3 || large_batches(rt) < 3) && weft_now() < end)
        for (int i = 0; i < READERS; i++)
            raw_write(fd[i], "x", 1);
    check_cmp(counters(rt).gates, >=, 3);
    check_cmp(large_batches(rt), >=, 3);
    for (int i = 0; i < READERS; i++)
        close(fd[i]);
    for (int i = 0; i < READERS; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
}

Test(reactor_counters, a_sleeping_reactor_is_woken_by_a_submission)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    uint64_t      before;

    for (int i = 0; i < 100; i++) {
        pause_ms(20); /* it sleeps; if not, it isn't counted, and the loop goes on */
        before = counters(rt).reactor_wakes;
        check_eq(weft_block_on(rt, weft_file_sync(&io, -1)), -EBADF);
        if (counters(rt).reactor_wakes > before)
            break;
        check_cmp(i, <, 99);
    }
    stop(rt);
}
