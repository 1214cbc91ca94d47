/* test_task_set_storm.c - task sets with many tasks, threads and cancels, seeded */
#include "storm_runtimes.h"

#define ROUNDS  100
#define MEMBERS 64
#define MANY    100000

/* A set that several tasks spawn into and take from, and what must be true of it in the end. */
struct storm {
    weft_task_set set;
    int64_t       spawned, ran, returned, bad, tickets; /* atomic */
    struct slot {
        weft_member member;
        int64_t     expected;
        int64_t     out; /* the member is in the set; atomic */
    } slot[MEMBERS];
};

/* Ends at once, after some yields, after a nap, or only when it is cancelled. */
struct worker_task {
    WEFT_FRAME;
    struct {
        struct storm *storm;
        int64_t       ticket;
        uint32_t      seed;
    } in;
    struct weft_sleep nap;
    int               i;
};
WEFT_ASYNC(worker_task)
{
    WEFT_BEGIN();
    switch (self->in.seed % 4) {
    case 0:
        self->i = 0;
        break;
    case 1:
        self->i = 5;
        break;
    case 2:
        self->i = -1;
        break;
    default:
        self->i = -2;
    }
    for (; self->i > 0; self->i--)
        WEFT_YIELD();
    if (self->i < 0)
        WEFT_WAIT(weft_sleep(&self->nap, self->i == -1 ? WEFT_US(50) : WEFT_FOREVER));
    add(&self->in.storm->ran, 1);
    WEFT_END(self->in.ticket);
}

static void spawn_into(struct storm *storm, weft_runtime *rt, struct slot *slot, uint32_t seed)
{
    int64_t ticket = add(&storm->tickets, 1);

    slot->expected = ticket;
    if (__atomic_exchange_n(&slot->out, 1, __ATOMIC_ACQ_REL) != 0)
        add(&storm->bad, 1);
    add(&storm->spawned, 1);
    if (weft_task_set_spawn_on(rt, &storm->set, &slot->member, worker_task, .storm = storm,
                               .ticket = ticket, .seed = seed) == 0)
        return;
    add(&storm->spawned, -1);
    __atomic_store_n(&slot->out, 0, __ATOMIC_RELEASE);
}

static void returned(struct storm *storm, weft_member *m)
{
    struct slot *slot = weft_container(m, struct slot, member);

    if (m->result != slot->expected)
        add(&storm->bad, 1);
    if (__atomic_exchange_n(&slot->out, 0, __ATOMIC_ACQ_REL) != 1)
        add(&storm->bad, 1);
    add(&storm->returned, 1);
}

/* Takes members, impatiently, and spawns them again. */
struct taker {
    WEFT_FRAME;
    struct {
        struct storm *storm;
        uint32_t      seed;
        int           spawns; /* how often it still spawns */
    } in;
    weft_wait          wait;
    weft_member       *m;
    struct weft_select sel;
    struct counter     few;
};
WEFT_ASYNC(taker)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        counter(&self->few, (int)(rnd(&self->in.seed) % 3));
        weft_task_set_next(&self->wait, &self->in.storm->set, &self->m);
        WEFT_AWAIT(n, weft_select(&self->sel, &self->wait.future, &self->few.future));
        if (self->wait.future.result == WEFT_EOF || WEFT_CANCELLED())
            break;
        if (rnd(&self->in.seed) % 8 == 0)
            weft_task_set_cancel_all(&self->in.storm->set);
        if (self->wait.future.result < 0)
            continue;
        returned(self->in.storm, self->m);
        if (self->in.spawns-- > 0)
            spawn_into(self->in.storm, NULL, weft_container(self->m, struct slot, member),
                       rnd(&self->in.seed));
    }
    WEFT_END(n < 0 ? n : 0);
}

static void run_round(weft_runtime *const *rt, int n_rt, uint32_t seed)
{
    struct storm *storm = calloc(1, sizeof *storm);
    weft_handle   taker[4];
    weft_member  *m;
    weft_wait     wait;

    check(storm != NULL);
    for (int i = 0; i < MEMBERS; i++)
        spawn_into(storm, rt[i % n_rt], &storm->slot[i], rnd(&seed));
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt[i % n_rt], &taker[i], taker, .storm = storm, .seed = rnd(&seed),
                               .spawns = 20),
                 0);
    if (seed % 2)
        weft_cancel(&taker[0]);
    for (int i = 0; i < MEMBERS && !(seed % 3); i++)
        weft_task_set_cancel_all(&storm->set);
    if (seed % 5)
        check_eq(weft_block_on(rt[0], weft_task_set_close(&wait, &storm->set)), 0);
    for (int i = 0; i < 4; i++)
        (void)join(rt[i % n_rt], &taker[i]);
    check_eq(weft_block_on(rt[0], weft_task_set_close(&wait, &storm->set)), 0);
    while (weft_task_set_try_next(&storm->set, &m) == 0)
        returned(storm, m);
    check_eq(storm->bad, 0);
    check_eq(storm->spawned, storm->returned);
    check_eq(storm->ran, storm->spawned);
    check_eq(weft_task_set_count(&storm->set), 0);
    free(storm);
}

static void storm(weft_runtime *const *rt, int n_rt)
{
    for (uint32_t i = 0; i < ROUNDS; i++)
        run_round(rt, n_rt, 1 + i);
}

STORM_CASES(task_set_storm, storm)

/* ---- many members: the cost of one does not grow with their number ---- */

struct waits_long {
    WEFT_FRAME;
    struct {
        weft_event *event;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(waits_long)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_event_wait(&self->wait, self->in.event));
    WEFT_END(n);
}

struct takes_all {
    WEFT_FRAME;
    struct {
        weft_task_set *set;
    } in;
    weft_wait    wait;
    weft_member *m;
    int64_t      n;
};
WEFT_ASYNC(takes_all)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->n = 0;; self->n++) {
        WEFT_AWAIT(n, weft_task_set_next(&self->wait, self->in.set, &self->m));
        if (n < 0)
            break;
    }
    WEFT_END(n == WEFT_EOF ? self->n : n);
}

Test(task_set_storm, a_hundred_thousand_tasks, .timeout = 120)
{
    weft_runtime *rt = start(2);
    weft_task_set set = {0};
    weft_member  *member = calloc(MANY, sizeof *member);
    weft_event    event = {0};

    check(member != NULL);
    for (int i = 0; i < MANY; i++)
        check_eq(weft_task_set_spawn_on(rt, &set, &member[i], waits_long, .event = &event), 0);
    weft_event_set(&event);
    check_eq(RUN(rt, takes_all, .set = &set), MANY);
    for (int i = 0; i < MANY; i++)
        check_eq(weft_task_set_spawn_on(rt, &set, &member[i], waits_long, .event = &event), 0);
    weft_task_set_cancel_all(&set);
    check_eq(RUN(rt, takes_all, .set = &set), MANY);
    free(member);
    stop(rt);
}
