/*
 * explore.h - runs a few "threads" in every order of their atomic operations
 *
 * Include it first, then the .c files under test: their atomics (sched/base/order.h) and futex
 * calls become steps, before which the explorer may go on with another thread. It tries every
 * schedule with at most so many preemptions and so many late reads, which most bugs need one or
 * two of. A late read is one that does not get the newest value (explore_memory.h).
 *
 * A schedule ends when every thread has returned or sleeps in a futex without a time limit. Then
 * the claim is checked. Time passes only when no thread can run. A check that fails prints its
 * schedule. EXPLORE_REPLAY="..." in the environment runs only that one and prints each step.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "../helpers.h"

#include "order.h"

#include <sched.h>
#include <ucontext.h>
#define sched_getcpu() 0 /* constant, so that a schedule can be repeated */

#include "explore_memory.h"
#include "explore_schedule.h"

#define EXPLORE_LOST TEST_SANITIZED

#define EXPLORE_FREED   16
#define EXPLORE_STACK   65536
#define EXPLORE_EXPIRED INT64_MIN

struct explore_thread {
    ucontext_t context;
    void (*body)(void);
    uint32_t *sleeps_on;
    int64_t   until; /* the limit of its sleep, or EXPLORE_EXPIRED */
    bool      ended, waits;
};

static struct explorer {
    ucontext_t            scheduler;
    struct explore_thread thread[EXPLORE_THREADS];
    int                   n, current;
    int64_t               now;
    struct {
        char  *at;
        size_t size;
        bool   ours;        /* to be freed after the schedule */
    } freed[EXPLORE_FREED]; /* in this schedule */
    int n_freed;
} explorer = {.current = -1};

static char explore_stack[EXPLORE_THREADS][EXPLORE_STACK];

/* ---- going on ---- */

static bool explore_runnable(int i)
{
    struct explore_thread *t = &explorer.thread[i];

    return !t->ended && !t->sleeps_on && !t->waits;
}

/* The thread that runs after `last`, or -1 if no thread can run. */
static int explore_choose_thread(int last)
{
    struct explorer *x = &explorer;
    int              options[EXPLORE_THREADS], n = 0;
    bool             going = explore_runnable(last);

    if (going)
        options[n++] = last;
    for (int i = 0; i < x->n && (!going || explorer_schedule.preemptions > 0); i++)
        if (i != last && explore_runnable(i))
            options[n++] = i;
    if (n == 0)
        return -1;
    n = options[explore_choose(n)];
    explorer_schedule.preemptions -= going && n != last;
    return n;
}

/* Every thread sleeps: advances the clock to the earliest time limit, if there is one. */
static void explore_pass_time(void)
{
    struct explorer       *x = &explorer;
    struct explore_thread *next = NULL;

    for (struct explore_thread *t = x->thread; t < x->thread + x->n; t++)
        if (t->sleeps_on && t->until != INT64_MAX && (!next || t->until < next->until))
            next = t;
    if (!next)
        return;
    if (next->until > x->now)
        x->now = next->until;
    next->sleeps_on = NULL;
    next->until = EXPLORE_EXPIRED;
}

/* No thread can run. The newest writes are seen now, the threads in explore_wait() continue, and at
 * last time passes. */
static int explore_revive(int last)
{
    struct explorer *x = &explorer;
    int              next;

    explore_all_is_seen();
    for (int i = 0; i < x->n; i++)
        x->thread[i].waits = false;
    if ((next = explore_choose_thread(last)) >= 0)
        return next;
    explore_pass_time();
    return explore_choose_thread(last);
}

/* Runs the thread that the schedule names. Returns when the schedule names the caller again. */
static void explore_switch(void)
{
    struct explorer *x = &explorer;
    int              last = x->current;

    x->current = explore_choose_thread(last);
    if (x->current < 0)
        x->current = explore_revive(last);
    if (x->current < 0)
        swapcontext(&x->thread[last].context, &x->scheduler);
    else if (x->current != last)
        swapcontext(&x->thread[last].context, &x->thread[x->current].context);
}

/* Whether the memory was given back to explore_allocator. */
static bool explore_is_freed(const void *at)
{
    const char *p = at;

    for (int i = 0; i < explorer.n_freed; i++)
        if (p >= explorer.freed[i].at && p < explorer.freed[i].at + explorer.freed[i].size)
            return true;
    return false;
}

/* Begins a step. Returns false in set_up and in the claim. */
static bool explore_begin(const struct explore_site *site, const void *at)
{
    if (explorer.current < 0)
        return false;
    explore_switch();
    explore_record(explorer.current, "", site);
    check(!explore_is_freed(at));
    return true;
}

