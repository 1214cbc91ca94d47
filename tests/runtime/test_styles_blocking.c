/* test_styles_blocking.c - jobs of pools, look-ups and signals, as both styles await them */
#include "../actors.h"
#include "../styles.h"

/* Jobs wait at the gate. They may outlive the case that has begun them, and so it is no variable of
 * a case. */
static int64_t gate_is_open, n_at_gate;

struct waits_at_gate {
    int64_t value;
};
WEFT_BLOCKING(waits_at_gate)
{
    add(&n_at_gate, 1);
    while (!get(&gate_is_open))
        pause_ms(1);
    return self->value;
}

struct increments {
    int64_t value;
};
WEFT_BLOCKING(increments)
{
    return ++self->value;
}

/* Three pools of one thread each, and a task that keeps it at the gate. */
#define POOLS 3

struct scene {
    weft_runtime *rt;
    weft_pool    *pool[POOLS]; /* the default one, that of look-ups, and one of the test's */
    weft_handle   keeper[POOLS];
};

struct state {
    struct weft_spawn_blocking job;
    struct weft_resolve        resolution;
    struct weft_signal_wait    signal;
    struct increments          back;
};

#include "style_rows.h"

struct keeps_pool {
    WEFT_FRAME;
    struct {
        weft_pool *pool;
    } in;
    struct weft_spawn_blocking job;
};
BODY(keeps_pool)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_spawn_blocking_on(&self->job, self->in.pool, waits_at_gate, .value = 5));
    WEFT_END(n);
}

static void set_up(struct scene *s, weft_runtime *rt, style style)
{
    gate_is_open = n_at_gate = 0;
    s->rt = rt;
    s->pool[0] = weft_pool_default(rt);
    s->pool[1] = weft_pool_dns(rt);
    check_eq(weft_pool_open(rt, &(weft_pool_config){.name = "own", .threads = 1}, &s->pool[2]), 0);
    check_eq(weft_signal_block(WEFT_SIGNAL(SIGUSR1)), 0);
    for (int i = 0; i < POOLS; i++)
        check_eq(SPAWN_STYLE(style, rt, &s->keeper[i], keeps_pool, .pool = s->pool[i]), 0);
    EVENTUALLY(get(&n_at_gate) == POOLS);
}

DO(open_gate, add(&gate_is_open, 1))

static void tear_down(struct scene *s)
{
    open_gate(s);
    for (int i = 0; i < POOLS; i++)
        check_eq(join(s->rt, &s->keeper[i]), 5);
    check_eq(weft_pool_close(s->pool[2], WEFT_S(30)), 0);
}

/* ---- a row for each wait ---- */

BEGIN(job, weft_spawn_blocking(&state->job, increments, .value = 6))
BEGIN(job_into, weft_spawn_blocking_into(&state->job, &state->back, increments, .value = 6))
BEGIN(job_on, weft_spawn_blocking_on(&state->job, s->pool[2], increments, .value = 6))
BEGIN(job_into_on,
      weft_spawn_blocking_into_on(&state->job, s->pool[2], &state->back, increments, .value = 6))
BEGIN(detachable, weft_job_detachable(begin_job(s, state)))
BEGIN(resolve, weft_resolve(&state->resolution, "127.0.0.1", 80))
BEGIN(signal_wait, weft_signal_wait(&state->signal, WEFT_SIGNAL(SIGUSR1)))
DO(send_signal, check_eq(kill(getpid(), SIGUSR1), 0))

TAKE(take_back, state->back.value)
TAKE(take_port, weft_address_port(&state->resolution.found.address[0]))

static const row rows[] = {
    {"weft_spawn_blocking", begin_job, open_gate, .result = 7},
    {"weft_spawn_blocking_into", begin_job_into, open_gate, .result = 7, .take = take_back},
    {"weft_spawn_blocking_on", begin_job_on, open_gate, .result = 7},
    {"weft_spawn_blocking_into_on", begin_job_into_on, open_gate, .result = 7, .take = take_back},
    {"weft_job_detachable", begin_detachable, open_gate, .result = 7},
    {"weft_resolve", begin_resolve, open_gate, .result = 80, .take = take_port},
    {"weft_signal_wait", begin_signal_wait, send_signal, .result = SIGUSR1},
};

ROW_CASES(styles_blocking)

/* ---- jobs that run when the cancel comes ---- */

struct awaits_job {
    WEFT_FRAME;
    struct {
        bool detaches;
    } in;
    struct weft_spawn_blocking job;
};
static weft_future *job_at_gate(struct awaits_job *self)
{
    weft_future *job = weft_spawn_blocking(&self->job, waits_at_gate, .value = 5);

    return self->in.detaches ? weft_job_detachable(job) : job;
}

BODY(awaits_job)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, job_at_gate(self));
    check_eq(n, -ECANCELED);
    WEFT_END(self->in.detaches ? n : self->job.returned);
}

TEST_STYLES(styles_blocking, a_cancel_waits_for_a_job_that_runs)
{
    weft_handle handle;

    check_eq(SPAWN_STYLE(style, rt, &handle, awaits_job), 0);
    EVENTUALLY(get(&n_at_gate) == 1);
    weft_cancel(&handle);
    pause_ms(2);
    check(!weft_is_finished(&handle));
    add(&gate_is_open, 1);
    check_eq(join(rt, &handle), 5);
}

TEST_STYLES(styles_blocking, a_cancel_leaves_a_detachable_job)
{
    weft_handle handle;

    check_eq(SPAWN_STYLE(style, rt, &handle, awaits_job, .detaches = true), 0);
    EVENTUALLY(get(&n_at_gate) == 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    add(&gate_is_open, 1);
}

/* ---- in place ---- */

/* Tasks of this worker run while it blocks, and it may block on a future itself. */
static int64_t blocks_until_others_ran(void *argument)
{
    struct counter counted;

    while (get(argument) < 2)
        pause_ms(1);
    return get(argument) + weft_block_on(NULL, counter(&counted, 5));
}

struct blocks_in_place {
    WEFT_FRAME;
    struct {
        int64_t *n_ran;
    } in;
    struct counter counter;
    int64_t        result;
};
BODY(blocks_in_place)
{
    int64_t n;

    WEFT_BEGIN();
    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn(NULL, sets, .flag = self->in.n_ran), 0);
    self->result = weft_block_in_place(blocks_until_others_ran, self->in.n_ran);
    AWAIT(n, counter(&self->counter, 3)); /* and it goes on as a task */
    WEFT_END(self->result + n);
}

TEST_STYLES(styles_blocking, a_task_may_block_in_place)
{
    int64_t n_ran = 0;

    check_eq(RUN_STYLE(style, rt, blocks_in_place, .n_ran = &n_ran), 2 + 5 + 3);
}
