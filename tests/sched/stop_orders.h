/*
 * stop_orders.h - a runtime under the explorer, from its first task to the end of its memory
 *
 * The real executor, dispatch, workers, tasks and slabs. A test says which tasks there are and
 * which threads run; the first of these stops the runtime, as runtime.c does. What is left out is
 * the reactor, the monitor and the pools, of which only their threads are here.
 */
#ifndef STOP_ORDERS_H
#define STOP_ORDERS_H

#include "explore.h"

static int  tell_time(struct timespec *at);
static void thread_joined(pthread_t thread);

#include <ck_backoff.h>
#include <pthread.h>
#include <time.h>
#define clock_gettime(clock, at)  tell_time(at)
#define ck_backoff_eb(backoff)    (*(backoff) = WF_LOCK_LAST)
#define nanosleep(time, left)     explore_wait()
#define pthread_join(thread, ret) thread_joined(thread)

#include "rt.h"
static wf_current current[EXPLORE_THREADS + 1]; /* of set_up and the claim, then the threads' */
#define wf_current_thread current[explorer.current + 1]

#include "deque.c"
#include "idle.c"
#include "inject.c"
/* those first: what follows uses them */
#include "dispatch.c"
#include "executor.c"
#include "join.c"
#include "load.c"
#include "pick.c"
#include "run.c"
#include "task.c"
#include "task_spawn.c"
#include "tasks.c"
#include "visit.c"
#include "waker.c"
#include "worker.c"
/* A region has two pages here, so that few steps visit it. */
#undef WF_REGION_PAGES
#define WF_REGION_PAGES 2
#include "region.c"
#include "shared_heap.c"
#include "slab.c"

#define SPAWNS  3
#define WORKERS 2
#define BLOCKS  3

static weft_runtime rt;
static wf_driver    driver;
static wf_executor  executor;
static wf_worker    worker[WORKERS];
static wf_worker   *workers[WORKERS] = {&worker[0], &worker[1]};
static char         block[BLOCKS][4 << 20];
static int          n_blocks;
static bool         empty;      /* the stopping thread was told so */
static int64_t      allocating; /* how long a thread that is no worker takes for that */
static int64_t      passes;     /* of the time, whenever a thread looks at it */
static uint32_t     happened[EXPLORE_THREADS]; /* a thread has ended, or spawned */

/* What was or is to be spawned, and what came of it. */
static struct spawn {
    void (*at_first)(void); /* its first poll does that */
    bool        ends;       /* it ends by itself, else when it is cancelled */
    weft_handle handle;
    weft_waker  waker; /* left by its first poll, if `tells` */
    bool        tells, begun, cancelled;
    int         answer, n_polls, n_ended;
} spawn[SPAWNS];

static int tell_time(struct timespec *at)
{
    explorer.now += passes;
    *at = (struct timespec){explorer.now / 1000000000, explorer.now % 1000000000};
    return 0;
}

/* ---- memory ---- */

static void *allocate(void *arg, size_t size)
{
    uint32_t nothing = 0;

    (void)arg;
    check_cmp(size, <=, sizeof block[0]);
    check_cmp(n_blocks, <, BLOCKS);
    if (allocating && !wf_current_thread.worker)
        wf_futex_wait(&nothing, 0, explorer.now + allocating);
    return block[n_blocks++];
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg;
    explore_release_static(memory, size);
}

static struct wf_deque_buffer *buffer[WORKERS][2];
static wf_task                *ring[4];

static wf_deque deque(struct wf_deque_buffer **b)
{
    if (!*b)
        *b = buffer_new(&explore_allocator, 4);
    return (wf_deque){.alloc = &explore_allocator, .buffer = *b};
}

static void set_up(uint32_t n_workers)
{
    memset(current, 0, sizeof current);
    memset(spawn, 0, sizeof spawn);
    memset(&executor, 0, sizeof executor);
    memset(happened, 0, sizeof happened);
    n_blocks = 0;
    allocating = passes = 0;
    empty = false;
    driver = (wf_driver){0};
    rt = (weft_runtime){.executor = &executor,
                        .driver = &driver,
                        .config = {.inject_interval = 61,
                                   .budget = 128,
                                   .log = weft_log_none,
                                   .allocator = {allocate, release, NULL}}};
    executor.rt = executor.memory.rt = &rt;
    executor.workers = workers;
    executor.idle.n_workers = executor.idle.n_slots = n_workers;
    executor.inject.ring = ring;
    executor.inject.ring_size = 4;
    executor.is_parent = "yes";
    wf_monitor_init(&executor.monitor, &executor);
    wf_shared_heap_init(&executor.shared, &executor.memory);
    for (uint32_t i = 0; i < n_workers; i++) {
        worker[i] = (wf_worker){.executor = &executor, .index = i, .random = i + 1};
        worker[i].woken = deque(&buffer[i][0]);
        worker[i].children = deque(&buffer[i][1]);
        worker[i].has_thread = true;
        worker[i].thread = i + 1; /* in the explorer */
        wf_heap_init(&worker[i].heap, &executor.memory);
    }
    explorer.now = WEFT_S(1);
}

/* ---- tasks ---- */

struct body {
    WEFT_FRAME;
    struct {
        int64_t i;
    } in;
};

