/* test_join_all.c - join_all and try_join: all branches end, and only a woken branch is polled */
#include "../helpers.h"

static struct hand hand;

Test(join_all, ends_when_the_last_branch_has_and_each_has_its_own_result)
{
    struct weft_join_all all;
    struct event         a, b;

    hand_init(&hand, NULL);
    check(!hand_poll(&hand, weft_join_all(&all, event(&a), event(&b))));
    event_set(&b, -EIO);
    check(!hand_poll(&hand, &all.future));
    check_eq(weft_future_result(&b.future), -EIO);
    event_set(&a, 5);
    check_eq(hand_run(&hand, &all.future), 0);
    check_eq(weft_future_result(&a.future), 5);
}

Test(join_all, of_nothing_is_ready_at_once)
{
    struct weft_join_all all;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_join_all_array(&all, NULL, 0)), 0);
}

Test(join_all, does_not_poll_a_branch_that_has_ended)
{
    struct weft_join_all all;
    struct event         a, b;

    hand_init(&hand, NULL);
    check(!hand_poll(&hand, weft_join_all(&all, event(&a), event(&b))));
    event_set(&a, 0);
    check(!hand_poll(&hand, &all.future));
    check(!hand_poll(&hand, &all.future));
    check_eq(a.n_polls, 2);
    check_eq(hand_cancel(&hand, &all.future), -ECANCELED);
}

Test(join_all, that_is_cancelled_drains_all_and_says_so)
{
    struct weft_join_all all;
    struct event         a, b;

    hand_init(&hand, NULL);
    event(&a), event(&b);
    a.lingers = true;
    check(!hand_poll(&hand, weft_join_all(&all, &a.future, &b.future)));
    check(!weft_poll_is_ready(weft_future_cancel(&all.future)));
    check(!hand_poll(&hand, &all.future));
    event_set(&a, 0);
    check_eq(hand_run(&hand, &all.future), -ECANCELED);
    check_eq(hand.n_wakers, 0);
}

Test(join_all, that_is_cancelled_answers_0_if_every_branch_completed_all_the_same)
{
    struct weft_join_all all;
    struct event         a, b;

    hand_init(&hand, NULL);
    event(&a), event(&b);
    a.when_cancelled = b.when_cancelled = 1;
    check(!hand_poll(&hand, weft_join_all(&all, &a.future, &b.future)));
    check_eq(hand_cancel(&hand, &all.future), 0);
}

Test(join_all, try_join_answers_0_when_all_succeed)
{
    struct weft_try_join all;
    struct event         a, b;

    hand_init(&hand, NULL);
    check(!hand_poll(&hand, weft_try_join(&all, at_once(&a, 3), event(&b))));
    event_set(&b, 4);
    check_eq(hand_run(&hand, &all.future), 0);
}

Test(join_all, try_join_answers_the_first_error_after_the_others_have_drained)
{
    struct weft_try_join all;
    struct event         a, b, c;

    hand_init(&hand, NULL);
    event(&a), event(&b), event(&c);
    a.lingers = true;
    check(!hand_poll(&hand, weft_try_join(&all, &a.future, &b.future, &c.future)));
    event_set(&b, -EIO);
    check(!hand_poll(&hand, &all.future));
    check_eq(a.n_cancels, 1);
    check_eq(weft_future_result(&c.future), -ECANCELED);
    event_set(&a, 0);
    check_eq(hand_run(&hand, &all.future), -EIO);
}

/* ---- in a task: how often each branch is polled ---- */

#define MANY 100

struct joins_many {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver **receiver;
        int64_t                *begun;
    } in;
    struct weft_join_all all;
    weft_branch          branch[MANY];
    struct watched       watched[MANY];
    weft_wait            wait[MANY];
    int                  got[MANY];
    int64_t              polls;
};

static weft_future *joined(struct joins_many *self)
{
    for (int i = 0; i < MANY; i++)
        self->branch[i].future =
            watched(&self->watched[i],
                    weft_oneshot_receive(&self->wait[i], self->in.receiver[i], &self->got[i]));
    return weft_join_all_array(&self->all, self->branch, MANY);
}

/* Says when the branches have all been polled once. */
struct begun {
    weft_future  future;
    weft_future *inner;
    int64_t     *begun;
};

static weft_poll begun_poll(weft_future *future, weft_context *cx)
{
    struct begun *self = weft_container(future, struct begun, future);
    bool          ready = weft_poll_is_ready(weft_future_poll(self->inner, cx));

    add(self->begun, 1);
    return ready ? weft_ready(future, self->inner->result) : WEFT_PENDING;
}

static weft_future *begun(struct begun *self, weft_future *inner, int64_t *flag)
{
    static const weft_future_ops ops = {.size = sizeof *self, .name = "begun", .poll = begun_poll};

    weft_future_init(&self->future, &ops);
    self->inner = inner;
    self->begun = flag;
    return &self->future;
}

