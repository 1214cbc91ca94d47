/* test_styles_channels.c - every channel, as async functions and as fibers use it */
#include "../styles.h"

/* Both ends of each channel, of messages of 8 bytes. The `full` ones have no room. */
struct scene {
    weft_oneshot_sender     *oneshot_sender;
    weft_oneshot_receiver   *oneshot;
    weft_mpsc_sender        *mpsc_sender, *full_mpsc_sender;
    weft_mpsc_receiver      *mpsc, *full_mpsc;
    weft_mpmc_sender        *mpmc_sender, *full_mpmc_sender;
    weft_mpmc_receiver      *mpmc, *full_mpmc;
    weft_broadcast_sender   *broadcast_sender;
    weft_broadcast_receiver *broadcast;
    weft_watch_sender       *watch_sender;
    weft_watch_receiver     *watch;
};

struct state {
    weft_wait         wait;
    weft_source       source;
    weft_chunks       chunks;
    weft_mpsc_permit *permit;
    int64_t           message[4];
};

#include "style_rows.h"

static const int64_t seven = 7, eight = 8;

static void set_up(struct scene *s, weft_runtime *rt, style style)
{
    (void)rt, (void)style;
    check_eq(weft_oneshot_open(8, &s->oneshot_sender, &s->oneshot), 0);
    check_eq(weft_mpsc_open(8, 4, &s->mpsc_sender, &s->mpsc), 0);
    check_eq(weft_mpsc_open(8, 1, &s->full_mpsc_sender, &s->full_mpsc), 0);
    check_eq(weft_mpsc_try_send(s->full_mpsc_sender, &eight), 0);
    check_eq(weft_mpmc_open(8, 4, &s->mpmc_sender, &s->mpmc), 0);
    check_eq(weft_mpmc_open(8, 1, &s->full_mpmc_sender, &s->full_mpmc), 0);
    check_eq(weft_mpmc_try_send(s->full_mpmc_sender, &eight), 0);
    check_eq(weft_broadcast_open(8, 4, &s->broadcast_sender, &s->broadcast), 0);
    check_eq(weft_watch_open(8, &eight, &s->watch_sender, &s->watch), 0);
}

/* Closes an end, once. */
#define CLOSE(type, end)                                                                           \
    do {                                                                                           \
        weft_##type##_close(end);                                                                  \
        (end) = NULL;                                                                              \
    } while (0)

static void tear_down(struct scene *s)
{
    CLOSE(oneshot_sender, s->oneshot_sender);
    CLOSE(oneshot_receiver, s->oneshot);
    CLOSE(mpsc_sender, s->mpsc_sender);
    CLOSE(mpsc_receiver, s->mpsc);
    CLOSE(mpsc_sender, s->full_mpsc_sender);
    CLOSE(mpsc_receiver, s->full_mpsc);
    CLOSE(mpmc_sender, s->mpmc_sender);
    CLOSE(mpmc_receiver, s->mpmc);
    CLOSE(mpmc_sender, s->full_mpmc_sender);
    CLOSE(mpmc_receiver, s->full_mpmc);
    CLOSE(broadcast_sender, s->broadcast_sender);
    CLOSE(broadcast_receiver, s->broadcast);
    CLOSE(watch_sender, s->watch_sender);
    CLOSE(watch_receiver, s->watch);
}

/* ---- a row for each wait ---- */

