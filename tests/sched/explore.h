/*
 * explore.h - runs a few "threads" in every order of their atomic operations
 *
 * Include it first, then the .c files under test: their atomics (sched/order.h) and futex calls
 * become steps, before which the explorer may go on with another thread. It tries every schedule
 * with at most so many preemptions and so many late reads, which most bugs need one or two of.
 *
 * A write that is not SEQ_CST stays in its thread's buffer: the thread itself sees it, others may
 * not until they happen to, which is a late read if they don't. A RELEASE leaves the buffer after
 * all that is older, a RELAXED write just after what is older at its address. SEQ_CST writes and
 * futex calls empty the buffer. docs/design/models.md says what follows, and what is not modelled.
 *
 * A schedule ends when every thread has returned or sleeps in a futex without a time limit: then
 * the claim is checked. Time passes only when nobody can go on. What fails prints its schedule;
 * EXPLORE_REPLAY="..." in the environment runs just that one and prints each step.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "../helpers.h"

#include "order.h"

#include <sched.h>
#include <ucontext.h>
#define sched_getcpu() 0 /* always the same, as an order must be when it is repeated */

#define EXPLORE_LOST TEST_SANITIZED

#define EXPLORE_THREADS 4
#define EXPLORE_STEPS   4096
#define EXPLORE_BUFFER  64
#define EXPLORE_FREED   16
#define EXPLORE_STACK   65536
#define EXPLORE_EXPIRED INT64_MIN
#define EXPLORE_TOLD    500 /* steps at either end that are printed */

struct explore_site {
    const char *file;
    int         line;
    const char *what;
};

/* A write in a buffer. While its thread runs, it is in memory and `all_see` keeps what was
 * below. */
struct explore_write {
    char                      *at;
    size_t                     size;
    char                       all_see[8], value[8];
    bool                       release, rmw;
    uint64_t                   number; /* they are in this order */
    const struct explore_site *site;
    struct explore_write      *outer; /* while it leaves: see explore_leave */
};

struct explore_thread {
    ucontext_t context;
    void (*body)(void);
    uint32_t            *sleeps_on;
    int64_t              until; /* the limit of its sleep, or EXPLORE_EXPIRED */
    bool                 ended, waits;
    int                  n_writes;
    struct explore_write write[EXPLORE_BUFFER], *leaving;
};

static struct explorer {
    ucontext_t            scheduler;
    struct explore_thread thread[EXPLORE_THREADS];
    int                   n, current, preemptions, late;
    int64_t               now;
    uint64_t              n_writes;
    struct {
        char  *at;
        size_t size;
        bool   ours;        /* to be freed after the schedule */
    } freed[EXPLORE_FREED]; /* in this schedule */
    int n_freed;
    /* The schedule: at each point which of how many choices was taken. */
    int      depth, choice[EXPLORE_STEPS], n_choices[EXPLORE_STEPS];
    uint64_t n_schedules;
    bool     exploring, replays;
    /* What came of it, to be printed. */
    int n_steps;
    struct explore_step {
        int                        thread;
        const char                *mark; /* "", or "!" or "~": see explore_tell */
        const struct explore_site *site;
    } step[EXPLORE_STEPS];
} explorer = {.current = -1};

static char explore_stack[EXPLORE_THREADS][EXPLORE_STACK];

/* ---- saying what happened ---- */

static const char *explore_file(const struct explore_site *site)
{
    const char *slash = strrchr(site->file, '/');

    return slash ? slash + 1 : site->file;
}

static void explore_tell_replay(void)
{
    const char *space = "";

    fprintf(stderr, "schedule %llu: EXPLORE_REPLAY=\"",
            (unsigned long long)explorer.n_schedules + 1);
    for (int i = 0; i < explorer.depth; i++)
        if (explorer.choice[i] > 0) {
            fprintf(stderr, "%s%d:%d", space, i, explorer.choice[i]);
            space = " ";
        }
    fprintf(stderr, "\"\n");
}

