/*
 * test_notify.c - which wait a notification ends, and what is stored if there is none
 *
 * Most cases are those of Tokio's sync_notify.rs, by their behaviour.
 */
#include "crew.h"

static weft_notify notify;
static weft_wait   wait[3];
static struct hand hand[3];

/* Queues so many waits. */
static void begin(int n)
{
    notify = (weft_notify){0};
    for (int i = 0; i < 3; i++) {
        hand_init(&hand[i], NULL);
        weft_notify_wait(&wait[i], &notify);
        if (i < n)
            check(!hand_poll(&hand[i], &wait[i].future));
    }
}

static bool polls(int i)
{
    return hand_poll(&hand[i], &wait[i].future);
}

Test(notify, wakes_the_first_that_waits_and_no_other)
{
    begin(2);
    weft_notify_one(&notify);
    check_eq(hand[0].n_wakes, 1);
    check_eq(hand[1].n_wakes, 0);
    check(!polls(1));
    check(polls(0));
    check_eq(hand_cancel(&hand[1], &wait[1].future), -ECANCELED);
}

Test(notify, that_was_stored_is_taken_once_and_the_next_wait_is_woken)
{
    begin(0);
    weft_notify_one(&notify);
    check(polls(0));
    check(!polls(1));
    weft_notify_one(&notify);
    check_eq(hand[1].n_wakes, 1);
    check(polls(1));
}

Test(notify, is_stored_once_while_no_wait_is_there)
{
    begin(0);
    weft_notify_one(&notify);
    weft_notify_one(&notify);
    check(polls(0));
    check(!polls(1));
    weft_notify_all(&notify);
    check(polls(1));
}

Test(notify, of_all_is_for_the_waits_that_are_there_and_is_not_stored)
{
    begin(2);
    weft_notify_all(&notify);
    check(!polls(2));
    check(polls(0));
    check(polls(1));
    check_eq(hand_cancel(&hand[2], &wait[2].future), -ECANCELED);
    check_eq(hand[2].n_wakers, 0);
}

Test(notify, of_a_cancelled_wait_goes_to_the_next)
{
    begin(2);
    weft_notify_one(&notify);
    check_eq(hand_cancel(&hand[0], &wait[0].future), -ECANCELED);
    check_eq(hand[0].n_wakers, 0);
    check(polls(1));
}

Test(notify, passes_over_a_wait_that_has_left)
{
    begin(2);
    check_eq(hand_cancel(&hand[0], &wait[0].future), -ECANCELED);
    weft_notify_one(&notify);
    check_eq(hand[1].n_wakes, 1);
    check(polls(1));
    check(!polls(2)); /* nothing was stored */
    check_eq(hand_cancel(&hand[2], &wait[2].future), -ECANCELED);
}

/* The cancelled wait had been ended by weft_notify_all: it has no notification to pass on. */
Test(notify, behind_all_is_stored_and_outlives_the_cancel_of_a_wait_that_all_ended)
{
    begin(1);
    weft_notify_all(&notify);
    weft_notify_one(&notify);
    check_eq(hand_cancel(&hand[0], &wait[0].future), -ECANCELED);
    check(polls(1));
    check(!polls(2));
    check_eq(hand_cancel(&hand[2], &wait[2].future), -ECANCELED);
}

Test(notify, of_all_is_not_stored_when_a_wait_that_it_ended_is_cancelled)
{
    begin(1);
    weft_notify_all(&notify);
    check_eq(hand_cancel(&hand[0], &wait[0].future), -ECANCELED);
    check(!polls(1));
    check_eq(hand_cancel(&hand[1], &wait[1].future), -ECANCELED);
}

Test(notify, of_a_cancelled_wait_is_stored_if_it_was_the_last)
{
    begin(1);
    weft_notify_one(&notify);
    check_eq(hand_cancel(&hand[0], &wait[0].future), -ECANCELED);
    check(polls(1));
    check(!polls(2));
    check_eq(hand_cancel(&hand[2], &wait[2].future), -ECANCELED);
}

