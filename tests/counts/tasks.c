/*
 * tasks.c - rows of tasks: spawning, joining, yielding, waking, trees
 *
 * Purpose     See counts.h.
 * Threads     The main thread.
 * Invariants  A figure holds all that the operation costs, the body of the task included.
 * Ordering    None.
 * Failure     See counts.h.
 */
#include "counts.h"

/* ---- harness: the loop that the other rows have, with nothing in it ---- */

struct harness {
    WEFT_FRAME;
    struct {
    } in;
    int64_t left;
};
WEFT_ASYNC(harness)
{
    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--)
        __asm__ volatile("" ::: "memory");
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(harness)

/* ---- spawn_run_free: each task spawns the next and ends ---- */

struct link {
    WEFT_FRAME;
    struct {
        int64_t left;
    } in;
};
WEFT_ASYNC(link)
{
    WEFT_BEGIN();
    if (self->in.left == TIMES)
        counts_begin();
    if (self->in.left > 0) {
        must(weft_spawn(NULL, link, .left = self->in.left - 1) == 0, "spawn failed");
    } else {
        counts_end(TIMES, (struct counts_proof){.polls = TIMES, .tasks = TIMES});
        counts_task_ends();
    }
    WEFT_END(0);
}

static void start_link(void)
{
    must(weft_spawn(NULL, link, .left = TIMES) == 0, "spawn failed");
}

/* ---- spawn_many: 100 at a time, of which the last one wakes the task that spawned them ---- */

#define AT_ONCE 100

static int64_t    n_running;
static weft_waker spawner;

struct one_of_many {
    WEFT_FRAME;
    struct {
        int64_t number;
    } in;
};
WEFT_ASYNC(one_of_many)
{
    WEFT_BEGIN();
    if (--n_running == 0)
        weft_waker_wake_by_ref(&spawner);
    WEFT_END(self->in.number);
}

static weft_poll many_poll(weft_future *future, weft_context *cx)
{
    if (n_running == 0)
        return weft_ready(future, 0);
    if (!spawner.vtable)
        spawner = weft_waker_clone(weft_context_waker(cx));
    return WEFT_PENDING;
}

static const weft_future_ops many_ops = {
    .size = sizeof(weft_future), .name = "many", .poll = many_poll};

struct spawn_many {
    WEFT_FRAME;
    struct {
    } in;
    int64_t     left;
    weft_future end;
};
WEFT_ASYNC(spawn_many)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES / AT_ONCE; self->left > 0; self->left--) {
        for (n_running = 0; n_running < AT_ONCE; n_running++)
            must(weft_spawn(NULL, one_of_many, .number = n_running) == 0, "spawn failed");
        weft_future_init(&self->end, &many_ops);
        WEFT_AWAIT(n, &self->end);
        must(n == 0, "a wait failed");
    }
    counts_end(TIMES, (struct counts_proof){.polls = TIMES + TIMES / AT_ONCE, .tasks = TIMES});
    weft_waker_drop(spawner);
    spawner.vtable = NULL;
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(spawn_many)

/* ---- spawn_join: the child runs in place ---- */

struct child {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
};
WEFT_ASYNC(child)
{
    WEFT_BEGIN();
    WEFT_END(self->in.n);
}

struct spawn_join {
    WEFT_FRAME;
    struct {
    } in;
    int64_t     left;
    weft_handle child;
};
WEFT_ASYNC(spawn_join)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        must(weft_spawn(&self->child, child, .n = 1) == 0, "spawn failed");
        WEFT_AWAIT(n, weft_join(&self->child));
        must(n == 1, "a join answered wrongly");
    }
    counts_end(TIMES,
               (struct counts_proof){.polls = TIMES, .tasks = TIMES, .in_place_joins = TIMES});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(spawn_join)

/* ---- yield: of a task that has its worker for itself ---- */

struct yield {
    WEFT_FRAME;
    struct {
    } in;
    int64_t left;
};
WEFT_ASYNC(yield)
{
    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--)
        WEFT_YIELD();
    counts_end(TIMES, (struct counts_proof){.polls = TIMES});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(yield)

/* ---- wake_poll: two tasks that wake each other, so that each poll is made by one wake ---- */

static weft_waker sleeper[2];
static int64_t    n_wakes;

struct turns {
    weft_future future;
    int         me;
};

static weft_poll turns_poll(weft_future *future, weft_context *cx)
{
    int me = weft_container(future, struct turns, future)->me;

    if (!sleeper[me].vtable)
        sleeper[me] = weft_waker_clone(weft_context_waker(cx));
    if (!sleeper[1 - me].vtable)
        return WEFT_PENDING; /* The other task has not begun, and will wake this one. */
    if (n_wakes == 0)
        counts_begin();
    if (n_wakes == TIMES)
        counts_end(TIMES, (struct counts_proof){.polls = TIMES});
    n_wakes++;
    weft_waker_wake_by_ref(&sleeper[1 - me]);
    return n_wakes > TIMES ? weft_ready(future, 0) : WEFT_PENDING;
}