struct joins {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver **receiver;
        int64_t                *begun;
    } in;
    struct begun      begun;
    struct joins_many many;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    self->many.in.receiver = self->in.receiver;
    WEFT_AWAIT(n, begun(&self->begun, joined(&self->many), self->in.begun));
    for (int i = 0; i < MANY; i++) {
        check_eq(self->many.got[i], i);
        self->many.polls = self->many.watched[i].n_polls;
        check_eq(self->many.polls, 2); /* the first, and the one it was woken for */
    }
    WEFT_END(n);
}

Test(join_all, in_a_task_polls_each_of_100_branches_only_when_it_was_woken)
{
    weft_runtime          *rt = start(2);
    weft_oneshot_receiver *receiver[MANY];
    weft_oneshot_sender   *sender[MANY];
    int64_t                begun = 0, before;
    weft_handle            handle;

    for (int i = 0; i < MANY; i++)
        check_eq(weft_oneshot_open(sizeof i, &sender[i], &receiver[i]), 0);
    check_eq(weft_spawn_on(rt, &handle, joins, receiver, &begun), 0);
    spin_until(&begun, 1);
    for (int i = 0; i < MANY; i++) {
        int which = i * 37 % MANY;
        before = get(&begun);
        check_eq(weft_oneshot_send(sender[which], &which), 0);
        if (i < MANY / 2)
            spin_until(&begun, before + 1); /* the first half one by one, the rest in a burst */
    }
    check_eq(join(rt, &handle), 0);
    for (int i = 0; i < MANY; i++)
        weft_oneshot_receiver_close(receiver[i]);
    stop(rt);
}

/* A join_all of ten join_alls of ten. */
struct joins_deep {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver **receiver;
        int64_t                *begun;
    } in;
    struct begun         begun;
    struct weft_join_all outer, inner[10];
    weft_branch          outers[10], inners[MANY];
    struct watched       watched[MANY];
    weft_wait            wait[MANY];
    int                  got[MANY];
};

static weft_future *joined_deep(struct joins_deep *self)
{
    for (int i = 0; i < MANY; i++)
        self->inners[i].future =
            watched(&self->watched[i],
                    weft_oneshot_receive(&self->wait[i], self->in.receiver[i], &self->got[i]));
    for (int i = 0; i < 10; i++)
        self->outers[i].future = weft_join_all_array(&self->inner[i], &self->inners[i * 10], 10);
    return weft_join_all_array(&self->outer, self->outers, 10);
}

WEFT_ASYNC(joins_deep)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, begun(&self->begun, joined_deep(self), self->in.begun));
    for (int i = 0; i < MANY; i++)
        check_eq(self->watched[i].n_polls, 2);
    WEFT_END(n);
}

struct sender_thread {
    weft_oneshot_sender **sender;
    int                   first;
};

static void *send_half(void *arg)
{
    struct sender_thread *s = arg;

    for (int i = s->first; i < MANY; i += 2)
        check_eq(weft_oneshot_send(s->sender[i], &i), 0);
    return NULL;
}

Test(join_all, inside_join_all_polls_only_the_woken_and_loses_no_wake_of_two_threads)
{
    weft_runtime *rt = start(2);

    for (int64_t round = test_scaled(200); round > 0; round--) {
        weft_oneshot_receiver *receiver[MANY];
        weft_oneshot_sender   *sender[MANY];
        struct sender_thread   half[2] = {{sender, 0}, {sender, 1}};
        int64_t                begun = 0;
        weft_handle            handle;
        pthread_t              threads[2];

        for (int i = 0; i < MANY; i++)
            check_eq(weft_oneshot_open(sizeof i, &sender[i], &receiver[i]), 0);
        check_eq(weft_spawn_on(rt, &handle, joins_deep, receiver, &begun), 0);
        spin_until(&begun, 1);
        for (int i = 0; i < 2; i++)
            threads[i] = thread(send_half, &half[i]);
        check_eq(join(rt, &handle), 0);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < MANY; i++)
            weft_oneshot_receiver_close(receiver[i]);
    }
    stop(rt);
}

/* ---- budget ---- */

/* Takes an operation of the budget, and is READY then. */
struct spender {
    weft_future future;
    int        *n_polls;
};

static weft_poll spender_poll(weft_future *future, weft_context *cx)
{
    ++*weft_container(future, struct spender, future)->n_polls;
    return weft_context_spend(cx) ? weft_ready(future, 0) : WEFT_PENDING;
}

static weft_future *spender(struct spender *self, int *n_polls)
{
    static const weft_future_ops ops = {
        .size = sizeof *self, .name = "spender", .poll = spender_poll};

    weft_future_init(&self->future, &ops);
    self->n_polls = n_polls;
    return &self->future;
}

Test(join_all, of_many_that_are_ready_polls_each_about_once_however_many_there_are)
{
    enum { N = 5000 };
    static struct spender future_of[N];
    static weft_branch    branch[N];
    struct weft_join_all  all;
    int                   n_polls = 0;

    hand_init(&hand, NULL);
    for (int i = 0; i < N; i++)
        branch[i].future = spender(&future_of[i], &n_polls);
    check_eq(hand_run(&hand, weft_join_all_array(&all, branch, N)), 0);
    check_cmp(n_polls, <=, N + N / WEFT_BUDGET_DEFAULT + 1);
    check_cmp(hand.n_polls, <=, N / WEFT_BUDGET_DEFAULT + 2);
}

