/*
 * fibers.c - rows of fibers: awaiting, yielding, spawning, a channel
 *
 * Purpose     See counts.h. Each row is that of async functions once more: await, yield, spawn_join
 *             and mpsc_1.
 * Threads     The main thread.
 * Invariants  See tasks.c.
 * Ordering    None.
 * Failure     See counts.h.
 */
#include "counts.h"

/* Defines start_NAME, which spawns a fiber that calls the function of that name. */
#define COUNTS_FIBER(name)                                                                         \
    static void start_##name(void)                                                                 \
    {                                                                                              \
        must(weft_fiber(NULL, name, NULL) == 0, "spawn failed");                                   \
    }

/* ---- fiber_await: of a future that is ready at once ---- */

static int64_t await(void *argument)
{
    weft_future ready;

    (void)argument;
    counts_begin();
    for (int64_t left = TIMES; left > 0; left--)
        must(weft_await(counts_ready(&ready)) == 1, "an await answered wrongly");
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    return 0;
}
COUNTS_FIBER(await)

/* ---- fiber_yield: of a fiber that has its worker for itself ---- */

static int64_t yield(void *argument)
{
    (void)argument;
    counts_begin();
    for (int64_t left = TIMES; left > 0; left--)
        weft_fiber_yield();
    counts_end(TIMES, (struct counts_proof){.polls = TIMES});
    counts_task_ends();
    return 0;
}
COUNTS_FIBER(yield)

/* ---- fiber_spawn_join: the child runs in place ---- */

static int64_t child(void *argument)
{
    return *(const int64_t *)argument;
}

static int64_t spawn_join(void *argument)
{
    weft_handle handle;

    (void)argument;
    counts_begin();
    for (int64_t left = TIMES; left > 0; left--) {
        must(weft_fiber(&handle, child, &left) == 0, "spawn failed");
        must(weft_await(weft_join(&handle)) == left, "a join answered wrongly");
    }
    counts_end(TIMES,
               (struct counts_proof){.polls = TIMES, .tasks = TIMES, .in_place_joins = TIMES});
    counts_task_ends();
    return 0;
}
COUNTS_FIBER(spawn_join)

/* ---- fiber_child: an async function spawns and joins a fiber ---- */

struct parent {
    WEFT_FRAME;
    struct {
    } in;
    int64_t     left;
    weft_handle child;
};
WEFT_ASYNC(parent)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        must(weft_fiber(&self->child, child, &self->left) == 0, "spawn failed");
        WEFT_AWAIT(n, weft_join(&self->child));
        must(n == self->left, "a join answered wrongly");
    }
    counts_end(TIMES,
               (struct counts_proof){.polls = TIMES, .tasks = TIMES, .in_place_joins = TIMES});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(parent)

/* ---- fiber_mpsc_1: room for one message, so that sender and receiver wait for each other ---- */

static int64_t sends(void *argument)
{
    weft_mpsc_sender *sender = argument;
    weft_wait         wait;
    int64_t           number = 0, n;

    do {
        number++;
        n = weft_await(weft_mpsc_send(&wait, sender, &number));
    } while (n == 0);
    must(n == -EPIPE, "a send failed");
    weft_mpsc_sender_close(sender);
    counts_task_ends();
    return 0;
}

static int64_t receives(void *argument)
{
    weft_mpsc_receiver *receiver = argument;
    weft_wait           wait;
    int64_t             got;

    for (int64_t number = 1; number <= TIMES + 2; number++) {
        must(weft_await(weft_mpsc_receive(&wait, receiver, &got)) == 0, "a receive failed");
        must(got == number, "a message was lost");
        if (number == 2) /* Both fibers have begun by now. */
            counts_begin();
    }
    counts_end(TIMES, (struct counts_proof){.polls = TIMES});
    weft_mpsc_receiver_close(receiver);
    counts_task_ends();
    return 0;
}

static void start_mpsc_1(void)
{
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;

    must(weft_mpsc_open(sizeof(int64_t), 1, &sender, &receiver) == 0, "a channel does not open");
    must(weft_fiber(NULL, sends, sender) == 0, "spawn failed");
    must(weft_fiber(NULL, receives, receiver) == 0, "spawn failed");
}

const struct counts_row counts_fiber_rows[] = {
    {"fiber_await", start_await, 1},           {"fiber_yield", start_yield, 1},
    {"fiber_spawn_join", start_spawn_join, 1}, {"fiber_child", start_parent, 1},
    {"fiber_mpsc_1", start_mpsc_1, 2},         {NULL, NULL, 0}};
