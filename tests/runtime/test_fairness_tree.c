/* test_fairness_tree.c - a task yields after its budget; a tree of tasks stays small */
#include "../helpers.h"

#define OVERDUE_MS 10 /* after which a worker's oldest child goes first */

/* ---- the budget ---- */

/* Sends to itself and receives: the channel is never full and never empty when it asks. */
struct talks_to_itself {
    WEFT_FRAME;
    struct {
        int64_t             n;
        weft_mpsc_sender   *to;
        weft_mpsc_receiver *from;
    } in;
    weft_wait message;
    int       word;
};
WEFT_ASYNC(talks_to_itself)
{
    int64_t n;

    WEFT_BEGIN();
    while (self->in.n-- > 0) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->message, self->in.to, &self->word));
        check_eq(n, 0);
        WEFT_AWAIT(n, weft_mpsc_receive(&self->message, self->in.from, &self->word));
        check_eq(n, 0);
    }
    weft_mpsc_sender_close(self->in.to);
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(0);
}

Test(fairness_tree, a_task_whose_channel_is_always_ready_yields_after_its_budget)
{
    weft_runtime                *rt = start(1);
    int64_t                      n = 64 * test_scaled(1000);
    weft_mpsc_sender            *to;
    weft_mpsc_receiver          *from;
    struct weft_runtime_counters counters;
    weft_handle                  handle;

    check_eq(weft_mpsc_open(sizeof(int), 1, &to, &from), 0);
    check_eq(weft_spawn_on(rt, &handle, talks_to_itself, n, to, from), 0);
    check_eq(join(rt, &handle), 0);
    weft_runtime_counters(rt, &counters);
    check_cmp(counters.polls, >=, 2 * n / WEFT_BUDGET_DEFAULT);
    check_cmp(counters.polls, <=, 2 * n / WEFT_BUDGET_DEFAULT + 2);
    stop(rt);
}

/* ---- the memory of a tree ---- */

enum { FAN_OUT = 10, DEPTH = 5 };

struct alive {
    int64_t now, most;
};

static void is_born(struct alive *a)
{
    int64_t now = add(&a->now, 1), most = get(&a->most);

    while (now > most && !__atomic_compare_exchange_n(&a->most, &most, now, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_ACQUIRE))
        ;
}

struct skynet {
    WEFT_FRAME;
    struct {
        int           depth;
        struct alive *alive;
    } in;
    weft_handle child[FAN_OUT];
    int         i;
    int64_t     leaves;
};
WEFT_ASYNC(skynet)
{
    int64_t n;

    WEFT_BEGIN();
    self->leaves = self->in.depth == 0;
    for (int i = 0; i < FAN_OUT && self->in.depth > 0; i++) {
        is_born(self->in.alive);
        check_eq(weft_spawn(&self->child[i], skynet, self->in.depth - 1, self->in.alive), 0);
    }
    for (self->i = 0; self->i < FAN_OUT && self->in.depth > 0; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->child[self->i]));
        self->leaves += n;
    }
    add(&self->in.alive->now, -1);
    WEFT_END(self->leaves);
}

/* The most that were alive at a time. */
static int64_t grow_tree(weft_runtime *rt)
{
    struct alive alive = {1, 1};
    weft_handle  handle;

    check_eq(weft_spawn_on(rt, &handle, skynet, DEPTH, &alive), 0);
    check_eq(join(rt, &handle), 100000);
    return alive.most;
}

/* Depth first, a worker has one node of each depth, and its brothers: a path. An overdue child
 * begins one more, and so does what is taken from a worker that the kernel keeps from its CPU: the
 * quietest of some runs counts. */
static void expect_few_alive(int64_t workers)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = workers, .log = weft_log_none});
    int64_t       path = DEPTH * FAN_OUT + 1, too_many = INT64_MAX;

    for (int i = 0; i < 10 && too_many > 0; i++) {
        int64_t begin = weft_now(), most = grow_tree(rt);
        int64_t overdue = workers * ((weft_now() - begin) / WEFT_MS(OVERDUE_MS));

        most -= path * (workers + 1 + overdue);
        too_many = most < too_many ? most : too_many;
    }
    check_cmp(too_many, <=, 0);
    stop(rt);
}

Test(fairness_tree, a_tree_of_tasks_has_few_alive_on_one_worker)
{
    expect_few_alive(1);
}

Test(fairness_tree, a_tree_of_tasks_has_few_alive_on_two_workers)
{
    expect_few_alive(2);
}

Test(fairness_tree, a_tree_of_tasks_has_few_alive_on_eight_workers)
{
    expect_few_alive(8);
}
