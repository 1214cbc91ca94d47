/*
 * test_gate_orders.c - the reactor's gate and watch lose nothing: its real turn, in every order
 *
 * The reactor, the gate, the queues and the workers' search are the real ones. A word that wake-ups
 * write to replaces the ring, and workers take tasks without polling them. Batches of tasks replace
 * the set of sockets. They go to a leader, and to the ring's poll if there is one. Time passes only
 * when every thread sleeps, so that no time limit can hide a lost wake-up.
 */
#include "../sched/explore.h"

static int     tell_time(struct timespec *at);
static int64_t kick(const void *from);
static void    enter(int64_t until);
static void    ring(int fd);

#include <time.h>
#include <unistd.h>
#define clock_gettime(clock, at) tell_time(at)
#include "bell.h"
#define wf_bell_ring(fd) ring(fd)
#include "executor.h"
#include "kernel_operation.h"
#include "retry_timer.h"
#include "task.h"
#include "timer.h"

#define TASKS 4
#define START WEFT_S(1)

static struct scenario {
    int      n_workers;
    uint32_t batches[2];           /* how many tasks become ready together */
    int      n_tasks, n_submitted; /* how many must be taken */
    /* HANGS: worker 0 hangs in its first task, so that only the clock can end the wait.
     * HANGS_LATE: worker 0 hangs in its third task. SUBMITS: worker 0 submits in its second task.
     * ENDS: the reactor is told to end. LEADS: one task alone is enough for a worker to lead.
     * LEADS_BOUND: as LEADS, the tasks are bound to worker 0, and a thread sends the second batch.
     * LEADS_HANGS: as LEADS, and worker 0 hangs in its first task, which the monitor sees. LED: the
     * sockets were left to the workers before. */
    enum { NORMAL, HANGS, HANGS_LATE, SUBMITS, ENDS, LEADS, LEADS_BOUND, LEADS_HANGS, LED } what;
} given, scenario; /* the test's scenario, and what is left of it in this schedule */

static weft_runtime  rt;
static wf_executor   executor;
static wf_reactor    reactor;
static wf_worker     worker[2];
static wf_worker    *workers[2] = {&worker[0], &worker[1]};
static wf_task      *task; /* an array in a region, which knows the runtime */
static int           n_taken[TASKS];
static wf_submission submission[2];
static int           n_submitted;
static int64_t       timer;    /* when the only timer fires */
static uint32_t      kernel;   /* 1: the wake descriptor has been written to, or a batch has come */
static uint32_t      n_among;  /* grows at each event that ends a leader's sleep */
static uint32_t      rung;     /* 1: the bell rings; the leader resets it */
static bool          has_poll; /* the ring polls the set of sockets */
static struct io_uring_sqe prepared; /* what the next enter submits */
static uint32_t            hung;     /* 1: worker 0 hangs */
static wf_current          current[EXPLORE_THREADS];
static unsigned            head, tail;
static struct io_uring_cqe cqe[4];

static int take_batch(wf_wakes *wakes);
static int sleep_among_sockets(wf_wakes *wakes);

#define wf_current_thread (current[explorer.current])
#include "deque.c"
#include "idle.c"
#include "inject.c"
/* the files below use those above */
#include "dispatch.c"
#include "executor.c"
#include "gate.c"
#include "handed.c"
#include "load.c"
#include "pick.c"
#include "tasks.c"
#include "visit.c"
#include "worker.c"
#define write(fd, from, n)            ((void)(fd), kick(from))
#define wf_ring_enter(ring, until)    enter(until)
#define wf_ring_flush(ring)           ((void)(ring))
#define wf_ring_run_deferred(ring)    false
#define wf_clock_jumps(clock)         false
#define wf_ring_has_more(ring)        false
#define wf_timers_next(timers)        ((void)(timers), wf_load(&timer, SEQ_CST))
#define wf_retry_timers_next(reactor) ((void)(reactor), WEFT_FOREVER)
#define wf_timers_fire(timers, now)   (timer = (now) >= timer ? WEFT_FOREVER : timer)
#define wf_poller_take(ready, wakes, surely, ret_more)                                             \
    (*(ret_more) = false, (void)(surely), take_batch(wakes))