#define NEXT(kind, receiver)                                                                       \
    weft_sequence_next(weft_sequence_of_##kind(&state->source, receiver), state->message)

TAKE(take_message, state->message[0])

BEGIN(oneshot, weft_oneshot_receive(&state->wait, s->oneshot, state->message))
DO(send_oneshot, check_eq(weft_oneshot_send(s->oneshot_sender, &seven), 0);
   s->oneshot_sender = NULL)
DO(end_oneshot, CLOSE(oneshot_sender, s->oneshot_sender))

BEGIN(oneshot_closed, weft_oneshot_closed(&state->wait, s->oneshot_sender))
DO(close_oneshot, CLOSE(oneshot_receiver, s->oneshot))

BEGIN(mpsc, weft_mpsc_receive(&state->wait, s->mpsc, state->message))
BEGIN(mpsc_many, weft_mpsc_receive_many(&state->wait, s->mpsc, state->message, 4))
BEGIN(mpsc_next, NEXT(mpsc, s->mpsc))
DO(send_mpsc, check_eq(weft_mpsc_try_send(s->mpsc_sender, &seven), 0))
DO(end_mpsc, CLOSE(mpsc_sender, s->mpsc_sender))

BEGIN(mpsc_send, weft_mpsc_send(&state->wait, s->full_mpsc_sender, &seven))
BEGIN(mpsc_reserve, weft_mpsc_reserve(&state->wait, s->full_mpsc_sender, &state->permit))
BEGIN(mpsc_reserve_many,
      weft_mpsc_reserve_many(&state->wait, s->full_mpsc_sender, 1, &state->permit))
DO(receive_mpsc, int64_t message; check_eq(weft_mpsc_try_receive(s->full_mpsc, &message), 0))
DO(stop_mpsc, weft_mpsc_receiver_stop(s->full_mpsc))
DO(close_full_mpsc, CLOSE(mpsc_receiver, s->full_mpsc))
BEGIN(mpsc_closed, weft_mpsc_closed(&state->wait, s->mpsc_sender))
DO(close_mpsc, CLOSE(mpsc_receiver, s->mpsc))

TAKE(use_permit, weft_mpsc_permit_send(state->permit, &seven))

BEGIN(mpmc, weft_mpmc_receive(&state->wait, s->mpmc, state->message))
BEGIN(mpmc_next, NEXT(mpmc, s->mpmc))
DO(send_mpmc, check_eq(weft_mpmc_try_send(s->mpmc_sender, &seven), 0))
DO(end_mpmc, CLOSE(mpmc_sender, s->mpmc_sender))
BEGIN(mpmc_send, weft_mpmc_send(&state->wait, s->full_mpmc_sender, &seven))
DO(receive_mpmc, int64_t message; check_eq(weft_mpmc_try_receive(s->full_mpmc, &message), 0))
DO(close_full_mpmc, CLOSE(mpmc_receiver, s->full_mpmc))
BEGIN(mpmc_closed, weft_mpmc_closed(&state->wait, s->mpmc_sender))
DO(close_mpmc, CLOSE(mpmc_receiver, s->mpmc))

BEGIN(broadcast, weft_broadcast_receive(&state->wait, s->broadcast, state->message))
BEGIN(broadcast_next, NEXT(broadcast, s->broadcast))
DO(send_broadcast, check_eq(weft_broadcast_send(s->broadcast_sender, &seven), 0))
DO(end_broadcast, CLOSE(broadcast_sender, s->broadcast_sender))
BEGIN(broadcast_closed, weft_broadcast_closed(&state->wait, s->broadcast_sender))
DO(close_broadcast, CLOSE(broadcast_receiver, s->broadcast))

BEGIN(watch_changed, weft_watch_changed(&state->wait, s->watch))
BEGIN(watch_next, NEXT(watch, s->watch))
DO(send_watch, check_eq(weft_watch_send(s->watch_sender, &seven), 0))
DO(end_watch, CLOSE(watch_sender, s->watch_sender))
BEGIN(watch_closed, weft_watch_closed(&state->wait, s->watch_sender))
DO(close_watch, CLOSE(watch_receiver, s->watch))

TAKE(read_watch, (weft_watch_read(s->watch, state->message), state->message[0]))

/* A chunk of one message. */
static weft_future *begin_chunk(struct scene *s, struct state *state)
{
    weft_chunks_init(&state->chunks, weft_sequence_of_mpsc(&state->source, s->mpsc), state->message,
                     8, 1, WEFT_FOREVER);
    return weft_chunks_next(&state->chunks);
}

static const row rows[] = {
    {"weft_oneshot_receive", begin_oneshot, send_oneshot, .result = 7, .take = take_message,
     .or_else = end_oneshot, .other = WEFT_EOF},
    {"weft_oneshot_closed", begin_oneshot_closed, close_oneshot, .result = 0},
    {"weft_mpsc_receive", begin_mpsc, send_mpsc, .result = 7, .take = take_message,
     .or_else = end_mpsc, .other = WEFT_EOF},
    {"weft_mpsc_receive_many", begin_mpsc_many, send_mpsc, .result = 1, .or_else = end_mpsc,
     .other = WEFT_EOF},
    {"weft_mpsc_send", begin_mpsc_send, receive_mpsc, .result = 0, .or_else = close_full_mpsc,
     .other = -EPIPE},
    {"weft_mpsc_reserve", begin_mpsc_reserve, receive_mpsc, .result = 0, .take = use_permit,
     .or_else = stop_mpsc, .other = -EPIPE},
    {"weft_mpsc_reserve_many", begin_mpsc_reserve_many, receive_mpsc, .result = 0,
     .take = use_permit, .or_else = stop_mpsc, .other = -EPIPE},
    {"weft_mpsc_closed", begin_mpsc_closed, close_mpsc, .result = 0},
    {"weft_mpmc_receive", begin_mpmc, send_mpmc, .result = 7, .take = take_message,
     .or_else = end_mpmc, .other = WEFT_EOF},
    {"weft_mpmc_send", begin_mpmc_send, receive_mpmc, .result = 0, .or_else = close_full_mpmc,
     .other = -EPIPE},
    {"weft_mpmc_closed", begin_mpmc_closed, close_mpmc, .result = 0},
    {"weft_broadcast_receive", begin_broadcast, send_broadcast, .result = 7, .take = take_message,
     .or_else = end_broadcast, .other = WEFT_EOF},
    {"weft_broadcast_closed", begin_broadcast_closed, close_broadcast, .result = 0},
    {"weft_watch_changed", begin_watch_changed, send_watch, .result = 7, .take = read_watch,
     .or_else = end_watch, .other = WEFT_EOF},
    {"weft_watch_closed", begin_watch_closed, close_watch, .result = 0},
    {"weft_sequence_of_mpsc", begin_mpsc_next, send_mpsc, .result = 7, .take = take_message,
     .or_else = end_mpsc, .other = WEFT_EOF},
    {"weft_sequence_of_mpmc", begin_mpmc_next, send_mpmc, .result = 7, .take = take_message,
     .or_else = end_mpmc, .other = WEFT_EOF},
    {"weft_sequence_of_broadcast", begin_broadcast_next, send_broadcast, .result = 7,
     .take = take_message, .or_else = end_broadcast, .other = WEFT_EOF},
    {"weft_sequence_of_watch", begin_watch_next, send_watch, .result = 7, .take = take_message,
     .or_else = end_watch, .other = WEFT_EOF},
    {"weft_chunks_next", begin_chunk, send_mpsc, .result = 1, .or_else = end_mpsc,
     .other = WEFT_EOF},
};

ROW_CASES(styles_channels)

/* ---- several tasks at once ---- */

#define MESSAGES 200

/* Sends 1, 2, ... to an mpsc channel, each second one by a permit, and closes the sender. */
struct produces {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to;
    } in;
    weft_wait         wait;
    weft_mpsc_permit *permit;
    int64_t           message;
};
BODY(produces)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->message = 1; self->message <= MESSAGES; self->message++) {
        if (self->message % 2) {
            AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->message));
            check_eq(n, 0);
            continue;
        }
        AWAIT(n, weft_mpsc_reserve(&self->wait, self->in.to, &self->permit));
        check_eq(n, 0);
        check_eq(weft_mpsc_permit_send(self->permit, &self->message), 0);
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(0);
}