/* Uses up the budget of each poll, for ever. */
static weft_poll busy_poll(weft_future *future, weft_context *cx)
{
    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    while (weft_context_spend(cx))
        ;
    return WEFT_PENDING;
}

static void busy_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *busy(weft_future *future)
{
    static const weft_future_ops ops = {sizeof(weft_future), WEFT_FUTURE_WITHDRAWS, "busy",
                                        busy_poll, busy_cancel};

    weft_future_init(future, &ops);
    return future;
}

/* Under a waker that groups can't give on, and under a task's. */
struct busy_beside {
    WEFT_FRAME;
    struct {
        int kind;
    } in;
    union any_group group;
    weft_future     busy[2];
    struct spender  spender;
    int             n_polls;
};
WEFT_ASYNC(busy_beside)
{
    WEFT_BEGIN();
    self->n_polls = 0;
    switch (self->in.kind) {
    case 0:
        weft_join_all(&self->group.join_all, busy(&self->busy[0]), busy(&self->busy[1]),
                      spender(&self->spender, &self->n_polls));
        break;
    case 1:
        weft_try_join(&self->group.try_join, busy(&self->busy[0]), busy(&self->busy[1]),
                      spender(&self->spender, &self->n_polls));
        break;
    case 2:
        weft_select(&self->group.select, busy(&self->busy[0]), busy(&self->busy[1]),
                    spender(&self->spender, &self->n_polls));
        break;
    default:
        weft_select_biased(&self->group.select, busy(&self->busy[0]), busy(&self->busy[1]),
                           spender(&self->spender, &self->n_polls));
    }
    for (int i = 0; i < 16 && !weft_future_is_ready(&self->spender.future); i++) {
        cx->budget = 2;
        if (weft_poll_is_ready(weft_future_poll_inner(&self->group.future, cx)))
            break;
    }
    check(weft_future_is_ready(&self->spender.future));
    WEFT_CANCEL(&self->group.future);
    WEFT_END(0);
}

Test(join_all, and_the_other_groups_keep_no_branch_from_its_turn_behind_busy_ones)
{
    weft_runtime      *rt = start(1);
    struct busy_beside frame;
    weft_handle        handle;

    for (int kind = 0; kind < 4; kind++) {
        hand_init(&hand, NULL);
        check_eq(hand_run(&hand, weft_async(busy_beside, &frame, kind)), 0);
        check_eq(weft_spawn_on(rt, &handle, busy_beside, kind), 0);
        check_eq(join(rt, &handle), 0);
    }
    stop(rt);
}

/* Takes an operation to see that there is nothing, as a channel's receive does. */
static weft_poll asks_poll(weft_future *future, weft_context *cx)
{
    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    (void)!weft_context_spend(cx);
    return WEFT_PENDING;
}

Test(join_all, of_more_branches_than_the_budget_waits_and_does_not_spin)
{
    static const weft_future_ops ops = {sizeof(weft_future), WEFT_FUTURE_WITHDRAWS, "asks",
                                        asks_poll, busy_cancel};
    enum { N = 300 };
    static weft_future   future_of[N];
    static weft_branch   branch[N];
    struct weft_join_all all;

    hand_init(&hand, NULL);
    for (int i = 0; i < N; i++) {
        weft_future_init(&future_of[i], &ops);
        branch[i].future = &future_of[i];
    }
    weft_join_all_array(&all, branch, N);
    for (int i = 0; i < 8; i++)
        check(!hand_poll(&hand, &all.future));
    check(!hand.woken);
    check_eq(hand_cancel(&hand, &all.future), -ECANCELED);
}

/* ---- cancelled ---- */

Test(join_all, try_join_that_is_cancelled_answers_the_error_of_a_branch_that_failed)
{
    struct weft_try_join all;
    struct event         a, b;

    hand_init(&hand, NULL);
    event(&a), event(&b);
    b.when_cancelled = -EIO;
    check(!hand_poll(&hand, weft_try_join(&all, &a.future, &b.future)));
    check_eq(hand_cancel(&hand, &all.future), -EIO);
    event(&a), event(&b);
    a.when_cancelled = b.when_cancelled = -EPIPE;
    check(!hand_poll(&hand, weft_try_join(&all, &a.future, &b.future)));
    check_eq(hand_cancel(&hand, &all.future), -EPIPE);
}

Test(join_all, try_join_takes_one_to_eight_branches_and_gives_each_a_result_when_it_never_began)
{
    struct weft_try_join all;
    struct event         e[8];

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_try_join(&all, at_once(&e[0], 1))), 0);
    for (int i = 0; i < 8; i++)
        event(&e[i]);
    check_eq(hand_cancel(&hand,
                         weft_try_join(&all, &e[0].future, &e[1].future, &e[2].future, &e[3].future,
                                       &e[4].future, &e[5].future, &e[6].future, &e[7].future)),
             -ECANCELED);
    for (int i = 0; i < 8; i++)
        check_eq(weft_future_result(&e[i].future), -ECANCELED);
}
