/* test_sync.c - the guarantees of locks, semaphores and conditions, poll by poll */
#include "../helpers.h"

static bool polls(struct hand *hand, weft_wait *wait)
{
    return hand_poll(hand, &wait->future);
}

/* Cancels and polls, as an owner does; and then the object has no waker of the hand's any more. */
static int64_t ends(struct hand *hand, weft_wait *wait)
{
    int64_t result = hand_cancel(hand, &wait->future);

    check_eq(hand->n_wakers, 0);
    return result;
}

/* ---- mutex ---- */

Test(sync, a_mutex_goes_to_those_who_wait_in_order)
{
    weft_mutex  m = {0};
    weft_wait   wait[4];
    struct hand hand[4];

    for (int i = 0; i < 4; i++) {
        hand_init(&hand[i], NULL);
        weft_mutex_lock(&wait[i], &m);
        check_eq(polls(&hand[i], &wait[i]), i == 0);
    }
    for (int i = 1; i < 4; i++) {
        weft_mutex_unlock(&m);
        check_eq(hand[i].n_wakes, 1);
        check_eq(weft_mutex_try_lock(&m), -EBUSY); /* passed on, not free */
        check(polls(&hand[i], &wait[i]));
    }
    weft_mutex_unlock(&m);
    check_eq(weft_mutex_try_lock(&m), 0);
    weft_mutex_unlock(&m);
}

Test(sync, a_mutex_that_was_passed_to_a_cancelled_wait_goes_to_the_next)
{
    weft_mutex  m = {0};
    weft_wait   wait[3];
    struct hand hand[3];

    check_eq(weft_mutex_try_lock(&m), 0);
    for (int i = 0; i < 3; i++) {
        hand_init(&hand[i], NULL);
        weft_mutex_lock(&wait[i], &m);
        check(!polls(&hand[i], &wait[i]));
    }
    check_eq(ends(&hand[1], &wait[1]), -ECANCELED); /* from the middle of the queue */
    weft_mutex_unlock(&m);
    check_eq(ends(&hand[0], &wait[0]), -ECANCELED); /* it had the mutex */
    check_eq(hand[2].n_wakes, 1);
    check(polls(&hand[2], &wait[2]));
    weft_mutex_unlock(&m);
    check_eq(weft_mutex_try_lock(&m), 0);
}

/* Tokio #8365: a task without budget must not lose its place to a task that comes later. */
Test(sync, a_wait_without_budget_has_its_place_in_the_queue)
{
    weft_mutex  m = {0};
    weft_wait   first, second;
    struct hand a, b;

    hand_init(&a, NULL);
    hand_init(&b, NULL);
    check_eq(weft_mutex_try_lock(&m), 0);
    weft_mutex_lock(&first, &m);
    check(!hand_poll_budget(&a, &first.future, 0));
    check_eq(a.n_wakes, 1); /* for its next turn */
    weft_mutex_lock(&second, &m);
    check(!polls(&b, &second));
    weft_mutex_unlock(&m);
    check(polls(&a, &first));
    check(!polls(&b, &second));
    weft_mutex_unlock(&m);
    check(polls(&b, &second));
}

