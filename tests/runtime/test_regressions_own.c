/* test_regressions_own.c - bugs that weft had */
#include "../actors.h"

/* The bug: a spare worker that was sent away still counted as searching for work. */
Test(regressions_own, a_task_from_outside_runs_while_a_spare_worker_is_sent_away)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    int64_t       done = 0, n = 0;

    for (int64_t round = 0; round < 5 + test_scaled(40); round++) {
        int64_t     flag = 0, started = 0, since = weft_now();
        weft_handle handle;

        check_eq(weft_spawn_on(rt, &handle, blocks, &flag, 1, &started), 0);
        spin_until(&started, 1);
        check_eq(weft_spawn_on(rt, NULL, sets, &flag), 0); /* a spare worker runs it */
        while (weft_now() - since < WEFT_MS(40)) {
            check_eq(weft_spawn_on(rt, NULL, sets, &done), 0);
            spin_until(&done, ++n);
        }
        check_eq(join(rt, &handle), 0);
    }
    stop(rt);
}

/* A branch that loses a select and panics when it is cancelled. */
struct panics_when_cancelled {
    WEFT_FRAME;
    struct {
        int none;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(panics_when_cancelled)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(1000)));
    if (n < 0)
        weft_panic("cancelled");
    WEFT_END(n);
}

struct races {
    WEFT_FRAME;
    struct {
        int none;
    } in;
    struct weft_select           select;
    struct weft_sleep            nap;
    struct panics_when_cancelled loser;
};
WEFT_ASYNC(races)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select(&self->select, weft_sleep(&self->nap, WEFT_MS(1)),
                              weft_async(panics_when_cancelled, &self->loser, 0)));
    WEFT_END(n);
}

Test(regressions_own, a_branch_that_panics_because_it_lost_ends_its_task)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, races, 0), 0);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    stop(rt);
}

/* Tasks end, panic and begin in the slots that a dump is reading. */
struct mortal {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
};
WEFT_ASYNC(mortal)
{
    WEFT_BEGIN();
    if (self->in.n % 64 == 0)
        weft_panic("the sixty-fourth");
    WEFT_YIELD();
    WEFT_END(0);
}

struct family {
    WEFT_FRAME;
    struct {
        const int64_t *until;
    } in;
    weft_handle child[8];
    int64_t     n;
};
WEFT_ASYNC(family)
{
    int64_t n;

    WEFT_BEGIN();
    memset(self->child, 0, sizeof self->child); /* all empty */
    for (self->n = 0; !get(self->in.until); self->n++) {
        if (weft_handle_is_empty(&self->child[self->n % 8])) {
            check_eq(weft_spawn(&self->child[self->n % 8], mortal, self->n), 0);
            continue;
        }
        WEFT_AWAIT(n, weft_join(&self->child[self->n % 8]));
        (void)n;
    }
    for (int i = 0; i < 8; i++)
        if (!weft_handle_is_empty(&self->child[i]))
            weft_detach(&self->child[i]);
    WEFT_END(0);
}

Test(regressions_own, tasks_may_end_and_begin_while_they_are_dumped)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});
    int64_t       until = 0;
    weft_handle   handle[2];

    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn_on(rt, &handle[i], family, &until), 0);
    for (int64_t i = 0; i < test_scaled(1000); i++)
        weft_runtime_dump(rt);
    add(&until, 1);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
}
