/*
 * scenario.c - what a program on bare metal does with weft, once, for every machine of platform.h
 *
 * The hardware is a timer that interrupts when it was asked to. A `tick` is a future of our own
 * that ends after so many interrupts; those that wait stand in a list that is touched with
 * interrupts masked.
 */
#include "platform.h"

#include <weft/combine.h>

#define expect(condition)                                                                          \
    ((condition) ? (void)0 : platform_fail(__FILE__, __LINE__, #condition, 0, 1))
#define expect_eq(a, b)                                                                            \
    do {                                                                                           \
        int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                                              \
        if (a_ != b_)                                                                              \
            platform_fail(__FILE__, __LINE__, #a " == " #b, a_, b_);                               \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the hardware ---- */

struct tick {
    weft_future  future;
    uint32_t     n, until; /* how many interrupts; after which one */
    uint32_t     n_polls;
    weft_waker   waker;
    struct tick *next;
    bool         waits; /* stands in the list */
};

static struct tick     *waiting;
static uint32_t         n_ticks; /* written masked */
static uint32_t         random_state = 1;
static weft_local_task *cancelled_by_interrupt;

static uint32_t now(void)
{
    return __atomic_load_n(&n_ticks, __ATOMIC_RELAXED); /* what it stands for is read masked */
}

static void mask(void)
{
    if (platform_port.mask)
        platform_port.mask(platform_port.arg);
}

static void unmask(void)
{
    if (platform_port.unmask)
        platform_port.unmask(platform_port.arg);
}

/* So that interrupts come at every place of the code, sooner or later. */
static uint32_t random_delay(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 16) % 700 + 1;
}

static void tick_leave(struct tick *self)
{
    struct tick **at = &waiting;

    if (!self->waits)
        return;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    self->waits = false;
    if (!waiting)
        platform_arm(0);
}

void scenario_interrupt(void)
{
    uint32_t      tick = now() + 1;
    struct tick **at = &waiting, *t;

    __atomic_store_n(&n_ticks, tick, __ATOMIC_RELAXED);
    while ((t = *at) != NULL) {
        if (t->until == tick) {
            weft_waker waker = t->waker;
            *at = t->next;
            t->waits = false;
            weft_waker_wake(waker);
        } else {
            at = &t->next;
        }
    }
    if (cancelled_by_interrupt)
        weft_local_cancel(cancelled_by_interrupt);
    cancelled_by_interrupt = NULL;
    if (waiting)
        platform_arm(random_delay());
}

/* Masked: stands in the list, with the newest waker, until the interrupt. */
static void tick_wait(struct tick *self, const weft_waker *waker)
{
    if (self->n_polls == 1)
        self->until = now() + self->n;
    if (self->until == now() || (self->n_polls > 1 && !self->waits))
        return;
    tick_leave(self);
    if (!waiting)
        platform_arm(random_delay());
    self->waker = weft_waker_clone(waker); /* a local task's counts nothing: nothing to drop */
    self->next = waiting;
    waiting = self;
    self->waits = true;
}

static weft_poll tick_poll(weft_future *future, weft_context *cx)
{
    struct tick *self = weft_container(future, struct tick, future);
    bool         waits;

    self->n_polls++;
    mask();
    if (weft_future_is_cancelled(future))
        tick_leave(self);
    else
        tick_wait(self, weft_context_waker(cx));
    waits = self->waits;
    unmask();
    if (waits)
        return WEFT_PENDING;
    return weft_ready(future, weft_future_is_cancelled(future) ? -ECANCELED : (int64_t)self->until);
}

static void tick_cancel(weft_future *future)
{
    (void)future; /* the next poll leaves the list */
}

/* Ends after n interrupts with the number of the last. */
static weft_future *tick(struct tick *self, uint32_t n)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "tick",
                                        .poll = tick_poll,
                                        .cancel = tick_cancel};

    weft_future_init(&self->future, &ops);
    self->n = n;
    self->n_polls = 0;
    self->waits = false;
    return &self->future;
}

/* ---- the executor ---- */

static weft_local      local;
static weft_local_task task[4];

static weft_local_task *add(int i, weft_future *future)
{
    weft_local_add(&local, &task[i], future);
    return &task[i];
}

static int64_t result(int i)
{
    return weft_future_result(task[i].future);
}

static void begin(void)
{
    weft_local_init(&local, &platform_port);
}

static void run(void)
{
    weft_local_run(&local);
    expect_eq(weft_local_count(&local), 0);
    expect(!waiting);
}

/* ---- tasks and interrupts ---- */

struct sleeps {
    WEFT_FRAME;
    struct {
        uint32_t n, times;
    } in;
    struct tick tick;
    uint32_t    i;
};
WEFT_ASYNC(sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.times; self->i++) {
        WEFT_AWAIT(n, tick(&self->tick, self->in.n));
        if (n < 0)
            WEFT_RETURN(n);
    }
    WEFT_END(self->i);
}