/* A task that yields holds no lock that it can't use yet. */
Test(sync, a_wait_without_budget_leaves_free_what_is_free)
{
    weft_mutex     m = {0};
    weft_rwlock    l = {0};
    weft_semaphore s;
    weft_wait      wait[4];
    struct hand    hand[4];

    weft_semaphore_init(&s, 1);
    weft_mutex_lock(&wait[0], &m);
    weft_rwlock_read(&wait[1], &l);
    weft_rwlock_write(&wait[2], &l);
    weft_semaphore_acquire(&wait[3], &s, 1);
    for (int i = 0; i < 4; i++) {
        hand_init(&hand[i], NULL);
        check(!hand_poll_budget(&hand[i], &wait[i].future, 0));
        check_eq(hand[i].n_wakes, 1); /* for its next turn */
    }
    check_eq(weft_mutex_try_lock(&m), 0);
    check_eq(weft_rwlock_try_write(&l), 0);
    check_eq(weft_semaphore_try_acquire(&s, 1), 0);
    for (int i = 0; i < 4; i++) /* they are not free now, so the waits take their places */
        check(!hand_poll_budget(&hand[i], &wait[i].future, 0));
    weft_mutex_unlock(&m);
    weft_rwlock_unlock_write(&l);
    weft_semaphore_release(&s, 1);
    check_eq(weft_mutex_try_lock(&m), -EBUSY);
    check_eq(weft_rwlock_try_write(&l), -EBUSY);
    check_eq(weft_semaphore_try_acquire(&s, 1), -EAGAIN);
    check(polls(&hand[0], &wait[0]));
    check(polls(&hand[1], &wait[1]));
    check(!polls(&hand[2], &wait[2]));
    weft_rwlock_unlock_read(&l);
    check(polls(&hand[2], &wait[2]));
    check(polls(&hand[3], &wait[3]));
    weft_mutex_unlock(&m);
    weft_rwlock_unlock_write(&l);
    weft_semaphore_release(&s, 1);
    check_eq(weft_semaphore_available(&s), 1);
}

/* They are free, although waits have been there. */
Test(sync, a_wait_without_budget_leaves_free_what_waits_have_left)
{
    weft_rwlock    l = {0};
    weft_semaphore s = {0};
    weft_wait      before[2], wait[2];
    struct hand    hand[4];

    for (int i = 0; i < 4; i++)
        hand_init(&hand[i], NULL);
    check_eq(weft_rwlock_try_write(&l), 0);
    weft_rwlock_read(&before[0], &l);
    weft_semaphore_acquire(&before[1], &s, 1);
    for (int i = 0; i < 2; i++)
        check(!polls(&hand[i], &before[i]));
    weft_rwlock_unlock_write(&l);
    weft_semaphore_release(&s, 2);
    for (int i = 0; i < 2; i++)
        check(polls(&hand[i], &before[i]));
    weft_rwlock_read(&wait[0], &l);
    weft_semaphore_acquire(&wait[1], &s, 1);
    for (int i = 0; i < 2; i++)
        check(!hand_poll_budget(&hand[2 + i], &wait[i].future, 0));
    weft_rwlock_unlock_read(&l);
    check_eq(weft_rwlock_try_write(&l), 0);
    check_eq(weft_semaphore_try_acquire(&s, 1), 0);
    weft_rwlock_unlock_write(&l);
    weft_semaphore_release(&s, 1);
    for (int i = 0; i < 2; i++)
        check(polls(&hand[2 + i], &wait[i]));
    weft_rwlock_unlock_read(&l);
    check_eq(weft_rwlock_try_write(&l), 0);
}

/* ---- semaphore ---- */

Test(sync, a_wait_for_many_permits_holds_up_those_behind_it)
{
    weft_semaphore s = {0};
    weft_wait      many, one;
    struct hand    a, b;

    hand_init(&a, NULL);
    hand_init(&b, NULL);
    weft_semaphore_release(&s, 2);
    weft_semaphore_acquire(&many, &s, 3);
    check(!polls(&a, &many));
    weft_semaphore_acquire(&one, &s, 1);
    check(!polls(&b, &one));
    check_eq(weft_semaphore_try_acquire(&s, 1), -EAGAIN);
    check_eq(weft_semaphore_available(&s), 2);
    weft_semaphore_release(&s, 1);
    check(polls(&a, &many));
    check(!polls(&b, &one));
    weft_semaphore_release(&s, 1);
    check(polls(&b, &one));
}

Test(sync, when_the_wait_for_many_leaves_those_behind_it_pass)
{
    weft_semaphore s;
    weft_wait      many, one[2];
    struct hand    a, b[2];

    weft_semaphore_init(&s, 2);
    hand_init(&a, NULL);
    weft_semaphore_acquire(&many, &s, 3);
    check(!polls(&a, &many));
    for (int i = 0; i < 2; i++) {
        hand_init(&b[i], NULL);
        weft_semaphore_acquire(&one[i], &s, 1);
        check(!polls(&b[i], &one[i]));
    }
    check_eq(ends(&a, &many), -ECANCELED);
    for (int i = 0; i < 2; i++) {
        check_eq(b[i].n_wakes, 1);
        check(polls(&b[i], &one[i]));
    }
    check_eq(weft_semaphore_available(&s), 0);
}

