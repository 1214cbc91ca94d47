/* loop.c - see loop.h */
#include "loop.h"

#include "completion.h"
#include "dispatch.h"
#include "executor.h"
#include "handed.h"
#include "retry_timer.h"
#include "timer.h"

#include <sched.h>
#include <unistd.h>

/* A clock that jumps waits so long for an operation that the kernel has. */
#define HELD_PATIENCE WEFT_MS(50)
/* How often the reactor collects from a growing completion queue before it hands tasks over. */
#define DRAIN_ROUNDS 8

/* The buckets are 1, 2 to 3, 4 to 7, and so on. */
static unsigned bucket(uint32_t n)
{
    unsigned i = 31u - (unsigned)__builtin_clz(n);

    return i < WEFT_BATCH_BUCKETS ? i : WEFT_BATCH_BUCKETS - 1;
}

/* Hands all woken tasks over at once. Wakes a worker if no worker is awake and making progress, or
 * if there is enough work for one more. Otherwise the awake workers take the tasks, since a wake
 * costs more than a few polls. */
static void hand_over(wf_reactor *r)
{
    wf_executor *e = r->rt->executor;
    wf_handed    handed = {0};
    bool         idle, batch, begins;

    if (r->wakes.first)
        handed = wf_handed_queue(e, &r->wakes);
    if (handed.n_free + handed.n_bound == 0)
        return;
    wf_count(&r->counts.batches[bucket(handed.n_free + handed.n_bound)], 1);
    /* [idle-1] The workers are counted after the tasks have been queued. Workers that were just
     * woken for bound tasks were asleep, so they do not count as awake. */
    idle = wf_gate_present(&r->gate) <= handed.n_woken;
    batch = wf_dispatch_backlog(e) + handed.n_bound > 1;
    if (!idle)
        wf_gate_praise(&r->gate);
    begins = wf_sparse_hand_over(&r->sparse, e, idle && !batch);
    r->may_gate = (batch || !idle) && wf_gate_is_worthwhile(&r->gate);
    if (batch || !idle)
        wf_store(&r->driver.watching, true, SEQ_CST); /* [driver-3] */
    if (begins || (handed.n_free > 0 && (idle || wf_load_wants_help(e))))
        handed.n_woken += wf_dispatch_notify_any(e);
    if (handed.n_woken > 0)
        wf_count(&r->counts.wakes, 1);
    else
        wf_count(&r->counts.wakes_saved, 1);
}

/* Collects while the queue still grows, so that one hand-over has the whole batch. */
static void drain(wf_reactor *r)
{
    unsigned n = wf_completion_collect(r);

    for (int round = 0; n > 0 && round < DRAIN_ROUNDS && wf_ring_run_deferred(&r->ring); round++)
        n = wf_completion_collect(r);
    hand_over(r);
}

static void take_inbox(wf_reactor *r)
{
    wf_submission *s, *next;

    /* Before the inbox is taken, so that a later submission notifies the reactor again. */
    wf_driver_begin_turn(&r->driver);
    for (s = wf_inbox_take(&r->inbox); s; s = next) {
        /* Read first, because `take` may give the submission back to its owner. */
        next = s->next;
        s->take(r, s);
        wf_wakes_flush_foreign(&r->wakes);
    }
    wf_wakes_flush(&r->wakes);
}

/* When the reactor has something to do next: a timer, a retry, or a repeated cancel. */
static int64_t next_instant(wf_reactor *r)
{
    int64_t fires = wf_timers_next(r->rt->timers);
    int64_t retry_timers = wf_retry_timers_next(r);
    int64_t next = fires < retry_timers ? fires : retry_timers;

    return r->cancel_again != 0 && r->cancel_again < next ? r->cancel_again : next;
}

/* Announces the sleep, then looks for work once more. Another thread adds work first and then reads
 * the announcement, so one of the two sees the other. Returns when to wake up. */
static int64_t sleep_until(wf_reactor *r)
{
    int64_t until = next_instant(r);

    wf_store(&r->driver.sleeps_until, until, SEQ_CST); /* [driver-1] */
    if (!wf_inbox_is_empty(&r->inbox) || next_instant(r) < until ||
        (wf_load(&r->stopping, SEQ_CST) && wf_reactor_held(r) == 0)) /* [reactor-1] */
        return WF_DRIVER_NO_WAIT;
    return until;
}

/* Whether the reactor has to watch for stuck workers. It ends the watch when no work waits, then
 * looks once more, since a worker may have queued work before it saw the end of the watch. */
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

static void wait_without_ring(wf_reactor *r, int64_t until)
{
    uint64_t kicks;

    wf_poller_wait(&r->poller, r->sparse.armed, r->wake_fd, r->files.waits, until);
    if (read(r->wake_fd, &kicks, sizeof kicks) > 0) /* EAGAIN if there were no kicks */
        wf_count(&r->counts.kicks, 1);
    if (r->sparse.armed)
        wf_completion_take_ready(r);
    wf_files_take_waits(&r->files);
}

/* Waits in the kernel until something has completed, or until that instant. */
static void wait_in_kernel(wf_reactor *r, int64_t until)
{
    if (r->ring.error < 0)
        wait_without_ring(r, until);
    else
        wf_ring_enter(&r->ring, until);
}

/* Waits at the gate. Returns false if there was no worker to wait for. */
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
        /* RELAXED: a thread that sees this late only kicks the reactor once too often. */
        wf_store(&r->driver.sleeps_until, WF_DRIVER_NO_WAIT, RELAXED);
    return waited;
}