static struct sleeps sleeper[4];

void scenario_a_task_sleeps_until_an_interrupt_wakes_it(void)
{
    uint32_t start = now();

    begin();
    add(0, weft_async(sleeps, &sleeper[0], .n = 3, .times = 4));
    run();
    expect_eq(result(0), 4);
    expect_eq(now() - start, 12);
    expect_eq(sleeper[0].tick.n_polls, 2); /* one that waits, one that finds */
}

struct calls {
    WEFT_FRAME;
    struct {
        uint32_t n;
    } in;
    struct sleeps child;
    int64_t       sum;
};
WEFT_ASYNC(calls)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    WEFT_CALL(n, sleeps, &self->child, .n = self->in.n, .times = 2);
    self->sum += n;
    WEFT_YIELD();
    WEFT_CALL(n, sleeps, &self->child, .n = 1, .times = 3);
    self->sum += n * 10;
    WEFT_END(self->sum);
}

void scenario_calls_go_on_at_the_await_where_they_waited(void)
{
    static struct calls caller[2];

    begin();
    add(0, weft_async(calls, &caller[0], .n = 2));
    add(1, weft_async(calls, &caller[1], .n = 5));
    run();
    expect_eq(result(0), 32);
    expect_eq(result(1), 32);
}

/* ---- the order of polls ---- */

static char journal[64];
static int  n_journal;

static bool journal_says(const char *text)
{
    int i = 0;

    while (i < n_journal && text[i] == journal[i])
        i++;
    return i == n_journal && !text[i];
}

/* Writes its letter at each poll; yields `times` times. */
struct writes {
    WEFT_FRAME;
    struct {
        char     letter;
        uint32_t times;
    } in;
    uint32_t i;
};
WEFT_ASYNC(writes)
{
    WEFT_BEGIN();
    for (self->i = 0; self->i <= self->in.times; self->i++) {
        if (self->i > 0)
            WEFT_YIELD();
        journal[n_journal++] = self->in.letter;
    }
    WEFT_END(0);
}

static struct writes writer[4];

static void write_with(int i, uint32_t times)
{
    add(i, weft_async(writes, &writer[i], .letter = (char)('a' + i), .times = times));
}

static void write_letter(void *letter)
{
    journal[n_journal++] = *(char *)letter;
}

struct defers {
    WEFT_FRAME;
    struct {
    } in;
    char          letter[2];
    weft_deferred node[2]; /* at an odd multiple of 4, where pointers have 4 bytes */
    struct tick   tick;
};
WEFT_ASYNC(defers)
{
    int64_t n;

    WEFT_BEGIN();
    self->letter[0] = 'a';
    self->letter[1] = 'b';
    weft_defer(&self->node[0], write_letter, &self->letter[0]);
    weft_defer(&self->node[1], write_letter, &self->letter[1]);
    WEFT_AWAIT(n, tick(&self->tick, 2));
    journal[n_journal++] = '.';
    WEFT_END(n < 0 ? n : 0);
}

void scenario_deferred_calls_run_when_it_ends(void)
{
    static struct defers deferrer;

    begin();
    n_journal = 0;
    add(0, weft_async(defers, &deferrer));
    run();
    expect_eq(result(0), 0);
    expect(journal_says(".ba"));
}

void scenario_tasks_are_polled_in_order_and_only_when_woken(void)
{
    begin();
    n_journal = 0;
    write_with(0, 0);
    add(1, weft_async(sleeps, &sleeper[1], .n = 2, .times = 1));
    write_with(2, 1);
    write_with(3, 0);
    expect(weft_local_turn(&local)); /* c has yielded */
    expect(journal_says("acd"));
    expect_eq(weft_local_count(&local), 2);
    run();
    expect(journal_says("acdc"));
    expect_eq(sleeper[1].tick.n_polls, 2);
}

void scenario_tasks_that_are_always_ready_take_turns(void)
{
    begin();
    n_journal = 0;
    write_with(0, 3);
    write_with(1, 1);
    write_with(2, 3);
    run();
    expect(journal_says("abcabcacac"));
}

