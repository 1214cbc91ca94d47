/*
 * reactor.c - the thread that waits in the kernel and wakes tasks
 *
 * Purpose     See reactor.h.
 * Threads     See reactor.h.
 * Invariants  See reactor.h.
 * Ordering    See reactor.h.
 * Failure     See reactor.h.
 */
#include "reactor.h"

#include "dispatch.h"
#include "executor.h"
#include "operation.h"
#include "socket.h"
#include "task.h"
#include "timer.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define HELD_PATIENCE WEFT_MS(50) /* of a clock that jumps, with what the kernel holds */
#define DRAIN_ROUNDS  8 /* looks at a growing completion queue before what it brought is published */
#define KICKS         1000 /* a millisecond apart, before waking the reactor is given up */

/* Until the write goes through or the reactor has come by itself. Tasks would hang without a word if it
 * did not: better to end here. */
static void rouse(wf_reactor *r)
{
    uint64_t one = 1;

    for (int n = 0; write(r->wake_fd, &one, sizeof one) < 0; n++) {
        if (!wf_load(&r->driver.kicked, RELAXED)) /* advice */
            return;
        if (n >= KICKS)
            weft_misuse_("weft", "somebody has closed a file descriptor of weft's",
                         strerror(errno));
        if (errno != EINTR)
            nanosleep(&(struct timespec){.tv_nsec = WEFT_MS(1)}, NULL);
    }
}

static void unpark(wf_driver *driver)
{
    if (wf_swap(&driver->kicked, 1, SEQ_CST)) /* [driver-1] */
        return;
    if (wf_driver_open(driver)) /* it was at the gate, not in the kernel */
        return;
    rouse((wf_reactor *)driver);
}

void wf_reactor_submit_any(wf_reactor *r, wf_submission *s)
{
    wf_inbox_push_any(&r->inbox, s);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
}

/* Each event completes this poll once more; nobody needs to read the wake descriptor. */
static void watch(wf_reactor *r, int fd, unsigned tag)
{
    struct io_uring_sqe *sqe = wf_ring_sqe(&r->ring);

    io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    sqe->user_data = wf_reactor_tag(NULL, tag);
}

static void watch_again(wf_reactor *r, const struct io_uring_cqe *cqe, int fd)
{
    if (cqe->res < 0 && cqe->res != -ENOMEM)
        wf_ring_break(&r->ring, -EIO);
    else if (!(cqe->flags & IORING_CQE_F_MORE))
        watch(r, fd, cqe->user_data & WF_TAG_MASK);
}

static void take_ready(wf_reactor *r)
{
    int n = wf_readiness_take(&r->readiness, &r->wakes);

    if (n < 0)
        weft_misuse_("weft", "somebody has closed a file descriptor of weft's", strerror(-n));
    wf_count(&r->counts.completions, (uint64_t)n);
}

/* Whoever is at the gate watches, or the monitor does for it. */
static void hand_over_watched(wf_reactor *r, wf_wakes *wakes)
{
    wf_dispatch_hand_over(r->rt->executor, wakes);
    wf_store(&r->driver.watching, true, SEQ_CST); /* [driver-3] */
    if (wf_load(&r->driver.gate, SEQ_CST) == 0) /* [driver-3] it may have looked whether to watch */
        wf_store(&r->driver.watching, false, SEQ_CST);
}

/* While the reactor is at the gate, a worker takes what it needs. What the ring has is for the reactor to collect. */
static bool look_for_worker(wf_driver *driver)
{
    wf_reactor *r = (wf_reactor *)driver;
    wf_wakes    wakes = {0};
    int         n;

    if (wf_load(&r->looking, RELAXED) /* advice */ ||
        wf_swap(&r->looking, 1, ACQUIRE)) /* [reactor-4] */
        return false;
    n = wf_readiness_take(&r->readiness, &wakes);
    wf_count(&r->n_looks, 1);
    wf_count(&r->n_found, n > 0 ? (uint64_t)n : 0);
    wf_store(&r->looking, 0, RELEASE); /* [reactor-4] */
    if (wakes.first)
        hand_over_watched(r, &wakes);
    if (wf_load(&r->n_asked, RELAXED) > 0) /* advice: the next look sees it */
        wf_driver_open(driver);
    return n > 0;
}

