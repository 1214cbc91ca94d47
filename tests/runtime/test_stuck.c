/* test_stuck.c - a task that blocks its worker delays no other task */
#include "../helpers.h"

#define BLOCK_MS 200
#define TRIES    5 /* the median counts: the machine may be busy with other things */

struct runs {
    WEFT_FRAME;
    struct {
        int64_t *at; /* when */
    } in;
};
WEFT_ASYNC(runs)
{
    WEFT_BEGIN();
    __atomic_store_n(self->in.at, weft_now(), __ATOMIC_RELEASE);
    WEFT_END(0);
}

/* What waits behind the blocking task, or elsewhere. */
enum what { LONE_CHILD, CHILDREN, LIFO_SLOT, WOKEN, OUTSIDE, TIMER };

#define N_BEHIND 8

typedef struct bench {
    enum what           what;
    atomic_int          waiting; /* tasks that will be woken */
    int64_t             blocked_at, at[N_BEHIND];
    weft_mpsc_sender   *to[N_BEHIND];
    weft_mpsc_receiver *from[N_BEHIND];
} bench;

/* Waits for a message, or for the timer. */
struct waits {
    WEFT_FRAME;
    struct {
        bench *bench;
        int    i;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
    int               message;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    self->in.bench->waiting++;
    if (self->in.bench->what == TIMER) {
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(20)));
    } else {
        WEFT_AWAIT(
            n, weft_mpsc_receive(&self->wait, self->in.bench->from[self->in.i], &self->message));
    }
    check_eq(n, 0);
    __atomic_store_n(&self->in.bench->at[self->in.i], weft_now(), __ATOMIC_RELEASE);
    WEFT_END(0);
}

static int n_behind(const bench *b)
{
    return b->what == LONE_CHILD || b->what == LIFO_SLOT ? 1 : N_BEHIND;
}

/* Puts work behind itself, then blocks its worker. */
struct blocks {
    WEFT_FRAME;
    struct {
        bench *bench;
        int    ms;
    } in;
};
WEFT_ASYNC(blocks)
{
    bench *b;

    WEFT_BEGIN();
    b = self->in.bench;
    for (int i = 0; b && i < n_behind(b); i++) {
        if (b->what == LONE_CHILD || b->what == CHILDREN)
            check_eq(weft_spawn(NULL, runs, &b->at[i]), 0);
        else if (b->what == LIFO_SLOT || b->what == WOKEN)
            check_eq(weft_mpsc_try_send(b->to[i], &i), 0);
    }
    if (b)
        __atomic_store_n(&b->blocked_at, weft_now(), __ATOMIC_RELEASE);
    pause_ms(self->in.ms);
    WEFT_END(0);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* How long the last of what waited had to wait, with n_blocking tasks that block; the median. */
static int64_t try_once(weft_runtime *rt, enum what what, int n_blocking)
{
    bench       b = {.what = what};
    int64_t     last = 0;
    weft_handle handle[16];

    for (int i = 0; i < N_BEHIND; i++)
        check_eq(weft_mpsc_open(sizeof(int), 1, &b.to[i], &b.from[i]), 0);
    for (int i = 0; (what == LIFO_SLOT || what == WOKEN) && i < n_behind(&b); i++)
        check_eq(weft_spawn_on(rt, NULL, waits, &b, i), 0);
    while (what != TIMER && b.waiting < (what == LIFO_SLOT || what == WOKEN ? n_behind(&b) : 0))
        pause_ms(1);
    for (int i = 0; what == TIMER && i < n_behind(&b); i++)
        check_eq(weft_spawn_on(rt, NULL, waits, &b, i), 0);
    pause_ms(2); /* what woke up for that sleeps again */
    for (int i = 0; i < n_blocking; i++)
        check_eq(weft_spawn_on(rt, &handle[i], blocks, i ? NULL : &b, BLOCK_MS), 0);
    while (!__atomic_load_n(&b.blocked_at, __ATOMIC_ACQUIRE))
        sched_yield();
    if (what == OUTSIDE) {
        pause_ms(10);
        for (int i = 0; i < n_behind(&b); i++)
            check_eq(weft_spawn_on(rt, NULL, runs, &b.at[i]), 0);
    }
    for (int i = 0; i < n_behind(&b); i++) {
        EVENTUALLY(__atomic_load_n(&b.at[i], __ATOMIC_ACQUIRE) > 0);
        last = b.at[i] > last ? b.at[i] : last;
    }
    for (int i = 0; i < n_blocking; i++)
        check_eq(join(rt, &handle[i]), 0);
    for (int i = 0; i < N_BEHIND; i++) {
        weft_mpsc_sender_close(b.to[i]);
        weft_mpsc_receiver_close(b.from[i]);
    }
    return last - b.blocked_at;
}

static void check_quick(int64_t workers, enum what what, int n_blocking)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = workers, .log = weft_log_none});
    int64_t       waited[TRIES];

    for (int i = 0; i < TRIES; i++)
        waited[i] = try_once(rt, what, n_blocking);
    stop(rt);
    qsort(waited, TRIES, sizeof *waited, compare);
    check_cmp(waited[TRIES / 2] / WEFT_MS(1), <, BLOCK_MS / 2);
}

