/*
 * scenario.c - what a program on bare metal does with weft, once, for every machine of platform.h
 */
#include "tick.h"

#include <weft/combine.h>

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
    expect(!weft_local_turn(&local)); /* no task is left, which is fine */
}

/* ---- wakers ---- */

/* PENDING until `end`; any test may take its waker. */
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

#include "groups.h"

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