/* Two notifications reach two waits. The first wait gives its own back, for the third. */
Test(notify, of_two_is_lost_neither_when_one_wait_is_cancelled)
{
    begin(3);
    weft_notify_one(&notify);
    weft_notify_one(&notify);
    check_eq(hand_cancel(&hand[0], &wait[0].future), -ECANCELED);
    check_eq(hand[2].n_wakes, 1);
    check(polls(1));
    check(polls(2));
}

/* ---- a bell: tasks and threads ring and wait, and give up by chance ---- */

#define RINGERS 4 /* half of them tasks, as of those that wait */
#define RINGS   test_scaled(4000)

struct bell {
    weft_notify notify;
    int64_t     rung, heard, silent; /* `silent`: so many ringers have ended */
};

struct rings {
    WEFT_FRAME;
    struct {
        struct bell *bell;
        int          number;
    } in;
    uint32_t random;
    int64_t  i;
};
WEFT_ASYNC(rings)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    for (self->i = 0; self->i < RINGS; self->i++) {
        add(&self->in.bell->rung, 1);
        one_of(&self->random, 8) ? weft_notify_all(&self->in.bell->notify)
                                 : weft_notify_one(&self->in.bell->notify);
        if (one_of(&self->random, 2))
            WEFT_YIELD();
    }
    add(&self->in.bell->silent, 1);
    WEFT_END(0);
}

/* Looks at the state, and waits for a notification that it has changed. The last ring is never
 * missed: a notification that a cancelled wait had got goes on to the next. */
struct hears {
    WEFT_FRAME;
    struct {
        struct bell *bell;
        int          number;
    } in;
    uint32_t        random;
    struct patience patience;
    weft_wait       wait;
};
WEFT_ASYNC(hears)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    while (get(&self->in.bell->silent) < RINGERS) {
        PATIENTLY(weft_notify_wait(&self->wait, &self->in.bell->notify));
        add(&self->in.bell->heard, self->wait.future.result == 0);
    }
    weft_notify_one(&self->in.bell->notify); /* for the next that hears */
    WEFT_END(0);
}

static void storm(weft_runtime *rt)
{
    static struct bell  bell;
    static struct hears hearing[RINGERS / 2];
    static struct rings ringing[RINGERS / 2];
    pthread_t           threads[RINGERS];
    weft_handle         handle[RINGERS];

    bell = (struct bell){.rung = 0};
    for (int i = 0; i < RINGERS / 2; i++) {
        check_eq(weft_spawn_on(rt, &handle[2 * i], hears, &bell, 4 * i), 0);
        check_eq(weft_spawn_on(rt, &handle[2 * i + 1], rings, &bell, 4 * i + 1), 0);
        threads[2 * i] = thread(run_parked, weft_async(hears, &hearing[i], &bell, 4 * i + 2));
        threads[2 * i + 1] = thread(run_parked, weft_async(rings, &ringing[i], &bell, 4 * i + 3));
    }
    /* The last ring came before its ringer was counted. */
    while (get(&bell.silent) < RINGERS) {
        struct weft_sleep nap;

        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
    }
    weft_notify_one(&bell.notify);
    for (int i = 0; i < RINGERS; i++) {
        check_eq(join(rt, &handle[i]), 0);
        pthread_join(threads[i], NULL);
    }
    check_eq(bell.rung, RINGERS * RINGS);
    check_cmp(bell.heard, >, 0);
}

Test(notify, is_not_lost_on_a_current_thread, .timeout = 120)
{
    on_current_thread(storm);
}

Test(notify, is_not_lost_on_one_worker, .timeout = 120)
{
    on_workers(1, storm);
}

Test(notify, is_not_lost_on_two_workers, .timeout = 120)
{
    on_workers(2, storm);
}

Test(notify, is_not_lost_on_eight_workers, .timeout = 120)
{
    on_workers(8, storm);
}