/* A line for each stretch of a thread: its number, and the source lines of its steps. */
static void explore_tell(void)
{
    static bool told;
    int         last = -1;
    const char *file = "";

    if (told || !explorer.exploring)
        return;
    told = true;
    explore_tell_replay();
    if (explorer.replays)
        return; /* each step has been printed */
    fprintf(stderr, "(!T:LINE or ~T:LINE, what thread T wrote there is seen now, or is not yet)");
    for (int i = 0; i < explorer.n_steps; i++) {
        struct explore_step *s = &explorer.step[i];

        if (i == EXPLORE_TOLD &&
            explorer.n_steps > 2 * EXPLORE_TOLD) { /* it goes round and round */
            fprintf(stderr, " ...");
            i = explorer.n_steps - EXPLORE_TOLD;
        }
        if (!s->mark[0] && s->thread != last) {
            last = s->thread;
            file = "";
            fprintf(stderr, "\n  %d ", last);
        }
        fprintf(stderr, " %s", s->mark);
        if (s->mark[0])
            fprintf(stderr, "%d:", s->thread);
        if (strcmp(file, explore_file(s->site)) != 0)
            fprintf(stderr, "%s:", file = explore_file(s->site));
        fprintf(stderr, "%d", s->site->line);
    }
    fprintf(stderr, "\n");
}

#define test_fail(...) (explore_tell(), (test_fail)(__VA_ARGS__))

static void explore_died(int signal_)
{
    explore_tell();
    signal(signal_, SIG_DFL);
    raise(signal_);
}

static void explore_record(int thread, const char *mark, const struct explore_site *site)
{
    struct explorer *x = &explorer;

    check(x->n_steps < EXPLORE_STEPS); /* else a thread goes on for ever */
    x->step[x->n_steps++] = (struct explore_step){thread, mark, site};
    if (x->replays)
        fprintf(stderr, "%*s%d%-2s %s:%d %s\n", thread * 4, "", thread, mark, explore_file(site),
                site->line, site->what);
}

/* ---- choosing ---- */

static int explore_choose(int n)
{
    struct explorer *x = &explorer;

    if (n == 1)
        return 0;
    check(x->depth < EXPLORE_STEPS);
    if (x->n_choices[x->depth] == 0)
        x->n_choices[x->depth] = n;
    check_eq(x->n_choices[x->depth], n); /* else the threads don't only depend on the schedule */
    check_cmp(x->choice[x->depth], <, n);
    return x->choice[x->depth++];
}

static bool explore_runnable(int i)
{
    struct explore_thread *t = &explorer.thread[i];

    return !t->ended && !t->sleeps_on && !t->waits;
}

/* Who goes on after `last`; -1: nobody can. */
static int explore_choose_thread(int last)
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
    n = options[explore_choose(n)];
    x->preemptions -= going && n != last;
    return n;
}

/* ---- the buffers ---- */

/* Takes the thread's writes out of memory, and puts them back. Threads that don't run are
 * hidden. */
static void explore_hide(struct explore_thread *t)
{
    for (int k = t->n_writes - 1; k >= 0; k--) {
        struct explore_write *w = &t->write[k];

        memcpy(w->value, w->at, w->size);
        memcpy(w->at, w->all_see, w->size);
    }
}

static void explore_show(struct explore_thread *t)
{
    for (int k = 0; k < t->n_writes; k++) {
        struct explore_write *w = &t->write[k];

        memcpy(w->all_see, w->at, w->size);
        memcpy(w->at, w->value, w->size);
    }
}

static bool explore_overlaps(const struct explore_write *w, const char *at, size_t size)
{
    return w->at < at + size && at < w->at + w->size;
}

/* The thread's oldest write there that has not left its buffer, or -1. */
static int explore_find(int i, const char *at, size_t size)
{
    struct explore_thread *t = &explorer.thread[i];

    for (int k = 0; k < t->n_writes; k++)
        if (explore_overlaps(&t->write[k], at, size))
            return k;
    return -1;
}

/* Whether one of its writes there is about to leave: then its later ones can't come before. */
static bool explore_is_leaving(int i, const char *at, size_t size)
{
    for (struct explore_write *w = explorer.thread[i].leaving; w; w = w->outer)
        if (explore_overlaps(w, at, size))
            return true;
    return false;
}