/* Whether no thread of the runtime has anything to do. If *ret_progress is the same after two
 * calls, that was so all the time in between. */
static bool is_quiet(wf_reactor *r, uint64_t *ret_progress)
{
    *ret_progress = r->counts.completions + wf_executor_progress(r->rt->executor);
    return wf_inbox_is_empty(&r->inbox) && wf_clock_is_quiet(&r->rt->timers->clock, r->rt) &&
           wf_executor_is_quiet(r->rt->executor);
}

/* Whether the kernel has an operation that may end soon. If none has begun for a while, those that
 * it still has are assumed to wait for the outside world. */
static bool kernel_is_busy(wf_reactor *r)
{
    int64_t now = wf_now();

    if (r->n_begun != r->begun_seen) {
        r->begun_seen = r->n_begun;
        r->begun_at = now;
    }
    return wf_reactor_held(r) > 0 && now - r->begun_at < HELD_PATIENCE;
}

/* Advances a test's clock to the next timer. The runtime must be quiet, and must have been so while
 * the reactor looked for completions. */
static void jump(wf_reactor *r)
{
    uint64_t before, after;

    if (kernel_is_busy(r) || !is_quiet(r, &before))
        return;
    wait_in_kernel(r, WF_DRIVER_NO_WAIT);
    drain(r);
    if (is_quiet(r, &after) && before == after)
        wf_timers_jump(r->rt->timers);
}

/* ---- a turn ---- */

/* As a normal thread the reactor would preempt a sender on its CPU at the first message. As
 * SCHED_BATCH it runs when the sender pauses, and finds the whole batch. While polls are long it
 * stays a normal thread, because it would wait for their end. Best effort. */
static void be_patient(wf_reactor *r)
{
    bool patient = r->may_be_patient && wf_load_no_long_polls(&r->rt->executor->load, wf_now());

    if (patient == r->patient)
        return;
    r->patient = patient;
    wf_thread_set_policy(patient ? SCHED_BATCH : SCHED_OTHER);
}

/* One turn. Everything that can make work comes before sleep_until, which announces the sleep and
 * then only looks at what other threads may have added. */
static void turn(wf_reactor *r)
{
    int64_t until;
    bool    watching;

    take_inbox(r);
    be_patient(r);
    if (r->ring.error < 0) {
        wf_completion_fail_held(r);
        hand_over(r);
    }
    wf_completion_arrange_watch(r);
    if (wf_clock_jumps(&r->rt->timers->clock))
        jump(r);
    if (wf_timers_next(r->rt->timers) != WEFT_FOREVER)
        wf_timers_fire(r->rt->timers, wf_now());
    if (wf_retry_timers_next(r) != WEFT_FOREVER)
        wf_retry_timers_fire(r, wf_now());
    wf_completion_cancel_again(r);
    until = sleep_until(r);
    if (r->may_gate && until != WF_DRIVER_NO_WAIT && wait_at_gate(r, until))
        return;
    watching = keep_watching(r);
    if (watching && until != WF_DRIVER_NO_WAIT)
        until = wf_gate_next_tick(&r->gate, until);
    if (until != WF_DRIVER_NO_WAIT && !wf_driver_enter_kernel(&r->driver))
        until = WF_DRIVER_NO_WAIT;
    wait_in_kernel(r, until);
    /* RELAXED: a thread that sees this late only kicks the reactor once too often. */
    wf_store(&r->driver.sleeps_until, WF_DRIVER_NO_WAIT, RELAXED);
    wf_count(&r->counts.enters, 1);
    if (watching)
        wf_gate_tick(&r->gate, wf_now());
    drain(r);
}

static bool may_end(wf_reactor *r)
{
    return wf_load(&r->stopping, SEQ_CST) /* [reactor-1] */ && wf_reactor_held(r) == 0 &&
           wf_inbox_is_empty(&r->inbox);
}

/* Opens the ring, or what replaces it. Returns 0 or -errno. */
static int open_backend(wf_reactor *r)
{
    const weft_config *config = &r->rt->config;
    int                result = -EOPNOTSUPP;

    if (config->backend != WEFT_BACKEND_EPOLL) {
        result = wf_ring_open(&r->ring, config); /* this thread is the ring's single issuer */
        r->accept_ring.reactors_fd = r->ring.uring.ring_fd;
        if (result == 0 || config->backend == WEFT_BACKEND_URING)
            return result;
    }
    r->ring = (wf_ring){.config = config, .error = result};
    /* Without its lock, since no other thread uses it yet. */
    r->accept_ring.is_refused = true;
    result = wf_files_open_waits(&r->files);
    if (result < 0)
        wf_reactor_lacks_descriptor(r, "epoll_create1", result);
    return result;
}

void *wf_loop_main(void *reactor)
{
    wf_reactor *r = reactor;
    int         result;

    wf_current_thread = (wf_current){.rt = r->rt, .owned = true};
    wf_thread_name("reactor");
    result = open_backend(r);
    r->start_result = result;
    wf_store(&r->started, 1, RELEASE); /* [reactor-2] */
    wf_futex_wake(&r->started, 1);
    if (result < 0)
        return NULL;
    /* If the host has chosen another policy for its threads, the reactor keeps it. */
    r->may_be_patient = r->rt->config.patient_reactor && wf_thread_policy() == SCHED_OTHER;
    wf_completion_watch(r, r->wake_fd, WF_TAG_WAKE);
    while (!may_end(r))
        turn(r);
    wf_ring_close(&r->ring);
    wf_inflight_free(&r->inflight, &r->rt->config.allocator);
    return NULL;
}
