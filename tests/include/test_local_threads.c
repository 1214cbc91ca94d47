/* test_local_threads.c - the local executor among threads, runtimes and futures of weft's own */
#include "../helpers.h"

#include <semaphore.h>

/* A port for threads: a waking thread posts the semaphore; the idle executor takes all posts. */
struct bell {
    sem_t   posted;
    int64_t n_idles;
};

static void bell_notify(void *arg)
{
    sem_post(&((struct bell *)arg)->posted);
}

static void bell_idle(void *arg)
{
    struct bell *bell = arg;

    add(&bell->n_idles, 1);
    while (sem_wait(&bell->posted) < 0)
        ;
    while (sem_trywait(&bell->posted) == 0)
        ;
}

static struct bell     bell;
static weft_local_port port = {.idle = bell_idle, .notify = bell_notify, .arg = &bell};
static weft_local      local;
static weft_local_task task[3];

static void begin(void)
{
    sem_init(&bell.posted, 0, 0);
    weft_local_init(&local, &port);
}

struct hears {
    WEFT_FRAME;
    struct {
        weft_oneshot_receiver *from;
    } in;
    weft_wait wait;
    int64_t   message;
};
WEFT_ASYNC(hears)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->in.from, &self->message));
    weft_oneshot_receiver_close(self->in.from);
    WEFT_END(n < 0 ? n : self->message);
}

static void *send_7(void *sender)
{
    int64_t message = 7;

    while (get(&bell.n_idles) == 0) /* it waits, or is about to */
        sched_yield();
    check_eq(weft_oneshot_send(sender, &message), 0);
    return NULL;
}

Test(local_threads, a_channel_wakes_it_from_another_thread)
{
    weft_oneshot_sender   *sender;
    weft_oneshot_receiver *receiver;
    struct hears           hearer;
    pthread_t              other;

    begin();
    check_eq(weft_oneshot_open(sizeof(int64_t), &sender, &receiver), 0);
    other = thread(send_7, sender);
    weft_local_add(&local, &task[0], weft_async(hears, &hearer, .from = receiver));
    weft_local_run(&local);
    check_eq(weft_future_result(task[0].future), 7);
    pthread_join(other, NULL);
}

struct doubles {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(doubles)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    WEFT_END(n < 0 ? n : self->in.n * 2);
}

struct awaits {
    WEFT_FRAME;
    struct {
        weft_handle *a, *b;
    } in;
    struct weft_join_all all;
    weft_future         *future[2];
};
WEFT_ASYNC(awaits)
{
    int64_t n;

    WEFT_BEGIN();
    self->future[0] = weft_join(self->in.a);
    self->future[1] = weft_join(self->in.b);
    WEFT_AWAIT(n, weft_join_all(&self->all, self->future[0], self->future[1]));
    WEFT_END(n < 0
                 ? n
                 : weft_future_result(self->future[0]) * 100 + weft_future_result(self->future[1]));
}

Test(local_threads, its_tasks_await_tasks_of_a_runtime)
{
    weft_runtime *rt = start(2);
    weft_handle   a, b;
    struct awaits awaiter;

    begin();
    check_eq(weft_spawn_on(rt, &a, doubles, .n = 21), 0);
    check_eq(weft_spawn_on(rt, &b, doubles, .n = 4), 0);
    weft_local_add(&local, &task[0], weft_async(awaits, &awaiter, .a = &a, .b = &b));
    weft_local_run(&local);
    check_eq(weft_future_result(task[0].future), 4208);
    stop(rt);
}

Test(local_threads, a_sleep_finds_no_runtime)
{
    struct doubles doubler;

    begin();
    weft_local_add(&local, &task[0], weft_async(doubles, &doubler, .n = 1));
    weft_local_run(&local);
    check_eq(weft_future_result(task[0].future), -ENXIO);
}

Test(local_threads, without_a_port_it_goes_round)
{
    struct counter c[3];

    weft_local_init(&local, NULL);
    for (int i = 0; i < 3; i++)
        weft_local_add(&local, &task[i], counter(&c[i], i * 10));
    weft_local_run(&local);
    for (int i = 0; i < 3; i++)
        check_eq(weft_future_result(task[i].future), i * 10);
}

/* Each poll publishes its waker, and the threads that wake it count their wakes. The future ends
 * once `goal` wakes have been counted. */
struct crowd {
    weft_future future;
    weft_waker  waker;
    bool        waker_set;
    int64_t     n, goal, n_polls;
};

static weft_poll crowd_poll(weft_future *future, weft_context *cx)
{
    struct crowd *self = weft_container(future, struct crowd, future);

    self->n_polls++;
    if (!self->waker_set) {
        self->waker = weft_waker_clone(weft_context_waker(cx));
        __atomic_store_n(&self->waker_set, true, __ATOMIC_RELEASE);
    }
    return get(&self->n) == self->goal ? weft_ready(future, self->goal) : WEFT_PENDING;
}

static void *wake_often(void *arg)
{
    struct crowd *c = arg;

    while (!__atomic_load_n(&c->waker_set, __ATOMIC_ACQUIRE))
        sched_yield();
    for (int64_t i = test_scaled(20000); i > 0; i--) {
        add(&c->n, 1);
        weft_waker_wake_by_ref(&c->waker);
    }
    return NULL;
}

Test(local_threads, many_threads_wake_and_the_last_wake_is_seen)
{
    static const weft_future_ops ops = {
        .size = sizeof(struct crowd), .name = "crowd", .poll = crowd_poll};
    struct crowd c = {.goal = 3 * test_scaled(20000)};
    pthread_t    other[3];

    begin();
    weft_future_init(&c.future, &ops);
    for (int i = 0; i < 3; i++)
        other[i] = thread(wake_often, &c);
    weft_local_add(&local, &task[0], &c.future);
    weft_local_run(&local);
    for (int i = 0; i < 3; i++)
        pthread_join(other[i], NULL);
    check_cmp(c.n_polls, <=, c.goal + 1);
}

static void *cancel(void *t)
{
    while (get(&bell.n_idles) == 0)
        sched_yield();
    weft_local_cancel(t);
    return NULL;
}

Test(local_threads, another_thread_cancels)
{
    struct event e;
    pthread_t    other;

    begin();
    event(&e);
    weft_local_add(&local, &task[0], &e.future);
    other = thread(cancel, &task[0]);
    weft_local_run(&local);
    check_eq(weft_future_result(&e.future), -ECANCELED);
    pthread_join(other, NULL);
}

struct nests {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(nests)
{
    WEFT_BEGIN();
    weft_local_run(&local);
    WEFT_END(0);
}

TEST_ABORTS(local_threads, running_itself, "weft_local_turn: a task must not run the executor")
{
    struct nests nester;

    begin();
    weft_local_add(&local, &task[0], weft_async(nests, &nester));
    weft_local_run(&local);
}
