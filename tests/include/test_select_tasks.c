/* test_select_tasks.c - select in a task, where branches have wakers of their own */
#include "../helpers.h"

struct chooses {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver **receiver;
        int64_t                *polled; /* counts the rounds that ended */
    } in;
    struct weft_select sel;
    weft_wait          wait[2];
    struct watched     watched[2];
    int                got[2];
    int64_t            first;
};
WEFT_ASYNC(chooses)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(
        n, weft_select(
               &self->sel,
               watched(&self->watched[0],
                       weft_oneshot_receive(&self->wait[0], self->in.receiver[0], &self->got[0])),
               watched(&self->watched[1],
                       weft_oneshot_receive(&self->wait[1], self->in.receiver[1], &self->got[1]))));
    self->first = n;
    add(self->in.polled, 1);
    WEFT_AWAIT(n, weft_oneshot_receive(&self->wait[!self->first], self->in.receiver[!self->first],
                                       &self->got[!self->first]));
    check_eq(n, 0);
    WEFT_END(self->first * 10000 + self->got[0] * 100 + self->got[1]);
}

Test(select_tasks, in_a_task_loses_no_message_of_the_branch_that_lost)
{
    weft_runtime          *rt = start(2);
    weft_oneshot_receiver *receiver[2];
    weft_oneshot_sender   *sender[2];
    int64_t                polled = 0;
    int                    first = 34, second = 12;
    weft_handle            handle;

    for (int i = 0; i < 2; i++)
        check_eq(weft_oneshot_open(sizeof first, &sender[i], &receiver[i]), 0);
    check_eq(weft_spawn_on(rt, &handle, chooses, receiver, &polled), 0);
    check_eq(weft_oneshot_send(sender[1], &first), 0);
    spin_until(&polled, 1);
    check_eq(weft_oneshot_send(sender[0], &second), 0);
    check_eq(join(rt, &handle), 1 * 10000 + 12 * 100 + 34);
    for (int i = 0; i < 2; i++)
        weft_oneshot_receiver_close(receiver[i]);
    stop(rt);
}

/* A kept branch of a select that is itself a branch; awaited when both groups are gone. */
struct keeps_deep {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver *receiver;
        int64_t               *alone;
    } in;
    struct weft_join_all all;
    struct weft_select   sel;
    weft_wait            wait;
    struct event         fast[2];
    int                  got;
};
WEFT_ASYNC(keeps_deep)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_join_all(&self->all,
                                weft_select_biased(&self->sel,
                                                   weft_keep(weft_oneshot_receive(
                                                       &self->wait, self->in.receiver, &self->got)),
                                                   at_once(&self->fast[0], 0)),
                                at_once(&self->fast[1], 0)));
    check_eq(n, 0);
    weft_join_all(&self->all, at_once(&self->fast[0], 0)); /* its memory has another use now */
    add(self->in.alone, 1);
    WEFT_AWAIT(n, &self->wait.future);
    WEFT_END(n == 0 ? self->got : n);
}

Test(select_tasks, in_a_group_leaves_a_kept_branch_that_wakes_the_task_when_the_group_is_gone)
{
    weft_runtime          *rt = start(2);
    weft_oneshot_receiver *receiver;
    weft_oneshot_sender   *sender;

    for (int i = (int)test_scaled(300); i > 0; i--) {
        int64_t     alone = 0;
        weft_handle handle;

        check_eq(weft_oneshot_open(sizeof i, &sender, &receiver), 0);
        check_eq(weft_spawn_on(rt, &handle, keeps_deep, receiver, &alone), 0);
        spin_until(&alone, 1);
        check_eq(weft_oneshot_send(sender, &i), 0);
        check_eq(join(rt, &handle), i);
        weft_oneshot_receiver_close(receiver);
    }
    stop(rt);
}

/* ---- loops of selects: select_streams, join_with_select, biased_eventually_ready of Tokio ---- */

/* Takes what comes from two channels until both are at their ends. */
struct merges {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from[2];
    } in;
    struct weft_select sel;
    weft_wait          wait[2];
    int64_t            got[2], sum;
    bool               is_open[2];
};