Test(sync, permits_of_a_cancelled_wait_are_not_lost)
{
    weft_semaphore s = {0};
    weft_wait      wait;
    struct hand    a;

    hand_init(&a, NULL);
    weft_semaphore_acquire(&wait, &s, 5);
    check(!polls(&a, &wait));
    weft_semaphore_release(&s, 5);
    check_eq(weft_semaphore_available(&s), 0);
    check_eq(ends(&a, &wait), -ECANCELED);
    check_eq(weft_semaphore_available(&s), 5);
}

Test(sync, closing_a_semaphore_ends_waits_and_refuses_new_ones)
{
    weft_semaphore s = {0};
    weft_wait      wait;
    struct hand    a;

    hand_init(&a, NULL);
    weft_semaphore_acquire(&wait, &s, 1);
    check(!polls(&a, &wait));
    weft_semaphore_close(&s);
    check_eq(a.n_wakes, 1);
    check(polls(&a, &wait));
    check_eq(weft_future_result(&wait.future), -EPIPE);
    weft_semaphore_release(&s, 1);
    check_eq(weft_semaphore_try_acquire(&s, 1), -EPIPE);
}

/* ---- rwlock ---- */

Test(sync, readers_share_and_wait_behind_a_writer_that_waits)
{
    weft_rwlock l = {0};
    weft_wait   write, read;
    struct hand w, r;

    hand_init(&w, NULL);
    hand_init(&r, NULL);
    check_eq(weft_rwlock_try_read(&l), 0);
    check_eq(weft_rwlock_try_read(&l), 0);
    check_eq(weft_rwlock_try_write(&l), -EBUSY);
    weft_rwlock_write(&write, &l);
    check(!polls(&w, &write));
    check_eq(weft_rwlock_try_read(&l), -EBUSY);
    weft_rwlock_read(&read, &l);
    check(!polls(&r, &read));
    weft_rwlock_unlock_read(&l);
    check_eq(w.n_wakes, 0);
    weft_rwlock_unlock_read(&l);
    check(polls(&w, &write));
    check_eq(weft_rwlock_try_read(&l), -EBUSY);
    weft_rwlock_unlock_write(&l);
    check(polls(&r, &read));
    weft_rwlock_unlock_read(&l);
    check_eq(weft_rwlock_try_write(&l), 0);
}

Test(sync, a_writer_that_gives_up_lets_the_readers_behind_it_pass)
{
    weft_rwlock l = {0};
    weft_wait   write, read;
    struct hand w, r;

    hand_init(&w, NULL);
    hand_init(&r, NULL);
    check_eq(weft_rwlock_try_read(&l), 0);
    weft_rwlock_write(&write, &l);
    check(!polls(&w, &write));
    weft_rwlock_read(&read, &l);
    check(!polls(&r, &read));
    check_eq(ends(&w, &write), -ECANCELED);
    check(polls(&r, &read));
}

Test(sync, a_downgraded_writer_reads_with_those_who_waited)
{
    weft_rwlock l = {0};
    weft_wait   read, write;
    struct hand r, w;

    hand_init(&r, NULL);
    hand_init(&w, NULL);
    check_eq(weft_rwlock_try_write(&l), 0);
    weft_rwlock_read(&read, &l);
    check(!polls(&r, &read));
    weft_rwlock_write(&write, &l);
    check(!polls(&w, &write));
    weft_rwlock_downgrade(&l);
    check(polls(&r, &read));
    check(!polls(&w, &write));
    weft_rwlock_unlock_read(&l);
    weft_rwlock_unlock_read(&l);
    check(polls(&w, &write));
}

/* ---- condition ---- */

