/*
 * test_blocking_pool.c - a pool of blocking jobs: its queue, pools beside each other, closing,
 * counters
 */
#include "blocking_jobs.h"

/* ---- the queue ---- */

Test(blocking_pool, a_full_queue_refuses)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.threads = 2, .queue_max = 3});
    weft_handle   h[5];
    atomic_int    sum = 0;

    for (int i = 0; i < 5; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 2 && count(pool).queued == 3);
    for (int i = 0; i < 3; i++)
        check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), -EAGAIN);
    weft_cancel(&h[4]); /* makes room */
    check_eq(join(rt, &h[4]), -ECANCELED);
    h[4] = spawn_hold(rt, pool);
    EVENTUALLY(count(pool).queued == 3);
    check_eq(count(pool).rejected, 3);
    check_eq(count(pool).cancelled, 1);
    check_cmp(count(pool).queued_peak, >=, 3);
    open_gate(5);
    for (int i = 0; i < 5; i++)
        check_eq(join(rt, &h[i]), 7);
    check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), 1);
    check_eq(sum, 1);
    close_pool(pool);
    stop(rt);
}

Test(blocking_pool, without_a_queue_only_as_many_as_threads)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.threads = 2, .queue_max = WEFT_OFF});
    weft_handle   h[2];
    atomic_int    sum = 0;

    for (int i = 0; i < 2; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 2);
    check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), -EAGAIN);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &h[i]), 7);
    close_pool(pool);
    stop(rt);
}

/* ---- pools beside each other ---- */

Test(blocking_pool, a_full_pool_holds_up_no_other)
{
    weft_runtime       *rt = start_with(&(weft_config){.workers = 1, .dns_threads = 2});
    weft_pool          *user = pool_of(rt, (weft_pool_config){.name = "files", .threads = 1});
    weft_pool          *dns = weft_pool_dns(rt), *standard = weft_pool_default(rt);
    weft_handle         h[4];
    struct weft_resolve r;
    atomic_int          sum = 0;

    for (int i = 0; i < 4; i++)
        h[i] = spawn_hold(rt, dns);
    EVENTUALLY(n_running == 2 && count(dns).queued == 2);
    run_short_jobs(rt, user, 10);
    run_short_jobs(rt, standard, 10);
    check_eq(n_running, 2);
    check_eq(counters(rt).blocking_jobs, 24);
    check_eq(counters(rt).blocking_done, 20);
    check_eq(counters(rt).blocking_queued, 2);
    open_gate(4);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &h[i]), 7);

    h[0] = spawn_hold(rt, user); /* and the other way round */
    EVENTUALLY(n_running == 1);
    check_eq(weft_block_on(rt, weft_resolve(&r, "127.0.0.1", 1)), 1);
    check_eq(count(dns).done, 5);
    open_gate(1);
    check_eq(join(rt, &h[0]), 7);
    check_eq(sum, 0);
    close_pool(user);
    stop(rt);
}

static int64_t pool_opens(weft_runtime *rt, weft_pool_config config)
{
    weft_pool *pool = NULL;
    int        r = weft_pool_open(rt, &config, &pool);

    check((r == 0) == (pool != NULL));
    if (r == 0)
        close_pool(pool);
    return r;
}

Test(blocking_pool, values_out_of_range_are_refused)
{
    weft_runtime *rt = start(1);

    check_eq(pool_opens(rt, (weft_pool_config){0}), 0);
    check_eq(pool_opens(rt, (weft_pool_config){.name = "a name that is longer than a thread's"}),
             0);
    check_eq(pool_opens(rt, (weft_pool_config){.threads = 10000, .keep_ms = 3600000}), 0);
    check_eq(pool_opens(rt, (weft_pool_config){.queue_max = INT64_MAX}), 0);
    check_eq(pool_opens(rt, (weft_pool_config){.threads = -1}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.threads = 10001}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.keep_ms = -1}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.keep_ms = 3600001}), -EINVAL);
    check_eq(pool_opens(rt, (weft_pool_config){.queue_max = -2}), -EINVAL);
    stop(rt);
}

/* ---- closing ---- */

struct close_here {
    WEFT_FRAME;
    struct {
        weft_pool *pool;
    } in;
};
WEFT_ASYNC(close_here)
{
    WEFT_BEGIN();
    WEFT_END(weft_pool_close(self->in.pool, 0));
}