/* A channel at its end would win each select at once. */
static weft_future *either(struct merges *self)
{
    if (!self->is_open[0] || !self->is_open[1]) {
        int i = self->is_open[0] ? 0 : 1;

        return weft_select(&self->sel,
                           weft_mpsc_receive(&self->wait[i], self->in.from[i], &self->got[i]));
    }
    return weft_select(&self->sel,
                       weft_mpsc_receive(&self->wait[0], self->in.from[0], &self->got[0]),
                       weft_mpsc_receive(&self->wait[1], self->in.from[1], &self->got[1]));
}

WEFT_ASYNC(merges)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    self->is_open[0] = self->is_open[1] = true;
    while (self->is_open[0] || self->is_open[1]) {
        WEFT_AWAIT(n, either(self));
        if (!self->is_open[0])
            n = 1; /* it is the only branch */
        if (self->wait[n].future.result == 0)
            self->sum = self->sum * 10 + self->got[n];
        else
            self->is_open[n] = false;
    }
    WEFT_END(self->sum);
}

struct sends_in_turn {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to[2];
    } in;
    int64_t i;
};
WEFT_ASYNC(sends_in_turn)
{
    WEFT_BEGIN();
    for (self->i = 1; self->i <= 3; self->i++) {
        check_eq(weft_mpsc_try_send(self->in.to[self->i % 2], &self->i), 0);
        WEFT_YIELD();
    }
    for (int i = 0; i < 2; i++)
        weft_mpsc_sender_close(self->in.to[i]);
    WEFT_END(0);
}

Test(select_tasks, in_a_loop_takes_all_messages_of_two_channels)
{
    for (int64_t workers = 1; workers <= 8; workers *= 2) {
        weft_runtime       *rt = start(workers);
        weft_mpsc_sender   *to[2];
        weft_mpsc_receiver *from[2];
        weft_handle         merging;
        int64_t             sum, digits = 0;

        for (int i = 0; i < 2; i++)
            check_eq(weft_mpsc_open_unbounded(sizeof sum, &to[i], &from[i]), 0);
        check_eq(weft_spawn_on(rt, &merging, merges, .from = {from[0], from[1]}), 0);
        check_eq(weft_spawn_on(rt, NULL, sends_in_turn, .to = {to[0], to[1]}), 0);
        sum = join(rt, &merging);
        for (; sum > 0; sum /= 10)
            digits |= 1 << sum % 10;
        check_eq(digits, 1 << 1 | 1 << 2 | 1 << 3);
        for (int i = 0; i < 2; i++)
            weft_mpsc_receiver_close(from[i]);
        stop(rt);
    }
}

/* Two kept branches, of which each wins once: the same as a join. */
struct joins_by_selects {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver *from[2];
    } in;
    struct weft_select sel;
    weft_wait          wait[2];
    int64_t            got[2];
};
WEFT_ASYNC(joins_by_selects)
{
    int64_t n;

    WEFT_BEGIN();
    for (int i = 0; i < 2; i++)
        weft_keep(weft_oneshot_receive(&self->wait[i], self->in.from[i], &self->got[i]));
    WEFT_AWAIT(n, weft_select(&self->sel, &self->wait[0].future, &self->wait[1].future));
    check_eq(n, 1);
    check(weft_future_is_pending(&self->wait[0].future));
    WEFT_AWAIT(n, weft_select(&self->sel, &self->wait[0].future));
    check_eq(n, 0);
    WEFT_END(self->got[0] * 1000 + self->got[1]);
}

Test(select_tasks, in_a_loop_over_kept_branches_ends_as_a_join)
{
    struct joins_by_selects frame;
    weft_oneshot_sender    *to[2];
    weft_oneshot_receiver  *from[2];
    struct hand             hand;
    weft_future            *future;

    hand_init(&hand, NULL);
    for (int i = 0; i < 2; i++)
        check_eq(weft_oneshot_open(sizeof(int64_t), &to[i], &from[i]), 0);
    future = weft_async(joins_by_selects, &frame, .from = {from[0], from[1]});
    check(!hand_poll(&hand, future));
    check_eq(weft_oneshot_send(to[1], &(int64_t){456}), 0);
    check(hand.woken);
    check(!hand_poll(&hand, future));
    check_eq(weft_oneshot_send(to[0], &(int64_t){123}), 0);
    check_eq(hand_run(&hand, future), 123456);
    check_eq(hand.n_wakers, 0);
    for (int i = 0; i < 2; i++)
        weft_oneshot_receiver_close(from[i]);
}
