/*
 * test_fairness.c - a runnable task waits for a bounded number of polls; docs/design/fairness.md
 * has the argument for the bounds
 */
#include "../actors.h"

#define INTERVAL   61 /* inject_interval's default */
#define OVERDUE_MS 15 /* after which the oldest child goes first */
#define TURN_NS    20 /* no machine takes a task from a queue and polls it in less */
#define MOST       8  /* workers in these tests */

/* ---- the bounds, in turns of one worker; a turn is at most 4 polls ---- */

/* Of a woken task with n before it. */
static int64_t woken_turns(int64_t n)
{
    return 2 * (n + 1) * INTERVAL / (INTERVAL - 1) + 4;
}

/* Of an unstarted child with n older ones: the monitor sees that it is overdue within OVERDUE_MS,
 * in which a worker does no more turns than this. */
static int64_t child_turns(int64_t n)
{
    return (n + 1) * (OVERDUE_MS * 1000000 / TURN_NS);
}

/* Of a task from outside with n before it, when at most `woken` have been woken. */
static int64_t injected_turns(int64_t n, int64_t woken)
{
    return INTERVAL * (n / 128 + 16) + woken_turns(woken + 128);
}

/* A worker that the kernel keeps from its CPU for some milliseconds looks stuck: then its tasks
 * move to the injection queue and begin to wait anew. */
static int64_t polls(int64_t turns, int64_t n_tasks)
{
    return 4 * (turns + injected_turns(n_tasks, n_tasks));
}

/* ---- how many polls each worker has done ---- */

struct snapshot {
    uint64_t polls[MOST];
    uint32_t n;
};

static struct snapshot snapshot(const weft_runtime *rt)
{
    struct snapshot             s = {.n = weft_runtime_workers(rt)};
    struct weft_worker_counters c;

    for (uint32_t i = 0; i < s.n; i++) {
        check_eq(weft_worker_counters(rt, i, &c), 0);
        s.polls[i] = c.polls;
    }
    return s;
}

/* What the slowest worker has done since. The others may do any number meanwhile: the kernel
 * decides how fast each runs. */
static int64_t polls_since(const weft_runtime *rt, const struct snapshot *before)
{
    struct snapshot now = snapshot(rt);
    int64_t         least = INT64_MAX;

    for (uint32_t i = 0; i < now.n; i++)
        if ((int64_t)(now.polls[i] - before->polls[i]) < least)
            least = (int64_t)(now.polls[i] - before->polls[i]);
    return least;
}

/* ---- the crowd ---- */

static int64_t crowd(void)
{
    return test_scaled(10000);
}

/* Wakes itself by the waker and is pending. */
struct wakes_itself {
    weft_future    future;
    const int64_t *until;
};

static weft_poll wakes_itself_poll(weft_future *future, weft_context *cx)
{
    struct wakes_itself *self = weft_container(future, struct wakes_itself, future);

    if (get(self->until))
        return weft_ready(future, 0);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static weft_future *wakes_itself(struct wakes_itself *self, const int64_t *until)
{
    static const weft_future_ops ops = {
        .size = sizeof *self, .name = "wakes_itself", .poll = wakes_itself_poll};

    weft_future_init(&self->future, &ops);
    self->until = until;
    return &self->future;
}

struct wakes {
    WEFT_FRAME;
    struct {
        const int64_t *until;
    } in;
    struct wakes_itself itself;
};
WEFT_ASYNC(wakes)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, wakes_itself(&self->itself, self->in.until));
    WEFT_END(n);
}

/* Spawns the next one and ends: as many children as there are of these, always new ones. */
struct respawns {
    WEFT_FRAME;
    struct {
        const int64_t *until;
    } in;
};
WEFT_DECLARE(respawns);
static void respawn(const int64_t *until)
{
    int r = weft_spawn(NULL, respawns, until);

    check(r == 0 || (r == -ESHUTDOWN && get(until)));
}

WEFT_ASYNC(respawns)
{
    WEFT_BEGIN();
    if (!get(self->in.until))
        respawn(self->in.until);
    WEFT_END(0);
}

/* Two of these wake each other through the LIFO slot. */
struct rally {
    WEFT_FRAME;
    struct {
        const int64_t      *until;
        weft_mpsc_sender   *to;
        weft_mpsc_receiver *from;
    } in;
    weft_wait send, receive;
    int       ball;
};
WEFT_ASYNC(rally)
{
    int64_t n;

    WEFT_BEGIN();
    while (!get(self->in.until)) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->send, self->in.to, &self->ball));
        if (n < 0)
            break;
        WEFT_AWAIT(n, weft_mpsc_receive(&self->receive, self->in.from, &self->ball));
        if (n < 0)
            break;
    }
    weft_mpsc_sender_close(self->in.to);
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(0);
}

