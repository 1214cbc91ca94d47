/* test_after_stop.c - wakers and handles after stop, spawns during it, stragglers past its
 * deadline */
#include "../actors.h"

#include <unistd.h>

#define HOLDERS 4 /* threads */
#define TASKS   64
#define BACKLOG 256 /* tasks of a thread that have not ended */

/* ---- tasks that leave their wakers behind ---- */

/* Pending until cancelled; its waker goes into a slot that outlives it. */
struct exposed {
    weft_future future;
    weft_waker *slot;
    int64_t    *exposed;
};

static weft_poll exposed_poll(weft_future *future, weft_context *cx)
{
    struct exposed *self = weft_container(future, struct exposed, future);

    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    if (!self->slot->vtable) {
        *self->slot = weft_waker_clone(weft_context_waker(cx));
        add(self->exposed, 1);
    }
    return WEFT_PENDING;
}

static void exposed_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *exposed(struct exposed *self, weft_waker *slot, int64_t *n)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "exposed",
                                        .poll = exposed_poll,
                                        .cancel = exposed_cancel};

    weft_future_init(&self->future, &ops);
    self->slot = slot;
    self->exposed = n;
    return &self->future;
}

struct exposes {
    WEFT_FRAME;
    struct {
        weft_waker *slot;
        int64_t    *n;
    } in;
    struct exposed exposed;
};
WEFT_ASYNC(exposes)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, exposed(&self->exposed, self->in.slot, self->in.n));
    WEFT_END(n);
}

struct holder {
    weft_waker  waker[TASKS];
    weft_handle handle[TASKS];
};

/* Everything that is allowed with the wakers and handles of a runtime that is gone. */
static void *use_all(void *arg)
{
    struct holder *h = arg;
    struct hand    hand;

    hand_init(&hand, NULL);
    for (int i = 0; i < TASKS; i++) {
        weft_waker other = weft_waker_clone(&h->waker[i]);

        check(weft_waker_will_wake(&other, &h->waker[i]));
        weft_waker_wake_by_ref(&h->waker[i]);
        weft_cancel(&h->handle[i]);
        check(weft_is_finished(&h->handle[i]));
        if (i % 2)
            weft_waker_wake(other);
        if (i % 4 == 0)
            weft_detach(&h->handle[i]);
        else
            check_eq(hand_run(&hand, weft_join(&h->handle[i])), -ECANCELED);
        weft_waker_wake(h->waker[i]);
        if (i % 2 == 0)
            weft_waker_drop(other);
    }
    return NULL;
}

/* The last of the threads gives the memory of the tasks back. */
static void expect_use_after_stop(int64_t workers)
{
    static struct holder holder[HOLDERS];
    struct memory        memory;
    weft_allocator       allocator = memory_hooks(&memory);
    weft_runtime        *rt;
    pthread_t            threads[HOLDERS];
    int64_t              n = 0;

    memset(holder, 0, sizeof holder);
    rt = start_with(
        &(weft_config){.workers = workers, .allocator = allocator, .log = weft_log_none});
    for (int i = 0; i < TASKS; i++)
        for (int k = 0; k < HOLDERS; k++)
            check_eq(weft_spawn_on(rt, &holder[k].handle[i], exposes, &holder[k].waker[i], &n), 0);
    spin_until(&n, HOLDERS * TASKS);
    stop(rt);
    for (int k = 0; k < HOLDERS; k++)
        threads[k] = thread(use_all, &holder[k]);
    for (int k = 0; k < HOLDERS; k++)
        pthread_join(threads[k], NULL);
    check_eq(get(&memory.live), 0);
}

Test(after_stop, wakers_and_handles_of_one_worker_do_no_harm)
{
    for (int64_t i = 0; i < test_scaled(20); i++)
        expect_use_after_stop(1);
}

Test(after_stop, wakers_and_handles_of_two_workers_do_no_harm)
{
    for (int64_t i = 0; i < test_scaled(20); i++)
        expect_use_after_stop(2);
}

Test(after_stop, wakers_and_handles_of_eight_workers_do_no_harm)
{
    for (int64_t i = 0; i < test_scaled(20); i++)
        expect_use_after_stop(8);
}

/* Wakes all of a runtime's tasks, again and again, while it stops. */
struct waking {
    struct holder *holder;
    int64_t        quit;
};

static void *wake_all(void *arg)
{
    struct waking *w = arg;

    while (!get(&w->quit)) {
        for (int i = 0; i < TASKS; i++)
            weft_waker_wake_by_ref(&w->holder->waker[i]);
        sched_yield(); /* the thread that stops the runtime gets a CPU, too */
    }
    for (int i = 0; i < TASKS; i++)
        weft_waker_drop(w->holder->waker[i]);
    return NULL;
}

