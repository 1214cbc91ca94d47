/* test_waker.c - wakers: any thread, any number, any time */
#include "../actors.h"

/* A task's future that hands its waker out and ends when told; counts its polls. */
struct board {
    int64_t    n_polls, told, out; /* out: `waker` has been written */
    weft_waker waker;
    int        wakes_in_poll; /* wakes itself that often in its first poll */
};

struct told {
    weft_future   future;
    struct board *board;
};

static weft_poll told_poll(weft_future *future, weft_context *cx)
{
    struct board *board = weft_container(future, struct told, future)->board;

    if (add(&board->n_polls, 1) == 1) {
        for (int i = 0; i < board->wakes_in_poll; i++)
            weft_waker_wake_by_ref(weft_context_waker(cx));
        board->waker = weft_waker_clone(weft_context_waker(cx));
        add(&board->out, 1);
    }
    return get(&board->told) ? weft_ready(future, get(&board->n_polls)) : WEFT_PENDING;
}

static weft_future *told(struct told *self, struct board *board)
{
    static const weft_future_ops ops = {.size = sizeof *self, .name = "told", .poll = told_poll};

    weft_future_init(&self->future, &ops);
    self->board = board;
    return &self->future;
}

struct listener {
    WEFT_FRAME;
    struct {
        struct board *board;
    } in;
    struct told told;
};
WEFT_ASYNC(listener)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, told(&self->told, self->in.board));
    WEFT_END(n);
}

Test(waker, noop_does_nothing_and_is_like_every_other_noop)
{
    weft_waker a = weft_waker_noop(), b = weft_waker_clone(&a);

    check(weft_waker_will_wake(&a, &b));
    weft_waker_wake_by_ref(&a);
    weft_waker_wake(a);
    weft_waker_drop(b);
}

Test(waker, will_wake_tells_tasks_apart)
{
    struct hand one, two;
    weft_waker  clone;

    hand_init(&one, NULL);
    hand_init(&two, NULL);
    clone = weft_waker_clone(&one.waker);
    check(weft_waker_will_wake(&clone, &one.waker));
    check(!weft_waker_will_wake(&one.waker, &two.waker));
    weft_waker_drop(clone);
}

Test(waker, wakes_through_the_vtable_of_a_foreign_executor)
{
    struct hand hand;
    weft_waker  clone;

    hand_init(&hand, NULL);
    clone = weft_waker_clone(&hand.waker);
    weft_waker_wake_by_ref(&clone);
    check_eq(hand.n_wakers, 1);
    weft_waker_wake(clone);
    check_eq(hand.n_wakers, 0);
    check_eq(hand.n_wakes, 2);
}

Test(waker, clones_of_a_task_wake_the_same_task)
{
    weft_runtime *rt = start(1);
    struct board  board = {0};
    weft_handle   handle;
    weft_waker    clone;

    check_eq(weft_spawn_on(rt, &handle, listener, .board = &board), 0);
    spin_until(&board.out, 1);
    clone = weft_waker_clone(&board.waker);
    check(weft_waker_will_wake(&clone, &board.waker));
    add(&board.told, 1);
    weft_waker_drop(board.waker);
    weft_waker_wake(clone);
    check_eq(join(rt, &handle), 2);
    stop(rt);
}

Test(waker, woken_many_times_before_a_poll_gives_one_poll)
{
    weft_runtime *rt = start(1);
    struct board  board = {0};
    int64_t       until = 0, started = 0;
    weft_handle   listens, hogs;

    check_eq(weft_spawn_on(rt, &listens, listener, .board = &board), 0);
    spin_until(&board.out, 1);
    check_eq(weft_spawn_on(rt, &hogs, blocks, &until, 1, &started), 0);
    spin_until(&started, 1); /* from here on the worker polls nothing */
    for (int i = 0; i < 1000; i++)
        weft_waker_wake_by_ref(&board.waker);
    add(&board.told, 1);
    add(&until, 1);
    check_eq(join(rt, &listens), 2);
    check_eq(join(rt, &hogs), 0);
    weft_waker_drop(board.waker);
    stop(rt);
}

