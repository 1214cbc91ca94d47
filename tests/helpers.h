/*
 * helpers.h - futures, executors and runtimes that several test files need
 *
 * Public interface only: the tests of every folder include it.
 */
#ifndef HELPERS_H
#define HELPERS_H

#include "memory_hooks.h"
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

/* ---- futures ---- */

/* The classic: PENDING `max` times, waking itself, then READY with the count. */
struct counter {
    weft_future future;
    int         count, max;
};

static inline weft_poll counter_poll(weft_future *future, weft_context *cx)
{
    struct counter *self = weft_container(future, struct counter, future);

    if (self->count == self->max)
        return weft_ready(future, self->count);
    self->count++;
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static inline weft_future *counter(struct counter *self, int max)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "counter",
                                        .poll = counter_poll};

    weft_future_init(&self->future, &ops);
    self->count = 0;
    self->max = max;
    return &self->future;
}

/* Ends when event_set() says so; single-threaded. It counts what is asked of it. */
struct event {
    weft_future future;
    weft_waker  waker;   /* a clone while it is pending */
    bool        set;     /* READY with `value` at the next poll */
    bool        lingers; /* a cancel alone does not end it: it drains until set */
    int64_t     value;
    int64_t     when_cancelled; /* its answer to a cancel */
    int         n_polls, n_cancels;
};

static inline void event_forget(struct event *self)
{
    if (self->waker.vtable)
        weft_waker_drop(self->waker);
    self->waker.vtable = NULL;
}

static inline weft_poll event_poll(weft_future *future, weft_context *cx)
{
    struct event *self = weft_container(future, struct event, future);
    bool          cancelled = weft_future_is_cancelled(future);

    self->n_polls++;
    event_forget(self);
    if (self->set)
        return weft_ready(future, cancelled ? self->when_cancelled : self->value);
    if (cancelled && !self->lingers)
        return weft_ready(future, self->when_cancelled);
    self->waker = weft_waker_clone(weft_context_waker(cx));
    return WEFT_PENDING;
}

static inline void event_cancel(weft_future *future)
{
    weft_container(future, struct event, future)->n_cancels++;
}

static inline weft_future *event(struct event *self)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_DRAINS,
                                        .name = "event",
                                        .poll = event_poll,
                                        .cancel = event_cancel};

    *self = (struct event){.when_cancelled = -ECANCELED};
    weft_future_init(&self->future, &ops);
    return &self->future;
}

static inline void event_set(struct event *self, int64_t value)
{
    weft_waker waker = self->waker;

    self->set = true;
    self->value = value;
    self->waker.vtable = NULL;
    if (waker.vtable)
        weft_waker_wake(waker);
}

/* READY with `value` at its first poll; takes nothing from the budget. */
static inline weft_future *at_once(struct event *self, int64_t value)
{
    event(self);
    self->set = true;
    self->value = value;
    return &self->future;
}

/* Passes polls and cancels on to another future and counts the polls. */
struct watched {
    weft_future  future;
    weft_future *inner;
    int          n_polls;
};

static inline weft_poll watched_poll(weft_future *future, weft_context *cx)
{
    struct watched *self = weft_container(future, struct watched, future);

    self->n_polls++;
    if (weft_future_is_cancelled(future) && weft_poll_is_ready(weft_future_cancel(self->inner)))
        return weft_ready(future, self->inner->result);
    if (!weft_poll_is_ready(weft_future_poll_inner(self->inner, cx)))
        return WEFT_PENDING;
    return weft_ready(future, self->inner->result);
}

static inline void watched_cancel(weft_future *future)
{
    (void)future;
}

static inline weft_future *watched(struct watched *self, weft_future *inner)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_DRAINS,
                                        .name = "watched",
                                        .poll = watched_poll,
                                        .cancel = watched_cancel};

    weft_future_init(&self->future, &ops);
    self->inner = inner;
    self->n_polls = 0;
    return &self->future;
}

/* The state of a combinator that is chosen at run time. */
union any_group {
    weft_future          future;
    struct weft_select   select;
    struct weft_join_all join_all;
    struct weft_try_join try_join;
};

/* ---- an executor of our own: it counts wakes and the wakers that are out ---- */

struct hand {
    weft_context  cx; /* of the last poll */
    weft_waker    waker;
    weft_runtime *rt;
    int           n_wakes, n_wakers, n_polls;
    bool          woken;
};