Test(sync, a_condition_has_the_mutex_again_when_it_ends)
{
    weft_mutex     m = {0};
    weft_condition c = {0};
    weft_wait      wait;
    struct hand    a;

    hand_init(&a, NULL);
    weft_condition_signal(&c); /* without a waiter the signal is lost */
    check_eq(weft_mutex_try_lock(&m), 0);
    weft_condition_wait(&wait, &c, &m);
    check(!polls(&a, &wait));
    check_eq(weft_mutex_try_lock(&m), 0); /* free meanwhile */
    weft_condition_signal(&c);
    check(!polls(&a, &wait)); /* signalled, and behind us now */
    weft_mutex_unlock(&m);
    check(polls(&a, &wait));
    check_eq(weft_future_result(&wait.future), 0);
    weft_mutex_unlock(&m);
}

Test(sync, a_cancelled_condition_has_the_mutex_all_the_same)
{
    weft_mutex     m = {0};
    weft_condition c = {0};
    weft_wait      wait;
    struct hand    a;

    hand_init(&a, NULL);
    check_eq(weft_mutex_try_lock(&m), 0);
    weft_condition_wait(&wait, &c, &m);
    check(!polls(&a, &wait));
    check_eq(weft_mutex_try_lock(&m), 0);
    check(!weft_poll_is_ready(weft_future_cancel(&wait.future)));
    check(!polls(&a, &wait)); /* drains: the mutex is ours */
    weft_mutex_unlock(&m);
    check(polls(&a, &wait));
    check_eq(weft_future_result(&wait.future), -ECANCELED);
    check_eq(weft_mutex_try_lock(&m), -EBUSY);
}

/* ---- barrier, once ---- */

Test(sync, a_barrier_has_one_leader_in_each_round)
{
    weft_barrier b;
    weft_wait    wait[3];
    struct hand  hand[3];

    weft_barrier_init(&b, 3);
    for (int round = 0; round < 3; round++) {
        int leaders = 0;

        for (int i = 0; i < 3; i++) {
            hand_init(&hand[i], NULL);
            weft_barrier_wait(&wait[i], &b);
            check_eq(polls(&hand[i], &wait[i]), i == 2);
        }
        for (int i = 0; i < 2; i++)
            check(polls(&hand[i], &wait[i]));
        for (int i = 0; i < 3; i++)
            leaders += weft_future_result(&wait[i].future) == 1;
        check_eq(leaders, 1);
    }
}

Test(sync, one_that_gives_up_has_not_arrived_at_the_barrier)
{
    weft_barrier b;
    weft_wait    wait[3];
    struct hand  hand[3];

    weft_barrier_init(&b, 2);
    for (int i = 0; i < 3; i++) {
        hand_init(&hand[i], NULL);
        weft_barrier_wait(&wait[i], &b);
    }
    check(!polls(&hand[0], &wait[0]));
    check_eq(ends(&hand[0], &wait[0]), -ECANCELED);
    check(!polls(&hand[1], &wait[1]));
    check(polls(&hand[2], &wait[2]));
    check_eq(ends(&hand[1], &wait[1]), 0); /* it has been passed: true result */
}

Test(sync, once_is_made_by_one_and_tried_again_after_a_failure)
{
    weft_once   o = {0};
    weft_wait   wait[3];
    struct hand hand[3];

    for (int i = 0; i < 3; i++) {
        hand_init(&hand[i], NULL);
        weft_once_begin(&wait[i], &o);
        check_eq(polls(&hand[i], &wait[i]), i == 0);
    }
    check_eq(weft_future_result(&wait[0].future), 1);
    weft_once_end(&o, false);
    check(!weft_once_is_made(&o));
    check_eq(ends(&hand[1], &wait[1]), -ECANCELED); /* it had the turn: the next has it now */
    check(polls(&hand[2], &wait[2]));
    check_eq(weft_future_result(&wait[2].future), 1);
    weft_once_end(&o, true);
    check(weft_once_is_made(&o));
    weft_once_begin(&wait[0], &o);
    check(polls(&hand[0], &wait[0]));
    check_eq(weft_future_result(&wait[0].future), 0);
}
