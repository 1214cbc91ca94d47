/* test_future_set_storm.c - many tasks with sets of futures, at random */
#include "../actors.h"

#define TASKS  16
#define ROUNDS (TEST_SANITIZED ? 10 : 40)

struct job {
    WEFT_FRAME;
    struct {
        int64_t  number;
        uint32_t seed;
    } in;
    struct weft_sleep nap;
    struct counter    few;
    struct event      own;
    weft_handle       h;
    uint32_t          kind;
};
WEFT_ASYNC(job)
{
    int64_t n;

    WEFT_BEGIN();
    self->kind = self->in.seed % 4;
    n = 0;
    if (self->kind == 0)
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(30)));
    else if (self->kind == 1)
        WEFT_AWAIT(n, counter(&self->few, (int)(self->in.seed / 4 % 8)));
    else if (self->kind == 2 && weft_spawn(&self->h, returns, .value = 1) == 0)
        WEFT_AWAIT(n, weft_join(&self->h));
    if (n == -ECANCELED && self->kind == 2)
        weft_detach(&self->h);
    WEFT_END(n < 0 ? n : self->in.number);
}

#define SLOTS 70 /* more than a block of marks */
#define JOBS  300

struct runs_jobs {
    WEFT_FRAME;
    struct {
        uint32_t seed;
    } in;
    weft_future_set     set;
    weft_future_slot    slot[SLOTS];
    weft_branch         branch[SLOTS];
    struct job          job[SLOTS];
    struct weft_select  sel;
    struct weft_timeout limit;
    struct counter      few;
    uint8_t             seen[JOBS];
    int64_t             next, n_seen;
    uint32_t            how;
};

static void add_job(struct runs_jobs *self, uint32_t i)
{
    weft_future_set_add(
        &self->set, i,
        weft_async(job, &self->job[i], .number = self->next++, .seed = rnd(&self->in.seed)));
}

WEFT_ASYNC(runs_jobs)
{
    int64_t n;

    WEFT_BEGIN();
    memset(self->seen, 0, sizeof self->seen);
    self->next = self->n_seen = 0;
    weft_future_set_init(&self->set, self->slot, self->branch, SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++)
        add_job(self, i);
    for (;;) {
        self->how = rnd(&self->in.seed) % 4;
        if (self->how == 0) {
            WEFT_AWAIT(n, weft_select(&self->sel, counter(&self->few, 1),
                                      weft_future_set_next(&self->set)));
            n = self->set.future.result;
        } else if (self->how == 1) {
            WEFT_AWAIT(n, weft_timeout(&self->limit, weft_future_set_next(&self->set),
                                       WEFT_US(rnd(&self->in.seed) % 40)));
        } else {
            WEFT_AWAIT(n, weft_future_set_next(&self->set));
        }
        if (n == WEFT_EOF || WEFT_CANCELLED())
            break;
        if (n < 0)
            continue; /* that wait was cancelled */
        n = weft_future_result(self->slot[n].future);
        check(n >= 0 && n < JOBS && !self->seen[n]);
        self->seen[n] = 1;
        self->n_seen++;
        if (self->next < JOBS)
            add_job(self, (uint32_t)(self->set.future.result));
    }
    if (WEFT_CANCELLED()) {
        WEFT_WAIT(weft_future_set_close(&self->set));
        WEFT_RETURN(-ECANCELED);
    }
    check_eq(self->n_seen, JOBS);
    WEFT_END(0);
}

static void storm(const weft_config *config)
{
    weft_runtime     *rt = start_with(config);
    weft_handle       h[TASKS];
    struct weft_sleep nap;
    uint32_t          seed = 1;

    for (int round = 0; round < test_scaled(ROUNDS); round++) {
        for (int i = 0; i < TASKS; i++)
            check_eq(weft_spawn_on(rt, &h[i], runs_jobs, .seed = rnd(&seed)), 0);
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_US(rnd(&seed) % 3000))), 0);
        for (int i = 0; i < TASKS; i += 3) /* some of them are cancelled, at any point */
            weft_cancel(&h[i]);
        for (int i = 0; i < TASKS; i++) {
            int64_t n = join(rt, &h[i]);

            check(n == 0 || (n == -ECANCELED && i % 3 == 0));
        }
    }
    stop(rt);
}

Test(future_set_storm, storm_with_1_worker, .timeout = 120)
{
    storm(&(weft_config){.workers = 1});
}

Test(future_set_storm, storm_with_the_current_thread, .timeout = 120)
{
    storm(&(weft_config){.current_thread = 1});
}

Test(future_set_storm, storm_with_2_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 2});
}

Test(future_set_storm, storm_with_8_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 8});
}

Test(future_set_storm, storm_with_a_budget_of_1, .timeout = 120)
{
    storm(&(weft_config){.workers = 2, .budget = 1});
}
