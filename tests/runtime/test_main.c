/*
 * test_main.c - weft_main: its status, its configuration, and what it does not wait for
 */
#include "../helpers.h"

#include <semaphore.h>

static sem_t      gate;
static atomic_int n_running, n_ran;

struct hold {
    int us; /* 0: until the gate opens */
};
WEFT_BLOCKING(hold)
{
    n_running++;
    if (self->us > 0)
        usleep((useconds_t)self->us);
    else
        while (sem_wait(&gate) < 0)
            ;
    n_ran++;
    return 7;
}

struct app {
    WEFT_FRAME;
    struct {
        int     us;
        bool    detachable, begun; /* until one runs */
        int64_t patience, result;
    } in;
    struct weft_spawn_blocking job;
    struct weft_timeout        limit;
};
WEFT_ASYNC(app)
{
    int64_t n;

    WEFT_BEGIN();
    do { /* one that has not begun is taken back */
        weft_spawn_blocking(&self->job, hold, .us = self->in.us);
        if (self->in.detachable)
            weft_job_detachable(&self->job.future);
        WEFT_AWAIT(n, weft_timeout(&self->limit, &self->job.future, self->in.patience));
        check(n == -ETIMEDOUT || n == 7);
    } while (self->in.begun && n_running == 0);
    WEFT_END(self->in.result);
}

struct lasting {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(lasting)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, hold, .us = 0));
    WEFT_END(n);
}

struct leaves_a_task {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(leaves_a_task)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_spawn(NULL, lasting, .unused = 0), 0);
    for (n = 0; n == 0 && n_running == 0;)
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    WEFT_END(n);
}

Test(main, the_status_is_0_or_1)
{
    struct lines log = LINES;
    weft_config  config = {.workers = 1, .log = lines_add, .log_arg = &log};

    check_eq(weft_main(app, .us = 1, .patience = WEFT_S(20)), 0);
    check_eq(weft_main_with(&config, app, .us = 1, .patience = WEFT_S(20), .result = 5), 0);
    check_eq(log.n, 0);
    check_eq(weft_main_with(&config, app, .us = 1, .patience = WEFT_S(20), .result = -EIO), 1);
    check_str_contains(log.text, "app failed: ");
    check_str_contains(log.text, strerror(EIO));
    config.workers = -7;
    check_eq(weft_main_with(&config, app, .us = 1, .patience = WEFT_S(20)), 1);
}

Test(main, a_configuration_goes_before_the_environment)
{
    struct lines log = LINES;
    weft_config  config = {.stop_ms = 20, .log = lines_add, .log_arg = &log};

    sem_init(&gate, 0, 0);
    check_eq(setenv("WEFT_STOP_MS", "3600000", 1), 0);
    check_eq(weft_main_with(&config, leaves_a_task, .unused = 0), 1); /* within the test's limit */
    check_str_contains(log.text, "stop: blocking job hold (");
    check_str_contains(log.text, "leaves_a_task could not stop within 20 ms (WEFT_STOP_MS)");
    sem_post(&gate);
}

Test(main, the_environment_goes_before_the_default)
{
    weft_config config = {.log = weft_log_none};

    sem_init(&gate, 0, 0);
    check_eq(setenv("WEFT_STOP_MS", "20", 1), 0);
    check_eq(weft_main_with(&config, leaves_a_task, .unused = 0), 1);
    sem_post(&gate);
}

Test(main, a_job_that_was_given_up_does_not_keep_the_process)
{
    weft_config config = {.stop_ms = 3600000};

    sem_init(&gate, 0, 0);
    check_eq(
        weft_main_with(&config, app, .detachable = true, .begun = true, .patience = WEFT_MS(5)), 0);
    check_eq(n_running, 1);
    check_eq(n_ran, 0); /* it waits for the gate still */
}

/* The thread comes back to its pool while the runtime stops, or after that. */
Test(main, jobs_that_were_given_up_may_end_at_any_moment)
{
    weft_config config = {.workers = 1, .stop_ms = 3600000};
    uint32_t    seed = 9;

    for (int64_t i = 0; i < test_scaled(200); i++)
        check_eq(weft_main_with(&config, app, .us = 1 + (int)(rnd(&seed) % 500), .detachable = true,
                                .patience = WEFT_US(rnd(&seed) % 300)),
                 0);
    pause_ms(20); /* those that were left come back */
}

/* ---- threads that serve until the process ends ---- */

static atomic_int n_naps;

/* Sleeps again and again, and never ends. */
struct serves {
    weft_future       future;
    struct weft_sleep nap;
};

static weft_poll serves_poll(weft_future *future, weft_context *cx)
{
    struct serves *s = weft_container(future, struct serves, future);

    while (weft_poll_is_ready(weft_future_poll(&s->nap.future, cx))) {
        check_eq(s->nap.future.result, 0);
        n_naps++;
        weft_sleep(&s->nap, WEFT_US(100));
    }
    return WEFT_PENDING;
}

static void *serve(void *rt)
{
    static const weft_future_ops ops = {
        .size = sizeof(struct serves), .name = "serves", .poll = serves_poll};
    struct serves s;

    weft_future_init(&s.future, &ops);
    weft_sleep(&s.nap, 0);
    weft_block_on(rt, &s.future);
    return NULL;
}

struct leaves_a_thread {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
};
WEFT_ASYNC(leaves_a_thread)
{
    WEFT_BEGIN();
    pthread_detach(thread(serve, cx->runtime));
    while (n_naps == 0)
        WEFT_YIELD();
    WEFT_END(0);
}

Test(main, a_thread_in_block_on_does_not_keep_the_process_and_goes_on)
{
    weft_config config = {.stop_ms = 3600000};
    int         before;

    check_eq(weft_main_with(&config, leaves_a_thread, .unused = 0), 0);
    before = n_naps;
    EVENTUALLY(n_naps > before + 10);
}
