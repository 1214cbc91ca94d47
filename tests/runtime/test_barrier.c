/*
 * test_barrier.c - barriers of one and of many, and barriers that tasks and plain threads pass
 *
 * Some cases are those of Tokio's sync_barrier.rs, by their behaviour.
 */
#include "crew.h"

#define MANY    100
#define PARTIES 8 /* half of them tasks */
#define ROUNDS  test_scaled(2000)

Test(barrier, of_one_lets_each_pass_as_its_leader)
{
    weft_barrier b;
    weft_wait    wait;
    struct hand  hand;

    weft_barrier_init(&b, 1);
    hand_init(&hand, NULL);
    for (int i = 0; i < 3; i++) {
        check(hand_poll(&hand, weft_barrier_wait(&wait, &b)));
        check_eq(weft_future_result(&wait.future), 1);
    }
}

Test(barrier, of_a_hundred_opens_round_after_round)
{
    static weft_wait   wait[MANY];
    static struct hand hand[MANY];
    weft_barrier       b;

    weft_barrier_init(&b, MANY);
    for (int round = 0; round < 10; round++) {
        int64_t leaders = 0;

        for (int i = 0; i < MANY - 1; i++) {
            hand_init(&hand[i], NULL);
            check(!hand_poll(&hand[i], weft_barrier_wait(&wait[i], &b)));
        }
        for (int i = 0; i < MANY - 1; i++) /* a second poll is no second arrival */
            check(!hand_poll(&hand[i], &wait[i].future));
        hand_init(&hand[MANY - 1], NULL);
        check(hand_poll(&hand[MANY - 1], weft_barrier_wait(&wait[MANY - 1], &b)));
        for (int i = 0; i < MANY - 1; i++) {
            check_eq(hand[i].n_wakes, 1);
            check(hand_poll(&hand[i], &wait[i].future));
        }
        for (int i = 0; i < MANY; i++)
            leaders += weft_future_result(&wait[i].future);
        check_eq(leaders, 1);
    }
}

TEST_ABORTS(barrier, of_none_aborts, "weft_barrier_init: a barrier needs at least one task")
{
    weft_barrier b;

    weft_barrier_init(&b, 0);
}

/* ---- tasks and threads, which give up waits by chance ---- */

struct meeting {
    weft_barrier barrier;
    int64_t      arrived, leaders, n_early;
};

struct meets {
    WEFT_FRAME;
    struct {
        struct meeting *at;
        int             number;
    } in;
    uint32_t        random;
    struct patience patience;
    weft_wait       wait;
    int64_t         i;
};
WEFT_ASYNC(meets)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    for (self->i = 1; self->i <= ROUNDS; self->i++) {
        add(&self->in.at->arrived, 1);
        do
            PATIENTLY(weft_barrier_wait(&self->wait, &self->in.at->barrier));
        while (self->wait.future.result == -ECANCELED);
        add(&self->in.at->n_early, get(&self->in.at->arrived) < PARTIES * self->i);
        add(&self->in.at->leaders, self->wait.future.result);
    }
    WEFT_END(0);
}

static void storm(weft_runtime *rt)
{
    struct meeting at = {.arrived = 0};
    struct meets   frame[PARTIES / 2];
    pthread_t      threads[PARTIES / 2];
    weft_handle    handle[PARTIES / 2];

    weft_barrier_init(&at.barrier, PARTIES);
    for (int i = 0; i < PARTIES / 2; i++) {
        check_eq(weft_spawn_on(rt, &handle[i], meets, &at, 2 * i), 0);
        threads[i] = thread(run_parked, weft_async(meets, &frame[i], &at, 2 * i + 1));
    }
    for (int i = 0; i < PARTIES / 2; i++) {
        check_eq(join(rt, &handle[i]), 0);
        pthread_join(threads[i], NULL);
    }
    check_eq(at.leaders, ROUNDS);
    check_eq(at.n_early, 0);
}

Test(barrier, lets_none_pass_early_on_a_current_thread, .timeout = 120)
{
    on_current_thread(storm);
}

Test(barrier, lets_none_pass_early_on_one_worker, .timeout = 120)
{
    on_workers(1, storm);
}

Test(barrier, lets_none_pass_early_on_two_workers, .timeout = 120)
{
    on_workers(2, storm);
}

Test(barrier, lets_none_pass_early_on_eight_workers, .timeout = 120)
{
    on_workers(8, storm);
}
