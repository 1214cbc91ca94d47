/*
 * blocking_jobs.h - pools and jobs for the tests of the blocking pool
 *
 * A job of `hold` occupies its thread until open_gate() lets it go.
 */
#ifndef BLOCKING_JOBS_H
#define BLOCKING_JOBS_H

#include "../helpers.h"

#include <semaphore.h>

static sem_t      gate;      /* jobs that wait there hold a thread until it is posted */
static atomic_int n_running; /* jobs that wait there */

struct count_up {
    atomic_int *n;
};
WEFT_BLOCKING(count_up)
{
    atomic_fetch_add(self->n, 1);
    return 1;
}

struct hold {
    int unused;
};
WEFT_BLOCKING(hold)
{
    (void)self;
    n_running++;
    while (sem_wait(&gate) < 0)
        ;
    n_running--;
    return 7;
}

struct run_count_up {
    WEFT_FRAME;
    struct {
        weft_pool  *pool;
        atomic_int *n;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_count_up)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking_on(&self->job, self->in.pool, count_up, .n = self->in.n));
    WEFT_END(n);
}

struct run_hold {
    WEFT_FRAME;
    struct {
        weft_pool *pool;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_hold)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking_on(&self->job, self->in.pool, hold, .unused = 0));
    WEFT_END(n);
}

static inline weft_handle spawn_hold(weft_runtime *rt, weft_pool *pool)
{
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, run_hold, .pool = pool), 0);
    return h;
}

static inline void open_gate(int n)
{
    while (n-- > 0)
        sem_post(&gate);
}

static inline struct weft_pool_counters count(weft_pool *pool)
{
    struct weft_pool_counters c;

    check_eq(weft_pool_counters(pool, &c), 0);
    return c;
}

static inline weft_pool *pool_of(weft_runtime *rt, weft_pool_config config)
{
    weft_pool *pool;

    sem_init(&gate, 0, 0);
    check_eq(weft_pool_open(rt, &config, &pool), 0);
    return pool;
}

static inline void close_pool(weft_pool *pool)
{
    check_eq(weft_pool_close(pool, WEFT_S(20)), 0);
}

/* n tasks at once, each of which awaits a short job. */
static inline void run_short_jobs(weft_runtime *rt, weft_pool *pool, int64_t n)
{
    weft_handle *h = calloc((size_t)n, sizeof *h);
    atomic_int   sum = 0;

    for (int64_t i = 0; i < n; i++)
        check_eq(weft_spawn_on(rt, &h[i], run_count_up, .pool = pool, .n = &sum), 0);
    for (int64_t i = 0; i < n; i++)
        check_eq(join(rt, &h[i]), 1);
    check_eq(sum, n);
    free(h);
}

#endif
