/*
 * sched_tasks.c - what a million pending tasks cost
 *
 * Purpose     A million tasks wait for the same thing, then end together. Time is from the first
 *             spawn to the last end; memory is the process's when all wait, and when all have
 *             ended.
 * Threads     Any worker. What they wait for is `struct gate`, the bench's own: whatever else can
 *             be waited for takes its place by changing gate_wait() and gate_open().
 * Invariants  G1 A wait is in the gate's list while it is PENDING and the gate is closed, and
 *             only then.
 *             G2 The list and the waits in it are touched with the gate's lock held.
 * Ordering    The lock orders everything.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

#include <pthread.h>

enum { TASKS = 1000000, BATCH = 32 };

/* ---- the gate: closed, then open for good ---- */

struct gate {
    pthread_mutex_t   lock;
    bool              open;
    struct gate_wait *first;
};

struct gate_wait {
    weft_future        future;
    struct gate       *gate;
    weft_waker         waker;
    struct gate_wait  *next;
    struct gate_wait **link; /* what points at this one; NULL: not in the list */
};

static void gate_unlink(struct gate_wait *wait)
{
    *wait->link = wait->next;
    if (wait->next)
        wait->next->link = wait->link;
    wait->link = NULL;
}

static void gate_link(struct gate_wait *wait, const weft_waker *waker)
{
    struct gate *gate = wait->gate;

    wait->waker = weft_waker_clone(waker);
    wait->next = gate->first;
    wait->link = &gate->first;
    if (wait->next)
        wait->next->link = &wait->next;
    gate->first = wait;
}

/* Replaces the waker if it was waiting already. */
static weft_poll gate_poll(weft_future *future, weft_context *cx)
{
    struct gate_wait *wait = weft_container(future, struct gate_wait, future);
    struct gate      *gate = wait->gate;
    bool              cancelled = weft_future_is_cancelled(future), was_linked, done;

    pthread_mutex_lock(&gate->lock);
    was_linked = wait->link != NULL;
    if (was_linked) {
        gate_unlink(wait);
        weft_waker_drop(wait->waker);
    }
    done = gate->open || cancelled;
    if (!done)
        gate_link(wait, weft_context_waker(cx));
    pthread_mutex_unlock(&gate->lock);
    if (!done)
        return WEFT_PENDING;
    return weft_ready(future, cancelled ? -ECANCELED : 0);
}

static void gate_cancel(weft_future *future)
{
    (void)future; /* the poll that follows sees it */
}

static const weft_future_ops gate_ops = {sizeof(struct gate_wait), WEFT_FUTURE_WITHDRAWS, "gate",
                                         gate_poll, gate_cancel};

static weft_future *gate_wait(struct gate_wait *wait, struct gate *gate)
{
    wait->gate = gate;
    wait->link = NULL;
    weft_future_init(&wait->future, &gate_ops);
    return &wait->future;
}

/* Wakes a batch at a time, without the lock, because the woken tasks take it. */
static void gate_open(struct gate *gate)
{
    struct gate_wait *wait;
    weft_waker        woken[BATCH];
    int               n;

    do {
        pthread_mutex_lock(&gate->lock);
        gate->open = true;
        for (n = 0; n < BATCH && (wait = gate->first); n++) {
            gate_unlink(wait);
            woken[n] = wait->waker;
        }
        pthread_mutex_unlock(&gate->lock);
        for (int k = 0; k < n; k++)
            weft_waker_wake(woken[k]);
    } while (n == BATCH);
}

/* ---- the tasks ---- */

struct crowd {
    struct gate      gate;
    struct countdown waiting, ended;
};

struct waiting {
    WEFT_FRAME;
    struct {
        struct crowd *crowd;
    } in;
    struct gate_wait wait;
};

WEFT_ASYNC(waiting)
{
    int64_t n;

    WEFT_BEGIN();
    countdown_down(&self->in.crowd->waiting);
    WEFT_AWAIT(n, gate_wait(&self->wait, &self->in.crowd->gate));
    must(n);
    countdown_down(&self->in.crowd->ended);
    WEFT_END(0);
}

struct tasks_1m {
    WEFT_FRAME;
    struct {
        struct bench_run *run;
    } in;
    struct crowd      crowd;
    struct weft_sleep nap;
};

WEFT_ASYNC(tasks_1m)
{
    struct bench_run *run = self->in.run;
    struct crowd     *crowd = &self->crowd;
    int64_t           n;

    WEFT_BEGIN();
    crowd->gate = (struct gate){.lock = PTHREAD_MUTEX_INITIALIZER};
    countdown_begin(&crowd->waiting, bench_scaled(run, TASKS));
    countdown_begin(&crowd->ended, bench_scaled(run, TASKS));
    for (n = crowd->ended.n; n > 0; n--)
        must(weft_spawn(NULL, waiting, .crowd = crowd));
    WEFT_AWAIT(n, countdown_wait(&crowd->waiting));
    must(n);
    countdown_end(&crowd->waiting);
    run->rss_kb = bench_rss_kb();
    gate_open(&crowd->gate);
    WEFT_AWAIT(n, countdown_wait(&crowd->ended));
    run->ops = countdown_end(&crowd->ended);
    run->ns = weft_now() - run->begin; /* memory goes back when workers go to sleep: */
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(100)));
    must(n);
    run->rss_after_kb = bench_rss_kb();
    WEFT_END(n);
}

BENCH_ASYNC(tasks_1m)

void bench_tasks_1m(struct bench_run *run, int argument)
{
    run_tasks_1m(run, argument);
}
