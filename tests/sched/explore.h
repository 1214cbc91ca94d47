/*
 * explore.h - runs a few "threads" in every order of their atomic operations
 *
 * Include it first, then the .c files under test: their atomics (sched/order.h) and futex calls become
 * points where the explorer may switch to another thread. It tries every schedule with at most a
 * given number of preemptions (most bugs need two), under sequential consistency: orders weaker than
 * that are TSan's and the reader's business. A schedule ends when every thread has returned or sleeps
 * in a futex without a time limit: then the claim is checked. Time passes only when nobody can go on.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "../helpers.h"

#include "order.h"

#include <ucontext.h>

#if defined(WF_TSAN_) || defined(__SANITIZE_ADDRESS__)
#define EXPLORE_LOST true
#else
#define EXPLORE_LOST false
#endif

#define EXPLORE_THREADS 4
#define EXPLORE_DEPTH   4096
#define EXPLORE_STACK   65536
#define EXPLORE_EXPIRED INT64_MIN

static struct explorer {
    ucontext_t scheduler, thread[EXPLORE_THREADS];
    void (*body[EXPLORE_THREADS])(void);
    uint32_t *sleeps_on[EXPLORE_THREADS];
    int64_t   until[EXPLORE_THREADS], now; /* the limit of its sleep, or EXPLORE_EXPIRED */
    bool      ended[EXPLORE_THREADS], waits[EXPLORE_THREADS];
    int       n, current, preemptions;
    /* The schedule: at each point which of how many choices was taken. */
    int      depth, choice[EXPLORE_DEPTH], n_choices[EXPLORE_DEPTH];
    uint64_t n_schedules;
} explorer = {.current = -1};

static char explore_stack[EXPLORE_THREADS][EXPLORE_STACK];

static bool explore_runnable(int i)
{
    return !explorer.ended[i] && !explorer.sleeps_on[i] && !explorer.waits[i];
}

/* Who goes on after `last`, by the schedule's next choice; -1: nobody can. */
static int explore_choose(int last)
{
    struct explorer *x = &explorer;
    int              options[EXPLORE_THREADS], n = 0;
    bool             going = explore_runnable(last);

    if (going)
        options[n++] = last;
    for (int i = 0; i < x->n && (!going || x->preemptions > 0); i++)
        if (i != last && explore_runnable(i))
            options[n++] = i;
    if (n == 0)
        return -1;
    check(x->depth < EXPLORE_DEPTH); /* else a thread goes on for ever */
    if (x->n_choices[x->depth] == 0) {
        x->n_choices[x->depth] = n;
        x->choice[x->depth] = 0;
    }
    check_eq(x->n_choices[x->depth], n); /* else the threads don't only depend on the schedule */
    n = options[x->choice[x->depth++]];
    x->preemptions -= going && n != last;
    return n;
}

/* Everybody sleeps: the next time limit comes, if there is one. */
static void explore_pass_time(void)
{
    struct explorer *x = &explorer;
    int              next = -1;

    for (int i = 0; i < x->n; i++)
        if (x->sleeps_on[i] && x->until[i] != INT64_MAX &&
            (next < 0 || x->until[i] < x->until[next]))
            next = i;
    if (next < 0)
        return;
    if (x->until[next] > x->now)
        x->now = x->until[next];
    x->sleeps_on[next] = NULL;
    x->until[next] = EXPLORE_EXPIRED;
}

/* Goes on with whom the schedule names. */
static void explore_switch(void)
{
    struct explorer *x = &explorer;
    int              last = x->current;

    x->current = explore_choose(last);
    if (x->current < 0) { /* those that wait for the others have waited long enough */
        memset(x->waits, 0, sizeof x->waits);
        x->current = explore_choose(last);
    }
    if (x->current < 0) {
        explore_pass_time();
        x->current = explore_choose(last);
    }
    if (x->current < 0)
        swapcontext(&x->thread[last], &x->scheduler);
    else if (x->current != last)
        swapcontext(&x->thread[last], &x->thread[x->current]);
}