static void *object_of(uint64_t user_data)
{
    return (void *)(uintptr_t)(user_data & ~(uint64_t)WF_TAG_MASK);
}

static void complete_one(wf_reactor *r, const struct io_uring_cqe *cqe)
{
    void            *object = object_of(cqe->user_data);
    wf_reactor_token token = {r};
    bool             lost = r->ring.error < 0 && cqe->res == -ECANCELED; /* nobody had asked */
    int32_t          result = lost ? r->ring.error : cqe->res;

    switch (cqe->user_data & WF_TAG_MASK) {
    case WF_TAG_IO:
        wf_count(&r->counts.completions, 1);
        wf_io_completed(token, object, result, cqe->flags);
        break;
    case WF_TAG_READY:
        take_ready(r);
        watch_again(r, cqe, r->readiness.fd);
        break;
    case WF_TAG_WAKE:
        wf_count(&r->counts.kicks, 1);
        watch_again(r, cqe, r->wake_fd);
        break;
    case WF_TAG_NOTHING:
        break;
    }
    wf_wakes_flush_foreign(&r->wakes);
}

static unsigned collect(wf_reactor *r)
{
    struct io_uring_cqe *cqe;
    unsigned             head, n = 0;

    if (!r->ring.is_open)
        return 0;
    io_uring_for_each_cqe(&r->ring.uring, head, cqe)
    {
        complete_one(r, cqe);
        n++;
    }
    io_uring_cq_advance(&r->ring.uring, n);
    return n;
}

/* Of 1, 2 and 3, 4 to 7, ... */
static unsigned bucket(uint32_t n)
{
    unsigned i = 31u - (unsigned)__builtin_clz(n);

    return i < WEFT_BATCH_BUCKETS ? i : WEFT_BATCH_BUCKETS - 1;
}

/* Hands all woken tasks over at once. Wakes a worker if none is awake and making progress, or if there
 * is enough to do for one more: waking costs more than a few polls. */
static void hand_over(wf_reactor *r)
{
    wf_executor *e = r->rt->executor;
    uint32_t     n = r->wakes.first ? wf_dispatch_hand_over(e, &r->wakes) : 0;
    bool         idle, batch;

    if (n == 0)
        return;
    wf_count(&r->counts.batches[bucket(n)], 1);
    idle = wf_gate_present(&r->gate) == 0; /* [idle-1] after the tasks have been queued */
    batch = wf_dispatch_backlog(e) > 1;
    if (!idle)
        wf_gate_praise(&r->gate);
    r->may_gate = (batch || !idle) && wf_gate_is_worthwhile(&r->gate);
    if (batch || !idle)
        wf_store(&r->driver.watching, true, SEQ_CST); /* [driver-3] */
    if ((idle || wf_dispatch_wants_help(e)) && wf_dispatch_notify_any(e))
        wf_count(&r->counts.wakes, 1);
    else
        wf_count(&r->counts.wakes_saved, 1);
}

/* Collects while the queue still grows. */
static void drain(wf_reactor *r)
{
    unsigned n = collect(r);

    for (int round = 0; n > 0 && round < DRAIN_ROUNDS && wf_ring_run_deferred(&r->ring); round++)
        n = collect(r);
    hand_over(r);
}

static void take_inbox(wf_reactor *r)
{
    wf_submission *s, *next;

    wf_store(&r->driver.kicked, 0, SEQ_CST); /* [driver-1] before the inbox is taken */
    for (s = wf_inbox_take(&r->inbox); s; s = next) {
        next = s->next; /* take may hand it back to its owner */
        s->take(r, s);
        wf_wakes_flush_foreign(&r->wakes);
    }
    wf_wakes_flush(&r->wakes);
}

