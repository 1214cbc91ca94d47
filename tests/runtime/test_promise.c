/* test_promise.c - the guarantees of promises: poll by poll, between tasks and threads */
#include "../actors.h"

#define TASKS   32
#define THREADS 3
#define ROUNDS  (TEST_SANITIZED ? 40 : 200)

struct waiter {
    weft_wait   wait;
    struct hand hand;
};

/* Makes a wait and polls it once. Returns whether it is READY. */
static bool waits(struct waiter *w, weft_promise *p)
{
    hand_init(&w->hand, NULL);
    weft_promise_get(&w->wait, p);
    return hand_poll(&w->hand, &w->wait.future);
}

/* ---- poll by poll ---- */

Test(promise, its_result_ends_all_waits_before_and_after)
{
    weft_promise  p = {0};
    struct waiter w[4];
    int64_t       result = 3;

    for (int i = 0; i < 3; i++)
        check(!waits(&w[i], &p));
    check_eq(weft_promise_try_get(&p, &result), -EAGAIN);
    check_eq(result, 3); /* untouched */
    check_eq(weft_promise_complete(&p, 7), 0);
    for (int i = 0; i < 3; i++) {
        check_eq(w[i].hand.n_wakes, 1);
        check_eq(hand_run(&w[i].hand, &w[i].wait.future), 7);
        check_eq(w[i].hand.n_wakers, 0);
    }
    check(waits(&w[3], &p));
    check_eq(w[3].wait.future.result, 7);
    check_eq(weft_promise_try_get(&p, &result), 0);
    check_eq(result, 7);
}

Test(promise, its_first_result_stays)
{
    weft_promise  p = {0};
    struct waiter w;

    check_eq(weft_promise_complete(&p, -EIO), 0);
    check_eq(weft_promise_complete(&p, 7), -EALREADY);
    check_eq(weft_promise_complete(&p, -EIO), -EALREADY);
    check(waits(&w, &p));
    check_eq(w.wait.future.result, -EIO);
}

/* Among them those that mean something to the queue of waits. */
Test(promise, any_result_of_a_future_may_be_its_result)
{
    static const int64_t results[] = {0,        1,           INT64_MAX, -1,
                                      -EAGAIN,  -ECANCELED,  WEFT_EOF,  -EALREADY,
                                      -EBADMSG, -EOWNERDEAD, -4095};

    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        weft_promise  p = {0};
        struct waiter before, after;
        int64_t       result = 3;

        check(!waits(&before, &p));
        check_eq(weft_promise_complete(&p, results[i]), 0);
        check_eq(hand_run(&before.hand, &before.wait.future), results[i]);
        check(waits(&after, &p));
        check_eq(after.wait.future.result, results[i]);
        check_eq(weft_promise_try_get(&p, &result), 0);
        check_eq(result, results[i]);
    }
}

Test(promise, a_cancelled_wait_leaves_the_promise_and_the_others)
{
    weft_promise  p = {0};
    struct waiter w[3];

    for (int i = 0; i < 3; i++)
        check(!waits(&w[i], &p));
    check_eq(hand_cancel(&w[1].hand, &w[1].wait.future), -ECANCELED);
    check_eq(w[1].hand.n_wakers, 0);
    check_eq(weft_promise_complete(&p, 7), 0);
    check_eq(hand_cancel(&w[0].hand, &w[0].wait.future), -ECANCELED); /* it had been answered */
    check_eq(hand_run(&w[2].hand, &w[2].wait.future), 7);
    check_eq(w[1].hand.n_wakes, 0);
}

Test(promise, without_budget_a_wait_comes_back)
{
    weft_promise  p = {0};
    struct waiter w;

    check_eq(weft_promise_complete(&p, 7), 0);
    hand_init(&w.hand, NULL);
    weft_promise_get(&w.wait, &p);
    check(!hand_poll_budget(&w.hand, &w.wait.future, 0));
    check_eq(w.hand.n_wakes, 1);
    check_eq(hand_run(&w.hand, &w.wait.future), 7);
}

TEST_ABORTS(promise, a_result_that_futures_reserve, "a result below -4095 is reserved")
{
    weft_promise p = {0};

    weft_promise_complete(&p, -4096);
}

/* ---- tasks and threads ---- */