/* A point where another thread may go on. */
static inline void explore_step(void)
{
    if (explorer.current >= 0)
        explore_switch();
}

/* In a loop that goes round until another thread has done something: lets the others do it. */
static inline void explore_wait(void)
{
    explorer.waits[explorer.current] = true;
    explore_switch();
}

static inline bool wf_futex_wait(uint32_t *word, uint32_t value, int64_t until)
{
    struct explorer *x = &explorer;

    explore_step();
    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value)
        return true;
    x->sleeps_on[x->current] = word;
    x->until[x->current] = until;
    explore_step();
    return x->until[x->current] != EXPLORE_EXPIRED;
}

static inline void wf_futex_wake(uint32_t *word, int n)
{
    struct explorer *x = &explorer;

    explore_step();
    for (int i = 0; i < x->n && n > 0; i++)
        if (x->sleeps_on[i] == word) {
            x->sleeps_on[i] = NULL;
            n--;
        }
}

#define WF_FUTEX_H /* in place of sched/futex.h */
#undef wf_load
#undef wf_store
#undef wf_swap
#undef wf_add
#undef wf_sub
#undef wf_or
#undef wf_and
#undef wf_cas
#define wf_load(p, order)     (explore_step(), __atomic_load_n((p), __ATOMIC_SEQ_CST))
#define wf_store(p, v, order) (explore_step(), __atomic_store_n((p), (v), __ATOMIC_SEQ_CST))
#define wf_swap(p, v, order)  (explore_step(), __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
#define wf_add(p, v, order)   (explore_step(), __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define wf_sub(p, v, order)   (explore_step(), __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST))
#define wf_or(p, v, order)    (explore_step(), __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define wf_and(p, v, order)   (explore_step(), __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST))
#define wf_cas(p, expected, v, order)                                                              \
    (explore_step(),                                                                               \
     __atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
#undef wf_count
#define wf_count(p, n) ((void)(*(p) += (n))) /* no point of interest */

static void explore_thread(void)
{
    struct explorer *x = &explorer;

    x->body[x->current]();
    x->ended[x->current] = true;
    explore_switch();
}

static void explore_make(int i)
{
    struct explorer *x = &explorer;

    x->ended[i] = x->waits[i] = false;
    x->sleeps_on[i] = NULL;
    getcontext(&x->thread[i]);
    x->thread[i].uc_stack.ss_sp = explore_stack[i];
    x->thread[i].uc_stack.ss_size = EXPLORE_STACK;
    makecontext(&x->thread[i], explore_thread, 0);
}

static void explore_one(int preemptions)
{
    struct explorer *x = &explorer;

    x->depth = 0;
    x->preemptions = preemptions;
    for (int i = 0; i < x->n; i++)
        explore_make(i);
    x->current = explore_choose(0);
    swapcontext(&x->scheduler, &x->thread[x->current]);
    x->current = -1;
}

/* The next schedule; false: that was the last. */
static bool explore_next(void)
{
    struct explorer *x = &explorer;

    x->n_schedules++;
    while (x->depth > 0 && x->choice[x->depth - 1] + 1 == x->n_choices[x->depth - 1])
        x->n_choices[--x->depth] = 0;
    if (x->depth == 0)
        return false;
    x->choice[x->depth - 1]++;
    return true;
}

/* Runs all schedules; `set_up` before and `claim` after each. */
static void explore(int preemptions, void (*set_up)(void), void (*claim)(void), int n,
                    void (*const body[])(void))
{
    static volatile bool lost = EXPLORE_LOST;

    if (lost || test_slow() > 1)
        test_skip("sanitizers and valgrind don't follow a thread that switches stacks");
    explorer.n = n;
    memcpy(explorer.body, body, (size_t)n * sizeof *body);
    do {
        set_up();
        explore_one(preemptions);
        claim();
    } while (explore_next());
    fprintf(stderr, "%llu schedules\n", (unsigned long long)explorer.n_schedules);
}

#endif
