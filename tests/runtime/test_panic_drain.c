/* test_panic_drain.c - a panicking task's operations end before its deferred calls run */
#include "../helpers.h"

#include <time.h>

/* Panics when it has been polled n + 1 times. */
struct boom {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    struct counter counter;
};
WEFT_ASYNC(boom)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->counter, self->in.n));
    weft_panic("boom");
    WEFT_END(n);
}

/* What a task shows of its death. All of it belongs to the only worker, but for the counts. */
struct notes {
    struct event *in_flight; /* it lingers: ends only when it is told to */
    bool          had_ended; /* when the deferred call ran */
    int64_t       began, deferred;
    int64_t       blocks_ms; /* the deferred call does */
};

static void last_words(void *arg)
{
    struct notes   *notes = arg;
    struct timespec t = {.tv_nsec = notes->blocks_ms * 1000000};

    notes->had_ended = weft_future_is_ready(&notes->in_flight->future);
    nanosleep(&t, NULL);
    add(&notes->deferred, 1);
}

/* Panics while it awaits a future, or while a kept branch is pending that no function awaits. */
struct dies {
    WEFT_FRAME;
    struct {
        struct notes *notes;
        bool          keeps;
    } in;
    struct weft_select select;
    weft_deferred      deferred;
    struct event       event;
    struct counter     counter;
    struct boom        boom;
};
WEFT_ASYNC(dies)
{
    int64_t n;

    WEFT_BEGIN();
    event(&self->event);
    self->event.lingers = true;
    self->in.notes->in_flight = &self->event;
    weft_defer(&self->deferred, last_words, self->in.notes);
    add(&self->in.notes->began, 1);
    if (self->in.keeps) {
        WEFT_AWAIT(n, weft_select_biased(&self->select, weft_keep(&self->event.future),
                                         counter(&self->counter, 2)));
        check_eq(n, 1);
        weft_panic("with a kept branch");
    }
    WEFT_AWAIT(n, weft_select_biased(&self->select, &self->event.future,
                                     weft_async(boom, &self->boom, 3)));
    WEFT_END(n);
}

/* On the same worker: sees that the dying task waits, then lets it go. */
struct lets_go {
    WEFT_FRAME;
    struct {
        struct notes      *notes;
        const weft_handle *handle;
        int                polls;
    } in;
};
WEFT_ASYNC(lets_go)
{
    WEFT_BEGIN();
    while (self->in.polls-- > 0 || self->in.notes->in_flight->n_cancels == 0)
        WEFT_YIELD();
    check_eq(self->in.notes->in_flight->n_cancels, 1);
    check_eq(self->in.notes->deferred, 0);
    check(!weft_is_finished(self->in.handle));
    event_set(self->in.notes->in_flight, 0);
    WEFT_END(0);
}

static weft_runtime *begin(struct notes *notes, struct lines *lines, weft_config config)
{
    *notes = (struct notes){0};
    *lines = (struct lines)LINES;
    config.workers = 1;
    config.log = lines_add;
    config.log_arg = lines;
    return start_with(&config);
}

/* Until the task has begun to unwind and waits. */
static void await_unwinding(struct lines *lines)
{
    for (bool seen = false; !seen; sched_yield()) {
        pthread_mutex_lock(&lines->mutex);
        seen = strstr(lines->text, " panicked: ");
        pthread_mutex_unlock(&lines->mutex);
    }
}

static void let_go(weft_runtime *rt, struct notes *notes, const weft_handle *handle)
{
    weft_handle other;

    spin_until(&notes->began, 1);
    check_eq(weft_spawn_on(rt, &other, lets_go, notes, handle, 20), 0);
    check_eq(join(rt, &other), 0);
}

static void die(bool keeps, const char *message)
{
    struct notes  notes;
    struct lines  lines;
    weft_runtime *rt = begin(&notes, &lines, (weft_config){0});
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, dies, &notes, keeps), 0);
    let_go(rt, &notes, &handle);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_str_contains(weft_handle_panic(&handle), message);
    check_eq(notes.deferred, 1);
    check(notes.had_ended);
    stop(rt);
}

Test(panic_drain, waits_for_the_losers_of_its_select_before_deferred_calls_and_joiner)
{
    die(false, "boom");
}

Test(panic_drain, waits_for_a_kept_branch_before_deferred_calls_and_joiner)
{
    die(true, "with a kept branch");
}

Test(panic_drain, a_cancel_while_the_task_unwinds_changes_nothing)
{
    struct notes  notes;
    struct lines  lines;
    weft_runtime *rt = begin(&notes, &lines, (weft_config){0});
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, dies, &notes, true), 0);
    await_unwinding(&lines);
    for (int i = 0; i < 3; i++)
        weft_cancel(&handle);
    let_go(rt, &notes, &handle);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_eq(notes.deferred, 1);
    stop(rt);
}

/* After a cancel the future stays PENDING until *may_end is set. It wakes no task then: the next
 * poll returns READY. */
struct lingers {
    weft_future future;
    int64_t    *may_end;
};

static weft_poll lingers_poll(weft_future *future, weft_context *cx)
{
    (void)cx; /* no waker is kept: a stop polls the future */
    return get(weft_container(future, struct lingers, future)->may_end)
               ? weft_ready(future, -ECANCELED)
               : WEFT_PENDING;
}

