/*
 * steal.c - how many instructions it takes to steal a task and run it
 *
 * Purpose     Run by tests/tools/counts.py under callgrind. The only row that needs the inside of
 *             the library: from outside no thread can be made to steal a given number of tasks.
 * Threads     One: the executor has two workers and no threads; this one is whichever it needs.
 * Invariants  Nothing sleeps, no system call is made between the marks.
 * Ordering    None.
 * Failure     A counter that is not what it must be ends the process.
 */
#include "counts.h"
#include "driver.h"
#include "executor.h"
#include "tasks.h"

static bool look(wf_driver *of)
{
    (void)of;
    return false;
}

static wf_driver    driver = {.look = look};
static weft_runtime rt = {.driver = &driver,
                          .config = {.workers = 2,
                                     .spare_workers = 1,
                                     .budget = 128,
                                     .inject_interval = 61,
                                     .wake_us = 250,
                                     .log = weft_log_none}};

struct ends {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
};
WEFT_ASYNC(ends)
{
    WEFT_BEGIN();
    WEFT_END(self->in.n);
}

static void spawn_on(wf_worker *w)
{
    wf_current before = wf_worker_enter(w);

    for (int64_t i = 0; i < TIMES; i++)
        must(weft_spawn(NULL, ends, .n = 1) == 0, "spawn failed");
    wf_current_thread = before; /* The worker does not leave, or a thief would be woken. */
}

static void steal(bool written_down)
{
    wf_worker                   *thief = rt.executor->workers[0];
    struct weft_worker_counters *counters = &thief->counters;
    uint64_t                     polls = counters->polls, steals = counters->steals;

    spawn_on(rt.executor->workers[1]);
    CALLGRIND_ZERO_STATS;
    while (counters->polls - polls < TIMES)
        wf_worker_turn_owner(thief, 0);
    if (written_down)
        CALLGRIND_DUMP_STATS_AT("steal");
    must(counters->steals - steals == TIMES, "a task was not stolen");
    must(counters->parks == 0, "the thief slept");
    must(wf_tasks_alive(rt.executor) == 0, "a task did not end");
}

int main(void)
{
    rt.config.allocator = wf_alloc_default;
    must(wf_executor_new(&rt) == 0, "out of memory");
    wf_worker_enter(rt.executor->workers[0]);
    steal(false);
    steal(true);
    printf("steal %d\n", TIMES);
    return 0;
}