static inline weft_waker hand_clone(void *data)
{
    struct hand *hand = data;

    __atomic_fetch_add(&hand->n_wakers, 1, __ATOMIC_ACQ_REL);
    return hand->waker;
}

static inline void hand_drop(void *data)
{
    __atomic_fetch_sub(&((struct hand *)data)->n_wakers, 1, __ATOMIC_ACQ_REL);
}

static inline void hand_wake_by_ref(void *data)
{
    struct hand *hand = data;

    __atomic_fetch_add(&hand->n_wakes, 1, __ATOMIC_ACQ_REL);
    __atomic_store_n(&hand->woken, true, __ATOMIC_RELEASE);
}

static inline void hand_wake(void *data)
{
    hand_wake_by_ref(data);
    hand_drop(data);
}

static inline void hand_init(struct hand *hand, weft_runtime *rt)
{
    static const weft_waker_vtable vtable = {hand_clone, hand_wake, hand_wake_by_ref, hand_drop,
                                             NULL};

    *hand = (struct hand){.waker = {&vtable, hand}, .rt = rt};
}

/* One poll with so much budget; true: READY. */
static inline bool hand_poll_budget(struct hand *hand, weft_future *future, uint32_t budget)
{
    __atomic_store_n(&hand->woken, false, __ATOMIC_RELEASE);
    hand->n_polls++;
    weft_context_init(&hand->cx, &hand->waker, hand->rt);
    hand->cx.budget = budget;
    return weft_poll_is_ready(weft_future_poll(future, &hand->cx));
}

static inline bool hand_poll(struct hand *hand, weft_future *future)
{
    return hand_poll_budget(hand, future, WEFT_BUDGET_DEFAULT);
}

/* Polls whenever it was woken, until READY. Nobody else may be needed to wake it. */
static inline int64_t hand_run(struct hand *hand, weft_future *future)
{
    while (!hand_poll(hand, future))
        check(__atomic_load_n(&hand->woken, __ATOMIC_ACQUIRE));
    return weft_future_result(future);
}

/* Cancels and polls until READY, as every owner must. */
static inline int64_t hand_cancel(struct hand *hand, weft_future *future)
{
    if (!weft_poll_is_ready(weft_future_cancel(future)))
        hand_run(hand, future);
    return weft_future_result(future);
}

/* ---- runtimes ---- */

static inline weft_runtime *start_with(const weft_config *config)
{
    weft_runtime *rt = NULL;

    check_eq(weft_runtime_start(config, &rt), 0);
    return rt;
}

static inline weft_runtime *start(int64_t workers)
{
    return start_with(&(weft_config){.workers = workers});
}

static inline void stop(weft_runtime *rt)
{
    check_eq(weft_runtime_stop(rt, WEFT_S(30)), 0);
}

/* Waits until the handle's task has ended, and answers its result. */
static inline int64_t join(weft_runtime *rt, weft_handle *handle)
{
    return weft_block_on(rt, weft_join(handle));
}

/* ---- flags that threads and tasks wait for ---- */

static inline int64_t get(const int64_t *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline int64_t add(int64_t *flag, int64_t n)
{
    return __atomic_add_fetch(flag, n, __ATOMIC_ACQ_REL);
}

/* Until *flag >= value; in a task it keeps the worker. */
static inline void spin_until(const int64_t *flag, int64_t value)
{
    while (get(flag) < value)
        sched_yield();
}

static inline pthread_t thread(void *(*body)(void *), void *arg)
{
    pthread_t t;

    check_eq(pthread_create(&t, NULL, body, arg), 0);
    return t;
}

/* ---- the log ---- */

/* All lines, each ended by a newline. */
struct lines {
    pthread_mutex_t mutex;
    size_t          n;
    char            text[16384];
};

static inline void lines_add(void *arg, weft_log_level level, const char *line)
{
    struct lines *l = arg;

    (void)level;
    pthread_mutex_lock(&l->mutex);
    l->n += (size_t)snprintf(l->text + l->n, sizeof l->text - l->n, "%s\n", line);
    if (l->n >= sizeof l->text)
        l->n = sizeof l->text - 1;
    pthread_mutex_unlock(&l->mutex);
}

static inline void lines_init(struct lines *l)
{
    pthread_mutex_init(&l->mutex, NULL);
    l->n = 0;
    l->text[0] = '\0';
}

#endif
