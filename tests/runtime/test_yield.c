/*
 * test_yield.c - a worker that runs dry after tasks bound to it lets other threads run first
 */
#include "../actors.h"

#define N 50

static struct weft_worker_counters of_worker(weft_runtime *rt, uint32_t index)
{
    struct weft_worker_counters c;

    check_eq(weft_worker_counters(rt, index, &c), 0);
    return c;
}

struct goes_round {
    WEFT_FRAME;
    struct {
        const int64_t *enough;
    } in;
};
WEFT_ASYNC(goes_round)
{
    WEFT_BEGIN();
    while (get(self->in.enough) == 0)
        WEFT_YIELD();
    WEFT_END(0);
}

/* A runtime whose worker 0 never sleeps, so that worker 1 finds another one awake. */
typedef struct pair_of_workers {
    weft_runtime *rt;
    weft_handle   busy;
    int64_t       enough;
} pair_of_workers;

static void begin(pair_of_workers *p)
{
    *p = (pair_of_workers){.rt = start(2)};
    check_eq(weft_spawn_bound(p->rt, &p->busy, 0, goes_round, &p->enough), 0);
    EVENTUALLY(of_worker(p->rt, 0).polls > 0 && of_worker(p->rt, 1).parks > 0);
}

static void end(pair_of_workers *p)
{
    add(&p->enough, 1);
    check_eq(join(p->rt, &p->busy), 0);
    stop(p->rt);
}

/* Runs a task on worker 1, which then sleeps. Returns how often it has yielded before that. */
static uint64_t run_bound(weft_runtime *rt)
{
    struct weft_worker_counters before = of_worker(rt, 1);
    weft_handle                 handle;

    check_eq(weft_spawn_bound(rt, &handle, 1, returns, 7), 0);
    check_eq(join(rt, &handle), 7);
    EVENTUALLY(of_worker(rt, 1).parks > before.parks);
    return of_worker(rt, 1).yields - before.yields;
}

/* Where the machine has no CPU for worker 0 for a while, that one counts as stuck. */
Test(yield, a_worker_yields_once_after_a_task_bound_to_it_and_then_sleeps)
{
    pair_of_workers p;
    uint64_t        n = 0;

    begin(&p);
    for (int i = 0; i < N; i++)
        check_cmp(run_bound(p.rt), <=, 1);
    EVENTUALLY((n = run_bound(p.rt)) > 0);
    check_eq(n, 1);
    end(&p);
}

Test(yield, a_worker_does_not_yield_after_tasks_that_any_worker_may_run)
{
    pair_of_workers p;

    begin(&p);
    for (int i = 0; i < N; i++)
        check_eq(RUN(p.rt, returns, i), i);
    EVENTUALLY(of_worker(p.rt, 0).polls > N);
    check_eq(of_worker(p.rt, 1).yields, 0);
    end(&p);
}

Test(yield, a_worker_that_is_alone_does_not_yield)
{
    weft_runtime *rt = start(1);
    weft_handle   handle;
    uint64_t      parks;

    for (int i = 0; i < N; i++) {
        parks = counters(rt).parks;
        check_eq(weft_spawn_bound(rt, &handle, 0, returns, i), 0);
        check_eq(join(rt, &handle), i);
        EVENTUALLY(counters(rt).parks > parks);
    }
    check_eq(counters(rt).yields, 0);
    stop(rt);
}
