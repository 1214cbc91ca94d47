/*
 * counts.c - how many instructions the operations of the public interface take
 *
 * Purpose     Run by tests/tools/counts.py under callgrind, once linked with the shared library and
 *             once with the static one: each operation many times between two marks.
 * Threads     The main thread is the worker of a current-thread runtime and is the one that is
 *             measured. The reactor and the monitor have threads of their own, which callgrind
 *             keeps apart.
 * Invariants  The measured thread does not sleep between the marks. Every row compares the
 *             runtime's counters with what TIMES operations must have made of them.
 * Ordering    None.
 * Failure     A result or a counter that is not what it must be ends the process.
 */
#include "counts.h"

static weft_runtime                *rt;
static struct weft_runtime_counters before;
static const char                  *row_name;
static bool                         written_down; /* The second run of a row is. */
static unsigned                     n_left;       /* Tasks of the row that have not ended. */
static weft_waker waiting; /* The task that runs the rows, while it waits for one. */

/* ---- marks ---- */

void counts_begin(void)
{
    weft_runtime_counters(rt, &before);
    CALLGRIND_ZERO_STATS;
}

static void prove(const char *what, uint64_t from, uint64_t to, uint64_t wanted)
{
    if (to - from == wanted)
        return;
    fprintf(stderr, "counts: %s: %llu %s, expected %llu\n", row_name,
            (unsigned long long)(to - from), what, (unsigned long long)wanted);
    exit(1);
}

void counts_end(int64_t times, struct counts_proof proof)
{
    struct weft_runtime_counters after;

    if (written_down)
        CALLGRIND_DUMP_STATS_AT(row_name);
    weft_runtime_counters(rt, &after);
    prove("polls", before.polls, after.polls, proof.polls);
    prove("tasks spawned", before.tasks_spawned, after.tasks_spawned, proof.tasks);
    prove("tasks ended", before.tasks_ended, after.tasks_ended, proof.tasks);
    prove("joins in place", before.in_place_joins, after.in_place_joins, proof.in_place_joins);
    prove("timers armed", before.timers_armed, after.timers_armed, proof.timers);
    prove("timers cancelled", before.timers_cancelled, after.timers_cancelled, proof.timers);
    prove("timers fired", before.timers_fired, after.timers_fired, 0);
    prove("tasks from outside", before.injected, after.injected, 0);
    prove("sleeps", before.parks, after.parks, 0);
    if (written_down)
        printf("%s %lld\n", row_name, (long long)times);
}

void counts_task_ends(void)
{
    n_left--;
    if (n_left == 0)
        weft_waker_wake_by_ref(&waiting);
}

/* ---- futures by hand ---- */

static weft_poll ready_poll(weft_future *future, weft_context *cx)
{
    (void)cx;
    return weft_ready(future, 1);
}

weft_future *counts_ready(weft_future *future)
{
    static const weft_future_ops ops = {
        .size = sizeof *future, .name = "counts_ready", .poll = ready_poll};

    weft_future_init(future, &ops);
    return future;
}

static weft_poll never_poll(weft_future *future, weft_context *cx)
{
    (void)cx;
    return weft_future_is_cancelled(future) ? weft_ready(future, -ECANCELED) : WEFT_PENDING;
}

static void never_cancel(weft_future *future)
{
    (void)future; /* The next poll ends it. */
}

weft_future *counts_never(weft_future *future)
{
    static const weft_future_ops ops = {.size = sizeof *future,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "counts_never",
                                        .poll = never_poll,
                                        .cancel = never_cancel};

    weft_future_init(future, &ops);
    return future;
}

/* ---- running the rows ---- */

static weft_poll row_poll(weft_future *future, weft_context *cx)
{
    if (n_left == 0) {
        weft_waker_drop(waiting);
        waiting.vtable = NULL;
        return weft_ready(future, 0);
    }
    if (!waiting.vtable)
        waiting = weft_waker_clone(weft_context_waker(cx));
    return WEFT_PENDING;
}

static const weft_future_ops row_ops = {
    .size = sizeof(weft_future), .name = "row", .poll = row_poll};

/* Runs all rows of a table, each twice. */
struct run_rows {
    WEFT_FRAME;
    struct {
        const struct counts_row *rows;
    } in;
    const struct counts_row *row;
    weft_future              end;
    int                      run;
};
WEFT_ASYNC(run_rows)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->row = self->in.rows; self->row->name; self->row++)
        for (self->run = 0; self->run < 2; self->run++) {
            row_name = self->row->name;
            written_down = self->run == 1;
            n_left = self->row->tasks;
            self->row->start();
            weft_future_init(&self->end, &row_ops);
            WEFT_AWAIT(n, &self->end);
            must(n == 0, "a row failed");
        }
    WEFT_END(0);
}

static void run(const struct counts_row *rows)
{
    struct run_rows frame;

    must(weft_block_on(rt, weft_async(run_rows, &frame, .rows = rows)) == 0, "block_on failed");
}

int main(void)
{
    /* The budget is large, so that no operation is put off to another poll. */
    weft_config config = {.current_thread = 1, .budget = 1000000, .watchdog_ms = 3600000};

    must(weft_runtime_start(&config, &rt) == 0, "the runtime does not start");
    run(counts_task_rows);
    run(counts_wait_rows);
    run(counts_lock_rows);
    run(counts_future_rows);
    run(counts_fiber_rows);
    must(weft_runtime_stop(rt, WEFT_S(10)) == 0, "the runtime does not stop");
    return 0;
}