/* Passes messages on, and then tells through the oneshot channel how many these were. */
struct passes_on {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver  *from;
        weft_mpmc_sender    *to;
        weft_oneshot_sender *count;
    } in;
    weft_wait wait;
    int64_t   message[3], n_messages, count;
    int       i;
};
BODY(passes_on)
{
    int64_t n;

    WEFT_BEGIN();
    self->count = 0;
    for (;;) {
        AWAIT(self->n_messages,
              weft_mpsc_receive_many(&self->wait, self->in.from, self->message, 3));
        if (self->n_messages < 0)
            break;
        for (self->i = 0; self->i < self->n_messages; self->i++, self->count++) {
            AWAIT(n, weft_mpmc_send(&self->wait, self->in.to, &self->message[self->i]));
            check_eq(n, 0);
        }
    }
    weft_mpsc_receiver_close(self->in.from);
    weft_mpmc_sender_close(self->in.to);
    check_eq(weft_oneshot_send(self->in.count, &self->count), 0);
    WEFT_END(self->n_messages);
}

/* Returns the sum of the messages that it got. */
struct consumes {
    WEFT_FRAME;
    struct {
        weft_mpmc_receiver *from;
    } in;
    weft_wait wait;
    int64_t   message, sum;
};
BODY(consumes)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (;;) {
        AWAIT(n, weft_mpmc_receive(&self->wait, self->in.from, &self->message));
        if (n < 0)
            break;
        self->sum += self->message;
    }
    weft_mpmc_receiver_close(self->in.from);
    WEFT_END(n == WEFT_EOF ? self->sum : n);
}