static void spawn_rally(weft_runtime *rt, const int64_t *until)
{
    weft_mpsc_sender   *to[2];
    weft_mpsc_receiver *from[2];

    for (int i = 0; i < 2; i++)
        check_eq(weft_mpsc_open(sizeof(int), 1, &to[i], &from[i]), 0);
    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn_on(rt, NULL, rally, until, to[i], from[!i]), 0);
}

/* ---- one of the crowd's tasks makes the task that we look at ---- */

/* Notes the slowest worker's polls between the moment it could run and its poll. */
struct late {
    WEFT_FRAME;
    struct {
        weft_runtime          *rt;
        const struct snapshot *since;
        int64_t               *ret;
    } in;
};
WEFT_ASYNC(late)
{
    WEFT_BEGIN();
    __atomic_store_n(self->in.ret, polls_since(self->in.rt, self->in.since) + 1, __ATOMIC_RELEASE);
    WEFT_END(0);
}

/* Spawns it as a child with `n` older ones, or with younger ones only, that keep coming. */
struct parent {
    WEFT_FRAME;
    struct {
        weft_runtime    *rt;
        struct snapshot *since;
        int64_t         *ret;
        const int64_t   *until;
        int64_t          n, n_younger;
    } in;
};
WEFT_ASYNC(parent)
{
    WEFT_BEGIN();
    for (int64_t i = 0; i < self->in.n; i++)
        respawn(self->in.until);
    *self->in.since = snapshot(self->in.rt);
    check_eq(weft_spawn(NULL, late, self->in.rt, self->in.since, self->in.ret), 0);
    for (int64_t i = 0; i < self->in.n_younger; i++)
        respawn(self->in.until);
    WEFT_END(0);
}

/* Waits for a message; notes how late it runs once that has come. */
struct waits {
    WEFT_FRAME;
    struct {
        weft_runtime          *rt;
        const struct snapshot *since;
        int64_t               *ret;
        weft_oneshot_receiver *from;
    } in;
    weft_wait message;
    char      none;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_oneshot_receive(&self->message, self->in.from, &self->none));
    __atomic_store_n(self->in.ret, polls_since(self->in.rt, self->in.since) + 1, __ATOMIC_RELEASE);
    weft_oneshot_receiver_close(self->in.from);
    WEFT_END(n);
}

/* Sends that message from within the runtime, then another: the first task must leave the LIFO
 * slot. */
struct tells {
    WEFT_FRAME;
    struct {
        weft_runtime        *rt;
        struct snapshot     *since;
        weft_oneshot_sender *to, *also;
    } in;
};
WEFT_ASYNC(tells)
{
    WEFT_BEGIN();
    WEFT_YIELD();
    *self->in.since = snapshot(self->in.rt);
    weft_oneshot_sender_close(self->in.to);
    weft_oneshot_sender_close(self->in.also);
    WEFT_END(0);
}

typedef void crowd_spawn(weft_runtime *rt, const int64_t *until);

static void yielding_crowd(weft_runtime *rt, const int64_t *until)
{
    for (int64_t i = 0; i < crowd(); i++)
        check_eq(weft_spawn_on(rt, NULL, yields, until), 0);
}

static void waking_crowd(weft_runtime *rt, const int64_t *until)
{
    for (int64_t i = 0; i < crowd(); i++)
        check_eq(weft_spawn_on(rt, NULL, wakes, until), 0);
}

static void respawning_crowd(weft_runtime *rt, const int64_t *until)
{
    for (int64_t i = 0; i < crowd(); i++)
        check_eq(weft_spawn_on(rt, NULL, respawns, until), 0);
}

static void rallying_crowd(weft_runtime *rt, const int64_t *until)
{
    for (int i = 0; i < 8; i++)
        spawn_rally(rt, until);
}

/* A thread that spawns all the time, but no more than the workers can do. */
static struct {
    weft_runtime  *rt;
    const int64_t *until;
    pthread_t      thread;
    bool           runs;
} flood;

static void *flood_main(void *arg)
{
    struct weft_runtime_counters c;

    (void)arg;
    while (!get(flood.until)) {
        weft_runtime_counters(flood.rt, &c);
        for (uint64_t i = c.tasks_alive; i < 1000; i++)
            check_eq(weft_spawn_on(flood.rt, NULL, yields, flood.until), 0);
        sched_yield();
    }
    return NULL;
}

static void flooding_crowd(weft_runtime *rt, const int64_t *until)
{
    flood.rt = rt;
    flood.until = until;
    flood.thread = thread(flood_main, NULL);
    flood.runs = true;
}