static void explore_settle(int self, const char *at, size_t size, bool writes);

/* One of the thread's older writes that leave before this one, or -1. */
static int explore_find_older(int i, const struct explore_write *w)
{
    struct explore_thread *t = &explorer.thread[i];

    for (int k = 0; k < t->n_writes && t->write[k].number < w->number; k++)
        if (w->release || explore_overlaps(&t->write[k], w->at, w->size))
            return k;
    return -1;
}

/* A write leaves its thread's buffer, for all to see. All threads are hidden. */
static void explore_leave(int i, int k)
{
    struct explore_thread *t = &explorer.thread[i];
    struct explore_write   w = t->write[k];

    memmove(&t->write[k], &t->write[k + 1], (size_t)(--t->n_writes - k) * sizeof w);
    w.outer = t->leaving;
    t->leaving = &w;
    while ((k = explore_find_older(i, &w)) >= 0)
        explore_leave(i, k);
    if (!w.rmw) /* else it follows what it has read: the others' come after it */
        explore_settle(i, w.at, w.size, true);
    t->leaving = w.outer;
    memcpy(w.at, w.value, w.size);
    if (i != explorer.current)
        explore_record(i, "!", w.site);
}

static void explore_drain(int i)
{
    while (explorer.thread[i].n_writes > 0)
        explore_leave(i, 0);
}

/* Which of the others' buffered writes come before thread self's access. What a read-modify-write
 * has replaced is gone: other writes come after it. */
static void explore_settle(int self, const char *at, size_t size, bool writes)
{
    struct explorer *x = &explorer;

    for (;;) {
        int  who[EXPLORE_THREADS], which[EXPLORE_THREADS], n = 0, c;
        bool must = false;

        for (int i = 0; i < x->n; i++)
            if (i != self && !explore_is_leaving(i, at, size) &&
                (which[n] = explore_find(i, at, size)) >= 0) {
                must |= writes && x->thread[i].write[which[n]].rmw;
                who[n++] = i;
            }
        if (n == 0)
            return;
        c = explore_choose(n + (!must && x->late > 0));
        if (c == n) {
            x->late--;
            explore_record(who[0], "~", x->thread[who[0]].write[which[0]].site);
            return;
        }
        explore_leave(who[c], which[c]);
    }
}

/* ---- going on ---- */

/* Everybody sleeps: the next time limit comes, if there is one. */
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

/* Nobody can go on: buffers empty themselves in the end, who waits has waited long enough, time
 * passes. */
static int explore_revive(int last)
{
    struct explorer *x = &explorer;
    int              next;

    for (int i = 0; i < x->n; i++) {
        explore_drain(i);
        x->thread[i].waits = false;
    }
    if ((next = explore_choose_thread(last)) >= 0)
        return next;
    explore_pass_time();
    return explore_choose_thread(last);
}

/* Hides the current thread and goes on with whom the schedule names; returns, hidden, when that is
 * the current one again. */
static void explore_switch(void)
{
    struct explorer *x = &explorer;
    int              last = x->current;

    explore_hide(&x->thread[last]);
    x->current = explore_choose_thread(last);
    if (x->current < 0)
        x->current = explore_revive(last);
    if (x->current < 0)
        swapcontext(&x->thread[last].context, &x->scheduler);
    else if (x->current != last)
        swapcontext(&x->thread[last].context, &x->thread[x->current].context);
}

/* Memory that explore_allocator was given back. */
static bool explore_is_freed(const void *at)
{
    const char *p = at;

    for (int i = 0; i < explorer.n_freed; i++)
        if (p >= explorer.freed[i].at && p < explorer.freed[i].at + explorer.freed[i].size)
            return true;
    return false;
}

/* A step begins; true if it is a thread's, which is hidden then. */
static bool explore_begin(const struct explore_site *site, const void *at)
{
    if (explorer.current < 0)
        return false; /* set_up or the claim */
    explore_switch();
    explore_record(explorer.current, "", site);
    check(!explore_is_freed(at));
    return true;
}

static void explore_end(void)
{
    explore_show(&explorer.thread[explorer.current]);
}