/* Announces the sleep, then looks once more. */
static int64_t sleep_until(wf_reactor *r)
{
    wf_timers *timers = r->rt->timers;
    int64_t    until = wf_timers_next(timers);

    wf_store(&r->driver.sleeps_until, until, SEQ_CST); /* [driver-1] */
    if (!wf_inbox_is_empty(&r->inbox) || wf_timers_next(timers) < until ||
        (wf_load(&r->stopping, SEQ_CST) && r->n_held == 0)) /* [reactor-1] */
        return WF_DRIVER_AWAKE;
    return until;
}

/* Watches while work waits. */
static bool keep_watching(wf_reactor *r)
{
    while (wf_load(&r->driver.watching, SEQ_CST)) { /* [driver-3] */
        if (wf_dispatch_backlog(r->rt->executor) > 0)
            return true;
        wf_store(&r->driver.watching, false, SEQ_CST); /* [driver-3] */
        if (wf_dispatch_backlog(r->rt->executor) == 0)
            return false;
        wf_store(&r->driver.watching, true, SEQ_CST); /* [driver-3] */
    }
    return false;
}

static bool wait_at_gate(wf_reactor *r, int64_t until)
{
    bool waited;

    r->may_gate = false;
    wf_ring_flush(&r->ring);
    waited = wf_gate_wait(&r->gate, &r->driver, until);
    if (wf_ring_has_more(&r->ring))
        wf_gate_praise(&r->gate);
    else if (waited)
        wf_gate_blame(&r->gate);
    if (waited)
        wf_store(&r->driver.sleeps_until, WF_DRIVER_AWAKE, RELAXED); /* as in turn */
    return waited;
}

/* Nobody has anything to do; *ret_progress tells whether that was so all the time between two calls. */
static bool is_quiet(wf_reactor *r, uint64_t *ret_progress)
{
    *ret_progress = r->counts.completions + wf_executor_progress(r->rt->executor);
    return wf_inbox_is_empty(&r->inbox) && wf_clock_is_quiet(&r->rt->timers->clock, r->rt) &&
           wf_executor_is_quiet(r->rt->executor);
}

/* What the kernel holds for long waits for somebody outside. */
static bool kernel_is_busy(wf_reactor *r)
{
    int64_t now = wf_now();

    if (r->n_begun != r->begun_seen) {
        r->begun_seen = r->n_begun;
        r->begun_at = now;
    }
    return r->n_held > 0 && now - r->begun_at < HELD_PATIENCE;
}

/* A test's clock goes to the next timer if all is quiet, and was while we looked for completions. */
static void jump(wf_reactor *r)
{
    uint64_t before, after;

    if (kernel_is_busy(r) || !is_quiet(r, &before))
        return;
    wf_ring_enter(&r->ring, WF_DRIVER_AWAKE);
    drain(r);
    if (is_quiet(r, &after) && before == after)
        wf_timers_jump(r->rt->timers);
}

/* ---- when the ring has been lost ---- */

static void forget_unseen(wf_reactor *r)
{
    uint64_t data;

    for (uint32_t nth = 0; (data = wf_ring_unseen(&r->ring, nth)) != 0; nth++) {
        if ((data & WF_TAG_MASK) == WF_TAG_IO)
            wf_io_unseen((wf_reactor_token){r}, object_of(data));
        wf_wakes_flush_foreign(&r->wakes);
    }
}

/* Takes what the kernel has answered, then fails the rest: each time, for what has come meanwhile. */
static void fail_held(wf_reactor *r)
{
    struct io_uring_cqe cqe = {.res = r->ring.error};

    collect(r);
    if (r->ring.is_open)
        forget_unseen(r);
    wf_ring_close(&r->ring);
    for (uint32_t i = 0; i < r->held.n_used; i++)
        if ((cqe.user_data = wf_held_at(&r->held, i)) != 0)
            complete_one(r, &cqe);
    hand_over(r);
}