static const weft_future_ops turns_ops = {
    .size = sizeof(struct turns), .name = "turns", .poll = turns_poll};

struct wake_poll {
    WEFT_FRAME;
    struct {
        int me;
    } in;
    struct turns turns;
};
WEFT_ASYNC(wake_poll)
{
    int64_t n;

    WEFT_BEGIN();
    self->turns.me = self->in.me;
    weft_future_init(&self->turns.future, &turns_ops);
    WEFT_AWAIT(n, &self->turns.future);
    must(n == 0, "a wait failed");
    if (n_wakes == TIMES + 2) /* Both have ended. */
        for (int i = 0; i < 2; i++) {
            weft_waker_drop(sleeper[i]);
            sleeper[i].vtable = NULL;
        }
    counts_task_ends();
    WEFT_END(0);
}

static void start_wake_poll(void)
{
    n_wakes = 0;
    for (int me = 0; me < 2; me++)
        must(weft_spawn(NULL, wake_poll, .me = me) == 0, "spawn failed");
}

/* ---- fib: every call is a task, as in bench/sched_tree.c ---- */

enum { FIB = 14, FIB_CALLS = 1219, FIB_RESULT = 377 };

struct fib {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle first, last;
    int64_t     result;
};
WEFT_ASYNC(fib)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.n < 2)
        WEFT_RETURN(self->in.n);
    must(weft_spawn(&self->first, fib, .n = self->in.n - 1) == 0, "spawn failed");
    must(weft_spawn(&self->last, fib, .n = self->in.n - 2) == 0, "spawn failed");
    WEFT_AWAIT(self->result, weft_join(&self->last));
    WEFT_AWAIT(n, weft_join(&self->first));
    WEFT_END(self->result + n);
}

struct fib_root {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle child;
};
WEFT_ASYNC(fib_root)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    must(weft_spawn(&self->child, fib, .n = FIB) == 0, "spawn failed");
    WEFT_AWAIT(n, weft_join(&self->child));
    counts_end(FIB_CALLS, (struct counts_proof){
                              .polls = FIB_CALLS, .tasks = FIB_CALLS, .in_place_joins = FIB_CALLS});
    must(n == FIB_RESULT, "fib's result is wrong");
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(fib_root)

/* ---- skynet: each node spawns ten and joins them, as in bench/sched_tree.c ---- */

enum { LEAVES = 1000, FAN_OUT = 10, NODES = 1111, SUM = LEAVES * (LEAVES - 1) / 2 };

struct node {
    WEFT_FRAME;
    struct {
        int64_t first, leaves;
    } in;
    weft_handle child[FAN_OUT];
    int64_t     result;
    int         k;
};
WEFT_ASYNC(node)
{
    int64_t n;

    WEFT_BEGIN();
    n = self->in.leaves / FAN_OUT;
    for (int k = 0; k < FAN_OUT; k++)
        if (n == 1)
            must(weft_spawn(&self->child[k], child, .n = self->in.first + k) == 0, "spawn failed");
        else
            must(weft_spawn(&self->child[k], node, .first = self->in.first + k * n, .leaves = n) ==
                     0,
                 "spawn failed");
    self->result = 0;
    for (self->k = 0; self->k < FAN_OUT; self->k++) {
        WEFT_AWAIT(n, weft_join(&self->child[self->k]));
        self->result += n;
    }
    WEFT_END(self->result);
}

struct skynet {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle child;
};
WEFT_ASYNC(skynet)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    must(weft_spawn(&self->child, node, .first = 0, .leaves = LEAVES) == 0, "spawn failed");
    WEFT_AWAIT(n, weft_join(&self->child));
    counts_end(NODES,
               (struct counts_proof){.polls = NODES, .tasks = NODES, .in_place_joins = NODES});
    must(n == SUM, "skynet's sum is wrong");
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(skynet)

const struct counts_row counts_task_rows[] = {{"harness", start_harness, 1},
                                              {"spawn_run_free", start_link, 1},
                                              {"spawn_many", start_spawn_many, 1},
                                              {"spawn_join", start_spawn_join, 1},
                                              {"yield", start_yield, 1},
                                              {"wake_poll", start_wake_poll, 2},
                                              {"fib", start_fib_root, 1},
                                              {"skynet", start_skynet, 1},
                                              {NULL, NULL, 0}};