#define wf_poller_sleep(ready, bell, wakes) sleep_among_sockets(wakes)
#define wf_ring_sqe(ring)                   ((void)(ring), &prepared)
#include "completion.c"
#include "loop.c"
#include "reactor.c"
#include "sparse.c"

/* ---- in place of the clock, the timers and the ring ---- */

static int tell_time(struct timespec *at)
{
    *at = (struct timespec){explorer.now / 1000000000, explorer.now % 1000000000};
    return 0;
}

static int64_t kick(const void *from)
{
    (void)from;
    wf_store(&kernel, 1, SEQ_CST);
    wf_futex_wake(&kernel, 1);
    return sizeof(uint64_t);
}

static void sleep_in_kernel(int64_t until)
{
    while (wf_load(&kernel, SEQ_CST) == 0)
        if (!wf_futex_wait(&kernel, 0, until)) {
            /* no tick comes while every thread sleeps */
            check(executor.inject.n == 0 ||
                  executor.idle.sleeping[0] + 1 != UINT64_C(1) << given.n_workers);
            break;
        }
    wf_store(&kernel, 0, SEQ_CST);
}

static bool any_ready(void)
{
    return wf_load(&scenario.batches[0], SEQ_CST) > 0 || wf_load(&scenario.batches[1], SEQ_CST) > 0;
}

static void end_sleep_among_sockets(void)
{
    wf_add(&n_among, 1, SEQ_CST);
    wf_futex_wake(&n_among, 1);
}

/* The next batch has come: the kernel wakes the leader, and the reactor if the ring has the poll.
 */
static void arrive(void)
{
    end_sleep_among_sockets();
    if (has_poll)
        kick(NULL);
}

static void ring(int fd)
{
    (void)fd;
    wf_store(&rung, 1, SEQ_CST);
    end_sleep_among_sockets();
}

/* The first call gets the first batch, and a later call gets the second one: a batch is ready as
 * soon as the one before it has been taken. */
static int take_batch(wf_wakes *wakes)
{
    uint32_t first = 0, n = 0;

    for (int i = 0; i < 2 && n == 0; i++) {
        n = wf_swap(&scenario.batches[i], 0, SEQ_CST);
        for (uint32_t at = first; at < first + n; at++)
            wf_waker_fire(&(weft_waker){&wf_task_vtable, &task[at]}, wakes);
        first += given.batches[i];
    }
    if (n > 0 && given.what >= LEADS && any_ready())
        arrive();
    return (int)n;
}

static int sleep_among_sockets(wf_wakes *wakes)
{
    for (;;) {
        uint32_t key = wf_load(&n_among, SEQ_CST);
        int      n = take_batch(wakes);

        if (wf_swap(&rung, 0, SEQ_CST) || n > 0)
            return n;
        wf_futex_wait(&n_among, key, INT64_MAX);
    }
}

static void submit(void)
{
    if (prepared.opcode == IORING_OP_POLL_ADD)
        has_poll = true;
    else if (prepared.opcode == IORING_OP_ASYNC_CANCEL && has_poll) {
        has_poll = false;
        cqe[tail++ & 3] = (struct io_uring_cqe){.user_data = wf_reactor_tag(NULL, WF_TAG_READY),
                                                .res = -ECANCELED};
    }
    prepared.opcode = IORING_OP_NOP;
}

static void enter(int64_t until)
{
    submit();
    if (head != tail)
        return;
    if (has_poll && any_ready())
        cqe[tail++ & 3] = (struct io_uring_cqe){.user_data = wf_reactor_tag(NULL, WF_TAG_READY),
                                                .flags = IORING_CQE_F_MORE};
    else if (until != WF_DRIVER_NO_WAIT)
        sleep_in_kernel(until);
}

/* ---- the threads ---- */

static void react(void)
{
    while (!may_end(&reactor))
        turn(&reactor);
}

/* The number of the task in which worker 0 hangs, or 0. */
static int hangs_in(void)
{
    return given.what == HANGS || given.what == LEADS_HANGS ? 1 : given.what == HANGS_LATE ? 3 : 0;
}