static inline uint64_t explore_load(const struct explore_site *site, const void *at, size_t size,
                                    int order)
{
    if (!explore_begin(site, at))
        return explore_content(at, size);
    return explore_read(explorer.current, explore_place(at, size), order);
}

static inline void explore_store(const struct explore_site *site, void *at, size_t size, int order,
                                 uint64_t value)
{
    if (explore_begin(site, at))
        explore_write(explorer.current, explore_place(at, size), value, order, site);
    else
        memcpy(at, &value, size);
}

enum explore_rmw { EXPLORE_SWAP, EXPLORE_ADD, EXPLORE_SUB, EXPLORE_OR, EXPLORE_AND };

static uint64_t explore_compute(enum explore_rmw how, uint64_t before, uint64_t operand)
{
    switch (how) {
    case EXPLORE_ADD:
        return before + operand;
    case EXPLORE_SUB:
        return before - operand;
    case EXPLORE_OR:
        return before | operand;
    case EXPLORE_AND:
        return before & operand;
    default:
        return operand;
    }
}

/* Returns what was there before. */
static inline uint64_t explore_rmw(const struct explore_site *site, void *at, size_t size,
                                   int order, enum explore_rmw how, uint64_t operand)
{
    bool     steps = explore_begin(site, at);
    uint64_t before = explore_content(at, size), value = explore_compute(how, before, operand);

    if (steps)
        explore_replace(explorer.current, explore_place(at, size), value, order, site);
    else
        memcpy(at, &value, size);
    return before;
}

/* One that fails is a load. */
static inline bool explore_cas(const struct explore_site *site, void *at, size_t size, int order,
                               void *expected, uint64_t value)
{
    bool     steps = explore_begin(site, at);
    uint64_t before = explore_content(at, size), wanted = explore_content(expected, size);

    if (steps)
        before =
            explore_compare(explorer.current, explore_place(at, size), wanted, value, order, site);
    else if (before == wanted)
        memcpy(at, &value, size);
    memcpy(expected, &before, size);
    return before == wanted;
}

/* The kernel's barriers in a futex call. */
static void explore_barrier(int thread)
{
    explore_pull(thread, &explorer_memory.seq_cst);
    explore_push(thread);
}

static inline bool explore_futex_wait(const struct explore_site *site, uint32_t *word,
                                      uint32_t value, int64_t until)
{
    struct explore_thread *t = &explorer.thread[explorer.current];

    if (!explore_begin(site, word))
        return true;
    explore_barrier(explorer.current);
    if (explore_read(explorer.current, explore_place(word, sizeof *word), __ATOMIC_RELAXED) !=
        value)
        return true;
    t->sleeps_on = word;
    t->until = until;
    explore_switch();
    explore_barrier(explorer.current);
    return t->until != EXPLORE_EXPIRED;
}

static inline void explore_futex_wake(const struct explore_site *site, const uint32_t *word, int n)
{
    struct explorer *x = &explorer;

    /* The word may have been freed: a sleeper tolerates a wake that is not for it. */
    if (!explore_begin(site, NULL))
        return;
    explore_barrier(x->current);
    for (struct explore_thread *t = x->thread; t < x->thread + x->n && n > 0; t++)
        if (t->sleeps_on == word) {
            t->sleeps_on = NULL;
            n--;
        }
}

static inline void explore_step_at(const struct explore_site *site)
{
    explore_begin(site, NULL);
}

static inline void explore_wait_at(const struct explore_site *site)
{
    explorer.thread[explorer.current].waits = true;
    explore_begin(site, NULL);
}

/* ---- what the code under test and the tests use ---- */