struct adds {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(adds)
{
    WEFT_BEGIN();
    write_with(1, 0);
    write_with(2, 0);
    WEFT_END(0);
}

void scenario_a_task_added_in_a_poll_waits_for_the_next_turn(void)
{
    static struct adds adder;

    begin();
    n_journal = 0;
    add(0, weft_async(adds, &adder));
    expect(weft_local_turn(&local));
    expect(journal_says(""));
    expect_eq(weft_local_count(&local), 2);
    expect(!weft_local_turn(&local));
    expect(journal_says("bc"));
    expect(!weft_local_turn(&local)); /* nobody is left, which is fine */
}

/* ---- wakers ---- */

/* PENDING until `end`; whoever wants its waker takes it. */
struct listens {
    weft_future future;
    weft_waker  waker;
    uint32_t    n_polls;
    bool        end;
};

static weft_poll listens_poll(weft_future *future, weft_context *cx)
{
    struct listens *self = weft_container(future, struct listens, future);

    self->n_polls++;
    self->waker = weft_waker_clone(weft_context_waker(cx));
    expect(weft_waker_will_wake(&self->waker, weft_context_waker(cx)));
    return self->end ? weft_ready(future, self->n_polls) : WEFT_PENDING;
}

static struct listens listener;

static weft_future *listens(void)
{
    static const weft_future_ops ops = {
        .size = sizeof listener, .name = "listens", .poll = listens_poll};

    weft_future_init(&listener.future, &ops);
    listener.n_polls = 0;
    listener.end = false;
    return &listener.future;
}

void scenario_many_wakes_are_one_poll(void)
{
    begin();
    add(0, listens());
    expect(!weft_local_turn(&local));
    expect(!weft_local_turn(&local));
    expect_eq(listener.n_polls, 1);
    for (int i = 0; i < 100; i++)
        weft_waker_wake_by_ref(&listener.waker);
    expect(!weft_local_turn(&local));
    expect_eq(listener.n_polls, 2);
    weft_waker_drop(weft_waker_clone(&listener.waker));
    expect(!weft_local_turn(&local));
    listener.end = true;
    weft_waker_wake(listener.waker);
    run();
    expect_eq(result(0), 3);
}

void scenario_wakers_outlive_their_task(void)
{
    weft_waker noop = weft_waker_noop();

    begin();
    add(0, listens());
    listener.end = true;
    run();
    weft_waker_wake_by_ref(&listener.waker);
    weft_waker_wake(listener.waker);
    weft_local_cancel(&task[0]);
    expect(!weft_waker_will_wake(&listener.waker, &noop));
    write_with(1, 1);
    run();
    expect_eq(result(0), 1);
    expect_eq(listener.n_polls, 1);
}

/* ---- several futures in one task ---- */

struct chooses {
    WEFT_FRAME;
    struct {
        uint32_t a, b;
    } in;
    struct weft_select select;
    struct tick        tick[2];
};
WEFT_ASYNC(chooses)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select(&self->select, tick(&self->tick[0], self->in.a),
                              tick(&self->tick[1], self->in.b)));
    WEFT_END(n);
}

static struct chooses chooser;

void scenario_select_ends_with_the_first_tick_and_cancels_the_other(void)
{
    begin();
    add(0, weft_async(chooses, &chooser, .a = 1000000, .b = 2));
    run();
    expect_eq(result(0), 1);
    expect_eq(weft_future_result(&chooser.tick[0].future), -ECANCELED);
    expect(weft_future_result(&chooser.tick[1].future) >= 2);
    expect_eq(weft_select_undone(&chooser.select), 0);
}

void scenario_select_starts_anywhere(void)
{
    int won[2] = {0, 0};

    begin();
    for (int i = 0; i < 64; i++) {
        add(0, weft_async(chooses, &chooser, .a = 0, .b = 0));
        run();
        won[result(0)]++;
    }
    expect(won[0] > 8);
    expect(won[1] > 8);
}

struct keeps {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_select select;
    struct tick        slow, fast;
    int                n_fast;
};
WEFT_ASYNC(keeps)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_fast = 0;
    tick(&self->slow, 40);
    do {
        WEFT_AWAIT(n, weft_select_biased(&self->select, tick(&self->fast, 1),
                                         weft_keep(&self->slow.future)));
        self->n_fast += n == 0;
    } while (n == 0);
    WEFT_END(self->n_fast);
}

void scenario_a_kept_branch_goes_on(void)
{
    static struct keeps keeper;
    uint32_t            start = now();

    begin();
    add(0, weft_async(keeps, &keeper));
    run();
    expect(result(0) >= 1 && result(0) <= 40); /* a slow machine may miss interrupts */
    expect(weft_future_result(&keeper.slow.future) >= start + 40); /* and was never cancelled */
}

struct joins {
    WEFT_FRAME;
    struct {
        uint32_t n, times;
    } in;
    struct weft_join_all all;
    struct tick          tick[3];
    struct sleeps        child;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_join_all(&self->all, tick(&self->tick[0], self->in.n),
                                tick(&self->tick[1], self->in.n + 1),
                                weft_async(sleeps, &self->child, .n = 2, .times = self->in.times),
                                tick(&self->tick[2], self->in.n * 3)));
    WEFT_END(n);
}