/* Sockets and timers go on. */
static void wait_without_ring(wf_reactor *r, int64_t until)
{
    uint64_t kicks;

    wf_readiness_wait(&r->readiness, r->wake_fd, until);
    (void)!read(r->wake_fd, &kicks, sizeof kicks); /* -EAGAIN: none */
    take_ready(r);
}

/* ---- a turn ---- */

/* Woken by a sender on the same CPU, we would interrupt it, and have its messages one by one. As SCHED_BATCH
 * we run once it pauses, and have them together. Not while there are long polls: we would wait for their
 * end. A wish. */
static void be_patient(wf_reactor *r)
{
    bool patient = r->may_be_patient && wf_executor_is_calm(r->rt->executor, wf_now());

    if (patient == r->patient)
        return;
    r->patient = patient;
    sched_setscheduler(0, patient ? SCHED_BATCH : SCHED_OTHER, &(struct sched_param){0});
}

static void turn(wf_reactor *r)
{
    int64_t until;
    bool    watching;

    take_inbox(r);
    be_patient(r);
    if (r->ring.error < 0)
        fail_held(r);
    else if (wf_clock_jumps(&r->rt->timers->clock))
        jump(r);
    if (wf_timers_next(r->rt->timers) != WEFT_FOREVER)
        wf_timers_fire(r->rt->timers, wf_now());
    until = sleep_until(r);
    if (r->may_gate && until != WF_DRIVER_AWAKE && wait_at_gate(r, until))
        return;
    watching = keep_watching(r);
    if (watching && until != WF_DRIVER_AWAKE)
        until = wf_gate_next_tick(&r->gate, until);
    if (r->ring.error < 0)
        wait_without_ring(r, until);
    else
        wf_ring_enter(&r->ring, until);
    wf_store(&r->driver.sleeps_until, WF_DRIVER_AWAKE,
             RELAXED); /* early or late: a kick too many */
    wf_count(&r->counts.enters, 1);
    if (watching)
        wf_gate_tick(&r->gate, wf_now());
    drain(r);
}

static bool may_end(wf_reactor *r)
{
    return wf_load(&r->stopping, SEQ_CST) /* [reactor-1] */ && r->n_held == 0 &&
           wf_inbox_is_empty(&r->inbox);
}

static void *reactor_main(void *arg)
{
    wf_reactor *r = arg;
    int         result;

    wf_current_thread = (wf_current){.rt = r->rt, .owned = true};
    wf_executor_name_thread("reactor");
    result = wf_ring_open(&r->ring, &r->rt->config); /* on this thread: it is the single issuer */
    r->start_result = result;
    wf_store(&r->started, 1, RELEASE); /* [reactor-2] */
    wf_futex_wake(&r->started, 1);
    if (result < 0)
        return NULL;
    /* Not if the host has chosen a policy for its threads. */
    r->may_be_patient = r->rt->config.patient_reactor && sched_getscheduler(0) == SCHED_OTHER;
    watch(r, r->wake_fd, WF_TAG_WAKE);
    watch(r, r->readiness.fd, WF_TAG_READY);
    while (!may_end(r))
        turn(r);
    wf_ring_close(&r->ring);
    wf_held_free(&r->held, &r->rt->config.allocator);
    return NULL;
}

static int start_thread(wf_reactor *r)
{
    int result = wf_executor_thread(&r->thread, reactor_main, r);

    if (result < 0) {
        wf_log(&r->rt->config, WEFT_LOG_ERROR, "start: can't create the reactor's thread: %s",
               strerror(-result));
        return result;
    }
    while (!wf_load(&r->started, ACQUIRE)) /* [reactor-2] */
        wf_futex_wait(&r->started, 0, INT64_MAX);
    if (r->start_result < 0)
        pthread_join(r->thread, NULL);
    return r->start_result;
}