static void lingers_cancel(weft_future *future)
{
    (void)future;
}

static const weft_future_ops lingers_ops = {.size = sizeof(struct lingers),
                                            .flags = WEFT_FUTURE_DRAINS,
                                            .name = "lingers",
                                            .poll = lingers_poll,
                                            .cancel = lingers_cancel};

struct dies_slowly {
    WEFT_FRAME;
    struct {
        int64_t *may_end, *deferred;
    } in;
    struct weft_select select;
    weft_deferred      deferred;
    struct lingers     lingers;
    struct boom        boom;
};

static void count_call(void *arg)
{
    add(arg, 1);
}

WEFT_ASYNC(dies_slowly)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->deferred, count_call, self->in.deferred);
    weft_future_init(&self->lingers.future, &lingers_ops);
    self->lingers.may_end = self->in.may_end;
    WEFT_AWAIT(n, weft_select_biased(&self->select, &self->lingers.future,
                                     weft_async(boom, &self->boom, 3)));
    WEFT_END(n);
}

Test(panic_drain, a_stop_waits_for_a_task_that_unwinds_and_names_it)
{
    struct notes  notes;
    struct lines  lines;
    weft_runtime *rt = begin(&notes, &lines, (weft_config){0});
    int64_t       may_end = 0, deferred = 0;
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, dies_slowly, &may_end, &deferred), 0);
    await_unwinding(&lines);
    check_eq(weft_runtime_stop(rt, WEFT_MS(20)), -ETIMEDOUT);
    check_str_contains(lines.text, "stop: a task that panicked (");
    check_str_contains(lines.text, "boom");
    check_eq(get(&deferred), 0);
    add(&may_end, 1);
    stop(rt);
    check_eq(deferred, 1);
    check(weft_is_finished(&handle));
    weft_detach(&handle);
}

Test(panic_drain, a_dump_names_a_task_that_unwinds)
{
    struct notes  notes;
    struct lines  lines;
    weft_runtime *rt = begin(&notes, &lines, (weft_config){0});
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, dies, &notes, false), 0);
    await_unwinding(&lines);
    lines_clear(&lines);
    weft_runtime_dump(rt);
    check_str_contains(lines.text, "test_panic_drain.c:");
    check_str_contains(lines.text, "boom");
    let_go(rt, &notes, &handle);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    stop(rt);
}

Test(panic_drain, the_watchdog_names_a_task_whose_deferred_call_blocks)
{
    struct notes  notes;
    struct lines  lines;
    weft_runtime *rt = begin(&notes, &lines, (weft_config){.watchdog_ms = 20});
    weft_handle   handle;
    char         *line;

    notes.blocks_ms = 300;
    check_eq(weft_spawn_on(rt, &handle, dies, &notes, false), 0);
    let_go(rt, &notes, &handle);
    check_eq(join(rt, &handle), -EOWNERDEAD);
    stop(rt);
    line = strstr(lines.text, " has blocked worker 0 ");
    check(line);
    *line = '\0';
    line = strrchr(lines.text, '\n') ? strrchr(lines.text, '\n') + 1 : lines.text;
    check_str_contains(line, "test_panic_drain.c:");
}

/* ---- while something is being cancelled ---- */

/* Awaits for ever, and panics when that is cancelled. */
struct cleans_up_badly {
    WEFT_FRAME;
    struct {
        int64_t *began;
    } in;
    struct weft_sleep nap; /* it borrows the branch's waker */
};
WEFT_ASYNC(cleans_up_badly)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.began, 1);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_CHECK(n != -ECANCELED);
    WEFT_END(n);
}

struct chooses {
    WEFT_FRAME;
    struct {
        int64_t *began;
        int      polls; /* until the other branch wins */
        bool     nested;
    } in;
    struct weft_select     select;
    struct weft_join_all   all;
    struct cleans_up_badly branch;
    struct counter         counter;
    struct weft_sleep      nap;
};
WEFT_ASYNC(chooses)
{
    weft_future *branch;
    int64_t      n;

    WEFT_BEGIN();
    branch = weft_async(cleans_up_badly, &self->branch, self->in.began);
    if (self->in.nested)
        branch = weft_join_all(&self->all, branch, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_AWAIT(n,
               weft_select_biased(&self->select, branch, counter(&self->counter, self->in.polls)));
    WEFT_END(n);
}

static void choose(int polls, bool nested)
{
    struct notes  notes;
    struct lines  lines;
    weft_runtime *rt = begin(&notes, &lines, (weft_config){0});
    weft_handle   handle;

    check_eq(weft_spawn_on(rt, &handle, chooses, &notes.began, polls, nested), 0);
    if (polls == INT32_MAX) {
        spin_until(&notes.began, 1);
        weft_cancel(&handle);
    }
    check_eq(join(rt, &handle), -EOWNERDEAD);
    check_str_contains(weft_handle_panic(&handle), "check failed: n != -ECANCELED");
    stop(rt);
}

Test(panic_drain, in_a_branch_that_has_lost_ends_the_task)
{
    choose(3, false);
}

Test(panic_drain, in_a_branch_of_a_branch_that_has_lost_ends_the_task)
{
    choose(3, true);
}

Test(panic_drain, in_a_branch_of_a_cancelled_task_ends_it)
{
    choose(INT32_MAX, false);
    choose(INT32_MAX, true);
}