static const struct {
    const char  *name;
    crowd_spawn *spawn;
} crowds[] = {{"tasks that yield", yielding_crowd},
              {"tasks that wake themselves", waking_crowd},
              {"tasks that wake each other", rallying_crowd},
              {"a flood from outside", flooding_crowd},
              {"tasks that respawn themselves", respawning_crowd}};

enum { CROWDS = sizeof crowds / sizeof *crowds, ROUNDS = 20 };

typedef void late_spawn(weft_runtime *rt, struct snapshot *since, const int64_t *until,
                        int64_t *ret);

static void late_from_outside(weft_runtime *rt, struct snapshot *since, const int64_t *until,
                              int64_t *ret)
{
    (void)until;
    *since = snapshot(rt);
    check_eq(weft_spawn_on(rt, NULL, late, rt, since, ret), 0);
}

static void late_woken(weft_runtime *rt, struct snapshot *since, const int64_t *until, int64_t *ret)
{
    static struct snapshot never; /* of no workers */
    static int64_t         ignored;
    weft_oneshot_sender   *to[2];
    weft_oneshot_receiver *from[2];

    (void)until;
    for (int i = 0; i < 2; i++)
        check_eq(weft_oneshot_open(1, &to[i], &from[i]), 0);
    for (int i = 0; i < 2; i++)
        check_eq(
            weft_spawn_on(rt, NULL, waits, rt, i ? &never : since, i ? &ignored : ret, from[i]), 0);
    check_eq(weft_spawn_on(rt, NULL, tells, rt, since, to[0], to[1]), 0);
}

static void late_oldest_child(weft_runtime *rt, struct snapshot *since, const int64_t *until,
                              int64_t *ret)
{
    check_eq(weft_spawn_on(rt, NULL, parent, rt, since, ret, until, 0, 100), 0);
}

static void late_tenth_child(weft_runtime *rt, struct snapshot *since, const int64_t *until,
                             int64_t *ret)
{
    check_eq(weft_spawn_on(rt, NULL, parent, rt, since, ret, until, 9, 100), 0);
}

/* The task is polled before the slowest worker has done `bound` polls, in each of the first n
 * crowds. */
static void expect_within(int64_t workers, size_t n, int rounds, late_spawn *spawn, int64_t bound)
{
    for (size_t i = 0; i < n; i++) {
        weft_runtime   *rt = start(workers);
        int64_t         until = 0, ret = 0;
        struct snapshot since;

        crowds[i].spawn(rt, &until);
        for (int round = 0; round < rounds; round++) {
            ret = 0;
            spawn(rt, &since, &until, &ret);
            spin_until(&ret, 1);
            if (get(&ret) > bound)
                test_fail(__FILE__, __LINE__, "%s: %" PRId64 " polls, not %" PRId64, crowds[i].name,
                          get(&ret), bound);
        }
        add(&until, 1);
        if (flood.runs)
            pthread_join(flood.thread, NULL);
        flood.runs = false;
        stop(rt);
    }
}

/* The crowd, and what the rounds leave behind. */
static int64_t all(void)
{
    return crowd() + 10 * ROUNDS;
}

Test(fairness, a_task_from_outside_is_polled_within_its_bound)
{
    expect_within(1, CROWDS, ROUNDS, late_from_outside, polls(injected_turns(all(), all()), all()));
}

Test(fairness, a_task_from_outside_is_polled_within_its_bound_on_two_workers)
{
    expect_within(2, CROWDS, ROUNDS, late_from_outside, polls(injected_turns(all(), all()), all()));
}

Test(fairness, a_woken_task_is_polled_within_its_bound)
{
    expect_within(1, CROWDS, ROUNDS, late_woken, polls(woken_turns(all()), all()));
}

Test(fairness, a_woken_task_is_polled_within_its_bound_on_two_workers)
{
    expect_within(2, CROWDS, ROUNDS, late_woken, polls(woken_turns(all()), all()));
}

/* The last crowd would put thousands of older children before ours. */
Test(fairness, the_oldest_child_is_polled_within_its_bound_while_younger_ones_keep_coming)
{
    expect_within(1, CROWDS - 1, 1, late_oldest_child, polls(child_turns(0), all()));
}

Test(fairness, the_tenth_child_is_polled_within_its_bound_while_younger_ones_keep_coming)
{
    expect_within(1, CROWDS - 1, 1, late_tenth_child, polls(child_turns(9), all()));
}

Test(fairness, the_tenth_child_is_polled_within_its_bound_on_two_workers)
{
    expect_within(2, CROWDS - 1, 1, late_tenth_child, polls(child_turns(9), all()));
}