/* What is about to be written stays in the buffer. */
static void explore_buffer(const struct explore_site *site, char *at, size_t size, int order,
                           bool rmw)
{
    struct explore_thread *t = &explorer.thread[explorer.current];
    struct explore_write  *w = &t->write[t->n_writes++];

    check(t->n_writes < EXPLORE_BUFFER && size <= sizeof w->value);
    *w = (struct explore_write){.at = at, .size = size, .rmw = rmw, .site = site};
    w->release = order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL;
    w->number = explorer.n_writes++;
    memcpy(w->all_see, at, size);
}

static inline void explore_load(const struct explore_site *site, const void *at, size_t size)
{
    if (!explore_begin(site, at))
        return;
    if (explore_find(explorer.current, at, size) < 0) /* else it reads its own */
        explore_settle(explorer.current, at, size, false);
    explore_end();
}

static inline void explore_store(const struct explore_site *site, void *at, size_t size, int order)
{
    if (!explore_begin(site, at))
        return;
    if (order == __ATOMIC_SEQ_CST) {
        explore_drain(explorer.current);
        explore_settle(explorer.current, at, size, true);
    }
    explore_end();
    if (order != __ATOMIC_SEQ_CST)
        explore_buffer(site, at, size, order, false);
}

static inline void explore_rmw(const struct explore_site *site, void *at, size_t size, int order)
{
    int k;

    if (!explore_begin(site, at))
        return;
    if (order == __ATOMIC_SEQ_CST)
        explore_drain(explorer.current);
    while ((k = explore_find(explorer.current, at, size)) >= 0)
        explore_leave(explorer.current, k);
    explore_settle(explorer.current, at, size, true);
    explore_end();
    if (order != __ATOMIC_SEQ_CST)
        explore_buffer(site, at, size, order, true);
}

/* A compare-and-swap that fails has written nothing. */
static inline bool explore_done(bool done, int order)
{
    if (!done && order != __ATOMIC_SEQ_CST && explorer.current >= 0)
        explorer.thread[explorer.current].n_writes--;
    return done;
}

static inline bool explore_futex_wait(const struct explore_site *site, uint32_t *word,
                                      uint32_t value, int64_t until)
{
    struct explore_thread *t = &explorer.thread[explorer.current];

    if (!explore_begin(site, word))
        return true;
    explore_drain(explorer.current);
    explore_settle(explorer.current, (char *)word, sizeof *word, false);
    if (*word != value)
        return true;
    t->sleeps_on = word;
    t->until = until;
    explore_switch();
    return t->until != EXPLORE_EXPIRED;
}

static inline void explore_futex_wake(const struct explore_site *site, const uint32_t *word, int n)
{
    struct explorer *x = &explorer;

    /* The word may be gone: a wake too many is nothing that a sleeper minds. */
    if (!explore_begin(site, NULL))
        return;
    explore_drain(x->current);
    for (struct explore_thread *t = x->thread; t < x->thread + x->n && n > 0; t++)
        if (t->sleeps_on == word) {
            t->sleeps_on = NULL;
            n--;
        }
}

static inline void explore_wait_at(const struct explore_site *site)
{
    explorer.thread[explorer.current].waits = true;
    explore_begin(site, NULL);
    explore_end();
}

/* ---- what the code under test and the tests use ---- */

