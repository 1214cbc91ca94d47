/* test_styles_time.c - sleeps, intervals and limits, as async functions and as fibers use them */
#include "../styles.h"

#define SOON WEFT_S(1) /* after the start of a scene */

struct scene {
    weft_runtime       *rt;
    int64_t             instant; /* SOON */
    weft_event          event;
    weft_interval       interval;
    weft_delay_queue    queue;
    weft_delay          entry;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_source         source;
    weft_chunks         chunks; /* of up to 4 messages; one has come */
    int64_t             chunk[4];
};

struct state {
    struct weft_sleep   nap;
    struct weft_timeout limit;
    struct weft_shield  guard;
    weft_wait           wait;
    weft_delay         *entry;
};

#include "style_rows.h"

static void set_up(struct scene *s, weft_runtime *rt, style style)
{
    (void)style;
    s->rt = rt;
    s->instant = weft_clock_now(rt) + SOON;
    weft_interval_start_at(&s->interval, s->instant, 10 * SOON, WEFT_INTERVAL_SKIP);
    weft_delay_queue_insert_at(&s->queue, &s->entry, s->instant);
    check_eq(weft_mpsc_open(8, 4, &s->sender, &s->receiver), 0);
    check_eq(weft_mpsc_try_send(s->sender, &s->instant), 0);
    weft_chunks_init(&s->chunks, weft_sequence_of_mpsc(&s->source, s->receiver), s->chunk, 8, 4,
                     SOON);
}

static void tear_down(struct scene *s)
{
    weft_mpsc_sender_close(s->sender);
    weft_mpsc_receiver_close(s->receiver);
}

/* ---- a row for each wait ---- */

DO(pass_time, check_eq(weft_clock_advance(s->rt, 2 * SOON), 0))

BEGIN(sleep, weft_sleep(&state->nap, s->instant - weft_now()))
BEGIN(sleep_until, weft_sleep_until(&state->nap, s->instant))
BEGIN(sleep_about, weft_sleep_about(&state->nap, s->instant - weft_now(), WEFT_MS(10)))
BEGIN(sleep_until_about, weft_sleep_until_about(&state->nap, s->instant, WEFT_MS(10)))
BEGIN(interval_tick, weft_interval_tick(&s->interval))
BEGIN(delay_queue_next, weft_delay_queue_next(&s->queue, &state->entry))
TAKE(take_entry, state->entry == &s->entry ? 0 : -EIO)

BEGIN(event_wait, weft_event_wait(&state->wait, &s->event))
BEGIN(timeout, weft_timeout(&state->limit, begin_event_wait(s, state), SOON))
BEGIN(timeout_at, weft_timeout_at(&state->limit, begin_event_wait(s, state), s->instant))
BEGIN(shield, weft_shield(&state->guard, begin_event_wait(s, state), 0))
DO(set, weft_event_set(&s->event))

BEGIN(chunks_next, weft_chunks_next(&s->chunks))
DO(fill_chunk, for (int i = 0; i < 3; i++) check_eq(weft_mpsc_try_send(s->sender, &s->instant), 0))

static const row rows[] = {
    {"weft_sleep", begin_sleep, pass_time, .result = 0},
    {"weft_sleep_until", begin_sleep_until, pass_time, .result = 0},
    {"weft_sleep_about", begin_sleep_about, pass_time, .result = 0},
    {"weft_sleep_until_about", begin_sleep_until_about, pass_time, .result = 0},
    {"weft_interval_tick", begin_interval_tick, pass_time, .result = 0},
    {"weft_delay_queue_next", begin_delay_queue_next, pass_time, .result = 0, .take = take_entry},
    {"weft_timeout", begin_timeout, set, .result = 0, .or_else = pass_time, .other = -ETIMEDOUT},
    {"weft_timeout_at", begin_timeout_at, set, .result = 0, .or_else = pass_time,
     .other = -ETIMEDOUT},
    {"weft_shield", begin_shield, set, .result = 0},
    {"weft_chunks_next", begin_chunks_next, fill_chunk, .result = 4, .or_else = pass_time,
     .other = 1},
};

