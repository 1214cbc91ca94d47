/* test_task_set.c - the guarantees of task sets */
#include "../actors.h"
#include "lock.h"

#define N 20

/* Waits for an event, and returns a value. A cancel ends it with -ECANCELED. */
struct waits_for {
    WEFT_FRAME;
    struct {
        weft_event *event;
        int64_t     value;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(waits_for)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_event_wait(&self->wait, self->in.event));
    WEFT_END(n < 0 ? n : self->in.value);
}

struct panics {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(panics)
{
    WEFT_BEGIN();
    weft_panic("on purpose");
    WEFT_END(0);
}

static int64_t next(weft_runtime *rt, weft_task_set *set, weft_member **ret_member)
{
    weft_wait wait;

    return weft_block_on(rt, weft_task_set_next(&wait, set, ret_member));
}

static void close_set(weft_runtime *rt, weft_task_set *set)
{
    weft_wait wait;

    check_eq(weft_block_on(rt, weft_task_set_close(&wait, set)), 0);
}

/* Whether all tasks have ended. The members stay in the set. */
static bool have_ended(weft_task_set *set)
{
    bool ended;

    wf_lock(&set->waits_.lock_);
    ended = set->running_.n_ == 0;
    wf_unlock(&set->waits_.lock_);
    return ended;
}

Test(task_set, an_empty_set_has_no_next_member)
{
    weft_task_set set = {0};
    weft_member  *m = NULL;
    weft_wait     wait;
    struct hand   hand;

    hand_init(&hand, NULL);
    check_eq(weft_task_set_try_next(&set, &m), WEFT_EOF);
    weft_task_set_next(&wait, &set, &m);
    check(hand_poll(&hand, &wait.future));
    check_eq(wait.future.result, WEFT_EOF);
    weft_task_set_close(&wait, &set);
    check(hand_poll(&hand, &wait.future));
    check_eq(wait.future.result, 0);
    check(m == NULL);
}

/* The tasks end in another order than that in which they were spawned. */
Test(task_set, members_come_in_the_order_in_which_their_tasks_end)
{
    weft_runtime *rt = start(2);
    weft_task_set set = {0};
    weft_event    event[N] = {0};
    weft_member   member[N];

    for (int i = 0; i < N; i++)
        check_eq(
            weft_task_set_spawn_on(rt, &set, &member[i], waits_for, .event = &event[i], .value = i),
            0);
    check_eq(weft_task_set_count(&set), N);
    for (int i = 0; i < N; i++) {
        int          which = (i * 7 + 3) % N;
        weft_member *m = NULL;

        weft_event_set(&event[which]);
        check_eq(next(rt, &set, &m), 0);
        check(m == &member[which]);
        check_eq(m->result, which);
        check(weft_member_panic(m) == NULL);
        check_eq(weft_task_set_count(&set), (uint32_t)(N - 1 - i));
    }
    check_eq(next(rt, &set, &(weft_member *){NULL}), WEFT_EOF);
    stop(rt);
}

/* Tokio: alternating. */
Test(task_set, a_member_may_be_spawned_again_once_it_has_come)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_member   member[2], *m;

    check_eq(weft_task_set_spawn_on(rt, &set, &member[0], returns, .value = 0), 0);
    check_eq(weft_task_set_spawn_on(rt, &set, &member[1], returns, .value = 0), 0);
    for (int64_t i = 1; i <= 100; i++) {
        check_eq(next(rt, &set, &m), 0);
        check_eq(weft_task_set_count(&set), 1);
        check_eq(weft_task_set_spawn_on(rt, &set, m, returns, .value = i), 0);
        check_eq(weft_task_set_count(&set), 2);
    }
    close_set(rt, &set);
    stop(rt);
}

Test(task_set, a_panic_is_told_with_its_text)
{
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &(struct lines)LINES});
    weft_task_set set = {0};
    weft_member   member, *m;

    check_eq(weft_task_set_spawn_on(rt, &set, &member, panics), 0);
    check_eq(next(rt, &set, &m), 0);
    check_eq(m->result, -EOWNERDEAD);
    check(strstr(weft_member_panic(m), "on purpose") != NULL);
    stop(rt);
}

