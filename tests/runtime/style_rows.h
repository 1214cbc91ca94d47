/*
 * style_rows.h - everything that a task may wait for, in both styles: a row of a table each
 *
 * A test file defines
 *
 * - `struct scene`: what the tasks and the test share, set up by set_up and ended by tear_down,
 * - `struct state`: what the futures of any row need in the frame of the task that waits,
 *
 * includes this header, fills the table `rows`, and makes the cases by ROW_CASES. Each case runs
 * all rows, each on a scene of its own. Nothing depends on time: the runtime's clock is stopped.
 */
#ifndef STYLE_ROWS_H
#define STYLE_ROWS_H

#include "../styles.h"

/* What a file defines before its table. */
static void set_up(struct scene *s, weft_runtime *rt, style style);
static void tear_down(struct scene *s);

typedef struct row {
    const char *name;
    weft_future *(*begin)(struct scene *s, struct state *state);
    void (*let_go)(struct scene *s); /* ends a wait, with `result` */
    int64_t result;
    /* Releases what the wait was granted. NULL: its result is all. The row's result is this one. */
    int64_t (*take)(struct scene *s, struct state *state);
    void (*or_else)(struct scene *s); /* ends a wait, with `other`. NULL: nothing does. */
    int64_t other;
} row;

/* Define the functions of rows. */
#define BEGIN(name, ...)                                                                           \
    static weft_future *begin_##name(struct scene *s, struct state *state)                         \
    {                                                                                              \
        (void)s, (void)state;                                                                      \
        return __VA_ARGS__;                                                                        \
    }
#define DO(name, ...)                                                                              \
    static void name(struct scene *s)                                                              \
    {                                                                                              \
        (void)s;                                                                                   \
        __VA_ARGS__;                                                                               \
    }
#define TAKE(name, ...)                                                                            \
    static int64_t name(struct scene *s, struct state *state)                                      \
    {                                                                                              \
        (void)s, (void)state;                                                                      \
        return __VA_ARGS__;                                                                        \
    }

#define LIMIT WEFT_MS(2)
#define LATE                                                                                       \
    WEFT_MS(10) /* timers fire by the millisecond, so a clock that stands at LIMIT is early */

/* ---- a task that waits for a row ---- */

struct waits {
    WEFT_FRAME;
    struct {
        struct scene   *scene;
        struct watched *watched;
        const row      *row;
        int64_t         limit; /* 0: none */
    } in;
    struct state        state;
    struct weft_timeout limit;
    int64_t             result;
};

static weft_future *begin_wait(struct waits *self)
{
    weft_future *future =
        watched(self->in.watched, self->in.row->begin(self->in.scene, &self->state));

    return self->in.limit ? weft_timeout(&self->limit, future, self->in.limit) : future;
}

/* After a cancel it waits once more, and that await is cancelled, too. */
BODY(waits)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(self->result, begin_wait(self));
    if (self->result >= 0 && self->in.row->take)
        self->result = self->in.row->take(self->in.scene, &self->state);
    if (CANCELLED()) {
        AWAIT(n, begin_wait(self));
        check_eq(n, -ECANCELED);
    }
    WEFT_END(self->result);
}

/* ---- the stage of one row ---- */

typedef struct stage {
    weft_runtime  *rt;
    style          style;
    const row     *row;
    struct scene   scene;
    struct watched watched;
    weft_handle    handle; /* of the task that waits */
} stage;

static void begin_task(stage *s, int64_t limit)
{
    s->watched.n_polls = 0;
    check_eq(SPAWN_STYLE(s->style, s->rt, &s->handle, waits, .scene = &s->scene,
                         .watched = &s->watched, .row = s->row, .limit = limit),
             0);
}

/* The first poll is over, and nothing lets the wait end. */
static void begin_waiting(stage *s, int64_t limit)
{
    begin_task(s, limit);
    EVENTUALLY(s->watched.n_polls > 0);
    check(!weft_is_finished(&s->handle));
}

static void check_end(stage *s, int64_t result)
{
    int64_t n = join(s->rt, &s->handle);

    if (n != result)
        test_fail(__FILE__, __LINE__, "%s: %" PRId64 ", not %" PRId64, s->row->name, n, result);
}

/* What a wait before this one has not taken is there. */
static void check_nothing_is_lost(stage *s)
{
    s->row->let_go(&s->scene);
    begin_task(s, 0);
    check_end(s, s->row->result);
}

/* ---- what is true of every row ---- */

static void gives_its_result(stage *s)
{
    check_nothing_is_lost(s);
}

static void waits_for_its_result(stage *s)
{
    begin_waiting(s, 0);
    s->row->let_go(&s->scene);
    check_end(s, s->row->result);
}

static void ends_otherwise(stage *s)
{
    if (!s->row->or_else)
        return;
    begin_waiting(s, 0);
    s->row->or_else(&s->scene);
    check_end(s, s->row->other);
}

static void is_cancelled_while_it_waits(stage *s)
{
    begin_waiting(s, 0);
    weft_cancel(&s->handle);
    check_end(s, -ECANCELED);
    check_nothing_is_lost(s);
}

static void is_cancelled_at_any_time(stage *s)
{
    begin_task(s, 0);
    weft_cancel(&s->handle);
    check_end(s, -ECANCELED);
    check_nothing_is_lost(s);
}

static void has_a_deadline(stage *s)
{
    begin_waiting(s, LIMIT);
    check_eq(weft_clock_advance(s->rt, LATE), 0);
    check_end(s, -ETIMEDOUT);
    check_nothing_is_lost(s);
}

static void each_row(weft_runtime *rt, style style, const row *rows, size_t n,
                     void (*act)(stage *s))
{
    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    for (size_t i = 0; i < n; i++) {
        stage s = {.rt = rt, .style = style, .row = &rows[i]};

        set_up(&s.scene, rt, style);
        act(&s);
        tear_down(&s.scene);
    }
}

#define EACH_ROW(act) each_row(rt, style, rows, sizeof rows / sizeof *rows, act)

#define ROW_CASES(suite)                                                                           \
    TEST_STYLES(suite, each_gives_its_result)                                                      \
    {                                                                                              \
        EACH_ROW(gives_its_result);                                                                \
    }                                                                                              \
    TEST_STYLES(suite, each_waits_for_its_result)                                                  \
    {                                                                                              \
        EACH_ROW(waits_for_its_result);                                                            \
    }                                                                                              \
    TEST_STYLES(suite, each_may_end_otherwise)                                                     \
    {                                                                                              \
        EACH_ROW(ends_otherwise);                                                                  \
    }                                                                                              \
    TEST_STYLES(suite, each_can_be_cancelled_while_it_waits)                                       \
    {                                                                                              \
        EACH_ROW(is_cancelled_while_it_waits);                                                     \
    }                                                                                              \
    TEST_STYLES(suite, each_can_be_cancelled_at_any_time)                                          \
    {                                                                                              \
        EACH_ROW(is_cancelled_at_any_time);                                                        \
    }                                                                                              \
    TEST_STYLES(suite, each_can_have_a_deadline)                                                   \
    {                                                                                              \
        EACH_ROW(has_a_deadline);                                                                  \
    }

#endif