void scenario_join_all_waits_for_all(void)
{
    static struct joins joiner[2];

    begin();
    add(0, weft_async(joins, &joiner[0], .n = 1, .times = 3));
    add(1, weft_async(joins, &joiner[1], .n = 4, .times = 3));
    run();
    for (int i = 0; i < 2; i++) {
        expect_eq(result(i), 0);
        expect_eq(weft_future_result(&joiner[i].child.weft_frame_.future), 3);
        for (unsigned k = 0; k < COUNT(joiner[i].tick); k++)
            expect(weft_future_result(&joiner[i].tick[k].future) > 0);
    }
}

struct fails {
    WEFT_FRAME;
    struct {
    } in;
    struct tick tick;
};
WEFT_ASYNC(fails)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, tick(&self->tick, 1));
    WEFT_END(n < 0 ? n : -EIO);
}

struct tries {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_try_join all;
    struct tick          tick;
    struct fails         child;
};
WEFT_ASYNC(tries)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(
        n, weft_try_join(&self->all, tick(&self->tick, 1000000), weft_async(fails, &self->child)));
    WEFT_END(n);
}

void scenario_try_join_ends_with_the_first_error(void)
{
    static struct tries trier;

    begin();
    add(0, weft_async(tries, &trier));
    run();
    expect_eq(result(0), -EIO);
    expect_eq(weft_future_result(&trier.tick.future), -ECANCELED);
}

/* ---- cancel ---- */

struct cancels {
    WEFT_FRAME;
    struct {
        weft_local_task *task;
    } in;
    struct tick tick;
};
WEFT_ASYNC(cancels)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, tick(&self->tick, 3));
    weft_local_cancel(self->in.task);
    WEFT_END(n);
}

void scenario_cancel_reaches_the_innermost_await(void)
{
    static struct joins   joiner;
    static struct cancels canceller;

    begin();
    add(0, weft_async(joins, &joiner, .n = 1000000, .times = 1000000));
    add(1, weft_async(cancels, &canceller, .task = &task[0]));
    run();
    expect_eq(result(0), -ECANCELED);
    expect(result(1) > 0);
    expect_eq(weft_future_result(&joiner.child.weft_frame_.future), -ECANCELED);
    for (unsigned i = 0; i < COUNT(joiner.tick); i++)
        expect_eq(weft_future_result(&joiner.tick[i].future), -ECANCELED);
}

void scenario_cancel_comes_from_an_interrupt(void)
{
    begin();
    add(0, weft_async(sleeps, &sleeper[0], .n = 1000000, .times = 1));
    (void)weft_local_turn(&local);
    mask();
    cancelled_by_interrupt = &task[0];
    unmask();
    run();
    expect_eq(result(0), -ECANCELED);
}

void scenario_cancel_before_the_first_poll_starts_nothing(void)
{
    begin();
    n_journal = 0;
    write_with(0, 1);
    weft_local_cancel(&task[0]);
    weft_local_cancel(&task[0]);
    run();
    expect(journal_says(""));
    expect_eq(result(0), -ECANCELED);
}

static weft_poll looks_poll(weft_future *future, weft_context *cx)
{
    return weft_ready(future, cx->runtime ? 0 : -ENXIO);
}

void scenario_futures_that_need_a_runtime_find_none(void)
{
    static const weft_future_ops ops = {
        .size = sizeof(weft_future), .name = "looks", .poll = looks_poll};
    static weft_future looks;

    begin();
    weft_future_init(&looks, &ops);
    add(0, &looks);
    run();
    expect_eq(result(0), -ENXIO);
}

/* ---- no wake is lost ---- */

/* One task and one interrupt at a time, each of which waits for the other. */
void scenario_no_wake_is_lost_wherever_the_interrupt_comes(void)
{
    uint32_t start = now();

    begin();
    add(0, weft_async(sleeps, &sleeper[0], .n = 1, .times = platform_rounds));
    run();
    expect_eq(result(0), platform_rounds);
    expect_eq(now() - start, platform_rounds);
}

/* Each interrupt wakes some of several, in front of and behind the one that is being polled. */
void scenario_no_wake_is_lost_in_a_crowd(void)
{
    begin();
    for (int i = 0; i < 4; i++)
        add(i, weft_async(sleeps, &sleeper[i], .n = (uint32_t)i + 1, .times = platform_rounds / 8));
    run();
    for (int i = 0; i < 4; i++)
        expect_eq(result(i), platform_rounds / 8);
}