#define explore_at_(f, what, ...)                                                                  \
    ({                                                                                             \
        static const struct explore_site site_ = {__FILE__, __LINE__, what};                       \
        f(&site_, ##__VA_ARGS__);                                                                  \
    })
#define explore_access_(f, p, order, what, ...)                                                    \
    explore_at_(f, what " " #p ", " #order, (p), sizeof *(p), WF_ORDER_##order, ##__VA_ARGS__)
#define explore_bits_(p, v) ((uint64_t)(__typeof__(*(p)))(v))
#define explore_rmw_(p, v, order, what, how)                                                       \
    ({                                                                                             \
        __typeof__(*(p)) before_ = (__typeof__(*(p)))explore_access_(explore_rmw, p, order, what,  \
                                                                     how, explore_bits_(p, v));    \
        before_;                                                                                   \
    })

/* A point where another thread may go on. */
#define explore_step() explore_at_(explore_step_at, "step")
/* Lets the other threads run, in a loop that waits until one of them has done something. */
#define explore_wait() explore_at_(explore_wait_at, "wait")

#define WF_FUTEX_H /* in place of sched/base/futex.h */
#define wf_futex_wait(word, value, until)                                                          \
    explore_at_(explore_futex_wait, "futex_wait " #word, (word), (value), (until))
#define wf_futex_wake(word, n) explore_at_(explore_futex_wake, "futex_wake " #word, (word), (n))

#undef wf_load
#undef wf_store
#undef wf_swap
#undef wf_add
#undef wf_sub
#undef wf_or
#undef wf_and
#undef wf_cas
#undef wf_count
#define wf_load(p, order)     ((__typeof__(*(p)))explore_access_(explore_load, p, order, "load"))
#define wf_store(p, v, order) explore_access_(explore_store, p, order, "store", explore_bits_(p, v))
#define wf_swap(p, v, order)  explore_rmw_(p, v, order, "swap", EXPLORE_SWAP)
#define wf_add(p, v, order)   explore_rmw_(p, v, order, "add", EXPLORE_ADD)
#define wf_sub(p, v, order)   explore_rmw_(p, v, order, "sub", EXPLORE_SUB)
#define wf_or(p, v, order)    explore_rmw_(p, v, order, "or", EXPLORE_OR)
#define wf_and(p, v, order)   explore_rmw_(p, v, order, "and", EXPLORE_AND)
#define wf_cas(p, expected, v, order)                                                              \
    explore_access_(explore_cas, p, order, "cas", (expected), explore_bits_(p, v))
#define wf_count(p, n) ((void)(*(p) += (n))) /* no point of interest */

/* Memory that a thread frees goes back to the heap after the schedule, so that a late access is
 * noticed. */
static inline void *explore_allocate(void *arg, size_t size)
{
    (void)arg;
    return malloc(size);
}

static inline void explore_gone(void *memory, size_t size, bool ours)
{
    struct explorer *x = &explorer;

    check(x->n_freed < EXPLORE_FREED);
    x->freed[x->n_freed].at = memory;
    x->freed[x->n_freed].ours = ours;
    x->freed[x->n_freed++].size = size;
}

static inline void explore_release(void *arg, void *memory, size_t size)
{
    (void)arg;
    if (explorer.current >= 0)
        explore_gone(memset(memory, 0xdd, size), size, true);
    else
        free(memory);
}

/* Does the same for static memory of the test. */
static inline void explore_release_static(void *memory, size_t size)
{
    if (explorer.current >= 0)
        explore_gone(memory, size, false);
}

static const weft_allocator explore_allocator = {explore_allocate, explore_release, NULL};

/* ---- all schedules ---- */

static void explore_thread(void)
{
    struct explore_thread *t = &explorer.thread[explorer.current];

    t->body();
    t->ended = true;
    explore_switch();
}

static void explore_make(int i)
{
    struct explore_thread *t = &explorer.thread[i];

    t->ended = t->waits = false;
    t->sleeps_on = NULL;
    getcontext(&t->context);
    t->context.uc_stack.ss_sp = explore_stack[i];
    t->context.uc_stack.ss_size = EXPLORE_STACK;
    makecontext(&t->context, explore_thread, 0);
}

static void explore_one(int preemptions, int late)
{
    struct explorer *x = &explorer;

    explore_begin_schedule(preemptions, late);
    explore_forget_memory();
    for (int i = 0; i < x->n; i++)
        explore_make(i);
    x->current = explore_choose_thread(0);
    swapcontext(&x->scheduler, &x->thread[x->current].context);
    x->current = -1;
}

static void explore_free(void)
{
    while (explorer.n_freed-- > 0)
        if (explorer.freed[explorer.n_freed].ours)
            free(explorer.freed[explorer.n_freed].at);
    explorer.n_freed = 0;
}

/* Runs all schedules; `set_up` before and `claim` after each. */
static void explore(int preemptions, int late, void (*set_up)(void), void (*claim)(void), int n,
                    void (*const body[])(void))
{
    static volatile bool lost = EXPLORE_LOST;

    if (lost || test_slow() > 1)
        test_skip("sanitizers and valgrind don't follow a thread that switches stacks");
    if (getenv("TEST_EXPLORED"))
        test_skip("./dev check models explores");
    explorer_schedule.n_calls++;
    if (getenv("EXPLORE_REPLAY") && !explore_read_replay(getenv("EXPLORE_REPLAY")))
        return;
    signal(SIGSEGV, explore_died);
    signal(SIGABRT, explore_died);
    explorer_schedule.exploring = true;
    explorer_schedule.n_schedules = 0;
    explorer.n = n;
    for (int i = 0; i < n; i++)
        explorer.thread[i].body = body[i];
    do {
        set_up();
        explore_one(preemptions, late);
        claim();
        explore_free();
    } while (explore_next());
    explorer_schedule.exploring = false;
    fprintf(stderr, "%llu schedules\n", (unsigned long long)explorer_schedule.n_schedules);
}

#endif