static void *open_gate_soon(void *arg)
{
    (void)arg;
    pause_ms(20);
    open_gate(3);
    return NULL;
}

Test(blocking_pool, closing_waits_for_jobs_and_names_them)
{
    struct lines  log = LINES;
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &log});
    weft_pool    *pool =
        pool_of(rt, (weft_pool_config){.name = "files", .threads = 1, .keep_ms = 3600000});
    weft_handle h[3];
    atomic_int  sum = 0;
    pthread_t   opener;

    for (int i = 0; i < 3; i++)
        h[i] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 1 && count(pool).queued == 2);
    check_eq(RUN(rt, close_here, .pool = pool), -EDEADLK);
    check_eq(weft_pool_close(pool, WEFT_MS(20)), -ETIMEDOUT);
    check_str_contains(log.text, "blocking job hold (");
    check_eq(RUN(rt, run_count_up, .pool = pool, .n = &sum), -ESHUTDOWN);
    check_eq(pthread_create(&opener, NULL, open_gate_soon, NULL), 0);
    close_pool(pool); /* the queued jobs run first */
    pthread_join(opener, NULL);
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &h[i]), 7);
    check_eq(sum, 0);
    stop(rt);
}

/* The jobs may be finished, and their pool gone, before their futures are polled again. */
Test(blocking_pool, a_future_outlives_its_pool)
{
    weft_runtime              *rt = start(1);
    weft_pool                 *pool = pool_of(rt, (weft_pool_config){.threads = 2});
    weft_waker                 waker = weft_waker_noop();
    weft_context               cx;
    struct weft_spawn_blocking job[2];
    atomic_int                 sum = 0;

    weft_context_init(&cx, &waker, rt);
    for (int i = 0; i < 2; i++)
        check(!weft_poll_is_ready(
            weft_future_poll(weft_spawn_blocking_on(&job[i], pool, count_up, .n = &sum), &cx)));
    close_pool(pool);
    check_eq(sum, 2);
    check(weft_poll_is_ready(weft_future_poll(&job[0].future, &cx)));
    check_eq(job[0].future.result, 1);
    if (!weft_poll_is_ready(weft_future_cancel(&job[1].future)))
        check(weft_poll_is_ready(weft_future_poll(&job[1].future, &cx)));
    check_eq(job[1].future.result, 1);
    stop(rt);
}

Test(blocking_pool, the_runtimes_own_stay_open)
{
    weft_runtime *rt = start(1);

    check_eq(weft_pool_close(weft_pool_default(rt), 0), -EINVAL);
    check_eq(weft_pool_close(weft_pool_dns(rt), 0), -EINVAL);
    run_short_jobs(rt, weft_pool_default(rt), 10);
    run_short_jobs(rt, weft_pool_dns(rt), 10);
    stop(rt);
}

Test(blocking_pool, stopping_closes_what_is_open)
{
    weft_runtime *rt = start(1);
    weft_pool    *pool = pool_of(rt, (weft_pool_config){.keep_ms = 3600000});

    run_short_jobs(rt, pool, 10);
    pool_of(rt, (weft_pool_config){.threads = 1});
    stop(rt);
}

/* ---- counting ---- */

Test(blocking_pool, waits_are_measured)
{
    weft_runtime             *rt = start(1);
    weft_pool                *pool = pool_of(rt, (weft_pool_config){.threads = 1});
    weft_handle               h[2];
    struct weft_pool_counters c;
    uint64_t                  n = 0, late = 0;

    h[0] = spawn_hold(rt, pool);
    EVENTUALLY(n_running == 1);
    h[1] = spawn_hold(rt, pool);
    EVENTUALLY(count(pool).queued == 1);
    pause_ms(20);
    open_gate(2);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &h[i]), 7);
    c = count(pool);
    for (int i = 0; i < WEFT_POOL_WAITS; i++) {
        n += c.waits[i];
        late += i > 14 ? c.waits[i] : 0; /* 16.4 ms or longer */
    }
    check_eq(n, 2);
    check_cmp(late, >=, 1);
    check_cmp(c.wait_max_ns, >=, WEFT_MS(20));
    check_cmp(c.wait_ns, >=, c.wait_max_ns);
    check_cmp(c.run_ns, >=, WEFT_MS(20));
    check_cmp(counters(rt).blocking_wait_ns, ==, c.wait_ns);
    close_pool(pool);
    stop(rt);
}