static void expect_wakes_during_stop(int64_t workers)
{
    static struct holder holder[HOLDERS];
    struct waking        waking[HOLDERS];
    weft_runtime        *rt = start(workers);
    pthread_t            threads[HOLDERS];
    int64_t              n = 0;

    memset(holder, 0, sizeof holder);
    for (int i = 0; i < TASKS; i++)
        for (int k = 0; k < HOLDERS; k++)
            check_eq(weft_spawn_on(rt, NULL, exposes, &holder[k].waker[i], &n), 0);
    spin_until(&n, HOLDERS * TASKS);
    for (int k = 0; k < HOLDERS; k++) {
        waking[k] = (struct waking){.holder = &holder[k]};
        threads[k] = thread(wake_all, &waking[k]);
    }
    stop(rt);
    for (int k = 0; k < HOLDERS; k++)
        add(&waking[k].quit, 1);
    for (int k = 0; k < HOLDERS; k++)
        pthread_join(threads[k], NULL);
}

Test(after_stop, wakes_from_four_threads_go_on_while_the_runtime_stops)
{
    for (int64_t i = 0; i < test_scaled(20); i++) {
        expect_wakes_during_stop(1);
        expect_wakes_during_stop(2);
        expect_wakes_during_stop(8);
    }
}

/* ---- spawning while the runtime stops ---- */

struct ends_once {
    WEFT_FRAME;
    struct {
        int64_t *ended;
    } in;
};
WEFT_ASYNC(ends_once)
{
    WEFT_BEGIN();
    WEFT_YIELD();
    add(self->in.ended, 1);
    WEFT_END(0);
}

/* Does not listen to cancels: until then stop can't return. */
struct outlasts {
    WEFT_FRAME;
    struct {
        const int64_t *until;
        int64_t        n;
    } in;
};
WEFT_ASYNC(outlasts)
{
    WEFT_BEGIN();
    while (get(self->in.until) < self->in.n)
        WEFT_YIELD();
    WEFT_END(0);
}

struct spawning {
    weft_runtime *rt;
    int64_t       spawned, ended, refused, *left;
};

/* The backlog is bounded. Otherwise the threads would spawn as many tasks as they can for as long
 * as a busy machine keeps the stopping thread from its CPU. */
static void *spawn_until_refused(void *arg)
{
    struct spawning *s = arg;

    while (s->refused < 100) {
        int r;

        spin_until(&s->ended, s->spawned - BACKLOG);
        r = weft_spawn_on(s->rt, NULL, ends_once, &s->ended);
        check(r == 0 || r == -ESHUTDOWN);
        check(r == -ESHUTDOWN || s->refused == 0); /* once refused, always refused */
        if (r == 0)
            add(&s->spawned, 1);
        else
            s->refused++;
    }
    add(s->left, 1);
    return NULL;
}

static void expect_spawns_during_stop(int64_t workers)
{
    weft_runtime   *rt = start(workers);
    struct spawning spawning[HOLDERS];
    pthread_t       threads[HOLDERS];
    int64_t         left = 0;

    check_eq(weft_spawn_on(rt, NULL, outlasts, &left, HOLDERS), 0);
    for (int i = 0; i < HOLDERS; i++) {
        spawning[i] = (struct spawning){.rt = rt, .left = &left};
        threads[i] = thread(spawn_until_refused, &spawning[i]);
    }
    for (int i = 0; i < HOLDERS; i++)
        spin_until(&spawning[i].spawned, 10);
    stop(rt);
    for (int i = 0; i < HOLDERS; i++) {
        pthread_join(threads[i], NULL);
        check_eq(spawning[i].ended, spawning[i].spawned);
    }
}

Test(after_stop, every_task_spawned_while_one_worker_stops_ends)
{
    for (int64_t i = 0; i < test_scaled(50); i++)
        expect_spawns_during_stop(1);
}

Test(after_stop, every_task_spawned_while_two_workers_stop_ends)
{
    for (int64_t i = 0; i < test_scaled(50); i++)
        expect_spawns_during_stop(2);
}

Test(after_stop, every_task_spawned_while_eight_workers_stop_ends)
{
    for (int64_t i = 0; i < test_scaled(50); i++)
        expect_spawns_during_stop(8);
}

/* ---- stragglers ---- */

/* Spawns for as long as it may. */
struct spawns {
    WEFT_FRAME;
    struct {
        int64_t *ended;
    } in;
};
WEFT_ASYNC(spawns)
{
    WEFT_BEGIN();
    while (weft_spawn(NULL, ends_once, self->in.ended) == 0)
        WEFT_YIELD();
    WEFT_END(0);
}

static void expect_stragglers(int64_t workers)
{
    struct lines  lines = LINES;
    weft_runtime *rt;
    int64_t       let_go = 0, ended = 0;

    rt = start_with(&(weft_config){.workers = workers, .log = lines_add, .log_arg = &lines});
    for (int i = 0; i < 8; i++)
        check_eq(weft_spawn_on(rt, NULL, spawns, &ended), 0);
    for (int i = 0; i < 3; i++)
        check_eq(weft_spawn_named(rt, NULL, "a straggler", yields, &let_go), 0);
    spin_until(&ended, 1000);
    for (int i = 0; i < 3; i++)
        check_eq(weft_runtime_stop(rt, WEFT_MS(1)), -ETIMEDOUT);
    check_str_contains(lines.text, "stop: task a straggler (spawned at ");
    check_eq(weft_spawn_on(rt, NULL, ends_once, &ended), -ESHUTDOWN);
    add(&let_go, 1);
    stop(rt);
}

