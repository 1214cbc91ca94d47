/*
 * crew.h - async functions that tasks and plain threads run alike, and give up waits by chance
 *
 * A storm of a channel has members of both kinds at its ends. A member is an async function. A task
 * of a runtime polls it, or a plain thread does: that is an executor of its own, with a waker that
 * weft does not know. Each member follows its own random numbers. CREW_SEED=7 chooses others.
 */
#ifndef CREW_H
#define CREW_H

#include "../helpers.h"

/* ---- chance ---- */

static inline uint32_t crew_seed(int number)
{
    const char *text = getenv("CREW_SEED");
    uint32_t    seed = text ? (uint32_t)strtoul(text, NULL, 10) : 1;

    return (seed * 64 + (uint32_t)number + 1) * UINT32_C(2654435761) | 1; /* never 0 */
}

static inline bool one_of(uint32_t *random, uint32_t n)
{
    return rnd(random) % n == 0;
}

/* ---- waits that may be given up ---- */

/* READY after some polls, each of which asks for the next. With FOR_EVER it never is, and then the
 * task sleeps: a member that only spun would use up its CPU's time slices. */
struct patience {
    weft_future        future;
    struct weft_select sel;
    int                polls;
};

#define FOR_EVER (-1)

static inline weft_poll patience_poll(weft_future *future, weft_context *cx)
{
    struct patience *self = weft_container(future, struct patience, future);

    if (self->polls == 0)
        return weft_ready(future, 0);
    if (self->polls != FOR_EVER) {
        self->polls--;
        weft_waker_wake_by_ref(weft_context_waker(cx));
    }
    return WEFT_PENDING;
}

/* By chance some polls of patience, or as much as it takes. */
static inline weft_future *patience(struct patience *self, uint32_t *random)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "patience",
                                        .poll = patience_poll};

    weft_future_init(&self->future, &ops);
    self->polls = one_of(random, 2) ? FOR_EVER : (int)(rnd(random) % 4);
    return &self->future;
}

/* Awaits a future, and cancels it when the member's patience has ended. Its own result says what
 * came of it: -ECANCELED, or what could not be undone. */
#define PATIENTLY(future_)                                                                         \
    do {                                                                                           \
        int64_t n_;                                                                                \
        WEFT_AWAIT(n_, weft_select_biased(&self->patience.sel, (future_),                          \
                                          patience(&self->patience, &self->random)));              \
        (void)n_;                                                                                  \
    } while (0)

/* ---- plain threads ---- */

struct parked {
    pthread_mutex_t mutex;
    pthread_cond_t  cond;
    bool            woken;
    weft_waker      waker;
    int             n_wakers; /* clones that are out */
};

static inline weft_waker parked_clone(void *data)
{
    struct parked *p = data;

    __atomic_fetch_add(&p->n_wakers, 1, __ATOMIC_ACQ_REL);
    return p->waker;
}

static inline void parked_drop(void *data)
{
    __atomic_fetch_sub(&((struct parked *)data)->n_wakers, 1, __ATOMIC_ACQ_REL);
}

static inline void parked_wake_by_ref(void *data)
{
    struct parked *p = data;

    pthread_mutex_lock(&p->mutex);
    p->woken = true;
    pthread_cond_signal(&p->cond);
    pthread_mutex_unlock(&p->mutex);
}

static inline void parked_wake(void *data)
{
    parked_wake_by_ref(data);
    parked_drop(data);
}

static inline void park(struct parked *p)
{
    pthread_mutex_lock(&p->mutex);
    while (!p->woken)
        pthread_cond_wait(&p->cond, &p->mutex);
    p->woken = false;
    pthread_mutex_unlock(&p->mutex);
}

/* The main function of a plain thread that runs a future to its end. */
static inline void *run_parked(void *future)
{
    static const weft_waker_vtable vtable = {parked_clone, parked_wake, parked_wake_by_ref,
                                             parked_drop, NULL};
    struct parked p = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, .waker = {&vtable, &p}};
    weft_context  cx;

    for (;;) {
        weft_context_init(&cx, &p.waker, NULL);
        if (weft_poll_is_ready(weft_future_poll(future, &cx)))
            break;
        park(&p);
    }
    /* A thread that has fired the waker may be about to drop it. */
    while (__atomic_load_n(&p.n_wakers, __ATOMIC_ACQUIRE) > 0)
        sched_yield();
    return NULL;
}

/* Starts member `i` of a crew, an async function: the odd ones as tasks of the runtime, the even
 * ones on threads of their own. */
#define CREW_START(rt, i, tasks, threads, frames, ...)                                             \
    do {                                                                                           \
        if ((i) % 2)                                                                               \
            check_eq(weft_spawn_on((rt), &(tasks)[i], __VA_ARGS__), 0);                            \
        else                                                                                       \
            (threads)[i] = thread(run_parked, CREW_ASYNC_(&(frames)[i], __VA_ARGS__));             \
    } while (0)
#define CREW_ASYNC_(frame, name, ...) weft_async(name, frame, __VA_ARGS__)

/* ---- runtimes ---- */

static inline void on_workers(int64_t workers, void (*storm)(weft_runtime *rt))
{
    weft_runtime *rt = start(workers);

    storm(rt);
    stop(rt);
}

static inline void on_current_thread(void (*storm)(weft_runtime *rt))
{
    weft_runtime *rt = start_with(&(weft_config){.current_thread = 1});

    storm(rt);
    stop(rt);
}

#endif
