/*
 * test_leader.c - at low load an idle worker waits for sockets itself
 *
 * A task replies to each byte on a connection, so one round trip is one event. No test here sleeps:
 * it waits for what must come, and what must not come would prevent a round trip from ending.
 */
#include "../actors.h"
#include "../sockets.h"

struct answers {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int         *gate; /* a pipe to be read from, in the thread, before each answer; or NULL */
    } in;
    weft_io io;
    char    byte;
};
WEFT_ASYNC(answers)
{
    int64_t n;
    char    any;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
        if (n <= 0)
            break;
        if (self->in.gate)
            check_eq(read(self->in.gate[0], &any, 1), 1);
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, &self->byte, 1));
    }
    weft_stream_close(self->in.stream);
    WEFT_END(n);
}

static int connect_to_answers(weft_runtime *rt, int *gate)
{
    weft_stream *s;
    int          fd = pair(rt, &s);

    check_eq(weft_spawn_on(rt, NULL, answers, .stream = s, .gate = gate), 0);
    return fd;
}

static void round_trip(int fd)
{
    char byte = 'x';

    raw_write(fd, &byte, 1);
    raw_read(fd, &byte, 1);
}

static weft_runtime *start_led(int64_t workers)
{
    return start_with(&(weft_config){.workers = workers, .leader_after = 1});
}

/* Until a leader has found events again. */
static void let_a_worker_lead(weft_runtime *rt, int fd)
{
    uint64_t before = counters(rt).leader_found;
    int64_t  end = weft_now() + WEFT_S(20) * test_slow();

    while (counters(rt).leader_found == before && weft_now() < end)
        round_trip(fd);
    check_cmp(counters(rt).leader_found, >, before);
}

Test(leader, an_idle_worker_takes_events_that_come_alone)
{
    for (int64_t workers = 1; workers <= 2; workers++) {
        weft_runtime *rt = start_led(workers);
        int           fd = connect_to_answers(rt, NULL);

        for (int i = 0; i < 50; i++)
            let_a_worker_lead(rt, fd);
        close(fd);
        stop(rt);
    }
}

Test(leader, a_leader_is_woken_by_what_other_threads_spawn)
{
    weft_runtime *rt = start_led(1);
    int           fd = connect_to_answers(rt, NULL);

    for (int i = 0; i < 50; i++) {
        let_a_worker_lead(rt, fd);
        check_eq(RUN(rt, returns, .value = 7), 7);
    }
    close(fd);
    stop(rt);
}

Test(leader, a_task_that_blocks_the_leader_does_not_keep_the_sockets)
{
    weft_runtime *rt = start_led(2);
    int           gate[2], fd = connect_to_answers(rt, NULL), blocks;

    check_eq(pipe(gate), 0);
    blocks = connect_to_answers(rt, gate);
    for (int i = 0; i < 5; i++) {
        char byte;

        let_a_worker_lead(rt, fd);
        raw_write(blocks, "x", 1);
        for (int n = 0; n < 20; n++)
            round_trip(fd);
        check_eq(write(gate[1], "x", 1), 1);
        raw_read(blocks, &byte, 1);
    }
    close(fd);
    close(blocks);
    stop(rt);
    close(gate[0]);
    close(gate[1]);
}

struct yields_on {
    WEFT_FRAME;
    struct {
        atomic_bool *stop;
    } in;
};
WEFT_ASYNC(yields_on)
{
    WEFT_BEGIN();
    while (!atomic_load(self->in.stop))
        WEFT_YIELD();
    WEFT_END(0);
}

Test(leader, a_task_that_always_yields_does_not_keep_the_sockets)
{
    weft_runtime *rt = start_led(1);
    int           fd = connect_to_answers(rt, NULL);
    atomic_bool   end = false;
    weft_handle   handle;

    let_a_worker_lead(rt, fd);
    check_eq(weft_spawn_on(rt, &handle, yields_on, .stop = &end), 0);
    for (int i = 0; i < 20; i++)
        round_trip(fd);
    atomic_store(&end, true);
    check_eq(join(rt, &handle), 0);
    close(fd);
    stop(rt);
}

Test(leader, the_reactor_takes_the_sockets_back_when_events_come_together)
{
    enum { MANY = 32 };
    weft_runtime *rt = start_led(2);
    int           fd[MANY];
    uint64_t      before;
    int64_t       end = weft_now() + WEFT_S(20) * test_slow();

    for (int i = 0; i < MANY; i++)
        fd[i] = connect_to_answers(rt, NULL);
    let_a_worker_lead(rt, fd[0]);
    before = counters(rt).completions;
    while (counters(rt).completions < before + MANY && weft_now() < end) {
        char byte;

        for (int i = 0; i < MANY; i++)
            raw_write(fd[i], "x", 1);
        for (int i = 0; i < MANY; i++)
            raw_read(fd[i], &byte, 1);
    }
    check_cmp(counters(rt).completions, >=, before + MANY);
    let_a_worker_lead(rt, fd[0]);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    stop(rt);
}

/* The reactor wakes the worker of a bound task before it leaves the sockets to a leader. On one CPU
 * that worker may be asleep again by then. */
Test(leader, a_bound_task_does_not_leave_the_sockets_to_sleepers, .timeout = 120)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    check_eq(sched_setaffinity(0, sizeof one, &one), 0);
    for (int64_t i = test_scaled(100); i > 0; i--) {
        weft_runtime *rt = start_led(1);
        weft_stream  *stream;
        int           fd = pair(rt, &stream);

        check_eq(weft_spawn_bound(rt, NULL, 0, answers, .stream = stream), 0);
        for (int n = 0; n < 8; n++)
            round_trip(fd);
        close(fd);
        stop(rt);
    }
}

Test(leader, no_worker_leads_where_it_is_turned_off_or_is_the_caller)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .leader_after = WEFT_OFF});
    int           fd = connect_to_answers(rt, NULL);

    for (int i = 0; i < 100; i++)
        round_trip(fd);
    check_eq(counters(rt).leader_waits, 0);
    close(fd);
    stop(rt);
}