Test(after_stop, stragglers_under_load_are_named_and_let_go_on_one_worker)
{
    for (int64_t i = 0; i < test_scaled(10); i++)
        expect_stragglers(1);
}

Test(after_stop, stragglers_under_load_are_named_and_let_go_on_two_workers)
{
    for (int64_t i = 0; i < test_scaled(10); i++)
        expect_stragglers(2);
}

Test(after_stop, stragglers_under_load_are_named_and_let_go_on_eight_workers)
{
    for (int64_t i = 0; i < test_scaled(10); i++)
        expect_stragglers(8);
}

/* ---- when no thread needs to wait ---- */

static void *let_go_later(void *flag)
{
    usleep(20000);
    add(flag, 1);
    return NULL;
}

/* The last task may end on a worker, or on the spare worker, which is not needed any more. */
Test(after_stop, stop_returns_when_the_last_task_ends_wherever_that_was)
{
    for (int64_t i = 0; i < test_scaled(20); i++) {
        weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
        int64_t       first = 0, second = 0, started = 0, begin;
        pthread_t     other;

        check_eq(weft_spawn_on(rt, NULL, blocks, &first, 1, &started), 0);
        spin_until(&started, 1);
        check_eq(weft_spawn_on(rt, NULL, blocks, &second, 1, &started),
                 0); /* on the spare worker */
        spin_until(&started, 2);
        add(&first, 1);
        other = thread(let_go_later, &second);
        begin = weft_now();
        stop(rt);
        check_cmp(weft_now() - begin, <, WEFT_MS(900) * test_slow());
        pthread_join(other, NULL);
    }
}

/* ---- tokio's wake_while_rt_is_dropping: each task that is cancelled wakes another one ---- */

#define RING 8

struct in_ring {
    weft_runtime *rt;
    weft_notify   notify[RING];
    int64_t       waiting, ended;
};

struct rings {
    WEFT_FRAME;
    struct {
        struct in_ring *ring;
        int             place;
    } in;
    weft_wait     wait;
    weft_deferred wake_next;
};

static void wake_next(void *arg)
{
    struct rings *self = arg;

    check(weft_runtime_current() == self->in.ring->rt);
    weft_notify_one(&self->in.ring->notify[(self->in.place + 1) % RING]);
    add(&self->in.ring->ended, 1);
}

WEFT_ASYNC(rings)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->wake_next, wake_next, self);
    add(&self->in.ring->waiting, 1);
    WEFT_AWAIT(n, weft_notify_wait(&self->wait, &self->in.ring->notify[self->in.place]));
    WEFT_END(n);
}

/* Some of the tasks have not begun when the runtime stops. */
static void expect_a_ring_to_end(const weft_config *config)
{
    for (int64_t i = 0; i < test_scaled(50); i++) {
        weft_runtime  *rt = start_with(config);
        struct in_ring ring = {.rt = rt};

        for (int place = 0; place < RING; place++)
            check_eq(weft_spawn_on(rt, NULL, rings, &ring, place), 0);
        while (get(&ring.waiting) < i % (RING + 1)) {
            struct weft_sleep nap;

            check_eq(weft_block_on(rt, weft_sleep(&nap, 0)), 0);
        }
        stop(rt);
        check_eq(ring.ended, RING);
    }
}

Test(after_stop, tasks_that_wake_each_other_as_they_are_cancelled_end)
{
    expect_a_ring_to_end(&(weft_config){.current_thread = 1});
    expect_a_ring_to_end(&(weft_config){.workers = 1});
    expect_a_ring_to_end(&(weft_config){.workers = 2});
    expect_a_ring_to_end(&(weft_config){.workers = 8});
}

/* ---- tokio's wake_from_thread_local: a thread that ends wakes what it polled last ---- */

static pthread_key_t last_key;
static int64_t       n_woken_last;

static void wake_last(void *slot)
{
    weft_waker_wake(*(weft_waker *)slot);
    free(slot);
    add(&n_woken_last, 1);
}

/* The thread is the worker of its runtime. Its destructors run when both are gone. */
static void *polls_and_ends(void *by_ref)
{
    weft_runtime *rt = start_with(&(weft_config){.current_thread = 1});
    weft_waker   *slot = calloc(1, sizeof *slot);
    int64_t       n = 0;
    weft_handle   handle;

    check(slot != NULL);
    check_eq(pthread_setspecific(last_key, slot), 0);
    check_eq(weft_spawn_on(rt, &handle, exposes, slot, &n), 0);
    while (n == 0) {
        struct weft_sleep nap;

        check_eq(weft_block_on(rt, weft_sleep(&nap, 0)), 0);
    }
    if (by_ref)
        weft_waker_wake_by_ref(slot);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
    return NULL;
}

Test(after_stop, a_thread_that_ends_may_wake_the_task_that_it_polled)
{
    check_eq(pthread_key_create(&last_key, wake_last), 0);
    for (uintptr_t i = 0; i < 2; i++)
        pthread_join(thread(polls_and_ends, (void *)i), NULL);
    check_eq(n_woken_last, 2);
}