TEST_STYLES(styles_channels, a_chain_of_channels_loses_nothing)
{
    weft_mpsc_sender      *to;
    weft_mpsc_receiver    *from;
    weft_mpmc_sender      *work;
    weft_mpmc_receiver    *workers;
    weft_oneshot_sender   *count;
    weft_oneshot_receiver *counted;
    weft_handle            producer[2], consumer[2], middle;
    int64_t                n = 0;
    weft_wait              wait;

    check_eq(weft_mpsc_open(8, 2, &to, &from), 0);
    check_eq(weft_mpmc_open(8, 1, &work, &workers), 0);
    check_eq(weft_oneshot_open(8, &count, &counted), 0);
    for (int i = 0; i < 2; i++)
        check_eq(SPAWN_STYLE(style, rt, &producer[i], produces,
                             .to = i ? to : weft_mpsc_sender_clone(to)),
                 0);
    for (int i = 0; i < 2; i++)
        check_eq(SPAWN_STYLE(style, rt, &consumer[i], consumes,
                             .from = i ? workers : weft_mpmc_receiver_clone(workers)),
                 0);
    check_eq(SPAWN_STYLE(style, rt, &middle, passes_on, .from = from, .to = work, .count = count),
             0);
    check_eq(weft_block_on(rt, weft_oneshot_receive(&wait, counted, &n)), 0);
    check_eq(n, 2 * MESSAGES);
    weft_oneshot_receiver_close(counted);
    check_eq(join(rt, &producer[0]) + join(rt, &producer[1]), 0);
    check_eq(join(rt, &middle), WEFT_EOF);
    check_eq(join(rt, &consumer[0]) + join(rt, &consumer[1]), MESSAGES * (MESSAGES + 1));
}

/* Adds up all messages of a broadcast, and those that it has missed count as 1000. */
struct listens {
    WEFT_FRAME;
    struct {
        weft_broadcast_receiver *from;
    } in;
    weft_wait wait;
    int64_t   message, sum;
};
BODY(listens)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (;;) {
        AWAIT(n, weft_broadcast_receive(&self->wait, self->in.from, &self->message));
        if (n < 0)
            break;
        self->sum += self->message + 1000 * n;
    }
    weft_broadcast_receiver_close(self->in.from);
    WEFT_END(n == WEFT_EOF ? self->sum : n);
}

TEST_STYLES(styles_channels, a_broadcast_tells_how_much_was_missed)
{
    weft_broadcast_sender   *to;
    weft_broadcast_receiver *from[2];
    weft_handle              handle[2];

    check_eq(weft_broadcast_open(8, 4, &to, &from[0]), 0);
    for (int64_t i = 1; i <= 6; i++)
        check_eq(weft_broadcast_send(to, &i), 0);
    check_eq(weft_broadcast_subscribe(to, &from[1]), 0);
    check_eq(weft_broadcast_send(to, &(int64_t){7}), 0);
    weft_broadcast_sender_close(to);
    for (int i = 0; i < 2; i++)
        check_eq(SPAWN_STYLE(style, rt, &handle[i], listens, .from = from[i]), 0);
    check_eq(join(rt, &handle[0]), 3000 + 4 + 5 + 6 + 7);
    check_eq(join(rt, &handle[1]), 7);
}