/* A worker's loop. It takes tasks without polling them, and hangs in task number `last` unless that
 * is 0. */
static void work(wf_worker *w, int last, bool submits)
{
    wf_current_thread.worker = w;
    for (int idle_rounds = 0;; idle_rounds++) {
        wf_task *t = wf_pick_task_owner(w);

        if (t) {
            n_taken[t - task]++;
            wf_count(&w->counters.polls, 1);
            if (--last == 0) {
                wf_store(&hung, 1, SEQ_CST);
                wf_futex_wake(&hung, 1);
                return;
            }
            if (submits && t == &task[1])
                wf_reactor_submit_any(&reactor, &submission[0]);
            idle_rounds = 0;
        } else {
            park(w, INT64_MAX);
        }
        if (idle_rounds == 2) { /* it goes round while another is at the work */
            explore_wait();
            idle_rounds = 0;
        }
    }
}

static void work_0(void)
{
    work(&worker[0], hangs_in(), given.what == SUBMITS);
}

static void work_1(void)
{
    work(&worker[1], 0, false);
}

static void submit_twice(void)
{
    wf_reactor_submit_any(&reactor, &submission[0]);
    wf_reactor_submit_any(&reactor, &submission[1]);
}

static void inject_three(void)
{
    task[0].next = &task[1];
    task[1].next = &task[2];
    wf_dispatch_inject_any(&executor, &task[0], &task[2], 3);
}

static void arm(void)
{
    wf_store(&timer, START + WEFT_S(1), SEQ_CST);
    wf_driver_hint(&reactor.driver, START + WEFT_S(1));
}

/* Does what the monitor does each time it wakes. */
static void see_that_it_hangs(void)
{
    while (wf_load(&hung, SEQ_CST) == 0)
        wf_futex_wait(&hung, 0, INT64_MAX);
    for (int look = 0; look < 3; look++) {
        wf_load_note_long_poll(&executor.load, explorer.now);
        wf_driver_open(&reactor.driver);
        wf_driver_end_sparse(&reactor.driver);
        wf_futex_wait(&hung, 1, explorer.now + WEFT_MS(5));
    }
}

/* Sends the second batch, be it after the reactor has left the sockets. */
static void send_batch(void)
{
    wf_store(&scenario.batches[1], given.batches[1], SEQ_CST);
    arrive();
}

/* Does what a leader does that finds several sockets ready. */
static void end_sparse(void)
{
    wf_driver_end_sparse(&reactor.driver);
}

static void end(void) /* as wf_reactor_stop */
{
    wf_store(&reactor.stopping, true, SEQ_CST);
    wf_driver_hint(&reactor.driver, WF_DRIVER_NOW);
}

/* ---- all orders ---- */

static void take_submission(void *consumer, wf_submission *s)
{
    (void)consumer, (void)s;
    check_eq(explorer.now, START); /* at once */
    n_submitted++;
}

static struct wf_deque_buffer *buffer[2][2];

