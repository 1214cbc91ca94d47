/*
 * helpers.h - futures, executors, runtimes, waits and logs that several test files need
 *
 * Public interface only: the tests of every folder include it. Sockets are in sockets.h.
 */
#ifndef HELPERS_H
#define HELPERS_H

#include "memory_hooks.h"
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>

/* ---- futures ---- */

/* PENDING `max` times, and it wakes its own task each time; then READY with the count. */
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

/* READY once event_set() was called. For one thread only. It counts its polls and cancels. */
struct event {
    weft_future future;
    weft_waker  waker;   /* a clone while it is pending */
    bool        set;     /* READY with `value` at the next poll */
    bool        lingers; /* a cancel alone does not end it: it drains until set */
    int64_t     value;
    int64_t     when_cancelled; /* the result after a cancel */
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

/* READY with `value` at the first poll, which takes nothing from the budget. */
static inline weft_future *at_once(struct event *self, int64_t value)
{
    event(self);
    self->set = true;
    self->value = value;
    return &self->future;
}

/* Passes polls and cancels on to another future. It counts a poll when the poll is over, so that a
 * thread that sees the count knows what the poll has begun. */
struct watched {
    weft_future  future;
    weft_future *inner;
    atomic_int   n_polls;
};

static inline weft_poll watched_poll(weft_future *future, weft_context *cx)
{
    struct watched *self = weft_container(future, struct watched, future);
    weft_poll       poll;

    poll = weft_future_is_cancelled(future) ? weft_future_cancel(self->inner) : WEFT_PENDING;
    if (!weft_poll_is_ready(poll))
        poll = weft_future_poll_inner(self->inner, cx);
    self->n_polls++;
    return weft_poll_is_ready(poll) ? weft_ready(future, self->inner->result) : WEFT_PENDING;
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

/* Polls once with this budget. Returns whether the future is READY. */
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

/* Polls the future each time it was woken, until it is READY. A future that waits for another
 * thread fails the check. */
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

/* Waits until the handle's task has ended, and returns its result. */
static inline int64_t join(weft_runtime *rt, weft_handle *handle)
{
    return weft_block_on(rt, weft_join(handle));
}

static inline struct weft_runtime_counters counters(weft_runtime *rt)
{
    struct weft_runtime_counters c;

    weft_runtime_counters(rt, &c);
    return c;
}

/* Runs an async function as a task, and returns its result. */
#define RUN(rt, name, ...)                                                                         \
    __extension__({                                                                                \
        weft_handle run_;                                                                          \
        check_eq(weft_spawn_on(rt, &run_, name, __VA_ARGS__), 0);                                  \
        weft_block_on(rt, weft_join(&run_));                                                       \
    })

/* ---- flags that threads and tasks wait for ---- */

static inline int64_t get(const int64_t *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static inline int64_t add(int64_t *flag, int64_t n)
{
    return __atomic_add_fetch(flag, n, __ATOMIC_ACQ_REL);
}

/* Spins until *flag >= value. A task that calls it blocks its worker. */
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

/* ---- waiting for what other threads do ---- */

static inline void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* Waits until the condition holds. The check fails after 20 s. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        int64_t end_ = weft_now() + WEFT_S(20) * test_slow();                                      \
        while (!(condition) && weft_now() < end_)                                                  \
            pause_ms(1);                                                                           \
        check(condition);                                                                          \
    } while (0)

static inline int n_entries(const char *path)
{
    DIR *dir = opendir(path);
    int  n = 0;

    check(dir != NULL);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2; /* . and .. */
}

/* Open descriptors of the process. */
static inline int n_fds(void)
{
    return n_entries("/proc/self/fd") - 1; /* without the descriptor of the directory itself */
}

/* ---- what the threads of runtimes do ---- */

/* All threads whose names have the same beginning. */
struct threads {
    int      n, n_awake;      /* an awake one runs, or waits for a CPU */
    uint64_t cpu_ns, n_turns; /* what they have used, and how often they got a CPU */
};

/* A thread that ends meanwhile is not counted. */
static inline void threads_add(struct threads *threads, const char *id, const char *prefix)
{
    char     path[64], name[32], state = 0;
    uint64_t ns = 0, turns = 0;
    FILE    *f;
    int      n = 0;

    snprintf(path, sizeof path, "/proc/self/task/%.20s/stat", id);
    if ((f = fopen(path, "re"))) {
        n = fscanf(f, "%*d (%31[^)]) %c", name, &state);
        fclose(f);
    }
    if (n != 2 || strncmp(name, prefix, strlen(prefix)) != 0)
        return;
    snprintf(path, sizeof path, "/proc/self/task/%.20s/schedstat", id);
    if ((f = fopen(path, "re"))) {
        n = fscanf(f, "%" SCNu64 " %*u %" SCNu64, &ns, &turns);
        fclose(f);
    }
    threads->n++;
    threads->n_awake += state != 'S';
    threads->cpu_ns += ns;
    threads->n_turns += turns;
}

static inline struct threads threads_named(const char *prefix)
{
    struct threads threads = {0};
    DIR           *dir = opendir("/proc/self/task");
    struct dirent *entry;

    check(dir != NULL);
    while ((entry = readdir(dir)))
        threads_add(&threads, entry->d_name, prefix);
    closedir(dir);
    return threads;
}

/* Waits until none of them has been awake for so long. A thread that sleeps for a lock is asleep
 * too, but then the thread that holds the lock is not. */
static inline struct threads threads_at_rest(const char *prefix, int64_t ms)
{
    struct threads before, now = threads_named(prefix);
    int64_t        end = weft_now() + WEFT_S(20) * test_slow();

    do {
        check_cmp(weft_now(), <, end);
        before = now;
        pause_ms(ms);
        now = threads_named(prefix);
    } while (before.n_awake + now.n_awake > 0 || before.n != now.n ||
             before.n_turns != now.n_turns);
    return now;
}

/* Counts the threads of runtimes, but not those of sanitizers. */
static inline int n_weft_threads(void)
{
    return threads_named("weft-").n;
}

/* ---- pseudo-random numbers: the same at each run ---- */

static inline uint32_t rnd(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* ---- the log ---- */

/* All lines of a log, each ended by a newline: `.log = lines_add, .log_arg = &lines`. */
struct lines {
    pthread_mutex_t mutex;
    int             n;
    size_t          size; /* of the text */
    char            text[16384];
};

#define LINES                                                                                      \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER                                                         \
    }

static inline void lines_add(void *arg, weft_log_level level, const char *line)
{
    struct lines *l = arg;

    (void)level;
    pthread_mutex_lock(&l->mutex);
    l->n++;
    l->size += (size_t)snprintf(l->text + l->size, sizeof l->text - l->size, "%s\n", line);
    if (l->size >= sizeof l->text)
        l->size = sizeof l->text - 1;
    pthread_mutex_unlock(&l->mutex);
}

static inline int lines_count(struct lines *l)
{
    int n;

    pthread_mutex_lock(&l->mutex);
    n = l->n;
    pthread_mutex_unlock(&l->mutex);
    return n;
}

/* Forgets the lines; the log may go on. */
static inline void lines_clear(struct lines *l)
{
    pthread_mutex_lock(&l->mutex);
    l->n = 0;
    l->size = 0;
    l->text[0] = '\0';
    pthread_mutex_unlock(&l->mutex);
}

/* Dumps until the text is there. A dump wakes the tasks, so the next one may not find them idle
 * before they have had a moment for it. */
static inline void lines_dump_until(struct lines *l, weft_runtime *rt, const char *text)
{
    for (;; pause_ms(1)) {
        lines_clear(l);
        weft_runtime_dump(rt);
        if (strstr(l->text, text))
            return;
    }
}

#endif
