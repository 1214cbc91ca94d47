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
