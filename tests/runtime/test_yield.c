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

struct nothing {
    WEFT_FRAME;
    struct {
        int64_t result;
    } in;
};
WEFT_ASYNC(nothing)
{
    WEFT_BEGIN();
    WEFT_END(self->in.result);
}

/* A runtime whose worker 0 is in a poll, so that worker 1 finds another one awake. */
typedef struct pair_of_workers {
    weft_runtime *rt;
    weft_handle   busy;
    int64_t       began, enough;
} pair_of_workers;

static void begin(pair_of_workers *p)
{
    *p = (pair_of_workers){.rt = start(2)};
    check_eq(weft_spawn_bound(p->rt, &p->busy, 0, blocks, &p->enough, 1, &p->began), 0);
    EVENTUALLY(get(&p->began) == 1);
    EVENTUALLY(of_worker(p->rt, 1).parks > 0);
}

static void end(pair_of_workers *p)
{
    add(&p->enough, 1);
    check_eq(join(p->rt, &p->busy), 0);
    stop(p->rt);
}

Test(yield, a_worker_yields_once_after_a_task_bound_to_it_and_then_sleeps)
{
    pair_of_workers             p;
    weft_handle                 handle;
    struct weft_worker_counters before;

    begin(&p);
    for (int i = 0; i < N; i++) {
        before = of_worker(p.rt, 1);
        check_eq(weft_spawn_bound(p.rt, &handle, 1, nothing, i), 0);
        check_eq(join(p.rt, &handle), i);
        EVENTUALLY(of_worker(p.rt, 1).parks > before.parks);
        check_eq(of_worker(p.rt, 1).yields, before.yields + 1);
    }
    end(&p);
}

Test(yield, a_worker_does_not_yield_after_tasks_that_any_worker_may_run)
{
    pair_of_workers             p;
    struct weft_worker_counters before;

    begin(&p);
    for (int i = 0; i < N; i++) {
        before = of_worker(p.rt, 1);
        check_eq(RUN(p.rt, nothing, i), i);
        EVENTUALLY(of_worker(p.rt, 1).parks > before.parks);
    }
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
        check_eq(weft_spawn_bound(rt, &handle, 0, nothing, i), 0);
        check_eq(join(rt, &handle), i);
        EVENTUALLY(counters(rt).parks > parks);
    }
    check_eq(counters(rt).yields, 0);
    stop(rt);
}