Test(waker, woken_during_a_poll_gives_one_more_poll)
{
    weft_runtime *rt = start(1);
    struct board  board = {.wakes_in_poll = 3};
    weft_handle   handle;
    int64_t       until = 1, started = 0;

    check_eq(weft_spawn_on(rt, &handle, listener, .board = &board), 0);
    spin_until(&board.n_polls, 2);
    for (int i = 0; i < 10; i++) { /* turns of the only worker: a third poll would show */
        weft_handle other;
        check_eq(weft_spawn_on(rt, &other, blocks, &until, 1, &started), 0);
        check_eq(join(rt, &other), 0);
    }
    check_eq(get(&board.n_polls), 2);
    add(&board.told, 1);
    weft_waker_wake(board.waker);
    check_eq(join(rt, &handle), 3);
    stop(rt);
}

/* Wakes n times, and on until `until` is set. */
struct waking {
    weft_waker waker;
    int64_t    n, *until;
};

static void *wake_often(void *arg)
{
    struct waking *w = arg;

    for (int64_t i = 0; i < w->n || !get(w->until); i++) {
        weft_waker clone = weft_waker_clone(&w->waker);
        if (i % 2)
            weft_waker_wake(clone);
        else
            weft_waker_drop(clone);
        weft_waker_wake_by_ref(&w->waker);
    }
    weft_waker_drop(w->waker);
    return NULL;
}

Test(waker, may_be_used_by_many_threads_while_the_task_runs_and_ends)
{
    weft_runtime *rt = start(2);
    struct board  board = {0};
    struct waking waking[4];
    pthread_t     threads[4];
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, listener, .board = &board), 0);
    spin_until(&board.out, 1);
    for (int i = 0; i < 4; i++) {
        waking[i] = (struct waking){weft_waker_clone(&board.waker), test_scaled(5000), &board.told};
        threads[i] = thread(wake_often, &waking[i]);
    }
    spin_until(&board.n_polls, 3); /* they are at it */
    add(&board.told, 1);
    weft_waker_wake(board.waker);
    check(join(rt, &handle) >= 3);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    stop(rt);
}

Test(waker, may_be_used_by_many_threads_while_the_runtime_stops)
{
    for (int64_t round = test_scaled(100); round > 0; round--) {
        weft_runtime *rt = start(2);
        struct board  board = {0};
        struct waking waking[2];
        pthread_t     threads[2];

        check_eq(weft_spawn_on(rt, NULL, listener, .board = &board), 0);
        spin_until(&board.out, 1);
        for (int i = 0; i < 2; i++) {
            waking[i] = (struct waking){weft_waker_clone(&board.waker), 300, &board.out};
            threads[i] = thread(wake_often, &waking[i]);
        }
        stop(rt);
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        weft_waker_drop(board.waker);
    }
}

Test(waker, is_harmless_after_its_task_has_ended)
{
    weft_runtime *rt = start(1);
    struct board  board = {.told = 1};
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, listener, .board = &board), 0);
    check_eq(join(rt, &handle), 1);
    weft_waker_wake_by_ref(&board.waker);
    weft_waker_wake(weft_waker_clone(&board.waker));
    weft_waker_drop(board.waker);
    check_eq(get(&board.n_polls), 1);
    stop(rt);
}

Test(waker, is_harmless_after_its_runtime_has_stopped)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .allocator = memory_hooks(&memory)});
    struct board  board = {0};

    check_eq(weft_spawn_on(rt, NULL, listener, .board = &board), 0);
    spin_until(&board.out, 1);
    stop(rt);
    check(memory.live > 0); /* the waker keeps its task's memory, and nothing else */
    weft_waker_wake_by_ref(&board.waker);
    weft_waker_drop(weft_waker_clone(&board.waker));
    weft_waker_wake(board.waker);
    check_eq(memory.live, 0);
}

static void *tell(void *arg)
{
    struct board *board = arg;

    spin_until(&board->out, 1);
    add(&board->told, 1);
    weft_waker_wake(board->waker);
    return NULL;
}

Test(waker, wakes_a_thread_in_block_on)
{
    weft_runtime *rt = start(1);
    struct board  board = {0};
    struct told   future;
    pthread_t     teller = thread(tell, &board);

    check(weft_block_on(rt, told(&future, &board)) >= 2);
    pthread_join(teller, NULL);
    stop(rt);
}

Test(waker, of_a_block_on_that_has_returned_is_harmless)
{
    struct memory memory;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .allocator = memory_hooks(&memory)});
    struct board  board = {.told = 1};
    struct told   future;

    check_eq(weft_block_on(rt, told(&future, &board)), 1);
    stop(rt);
    check(memory.live > 0);
    weft_waker_wake_by_ref(&board.waker);
    weft_waker_wake(board.waker);
    check_eq(memory.live, 0);
}