/* ---- one worker of several blocks ---- */

Test(stuck, a_lone_child_does_not_wait_for_its_parent_s_worker)
{
    check_quick(2, LONE_CHILD, 1);
    check_quick(8, LONE_CHILD, 1);
}

Test(stuck, children_do_not_wait_for_their_parent_s_worker)
{
    check_quick(2, CHILDREN, 1);
    check_quick(8, CHILDREN, 1);
}

Test(stuck, the_task_in_the_lifo_slot_does_not_wait)
{
    check_quick(2, LIFO_SLOT, 1);
    check_quick(8, LIFO_SLOT, 1);
}

Test(stuck, tasks_that_were_woken_do_not_wait)
{
    check_quick(2, WOKEN, 1);
    check_quick(8, WOKEN, 1);
}

Test(stuck, tasks_from_outside_do_not_wait)
{
    check_quick(2, OUTSIDE, 1);
}

Test(stuck, timers_fire_in_time)
{
    check_quick(2, TIMER, 1);
    check_quick(8, TIMER, 1);
}

/* ---- all of them do ---- */

Test(stuck, a_spare_worker_runs_what_waits_behind_the_only_one)
{
    check_quick(1, LONE_CHILD, 1);
    check_quick(1, LIFO_SLOT, 1);
    check_quick(1, WOKEN, 1);
}

Test(stuck, a_spare_worker_runs_what_comes_from_outside_and_timers)
{
    check_quick(1, OUTSIDE, 1);
    check_quick(1, TIMER, 1);
}

Test(stuck, a_spare_worker_stands_in_for_two_that_block)
{
    check_quick(2, CHILDREN, 2);
    check_quick(2, TIMER, 2);
}

static uint64_t spare_polls(weft_runtime *rt)
{
    struct weft_worker_counters c;

    check_eq(weft_worker_counters(rt, weft_runtime_workers(rt), &c), 0);
    return c.polls;
}

static void run_fifty(weft_runtime *rt)
{
    int64_t at = 0;

    for (int i = 0; i < 50; i++)
        check_eq(RUN(rt, runs, &at), 0);
}

Test(stuck, the_spare_worker_stands_by_again_afterwards)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    uint64_t      polls = 0;

    check_eq(spare_polls(rt), 0);
    for (int i = 0; i < 3; i++) {
        int n_rounds = 0;

        while (spare_polls(rt) == polls) /* the worker may not have blocked long enough */
            try_once(rt, CHILDREN, 1);
        run_fifty(rt);
        do { /* no task blocks: no spare is needed, unless the kernel keeps the worker from a CPU */
            check_cmp(n_rounds++, <, 20);
            pause_ms(50);
            polls = spare_polls(rt);
            run_fifty(rt);
        } while (spare_polls(rt) != polls);
    }
    stop(rt);
}

Test(stuck, a_pinned_task_waits_for_its_worker)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .log = weft_log_none});
    bench         b = {.what = TIMER};
    int64_t       at = 0;
    weft_handle   blocker, handle;

    check_eq(weft_spawn_bound(rt, &blocker, 1, blocks, &b, 100), 0);
    while (!__atomic_load_n(&b.blocked_at, __ATOMIC_ACQUIRE))
        sched_yield();
    check_eq(weft_spawn_bound(rt, &handle, 1, runs, &at), 0);
    check_eq(join(rt, &handle), 0);
    check(weft_is_finished(&blocker));
    check_cmp(at - b.blocked_at, >=, WEFT_MS(100));
    check_eq(join(rt, &blocker), 0);
    stop(rt);
}
