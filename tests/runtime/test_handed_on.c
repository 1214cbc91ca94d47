/* test_handed_on.c - a pending future is handed to another task, and the first one ends */
#include "../helpers.h"

/* Polls a future once and is READY, however that may be. */
struct once {
    weft_future  future;
    weft_future *inner;
};

static weft_poll once_poll(weft_future *future, weft_context *cx)
{
    struct once *self = weft_container(future, struct once, future);

    return weft_ready(future, weft_poll_is_ready(weft_future_poll(self->inner, cx)));
}

static weft_future *once(struct once *self, weft_future *inner)
{
    static const weft_future_ops ops = {
        .size = sizeof *self, .flags = WEFT_FUTURE_WITHDRAWS, .name = "once", .poll = once_poll};

    weft_future_init(&self->future, &ops);
    self->inner = inner;
    return &self->future;
}

/* Lets another future be polled once, alone or as a branch of groups that are gone then. */
struct first {
    WEFT_FRAME;
    struct {
        weft_future *inner;
        bool         in_groups;
    } in;
    struct once          once;
    struct weft_join_all inner, outer;
};
WEFT_ASYNC(first)
{
    int64_t n;

    WEFT_BEGIN();
    once(&self->once, self->in.inner);
    if (self->in.in_groups) {
        WEFT_WAIT(weft_join_all(&self->outer, weft_join_all(&self->inner, &self->once.future)));
        memset(&self->inner, 0x5a, sizeof self->inner);
        memset(&self->outer, 0x5a, sizeof self->outer);
        n = weft_future_result(&self->once.future);
    } else {
        WEFT_AWAIT(n, &self->once.future);
    }
    WEFT_END(n);
}

struct second {
    WEFT_FRAME;
    struct {
        weft_future *inner;
    } in;
};
WEFT_ASYNC(second)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, self->in.inner);
    WEFT_END(n);
}

/* The first task polls the future and ends; `wake` happens; the second task awaits it. */
static void hand_on(weft_runtime *rt, weft_future *future, void (*wake)(void *arg), void *arg,
                    bool in_groups)
{
    weft_handle  handle;
    struct event event;

    check_eq(weft_spawn_on(rt, &handle, first, future, in_groups), 0);
    check_eq(join(rt, &handle), 0);
    for (int i = 0; i < 3; i++) { /* others have its memory now */
        check_eq(weft_spawn_on(rt, &handle, first, at_once(&event, 0), in_groups), 0);
        check_eq(join(rt, &handle), 1);
    }
    wake(arg);
    check_eq(weft_spawn_on(rt, &handle, second, future), 0);
    check_eq(join(rt, &handle), 0);
}

static void sends(void *sender)
{
    int64_t x = 7;

    check_eq(weft_oneshot_send(sender, &x), 0);
}

static void sends_one_of_many(void *sender)
{
    int64_t x = 7;

    check_eq(weft_mpsc_try_send(sender, &x), 0);
}

static void sleeps(void *nap)
{
    while (weft_now() < ((struct weft_sleep *)nap)->deadline_ + WEFT_MS(4))
        sched_yield();
}

Test(handed_on, a_pending_receive_outlives_the_task_that_polled_it_first)
{
    weft_runtime *rt = start(1);

    for (int i = 0; i < 4; i++) {
        weft_oneshot_receiver *receiver;
        weft_oneshot_sender   *sender;
        weft_wait              wait;
        int64_t                got = 0;

        check_eq(weft_oneshot_open(sizeof got, &sender, &receiver), 0);
        hand_on(rt, weft_oneshot_receive(&wait, receiver, &got), sends, sender, i % 2);
        check_eq(got, 7);
        weft_oneshot_receiver_close(receiver);
    }
    stop(rt);
}

Test(handed_on, a_pending_receive_of_many_outlives_the_task_that_polled_it_first)
{
    weft_runtime *rt = start(1);

    for (int i = 0; i < 4; i++) {
        weft_mpsc_receiver *receiver;
        weft_mpsc_sender   *sender;
        weft_wait           wait;
        int64_t             got = 0;

        check_eq(weft_mpsc_open(sizeof got, 1, &sender, &receiver), 0);
        hand_on(rt, weft_mpsc_receive(&wait, receiver, &got), sends_one_of_many, sender, i % 2);
        check_eq(got, 7);
        weft_mpsc_sender_close(sender);
        weft_mpsc_receiver_close(receiver);
    }
    stop(rt);
}

Test(handed_on, a_pending_sleep_outlives_the_task_that_polled_it_first)
{
    weft_runtime     *rt = start(1);
    struct weft_sleep nap;

    for (int i = 0; i < 4; i++)
        hand_on(rt, weft_sleep(&nap, WEFT_MS(20)), sleeps, &nap, i % 2);
    stop(rt);
}

/* ---- kept branches of groups within groups ---- */