/* Tokio: abort_all. */
Test(task_set, cancel_all_ends_all_and_each_is_returned)
{
    weft_runtime *rt = start(2);
    weft_task_set set = {0};
    weft_event    never = {0};
    weft_member   member[5 * N], *m;

    for (int i = 0; i < 5 * N; i++)
        check_eq(weft_task_set_spawn_on(rt, &set, &member[i], waits_for, .event = &never), 0);
    weft_task_set_cancel_all(&set);
    for (int i = 0; i < 5 * N; i++) {
        check_eq(next(rt, &set, &m), 0);
        check_eq(m->result, -ECANCELED);
    }
    check_eq(weft_task_set_try_next(&set, &m), WEFT_EOF);
    /* The set is still open. */
    check_eq(weft_task_set_spawn_on(rt, &set, &member[0], returns, .value = 5), 0);
    check_eq(next(rt, &set, &m), 0);
    check_eq(m->result, 5);
    stop(rt);
}

/* Tokio: abort_tasks. */
Test(task_set, one_member_is_cancelled_and_the_others_go_on)
{
    weft_runtime *rt = start(2);
    weft_task_set set = {0};
    weft_event    event = {0};
    weft_member   member[N], *m;
    int           n_cancelled = 0;

    for (int i = 0; i < N; i++)
        check_eq(
            weft_task_set_spawn_on(rt, &set, &member[i], waits_for, .event = &event, .value = i),
            0);
    for (int i = 0; i < N; i += 2)
        weft_member_cancel(&member[i]);
    for (int i = 0; i < N; i += 2) {
        check_eq(next(rt, &set, &m), 0);
        check_eq((m - member) % 2, 0);
        n_cancelled += m->result == -ECANCELED;
    }
    check_eq(n_cancelled, N / 2);
    weft_event_set(&event);
    while (next(rt, &set, &m) == 0)
        check_eq(m->result, m - member);
    stop(rt);
}

Test(task_set, a_cancel_after_the_end_changes_nothing)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_member   member, *m = NULL;

    check_eq(weft_task_set_spawn_on(rt, &set, &member, returns, .value = 9), 0);
    EVENTUALLY(have_ended(&set));
    weft_member_cancel(&member);
    weft_task_set_cancel_all(&set);
    check_eq(weft_task_set_try_next(&set, &m), 0);
    check(m == &member);
    check_eq(m->result, 9);
    stop(rt);
}

/* Tokio: join_next is cancel safe. The wait is given a member, and cancelled before its poll. */
Test(task_set, a_cancelled_wait_loses_no_member_and_keeps_the_order)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_event    event[2] = {0};
    weft_member   member[2], *m = NULL;
    weft_wait     wait;
    struct hand   hand;

    hand_init(&hand, NULL);
    for (int i = 0; i < 2; i++)
        check_eq(
            weft_task_set_spawn_on(rt, &set, &member[i], waits_for, .event = &event[i], .value = i),
            0);
    weft_task_set_next(&wait, &set, &m);
    check(!hand_poll(&hand, &wait.future));
    check_eq(weft_task_set_try_next(&set, &m), -EAGAIN);
    weft_event_set(&event[1]);
    EVENTUALLY(__atomic_load_n(&hand.n_wakes, __ATOMIC_ACQUIRE) == 1);
    weft_event_set(&event[0]);
    EVENTUALLY(have_ended(&set)); /* the second member is in the set, the first with the wait */
    check_eq(weft_task_set_count(&set), 2); /* neither was returned */
    check_eq(hand_cancel(&hand, &wait.future), -ECANCELED);
    check(m == NULL);
    check_eq(weft_task_set_count(&set), 2);
    for (int i = 1; i >= 0; i--) {
        check_eq(next(rt, &set, &m), 0);
        check(m == &member[i]);
        check_eq(m->result, i);
        m = NULL;
    }
    stop(rt);
}

Test(task_set, a_member_counts_until_it_has_been_returned)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_event    event = {0};
    weft_member   member, *m = NULL;
    weft_wait     wait;
    struct hand   hand;

    hand_init(&hand, NULL);
    check_eq(weft_task_set_spawn_on(rt, &set, &member, waits_for, .event = &event, .value = 3), 0);
    check(!hand_poll(&hand, weft_task_set_next(&wait, &set, &m)));
    check_eq(weft_task_set_count(&set), 1);
    weft_event_set(&event);
    EVENTUALLY(__atomic_load_n(&hand.n_wakes, __ATOMIC_ACQUIRE) == 1);
    check_eq(weft_task_set_count(&set), 1); /* the wait has it, and has not returned it */
    check(hand_poll(&hand, &wait.future));
    check(m == &member);
    check_eq(weft_task_set_count(&set), 0);
    stop(rt);
}