static void set_up(void)
{
    scenario = given;
    rt = (weft_runtime){.executor = &executor, .driver = &reactor.driver};
    rt.config.inject_interval = 61;
    rt.config.wake_us = 250;
    rt.config.leader_after = given.what >= LEADS;
    executor = (wf_executor){.rt = &rt, .workers = workers, .load.poll_ns = 2000};
    /* Without a long poll only the monitor would end the wait. */
    executor.load.long_poll_at = hangs_in() && given.what != LEADS_HANGS ? START : 0;
    executor.idle.n_workers = executor.idle.n_slots = (uint32_t)given.n_workers;
    executor.monitor.awake = 1;
    executor.is_parent = "yes";
    for (uint32_t i = 0; i < 2; i++) {
        worker[i] = (wf_worker){.executor = &executor, .index = i, .random = i + 1};
        worker[i].woken = worker[i].children = (wf_deque){.alloc = &wf_alloc_default};
        worker[i].woken.buffer = buffer[i][0];
        worker[i].children.buffer = buffer[i][1];
        submission[i] = (wf_submission){.take = take_submission};
    }
    reactor = (wf_reactor){.rt = &rt, .gate.executor = &executor};
    wf_gate_praise(&reactor.gate); /* let it close */
    reactor.driver =
        (wf_driver){.wake = wake, .look = look_for_worker, .sleeps_until = WF_DRIVER_NO_WAIT};
    reactor.driver.watching = given.what == HANGS; /* since an earlier batch */
    reactor.driver.lead = lead;
    reactor.sparse.armed = has_poll = given.what != LED;
    reactor.driver.sparse = given.what == LED;
    reactor.ring.is_open = true;
    reactor.ring.uring.cq =
        (struct io_uring_cq){.khead = &head, .ktail = &tail, .cqes = cqe, .ring_mask = 3};
    if (!task)
        task = (wf_task *)(void *)((wf_region *)aligned_alloc(WF_REGION_SIZE, WF_REGION_SIZE) + 1);
    wf_region_of(task)->rt = &rt;
    for (int i = 0; i < TASKS; i++)
        task[i] = (wf_task){.state = WF_TASK_REF};
    for (int i = 0; i < TASKS && given.what == LEADS_BOUND; i++)
        wf_task_bind(&task[i], 0);
    if (given.what == LEADS_BOUND)
        scenario.batches[1] = 0;
    memset(n_taken, 0, sizeof n_taken);
    memset(current, 0, sizeof current);
    for (int i = 0; i < EXPLORE_THREADS; i++)
        current[i].rt = &rt;
    prepared.opcode = IORING_OP_NOP;
    n_among = rung = hung = 0;
    head = tail = kernel = 0;
    n_submitted = 0;
    timer = WEFT_FOREVER;
    explorer.now = START;
}

/* What must hold when every thread sleeps. */
static void claim(void)
{
    check(reactor.gate.n_expired == 0 || hangs_in()); /* a worker without tasks opens the gate */
    check_eq(executor.idle.n_searching, 0);
    check_eq(explorer.thread[0].ended, given.what == ENDS);
    if (given.what == ENDS)
        return; /* the reactor may have ended before it delivered anything */
    for (int i = 0; i < TASKS; i++)
        check_eq(n_taken[i], i < given.n_tasks);
    check_eq(n_submitted, given.n_submitted);
    check_eq(timer, WEFT_FOREVER);
    check_eq(reactor.driver.watching, false);
}

/* With three preemptions and a late read there would be a million schedules. */
static void try_all(int preemptions, struct scenario s, void (*a)(void), void (*b)(void),
                    void (*c)(void), void (*d)(void))
{
    void (*const body[])(void) = {a, b, c, d};
    int n = d ? 4 : c ? 3 : 2;

    given = s;
    for (int i = 0; i < 4; i++)
        buffer[i / 2][i % 2] = buffer_new(&wf_alloc_default, 4);
    if (preemptions == 3)
        explore(3, 0, set_up, claim, n, body);
    explore(preemptions < 2 ? preemptions : 2, 1, set_up, claim, n, body);
}

Test(gate_orders, what_is_handed_over_wakes_the_worker, .timeout = 120)
{
    try_all(3, (struct scenario){1, {1, 2}, 3, 0, NORMAL}, react, work_0, NULL, NULL);
}

Test(gate_orders, what_is_handed_over_wakes_one_of_two_workers, .timeout = 120)
{
    try_all(2, (struct scenario){2, {1, 2}, 3, 0, NORMAL}, react, work_0, work_1, NULL);
}

Test(gate_orders, a_submission_is_seen_at_the_gate_and_in_the_kernel)
{
    try_all(2, (struct scenario){1, {2}, 2, 2, NORMAL}, react, work_0, submit_twice, NULL);
}

Test(gate_orders, a_submission_is_seen_at_the_gate_while_a_worker_hangs)
{
    try_all(1, (struct scenario){2, {2}, 2, 2, HANGS}, react, work_0, work_1, submit_twice);
}

Test(gate_orders, a_submission_of_the_worker_that_runs_dry_is_seen, .timeout = 120)
{
    try_all(3, (struct scenario){1, {2}, 2, 1, SUBMITS}, react, work_0, NULL, NULL);
}