struct keeps_deep {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver *receiver;
        int64_t               *alone;
    } in;
    struct weft_join_all outer;
    struct weft_select   inner;
    weft_wait            wait;
    struct weft_sleep    nap[2];
    int64_t              got;
};
WEFT_ASYNC(keeps_deep)
{
    int64_t n;

    WEFT_BEGIN();
    weft_oneshot_receive(&self->wait, self->in.receiver, &self->got);
    WEFT_WAIT(weft_join_all(&self->outer,
                            weft_select(&self->inner, weft_keep(&self->wait.future),
                                        weft_sleep(&self->nap[0], WEFT_MS(1))),
                            weft_sleep(&self->nap[1], WEFT_MS(2))));
    memset(&self->outer, 0x5a, sizeof self->outer);
    memset(&self->inner, 0x5a, sizeof self->inner);
    add(self->in.alone, 1);
    WEFT_WAIT(weft_sleep(&self->nap[0], WEFT_MS(5))); /* the message comes meanwhile */
    WEFT_AWAIT(n, &self->wait.future);
    WEFT_END(n == 0 ? self->got : n);
}

Test(handed_on, a_kept_branch_outlives_the_groups_around_its_select)
{
    weft_runtime *rt = start(2);

    for (int64_t i = test_scaled(20); i > 0; i--) {
        weft_oneshot_receiver *receiver;
        weft_oneshot_sender   *sender;
        int64_t                alone = 0;
        weft_handle            handle;

        check_eq(weft_oneshot_open(sizeof i, &sender, &receiver), 0);
        check_eq(weft_spawn_on(rt, &handle, keeps_deep, receiver, &alone), 0);
        spin_until(&alone, 1);
        check_eq(weft_oneshot_send(sender, &i), 0);
        check_eq(join(rt, &handle), i);
        weft_oneshot_receiver_close(receiver);
    }
    stop(rt);
}

/* ---- a waker whose clones are another executor's ---- */

static weft_waker of_the_task;

static weft_waker other_clone(void *data)
{
    (void)data;
    return weft_waker_clone(&of_the_task);
}

static void other_nothing(void *data)
{
    (void)data;
}

/* Polls the inner future with a waker whose clones are the task's. */
static weft_poll disguised_poll(weft_future *future, weft_context *cx)
{
    static const weft_waker_vtable vtable = {other_clone, other_nothing, other_nothing,
                                             other_nothing, NULL};
    struct once                   *self = weft_container(future, struct once, future);
    const weft_waker              *outer = cx->waker;
    weft_waker                     waker = {&vtable, NULL};
    bool                           ready;

    of_the_task = weft_waker_clone(outer);
    cx->waker = &waker;
    ready = weft_poll_is_ready(weft_future_poll(self->inner, cx));
    cx->waker = outer;
    weft_waker_drop(of_the_task);
    return ready ? weft_ready(future, 0) : WEFT_PENDING;
}

struct disguises {
    WEFT_FRAME;
    struct {
    } in;
    struct once       once;
    struct weft_sleep nap;
};
WEFT_ASYNC(disguises)
{
    static const weft_future_ops ops = {.size = sizeof(struct once),
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "disguised",
                                        .poll = disguised_poll};

    WEFT_BEGIN();
    weft_future_init(&self->once.future, &ops);
    self->once.inner = weft_sleep(&self->nap, WEFT_MS(2));
    WEFT_WAIT(&self->once.future);
    WEFT_END(0);
}

static int64_t
    n_leaked; /* bytes that a task whose reference is lost keeps until the process ends */

static void *allocates(void *arg, size_t size)
{
    (void)arg;
    add(&n_leaked, (int64_t)size);
    return aligned_alloc(16, (size + 15) / 16 * 16);
}

static void releases(void *arg, void *memory, size_t size)
{
    (void)arg;
    add(&n_leaked, -(int64_t)size);
    free(memory);
}

Test(handed_on, no_reference_is_lost_where_a_clone_is_another_executors)
{
    weft_runtime *rt =
        start_with(&(weft_config){.workers = 1, .allocator = {allocates, releases, NULL}});
    weft_handle handle;

    check_eq(weft_spawn_on(rt, &handle, disguises), 0);
    check_eq(join(rt, &handle), 0);
    stop(rt);
    check_eq(get(&n_leaked), 0);
}

/* ---- cancelled before the first poll ---- */

Test(handed_on, a_limit_or_a_shield_that_never_began_gives_its_future_a_result)
{
    struct hand         hand;
    struct event        e;
    struct weft_timeout limit;
    struct weft_shield  guard;
    struct weft_select  sel;

    hand_init(&hand, NULL);
    event(&e);
    check_eq(hand_cancel(&hand, weft_timeout(&limit, weft_select(&sel, &e.future), WEFT_S(1))),
             -ECANCELED);
    check_eq(weft_future_result(&e.future), -ECANCELED);
    event(&e);
    check_eq(hand_cancel(&hand, weft_shield(&guard, weft_select(&sel, &e.future), WEFT_S(1))),
             -ECANCELED);
    check_eq(weft_future_result(&e.future), -ECANCELED);
    check_eq(e.n_polls, 0);
}