static weft_poll body_poll(weft_future *future, weft_context *cx)
{
    struct spawn *s = &spawn[((struct body *)(void *)future)->in.i];

    check(!empty);
    check_eq(s->n_ended, 0);
    s->cancelled |= (cx->flags & WEFT_CONTEXT_CANCELLED_) != 0;
    if (s->n_polls++ == 0 && s->at_first)
        s->at_first();
    if (!s->ends && !s->cancelled) {
        if (s->tells && !s->waker.vtable)
            s->waker = weft_waker_clone(cx->waker);
        return WEFT_PENDING;
    }
    s->n_ended++;
    return weft_ready(future, s->cancelled ? -ECANCELED : 0);
}

static void body_cancel(weft_future *future)
{
    (void)future;
}

static const weft_future_ops body_ops = {sizeof(struct body), WEFT_FUTURE_WITHDRAWS, "body",
                                         body_poll, body_cancel};

/* As weft_spawn does on whatever thread. */
static void spawn_it(int64_t i, bool handle)
{
    wf_worker     *w = wf_current_thread.worker;
    wf_task_origin from = {.ops = &body_ops,
                           .args = &i,
                           .size = sizeof i,
                           .at = offsetof(struct body, in),
                           .site = "body\0here"};
    weft_handle   *ret = handle ? &spawn[i].handle : NULL;

    check(!spawn[i].begun);
    spawn[i].begun = true;
    spawn[i].answer = -EINPROGRESS;
    spawn[i].answer =
        w ? wf_task_spawn_owner(w, &from, ret) : wf_task_spawn_any(&executor, &from, ret);
}

/* In a task. */
static void spawn_1(void)
{
    spawn_it(1, false);
}

static void spawn_2(void)
{
    spawn_it(2, false);
}

/* Before the threads begin: it is pending then. */
static void poll_before(int i)
{
    wf_current before = wf_worker_enter(&worker[0]);

    wf_worker_turn_owner(&worker[0], INT64_MAX);
    wf_current_thread = before;
    worker[0].searching = false;
    worker[0].polling = false;
    executor.idle =
        (wf_idle){.n_workers = executor.idle.n_workers, .n_slots = executor.idle.n_slots};
    check_eq(spawn[i].n_polls, 1);
}

/* ---- threads ---- */

/* A thread that waits for it sees all that this one did. */
static void happens(void)
{
    uint32_t *word = &happened[explorer.current];

    wf_store(word, 1, SEQ_CST);
    wf_futex_wake(word, 1);
}

static void await(int thread)
{
    while (wf_load(&happened[thread], SEQ_CST) == 0)
        wf_futex_wait(&happened[thread], 0, INT64_MAX);
}

static void thread_joined(pthread_t thread)
{
    await((int)thread);
}

static void work(uint32_t i)
{
    wf_worker *w = &worker[i];
    wf_current before = wf_worker_enter(w);

    for (int idle_rounds = 0; !wf_executor_is_stopping(&executor);) {
        uint64_t polls = w->counters.polls;

        if (w->index >= executor.idle.n_workers && may_stand_by(w))
            stand_by(w);
        else
            wf_worker_turn_owner(w, INT64_MAX);
        idle_rounds = w->counters.polls == polls ? idle_rounds + 1 : 0;
        if (idle_rounds == 3) { /* it goes round while another is at the work */
            explore_wait();
            idle_rounds = 0;
        }
    }
    wf_worker_leave(w, before);
    happens();
}

static void work_0(void)
{
    work(0);
}

static void work_1(void)
{
    work(1);
}

static void spawn_from_outside(bool handle)
{
    spawn_it(1, handle);
    happens();
}

/* How many tasks there are, as far as their spawning has been answered. */
static int n_alive(void)
{
    int n = 0;

    for (int i = 0; i < SPAWNS; i++)
        n += spawn[i].begun && spawn[i].answer == 0 && spawn[i].n_ended == 0;
    return n;
}

/* Phases 1 and 2 of a stop. */
static bool stop_tasks(int64_t patience)
{
    wf_tasks_close(&executor);
    if (!wf_executor_wait_empty(&executor,
                                patience == WEFT_FOREVER ? INT64_MAX : wf_now() + patience))
        return false;
    empty = true;
    check_eq(n_alive(), 0);
    return true;
}

/* Phases 4 and 6. */
static void end_all(void)
{
    wf_executor_stop(&executor);
    for (uint32_t i = 0; i < executor.idle.n_slots; i++)
        explore_release_static(&worker[i], sizeof worker[i]);
    explore_release_static(&executor, sizeof executor);
}

static void stop_all(void)
{
    check(stop_tasks(WEFT_FOREVER));
    end_all();
}

/* Where thread 2 calls weft_spawn_on: its caller sees to it that the runtime does not end before
 * that has answered. A pool thread is waited for in phase 3. */
static void stop_beside_spawn(void)
{
    check(stop_tasks(WEFT_FOREVER));
    await(2);
    end_all();
}

/* ---- the claim ---- */

static void all_ended(void)
{
    for (int i = 0; i < explorer.n; i++)
        check(explorer.thread[i].ended);
    check(empty);
    for (int i = 0; i < SPAWNS; i++) {
        const struct spawn *s = &spawn[i];

        if (!s->begun)
            continue;
        if (s->answer < 0) {
            check_eq(s->answer, -ESHUTDOWN);
            check_eq(s->n_polls, 0);
            continue;
        }
        check_eq(s->n_ended, 1);
        check(s->cancelled || s->ends);
    }
}

#endif
