/* test_kept_tasks.c - tasks whose kept waits would let them wait for ever, and many by chance */
#include "kept.h"

/* Two waits lose a select and stay. Then only the second one is awaited. */
struct keeps_two {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want        want[2];
    struct event       ready;
    struct weft_select sel;
};
WEFT_ASYNC(keeps_two)
{
    int64_t n;

    WEFT_BEGIN();
    begin(self->in.kind);
    weft_keep(want(self->in.kind, &self->want[0]));
    weft_keep(want(self->in.kind, &self->want[1]));
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &self->want[0].wait.future,
                                     &self->want[1].wait.future, at_once(&self->ready, 0)));
    check_eq(n, 2);
    check(weft_future_is_pending(&self->want[0].wait.future));
    give(self->in.kind);
    WEFT_AWAIT(n, &self->want[1].wait.future);
    give_back(self->in.kind, &self->want[1]);
    WEFT_CANCEL(&self->want[0].wait.future);
    check_eq(self->want[0].wait.future.result, -ECANCELED);
    end(self->in.kind);
    WEFT_END(0);
}

struct needs {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want want;
};
WEFT_ASYNC(needs)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, want(self->in.kind, &self->want));
    give_back(self->in.kind, &self->want);
    WEFT_END(n);
}

/* A wait loses a select and stays. Then its task waits for a task that needs the same. */
struct keeps_one {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want        want;
    struct event       ready;
    struct weft_select sel;
    struct counter     turns;
    weft_handle        other;
};
WEFT_ASYNC(keeps_one)
{
    int64_t n;

    WEFT_BEGIN();
    begin(self->in.kind);
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_keep(want(self->in.kind, &self->want)),
                                     at_once(&self->ready, 0)));
    check_eq(n, 1);
    check_eq(weft_spawn(&self->other, needs, self->in.kind), 0);
    WEFT_AWAIT(n, counter(&self->turns, 5)); /* mostly the other one waits now */
    give(self->in.kind);
    WEFT_AWAIT(n, weft_join(&self->other));
    check(n >= 0);
    WEFT_AWAIT(n, &self->want.wait.future);
    give_back(self->in.kind, &self->want);
    end(self->in.kind);
    WEFT_END(0);
}

/* The same, and the wait is in an async function that is kept, in a join under a limit. */
struct locks {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want          want;
    struct counter       turns;
    struct weft_join_all join;
    struct weft_timeout  limit;
};
WEFT_ASYNC(locks)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit,
                               weft_join_all(&self->join, counter(&self->turns, 0),
                                             want(self->in.kind, &self->want)),
                               WEFT_S(3600)));
    check_eq(n, 0);
    give_back(self->in.kind, &self->want);
    WEFT_END(0);
}

struct keeps_a_call {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct locks       locks;
    struct event       ready;
    struct weft_select sel;
    struct want        want;
};
WEFT_ASYNC(keeps_a_call)
{
    int64_t n;

    WEFT_BEGIN();
    begin(self->in.kind);
    weft_keep(weft_async(locks, &self->locks, self->in.kind));
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &self->locks.weft_frame_.future,
                                     at_once(&self->ready, 0)));
    check_eq(n, 1);
    give(self->in.kind);
    WEFT_AWAIT(n, want(self->in.kind, &self->want));
    give_back(self->in.kind, &self->want);
    WEFT_AWAIT(n, &self->locks.weft_frame_.future);
    check_eq(n, 0);
    end(self->in.kind);
    WEFT_END(0);
}

static void keepers(weft_runtime *rt)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        check_eq(RUN(rt, keeps_two, kind), 0);
        check_eq(RUN(rt, keeps_one, kind), 0);
        check_eq(RUN(rt, keeps_a_call, kind), 0);
    }
}

Test(kept_tasks, wait_that_is_not_polled_holds_up_neither_its_task_nor_others)
{
    on_current_thread(keepers);
    on_workers(1, keepers);
    on_workers(2, keepers);
    on_workers(8, keepers);
}

Test(kept_tasks, wait_that_is_not_polled_holds_up_none_with_a_budget_of_one)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .budget = 1});

    keepers(rt);
    stop(rt);
}

/* ---- by chance ---- */

#define MEMBERS 6

static int64_t inside[2]; /* of the mutex and of the writer: plain, the locks order them */

/* Uses what it has got. Two would be seen. */
static void use(enum kind kind)
{
    int64_t *in = kind == MUTEX ? &inside[0] : &inside[1];

    if (kind == MUTEX || kind == WRITER)
        check_eq((*in)++, 0);
    if (kind == READER)
        check_eq(*in, 0);
}

static void unuse(enum kind kind)
{
    if (kind == MUTEX || kind == WRITER)
        inside[kind == WRITER]--;
}

/* Locks again and again. By chance the wait loses selects, is not polled for a while, and is given
 * up. */
struct member {
    WEFT_FRAME;
    struct {
        int number, rounds;
    } in;
    struct want        want;
    enum kind          kind;
    uint32_t           random;
    int                tries;
    struct patience    patience;
    struct counter     turns;
    struct weft_select sel;
};
WEFT_ASYNC(member)
{
    int64_t n;

    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    for (; self->in.rounds > 0; self->in.rounds--) {
        self->kind = (enum kind)(rnd(&self->random) % NOTIFY);
        weft_keep(want(self->kind, &self->want));
        self->tries = (int)(rnd(&self->random) % 4);
        for (; self->tries > 0 && !weft_future_is_ready(&self->want.wait.future); self->tries--) {
            WEFT_AWAIT(n, weft_select(&self->sel, &self->want.wait.future,
                                      patience(&self->patience, &self->random)));
            if (n == 1)
                WEFT_AWAIT(n, counter(&self->turns, (int)(rnd(&self->random) % 4)));
        }
        if (!weft_future_is_ready(&self->want.wait.future)) {
            if (one_of(&self->random, 3))
                WEFT_CANCEL(&self->want.wait.future);
            else
                WEFT_AWAIT(n, &self->want.wait.future);
        }
        if (self->want.wait.future.result < 0)
            continue;
        use(self->kind);
        WEFT_AWAIT(n, counter(&self->turns, (int)(rnd(&self->random) % 2)));
        unuse(self->kind);
        give_back(self->kind, &self->want);
    }
    WEFT_END(0);
}

static void storm(weft_runtime *rt)
{
    weft_handle handle[MEMBERS];
    int         rounds = (int)test_scaled(500);

    begin(MUTEX);
    for (enum kind kind = 0; kind < NOTIFY; kind += (kind + 1 == READER) ? 2 : 1)
        give(kind);
    for (int i = 0; i < MEMBERS; i++)
        check_eq(weft_spawn_on(rt, &handle[i], member, i, rounds), 0);
    for (int i = 0; i < MEMBERS; i++)
        check_eq(join(rt, &handle[i]), 0);
    for (enum kind kind = 0; kind < NOTIFY; kind++) {
        struct want w;
        struct hand h;

        hand_init(&h, NULL);
        (void)hand_run(&h, want(kind, &w));
        give_back(kind, &w);
    }
    end(MUTEX);
}

Test(kept_tasks, waits_that_come_and_go_by_chance_share_all_locks)
{
    on_current_thread(storm);
    on_workers(1, storm);
    on_workers(2, storm);
    on_workers(8, storm);
}