ROW_CASES(styles_time)

/* ---- longer stories ---- */

/* Returns how many nanoseconds passed from the first tick to the sixth. */
struct ticks {
    WEFT_FRAME;
    struct {
    } in;
    weft_interval every;
    int64_t       begun;
    int           i;
};
BODY(ticks)
{
    int64_t n;

    WEFT_BEGIN();
    self->begun = weft_now();
    weft_interval_start(&self->every, WEFT_MS(1), WEFT_INTERVAL_BURST);
    for (self->i = 0; self->i < 6; self->i++) {
        AWAIT(n, weft_interval_tick(&self->every));
        check_cmp(n, >=, 0);
    }
    WEFT_END(weft_now() - self->begun);
}

TEST_STYLES(styles_time, the_ticks_of_an_interval_are_not_early)
{
    check_cmp(RUN_STYLE(style, rt, ticks), >=, WEFT_MS(5));
}

#define ENTRIES 5

/* The entries come in the order of their instants, which is not that in which they were put in. */
struct empties_queue {
    WEFT_FRAME;
    struct {
    } in;
    weft_delay_queue queue;
    weft_delay       entry[ENTRIES], *next;
    int              i;
};
static int rank(int64_t entry)
{
    return (int)(3 * entry % ENTRIES);
}

BODY(empties_queue)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    n = weft_now();
    for (int i = 0; i < ENTRIES; i++)
        weft_delay_queue_insert_at(&self->queue, &self->entry[i], n + WEFT_MS(rank(i)));
    for (self->i = 0; self->i < ENTRIES; self->i++) {
        AWAIT(n, weft_delay_queue_next(&self->queue, &self->next));
        check_eq(n, 0);
        check_eq(rank(self->next - self->entry), self->i);
    }
    AWAIT(n, weft_delay_queue_next(&self->queue, &self->next));
    WEFT_END(n);
}

TEST_STYLES(styles_time, a_delay_queue_has_its_own_order)
{
    check_eq(RUN_STYLE(style, rt, empties_queue), WEFT_EOF);
}

/* It is cancelled while it waits for the event. Then it cleans up under a shield. */
struct cleans_up {
    WEFT_FRAME;
    struct {
        weft_event *event;
        int64_t    *begun;
    } in;
    weft_wait          wait;
    struct weft_sleep  nap;
    struct weft_shield guard;
};
BODY(cleans_up)
{
    int64_t n;

    WEFT_BEGIN();
    add(self->in.begun, 1);
    AWAIT(n, weft_event_wait(&self->wait, self->in.event));
    check_eq(n, -ECANCELED);
    AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    check_eq(n, -ECANCELED);
    AWAIT(n, weft_shield(&self->guard, weft_sleep(&self->nap, WEFT_MS(1)), WEFT_S(1000)));
    check(CANCELLED());
    WEFT_END(n);
}

TEST_STYLES(styles_time, a_shield_lets_a_cancelled_task_await)
{
    weft_event  event = {0};
    int64_t     begun = 0;
    weft_handle handle;

    check_eq(SPAWN_STYLE(style, rt, &handle, cleans_up, .event = &event, .begun = &begun), 0);
    EVENTUALLY(get(&begun) == 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 0);
}

/* The outer limit is the shorter one, and so ends the inner wait. */
struct waits_within_limits {
    WEFT_FRAME;
    struct {
        weft_event *event;
    } in;
    weft_wait           wait;
    struct weft_timeout inner, outer;
};
BODY(waits_within_limits)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_timeout(&self->outer,
                          weft_timeout(&self->inner, weft_event_wait(&self->wait, self->in.event),
                                       WEFT_S(1000)),
                          WEFT_MS(1)));
    check_eq(weft_future_result(&self->inner.future), -ECANCELED);
    WEFT_END(n);
}

TEST_STYLES(styles_time, the_shorter_of_two_limits_counts)
{
    weft_event event = {0};

    check_eq(RUN_STYLE(style, rt, waits_within_limits, .event = &event), -ETIMEDOUT);
}