Test(gate_orders, a_timer_is_seen_at_the_gate_and_in_the_kernel)
{
    try_all(2, (struct scenario){1, {2}, 2, 0, NORMAL}, react, work_0, arm, NULL);
}

Test(gate_orders, stopping_is_seen_at_the_gate_and_in_the_kernel)
{
    try_all(2, (struct scenario){1, {2}, 0, 0, ENDS}, react, work_0, end, NULL);
}

Test(gate_orders, the_rest_of_a_batch_does_not_wait_behind_a_task_that_hangs)
{
    try_all(2, (struct scenario){2, {3}, 3, 0, HANGS}, react, work_0, work_1, NULL);
}

Test(gate_orders, another_batch_does_not_wait_behind_a_task_that_hangs, .timeout = 120)
{
    try_all(2, (struct scenario){2, {1, 2}, 3, 0, HANGS}, react, work_0, work_1, NULL);
}

/* It has hardly taken it, and looked for it itself. */
Test(gate_orders, a_batch_that_a_worker_found_does_not_wait_behind_a_task_that_hangs,
     .timeout = 120)
{
    try_all(2, (struct scenario){2, {2, 2}, 4, 0, HANGS_LATE}, react, work_0, work_1, NULL);
}

Test(gate_orders, what_a_thread_queues_as_the_watch_ends_does_not_wait_behind_a_task_that_hangs,
     .timeout = 120)
{
    try_all(2, (struct scenario){2, {0}, 3, 0, HANGS}, react, work_0, work_1, inject_three);
}

/* ---- a worker leads ---- */

Test(gate_orders, the_worker_that_ran_what_came_alone_leads, .timeout = 120)
{
    try_all(3, (struct scenario){1, {1, 1}, 2, 0, LEADS}, react, work_0, NULL, NULL);
}

Test(gate_orders, one_of_two_workers_leads, .timeout = 120)
{
    try_all(2, (struct scenario){2, {1, 1}, 2, 0, LEADS}, react, work_0, work_1, NULL);
}

/* The reactor has woken that worker before it leaves the sockets. */
Test(gate_orders, a_worker_leads_that_ran_what_is_bound_to_it, .timeout = 120)
{
    try_all(2, (struct scenario){1, {1, 1}, 2, 0, LEADS_BOUND}, react, work_0, send_batch, NULL);
}

Test(gate_orders, a_leader_leads_again, .timeout = 120)
{
    try_all(3, (struct scenario){1, {1, 1}, 2, 0, LED}, react, work_0, NULL, NULL);
    try_all(2, (struct scenario){2, {1, 1}, 2, 0, LED}, react, work_0, work_1, NULL);
}

Test(gate_orders, what_comes_together_to_a_leader_is_run, .timeout = 120)
{
    try_all(2, (struct scenario){2, {1, 2}, 3, 0, LEADS}, react, work_0, work_1, NULL);
}

Test(gate_orders, the_reactor_takes_the_sockets_back, .timeout = 120)
{
    try_all(2, (struct scenario){1, {1, 1}, 2, 0, LEADS}, react, work_0, end_sparse, NULL);
    try_all(2, (struct scenario){1, {1, 1}, 2, 0, LED}, react, work_0, end_sparse, NULL);
}

Test(gate_orders, a_submission_is_seen_while_a_worker_leads, .timeout = 120)
{
    try_all(2, (struct scenario){1, {1, 1}, 2, 2, LEADS}, react, work_0, submit_twice, NULL);
}

Test(gate_orders, what_a_thread_queues_wakes_the_leader, .timeout = 120)
{
    try_all(2, (struct scenario){2, {0}, 3, 0, LEADS}, react, work_0, work_1, inject_three);
}

Test(gate_orders, the_reactor_takes_the_sockets_of_a_leader_that_hangs, .timeout = 120)
{
    try_all(1, (struct scenario){2, {1, 1}, 2, 0, LEADS_HANGS}, react, work_0, work_1,
            see_that_it_hangs);
}