static int open_descriptors(wf_reactor *r)
{
    int result = wf_readiness_open(&r->readiness, &r->rt->config);

    if (result < 0)
        return result;
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->wake_fd >= 0)
        return 0;
    result = -errno;
    wf_log(&r->rt->config, WEFT_LOG_ERROR, "start: eventfd: %s; raise RLIMIT_NOFILE (ulimit -n)",
           strerror(-result));
    return result;
}

static void reactor_free(wf_reactor *r)
{
    wf_readiness_close(&r->readiness);
    if (r->wake_fd >= 0)
        close(r->wake_fd);
    r->rt->driver = NULL;
    r->rt->reactor = NULL;
    wf_release_aligned(&r->rt->config.allocator, r, sizeof *r);
}

int wf_reactor_start(weft_runtime *rt)
{
    wf_reactor *r = wf_alloc_aligned(&rt->config.allocator, sizeof *r);
    int         result;

    if (!r)
        return -ENOMEM;
    memset(r, 0, sizeof *r);
    r->rt = rt;
    r->driver =
        (wf_driver){.unpark = unpark, .look = look_for_worker, .sleeps_until = WF_DRIVER_AWAKE};
    r->gate.executor = rt->executor;
    rt->driver = &r->driver;
    rt->reactor = r;
    r->readiness.fd = r->wake_fd = -1;
    result = open_descriptors(r);
    if (result == 0)
        result = start_thread(r);
    if (result < 0)
        reactor_free(r);
    return result;
}

bool wf_reactor_wait_unused(weft_runtime *rt, int64_t until)
{
    wf_reactor *r = rt->reactor;
    uint32_t    n;

    while ((n = wf_load(&r->n_asked, ACQUIRE)) > 0) {    /* [reactor-3] */
        int64_t now = wf_now(), next = now + WEFT_MS(1); /* nobody wakes us: it is rare */

        if (now >= until) {
            wf_log(&rt->config, WEFT_LOG_WARNING,
                   "stop: operations of other executors are under way: %u; cancel them, and poll "
                   "them to their end",
                   n);
            return false;
        }
        wf_futex_wait(&r->n_asked, n, next < until ? next : until);
    }
    return true;
}

void wf_reactor_stop(weft_runtime *rt)
{
    wf_reactor *r = rt->reactor;
    uint64_t    open;

    wf_store(&r->stopping, true, SEQ_CST); /* [reactor-1] */
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
    pthread_join(r->thread, NULL);
    open = wf_load(&r->n_sockets, RELAXED); /* the thread that counted has been joined */
    if (open > 0)
        wf_log(&rt->config, WEFT_LOG_WARNING,
               "stop: %llu streams or listeners have not been closed; closing them",
               (unsigned long long)open);
    wf_socket_pool_stop(r);
    reactor_free(r);
}

void wf_reactor_count(const weft_runtime *rt, weft_counters *ret)
{
    const wf_reactor *r = rt->reactor;
    const wf_gate    *g = &r->gate;

    ret->reactor_enters = wf_load(&r->counts.enters, RELAXED); /* counters, all of them */
    ret->reactor_wakes = wf_load(&r->counts.kicks, RELAXED);
    ret->completions = wf_load(&r->counts.completions, RELAXED);
    for (unsigned i = 0; i < WEFT_BATCH_BUCKETS; i++)
        ret->batches[i] = wf_load(&r->counts.batches[i], RELAXED);
    ret->worker_wakes = wf_load(&r->counts.wakes, RELAXED);
    ret->worker_wakes_saved = wf_load(&r->counts.wakes_saved, RELAXED);
    ret->gates = wf_load(&g->n_gates, RELAXED);
    ret->gates_dry = wf_load(&g->n_dry, RELAXED);
    ret->gates_called = wf_load(&g->n_called, RELAXED);
    ret->gates_timer = wf_load(&g->n_timer, RELAXED);
    ret->gates_expired = wf_load(&g->n_expired, RELAXED);
    ret->worker_looks = wf_load(&r->n_looks, RELAXED);
    ret->worker_found = wf_load(&r->n_found, RELAXED);
    ret->streams_open = wf_load(&r->n_sockets, RELAXED);
}