/* What the waits of one round share. The last one frees it as soon as its wait is READY. */
struct shared {
    weft_promise done;
    int64_t      value; /* not atomic: the promise orders it */
    int64_t      n_refs;
};

static void unref(void *arg)
{
    struct shared *s = arg;

    if (add(&s->n_refs, -1) == 0)
        free(s);
}

/* Gives up after a few polls and begins again, until it has the result. */
struct waits {
    WEFT_FRAME;
    struct {
        struct shared *shared;
        int            patience;
    } in;
    weft_deferred      unref;
    weft_wait          wait;
    struct weft_select sel;
    struct counter     few;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->unref, unref, self->in.shared);
    do {
        weft_promise_get(&self->wait, &self->in.shared->done);
        WEFT_AWAIT(
            n, weft_select(&self->sel, &self->wait.future, counter(&self->few, self->in.patience)));
    } while (self->wait.future.result == -ECANCELED && !WEFT_CANCELLED());
    n = self->wait.future.result;
    if (n >= 0)
        check_eq(self->in.shared->value, n);
    WEFT_END(n);
}

static void *waits_on_a_thread(void *arg)
{
    struct shared *s = arg;
    weft_wait      wait;
    int64_t        n = weft_block_on(NULL, weft_promise_get(&wait, &s->done));

    check_eq(s->value, n);
    unref(s);
    return NULL;
}

/* One of these threads wins. It alone may write the value. */
struct rival {
    struct shared *shared;
    int64_t       *n_won;
    int64_t        result;
};

static void *completes(void *arg)
{
    struct rival *r = arg;

    if (weft_promise_complete(&r->shared->done, r->result) == 0)
        add(r->n_won, 1);
    unref(r->shared);
    return NULL;
}

static void run_round(weft_runtime *rt, int round)
{
    struct shared *s = calloc(1, sizeof *s);
    weft_handle    h[TASKS];
    pthread_t      t[THREADS], rivals[2];
    struct rival   r[2];
    int64_t        n_won = 0;

    check(s != NULL);
    s->n_refs = TASKS + THREADS + 2;
    s->value = round; /* both rivals promise the same, so that it can be checked */
    for (int i = 0; i < THREADS; i++)
        t[i] = thread(waits_on_a_thread, s);
    for (int i = 0; i < TASKS; i++)
        check_eq(weft_spawn_on(rt, &h[i], waits, .shared = s, .patience = i % 5), 0);
    for (int i = 0; i < 2; i++) {
        r[i] = (struct rival){s, &n_won, round};
        rivals[i] = thread(completes, &r[i]);
    }
    for (int i = 0; i < TASKS; i++)
        check_eq(join(rt, &h[i]), round);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(rivals[i], NULL);
    check_eq(get(&n_won), 1);
}

static void storm(const weft_config *config)
{
    weft_runtime *rt = start_with(config);

    for (int i = 0; i < test_scaled(ROUNDS); i++)
        run_round(rt, i);
    stop(rt);
}

Test(promise, storm_with_1_worker, .timeout = 120)
{
    storm(&(weft_config){.workers = 1});
}

Test(promise, storm_with_the_current_thread, .timeout = 120)
{
    storm(&(weft_config){.current_thread = 1});
}

Test(promise, storm_with_2_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 2});
}

Test(promise, storm_with_8_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 8});
}

Test(promise, storm_with_a_budget_of_1, .timeout = 120)
{
    storm(&(weft_config){.workers = 2, .budget = 1});
}

/* ---- at stop ---- */

Test(promise, stopping_ends_the_waits)
{
    weft_runtime  *rt = start(2);
    struct shared *s = calloc(1, sizeof *s);
    weft_handle    h[8];
    int64_t        result;

    check(s != NULL);
    s->n_refs = 9;
    for (int i = 0; i < 8; i++)
        check_eq(weft_spawn_on(rt, &h[i], waits, .shared = s, .patience = 3), 0);
    stop(rt);
    for (int i = 0; i < 8; i++)
        weft_detach(&h[i]);
    check_eq(weft_promise_complete(&s->done, 7), 0);
    check_eq(weft_promise_try_get(&s->done, &result), 0);
    check_eq(get(&s->n_refs), 1); /* every task has ended */
    unref(s);
}