/* One wait has the last member, and may give it back. Until then the other is not at the end. */
Test(task_set, the_end_is_told_only_once_no_member_can_be_given_back)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_event    event = {0};
    weft_member   member, *m = NULL;
    weft_wait     wait[2];
    struct hand   hand[2];

    check_eq(weft_task_set_spawn_on(rt, &set, &member, waits_for, .event = &event, .value = 3), 0);
    for (int i = 0; i < 2; i++) {
        hand_init(&hand[i], NULL);
        weft_task_set_next(&wait[i], &set, &m);
    }
    check(!hand_poll(&hand[0], &wait[0].future));
    weft_event_set(&event);
    EVENTUALLY(__atomic_load_n(&hand[0].n_wakes, __ATOMIC_ACQUIRE) == 1);
    check_eq(weft_task_set_try_next(&set, &m), -EAGAIN);
    check(!hand_poll(&hand[1], &wait[1].future));
    check_eq(hand_cancel(&hand[0], &wait[0].future), -ECANCELED);
    check_eq(hand[1].n_wakes, 1);
    check(hand_poll(&hand[1], &wait[1].future));
    check_eq(weft_future_result(&wait[1].future), 0);
    check(m == &member && m->result == 3);
    check_eq(weft_task_set_try_next(&set, &m), WEFT_EOF);
    stop(rt);
}

/* The same with an owner that takes its member: then the other wait ends, too. */
Test(task_set, the_owner_of_the_last_member_ends_the_other_waits)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_event    event = {0};
    weft_member   member, *m = NULL;
    weft_wait     wait[2];
    struct hand   hand[2];

    check_eq(weft_task_set_spawn_on(rt, &set, &member, waits_for, .event = &event, .value = 3), 0);
    for (int i = 0; i < 2; i++) {
        hand_init(&hand[i], NULL);
        weft_task_set_next(&wait[i], &set, &m);
        check(!hand_poll(&hand[i], &wait[i].future));
    }
    weft_event_set(&event);
    EVENTUALLY(__atomic_load_n(&hand[0].n_wakes, __ATOMIC_ACQUIRE) == 1);
    check(!hand_poll(&hand[1], &wait[1].future));
    check(hand_poll(&hand[0], &wait[0].future));
    check(m == &member);
    check_eq(hand[1].n_wakes, 1);
    check(hand_poll(&hand[1], &wait[1].future));
    check_eq(weft_future_result(&wait[1].future), WEFT_EOF);
    stop(rt);
}

/* A wait that was given a member without budget has it in its next poll. */
Test(task_set, a_member_is_taken_without_budget_and_returned_with_it)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_member   member, *m = NULL;
    weft_wait     wait;
    struct hand   hand;

    hand_init(&hand, NULL);
    check_eq(weft_task_set_spawn_on(rt, &set, &member, returns, .value = 1), 0);
    EVENTUALLY(have_ended(&set));
    weft_task_set_next(&wait, &set, &m);
    check(!hand_poll_budget(&hand, &wait.future, 0));
    check_eq(hand.n_wakes, 1);
    check(m == NULL);
    check(hand_poll_budget(&hand, &wait.future, 1));
    check(m == &member);
    stop(rt);
}

Test(task_set, several_waits_get_a_member_each_and_the_last_gets_the_end)
{
    weft_runtime *rt = start(2);
    weft_task_set set = {0};
    weft_event    event = {0};
    weft_member   member[3], *m[4] = {NULL};
    weft_wait     wait[4];
    struct hand   hand[4];

    for (int i = 0; i < 3; i++)
        check_eq(weft_task_set_spawn_on(rt, &set, &member[i], waits_for, .event = &event), 0);
    for (int i = 0; i < 4; i++) {
        hand_init(&hand[i], NULL);
        weft_task_set_next(&wait[i], &set, &m[i]);
        check(!hand_poll(&hand[i], &wait[i].future));
    }
    weft_event_set(&event);
    for (int i = 0; i < 4; i++) {
        EVENTUALLY(__atomic_load_n(&hand[i].n_wakes, __ATOMIC_ACQUIRE) == 1);
        check(hand_poll(&hand[i], &wait[i].future));
        check_eq(wait[i].future.result, i < 3 ? 0 : WEFT_EOF);
    }
    check(m[0] != m[1] && m[1] != m[2] && m[0] != m[2] && m[3] == NULL);
    stop(rt);
}

/* ---- closing ---- */

/* Tokio: shutdown, abort_on_drop. */
Test(task_set, a_close_cancels_all_and_ends_when_they_have_ended)
{
    weft_runtime *rt = start(2);
    weft_task_set set = {0};
    weft_event    never = {0};
    weft_member   member[N], more, *m;

    for (int i = 0; i < N; i++)
        check_eq(weft_task_set_spawn_on(rt, &set, &member[i], waits_for, .event = &never), 0);
    close_set(rt, &set);
    check_eq(set.running_.n_, 0);
    check_eq(weft_task_set_spawn_on(rt, &set, &more, returns), -ESHUTDOWN);
    /* The results are not lost. */
    for (int i = 0; i < N; i++) {
        check_eq(weft_task_set_try_next(&set, &m), 0);
        check_eq(m->result, -ECANCELED);
    }
    check_eq(weft_task_set_try_next(&set, &m), WEFT_EOF);
    stop(rt);
}

