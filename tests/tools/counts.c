/*
 * counts.c - how many instructions the scheduler's operations take
 *
 * Purpose     Run by counts.py under callgrind: each operation many times between two marks.
 * Threads     One: the executor has two workers and no threads; this one is whichever it needs.
 * Invariants  Nothing sleeps, no system call is made between the marks.
 * Ordering    None.
 * Failure     A result that is not what it must be ends the process.
 */
#include "driver.h"
#include "executor.h"
#include "task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#define TIMES 2000

static wf_driver    driver;
static weft_runtime rt = {.driver = &driver,
                          .config = {.workers = 2,
                                     .spare_workers = 1,
                                     .budget = 128,
                                     .inject_interval = 61,
                                     .wake_us = 250,
                                     .log = weft_log_none}};
static int64_t      n_ended;
static weft_waker   kept; /* of the task that waits */

static void must(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "counts: %s\n", what);
    exit(1);
}

/* ---- what runs ---- */

struct ends {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
};
WEFT_ASYNC(ends)
{
    WEFT_BEGIN();
    n_ended += self->in.n;
    WEFT_END(self->in.n);
}

struct joins {
    WEFT_FRAME;
    struct {
        int64_t left;
    } in;
    weft_handle child;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.left > 0; self->in.left--) {
        must(weft_spawn(&self->child, ends, .n = 1) == 0, "spawn failed");
        WEFT_AWAIT(n, weft_join(&self->child));
        must(n == 1, "a join answered wrongly");
    }
    WEFT_END(0);
}

struct yields {
    WEFT_FRAME;
    struct {
        int64_t left;
    } in;
};
WEFT_ASYNC(yields)
{
    WEFT_BEGIN();
    for (; self->in.left > 0; self->in.left--)
        WEFT_YIELD();
    n_ended++;
    WEFT_END(0);
}

static weft_poll wait_poll(weft_future *f, weft_context *cx)
{
    if (n_ended >= TIMES)
        return weft_ready(f, 0);
    if (!kept.vtable)
        kept = weft_waker_clone(weft_context_waker(cx));
    return WEFT_PENDING;
}
static const weft_future_ops wait_ops = {
    .size = sizeof(weft_future), .name = "wait", .poll = wait_poll};

struct waits {
    WEFT_FRAME;
    struct {
    } in;
    weft_future wait;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    weft_future_init(&self->wait, &wait_ops);
    WEFT_AWAIT(n, &self->wait);
    WEFT_END(n);
}

/* ---- the operations ---- */

static void turns(wf_worker *w, int64_t until_ended)
{
    while (n_ended < until_ended)
        wf_worker_turn_owner(w, 0);
}

static void spawn_run_free(wf_worker *w)
{
    for (int64_t i = 1; i <= TIMES; i++) {
        must(weft_spawn(NULL, ends, .n = 1) == 0, "spawn failed");
        turns(w, i);
    }
}

static void spawn_many(wf_worker *w)
{
    for (int64_t i = 1; i <= TIMES; i++)
        must(weft_spawn(NULL, ends, .n = 1) == 0, "spawn failed");
    turns(w, TIMES);
}

static void join(wf_worker *w)
{
    must(weft_spawn(NULL, joins, .left = TIMES) == 0, "spawn failed");
    turns(w, TIMES);
}

static void yield(wf_worker *w)
{
    must(weft_spawn(NULL, yields, .left = TIMES) == 0, "spawn failed");
    turns(w, 1);
}

static void wake_poll(wf_worker *w)
{
    must(weft_spawn(NULL, waits) == 0, "spawn failed");
    for (int64_t i = 0; i <= TIMES; i++) {
        wf_worker_turn_owner(w, 0);
        n_ended = i;
        weft_waker_wake_by_ref(&kept);
    }
    weft_waker_drop(kept);
    kept.vtable = NULL;
    wf_worker_turn_owner(w, 0);
}

/* The other worker has spawned them. */
static void steal(wf_worker *w)
{
    wf_worker *other = rt.executor->workers[1];
    wf_current before = wf_worker_enter(other);

    for (int64_t i = 1; i <= TIMES; i++)
        must(weft_spawn(NULL, ends, .n = 1) == 0, "spawn failed");
    wf_current_thread = before; /* no leave: nobody would wake up for what it is woken for */
    CALLGRIND_ZERO_STATS;
    turns(w, TIMES);
}

static const struct {
    const char *name;
    void (*run)(wf_worker *w);
} operations[] = {{"spawn_run_free", spawn_run_free},
                  {"spawn_many", spawn_many},
                  {"join", join},
                  {"yield", yield},
                  {"wake_poll", wake_poll},
                  {"steal", steal}};

int main(void)
{
    rt.config.allocator = wf_alloc_default;
    must(wf_executor_new(&rt) == 0, "out of memory");
    wf_worker_enter(rt.executor->workers[0]);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        for (int measured = 0; measured < 2; measured++) { /* first to warm up */
            n_ended = 0;
            CALLGRIND_ZERO_STATS;
            operations[i].run(rt.executor->workers[0]);
            if (measured)
                CALLGRIND_DUMP_STATS_AT(operations[i].name);
        }
    printf("%d\n", TIMES);
    return 0;
}