#define explore_at_(f, what, ...)                                                                  \
    ({                                                                                             \
        static const struct explore_site site_ = {__FILE__, __LINE__, what};                       \
        f(&site_, ##__VA_ARGS__);                                                                  \
    })
#define explore_write_(kind, p, order, what)                                                       \
    explore_at_(kind, what " " #p ", " #order, (p), sizeof *(p), WF_ORDER_##order)

/* A point where another thread may go on. */
#define explore_step() explore_at_(explore_load, "step", NULL, 0)
/* In a loop that goes round until another thread has done something: lets the others do it. */
#define explore_wait() explore_at_(explore_wait_at, "wait")

#define WF_FUTEX_H /* in place of sched/futex.h */
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
#define wf_load(p, order)                                                                          \
    (explore_at_(explore_load, "load " #p ", " #order, (p), sizeof *(p)),                          \
     __atomic_load_n((p), __ATOMIC_SEQ_CST))
#define wf_store(p, v, order)                                                                      \
    (explore_write_(explore_store, p, order, "store"), __atomic_store_n((p), (v), __ATOMIC_SEQ_CST))
#define wf_swap(p, v, order)                                                                       \
    (explore_write_(explore_rmw, p, order, "swap"), __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST))
#define wf_add(p, v, order)                                                                        \
    (explore_write_(explore_rmw, p, order, "add"), __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST))
#define wf_sub(p, v, order)                                                                        \
    (explore_write_(explore_rmw, p, order, "sub"), __atomic_fetch_sub((p), (v), __ATOMIC_SEQ_CST))
#define wf_or(p, v, order)                                                                         \
    (explore_write_(explore_rmw, p, order, "or"), __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST))
#define wf_and(p, v, order)                                                                        \
    (explore_write_(explore_rmw, p, order, "and"), __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST))
#define wf_cas(p, expected, v, order)                                                              \
    (explore_write_(explore_rmw, p, order, "cas"),                                                 \
     explore_done(__atomic_compare_exchange_n((p), (expected), (v), false, __ATOMIC_SEQ_CST,       \
                                              __ATOMIC_SEQ_CST),                                   \
                  WF_ORDER_##order))
#define wf_count(p, n) ((void)(*(p) += (n))) /* no point of interest */

/* Memory of threads is really freed after the schedule, so that a late access is noticed. Who frees
 * it has emptied its buffer. */
static inline void *explore_allocate(void *arg, size_t size)
{
    (void)arg;
    return malloc(size);
}

static inline void explore_gone(void *memory, size_t size, bool ours)
{
    struct explorer *x = &explorer;

    explore_hide(&x->thread[x->current]);
    explore_drain(x->current);
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

/* The same for memory that is the test's own. */
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

    explore_show(t);
    t->body();
    t->ended = true;
    explore_switch();
}

static void explore_make(int i)
{
    struct explore_thread *t = &explorer.thread[i];

    t->ended = t->waits = false;
    t->sleeps_on = NULL;
    t->n_writes = 0;
    t->leaving = NULL;
    getcontext(&t->context);
    t->context.uc_stack.ss_sp = explore_stack[i];
    t->context.uc_stack.ss_size = EXPLORE_STACK;
    makecontext(&t->context, explore_thread, 0);
}

static void explore_one(int preemptions, int late)
{
    struct explorer *x = &explorer;

    x->depth = x->n_steps = 0;
    x->preemptions = preemptions;
    x->late = late;
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

/* The next schedule; false: that was the last. */
static bool explore_next(void)
{
    struct explorer *x = &explorer;

    x->n_schedules++;
    while (x->depth > 0 && x->choice[x->depth - 1] + 1 == x->n_choices[x->depth - 1]) {
        x->depth--;
        x->n_choices[x->depth] = x->choice[x->depth] = 0;
    }
    if (x->depth == 0)
        return false;
    x->choice[x->depth - 1]++;
    return !x->replays;
}

static void explore_read_replay(const char *text)
{
    int at, choice, n;

    for (; sscanf(text, "%d:%d%n", &at, &choice, &n) == 2; text += n) {
        check(at >= 0 && at < EXPLORE_STEPS);
        explorer.choice[at] = choice;
    }
    explorer.replays = true;
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
    if (getenv("EXPLORE_REPLAY"))
        explore_read_replay(getenv("EXPLORE_REPLAY"));
    signal(SIGSEGV, explore_died);
    signal(SIGABRT, explore_died);
    explorer.exploring = true;
    explorer.n_schedules = 0;
    explorer.n = n;
    for (int i = 0; i < n; i++)
        explorer.thread[i].body = body[i];
    do {
        set_up();
        explore_one(preemptions, late);
        claim();
        explore_free();
    } while (explore_next());
    explorer.exploring = false;
    fprintf(stderr, "%llu schedules\n", (unsigned long long)explorer.n_schedules);
}

#endif