/* A task that does not heed its cancel holds up the close, and a cancel of the close does not end
 * it: the task may use what it has borrowed. */
Test(task_set, a_close_that_is_cancelled_still_waits_for_the_tasks)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_member   member;
    weft_wait     wait;
    struct hand   hand;
    int64_t       until = 0;

    hand_init(&hand, NULL);
    check_eq(weft_task_set_spawn_on(rt, &set, &member, yields, .until = &until), 0);
    weft_task_set_close(&wait, &set);
    check(!hand_poll(&hand, &wait.future));
    check(!weft_poll_is_ready(weft_future_cancel(&wait.future)));
    check(!hand_poll(&hand, &wait.future));
    add(&until, 1);
    EVENTUALLY(__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE));
    check(hand_poll(&hand, &wait.future));
    check_eq(wait.future.result, 0);
    check_eq(hand.n_wakers, 0);
    stop(rt);
}

/* The function that has the set is cancelled, and still closes it. */
struct owns {
    WEFT_FRAME;
    struct {
        int64_t *begun, *ended;
    } in;
    weft_task_set set;
    weft_event    never;
    weft_wait     wait;
    weft_member   member[N], *m;
};
struct borrows {
    WEFT_FRAME;
    struct {
        struct owns *owner;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(borrows)
{
    WEFT_BEGIN();
    WEFT_WAIT(weft_event_wait(&self->wait, &self->in.owner->never));
    add(self->in.owner->in.ended, 1);
    WEFT_END(0);
}
WEFT_ASYNC(owns)
{
    int64_t n;

    WEFT_BEGIN();
    self->set = (weft_task_set){0};
    self->never = (weft_event){0};
    for (int i = 0; i < N; i++)
        check_eq(weft_task_set_spawn(&self->set, &self->member[i], borrows, .owner = self), 0);
    add(self->in.begun, 1);
    WEFT_AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->m));
    check_eq(n, -ECANCELED);
    WEFT_AWAIT(n, weft_task_set_close(&self->wait, &self->set));
    check_eq(n, 0);
    WEFT_END(0);
}
Test(task_set, a_cancelled_owner_closes_its_set)
{
    weft_runtime *rt = start(2);
    weft_handle   handle;
    int64_t       begun = 0, ended = 0;

    check_eq(weft_spawn_on(rt, &handle, owns, .begun = &begun, .ended = &ended), 0);
    spin_until(&begun, 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 0);
    check_eq(ended, N);
    stop(rt);
}

/* ---- spawning ---- */

Test(task_set, a_failed_spawn_leaves_the_set_as_it_was)
{
    weft_runtime *rt = start(1);
    weft_task_set set = {0};
    weft_member   member;

    check_eq(weft_task_set_spawn(&set, &member, returns), -ENXIO);
    check_eq(weft_task_set_count(&set), 0);
    stop(rt);
}

Test(task_set, tasks_of_two_runtimes_are_in_one_set)
{
    weft_runtime *rt[2] = {start(1), start(2)};
    weft_task_set set = {0};
    weft_event    event = {0};
    weft_member   member[2 * N], *m;
    int           n = 0;

    for (int i = 0; i < 2 * N; i++)
        check_eq(weft_task_set_spawn_on(rt[i % 2], &set, &member[i], waits_for, .event = &event,
                                        .value = i),
                 0);
    weft_event_set(&event);
    for (; next(rt[0], &set, &m) == 0; n++)
        check_eq(m->result, m - member);
    check_eq(n, 2 * N);
    stop(rt[0]);
    stop(rt[1]);
}

/* A runtime that stops cancels the tasks of a set, too. The set may outlive it. */
Test(task_set, members_are_returned_after_their_runtime_has_stopped)
{
    weft_runtime *rt = start(2);
    weft_task_set set = {0};
    weft_event    never = {0};
    weft_member   member[N], *m;

    for (int i = 0; i < N; i++)
        check_eq(weft_task_set_spawn_on(rt, &set, &member[i], waits_for, .event = &never), 0);
    stop(rt);
    for (int i = 0; i < N; i++) {
        check_eq(weft_task_set_try_next(&set, &m), 0);
        check_eq(m->result, -ECANCELED);
    }
    check_eq(weft_task_set_try_next(&set, &m), WEFT_EOF);
}
