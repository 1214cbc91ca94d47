/*
 * test_sequence_storm.c - merges and chunks of channels, cancelled at random
 *
 * Producers, which are tasks and a plain thread, number their messages. A consumer merges their
 * channels, and takes what comes one by one or in chunks. It gives up waits at random, and yet gets
 * each message once and in order.
 */
#include "../helpers.h"

#define CHANNELS  70 /* more than a block of marks */
#define MESSAGES  20
#define CONSUMERS 4
#define ROUNDS    (TEST_SANITIZED ? 6 : 25)
#define MOST      5

struct message {
    uint32_t channel, number;
};

struct produces {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *sender;
        uint32_t          channel, seed;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
    struct message    message;
};
WEFT_ASYNC(produces)
{
    int64_t n;

    WEFT_BEGIN();
    self->message = (struct message){.channel = self->in.channel};
    for (n = 0; n == 0 && self->message.number < MESSAGES; self->message.number++) {
        if (rnd(&self->in.seed) % 16 == 0)
            WEFT_WAIT(weft_sleep(&self->nap, WEFT_US(20)));
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.sender, &self->message));
    }
    weft_mpsc_sender_close(self->in.sender);
    WEFT_END(0);
}

static void *produces_on_a_thread(void *arg)
{
    weft_mpsc_sender *sender = arg;
    struct message    message = {0};
    weft_wait         wait;
    int64_t           n = 0;

    for (; n == 0 && message.number < MESSAGES; message.number++)
        n = weft_block_on(NULL, weft_mpsc_send(&wait, sender, &message));
    weft_mpsc_sender_close(sender);
    return NULL;
}

/* ---- the consumer ---- */

struct consumes {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver **receivers;
        uint32_t             seed;
        bool                 in_chunks;
    } in;
    weft_source         source[CHANNELS];
    weft_merge          merge;
    weft_merge_input    input[CHANNELS];
    weft_branch         branch[CHANNELS];
    struct message      place[CHANNELS], message[MOST];
    weft_chunks         chunks;
    weft_sequence      *s;
    weft_future        *next;
    struct weft_select  sel;
    struct weft_timeout limit;
    struct counter      few;
    uint32_t            seen[CHANNELS], n_seen;
    uint32_t            how;
};

static void begin(struct consumes *self)
{
    for (int i = 0; i < CHANNELS; i++)
        self->input[i] = (weft_merge_input){
            .sequence = weft_sequence_of_mpsc(&self->source[i], self->in.receivers[i]),
            .item = &self->place[i]};
    self->s = weft_sequence_merge(&self->merge, self->input, self->branch, CHANNELS,
                                  sizeof(struct message));
    weft_chunks_init(&self->chunks, self->s, self->message, sizeof(struct message), MOST,
                     WEFT_US(50));
    memset(self->seen, 0, sizeof self->seen);
    self->n_seen = 0;
}

static void take(struct consumes *self, const struct message *message)
{
    check(message->channel < CHANNELS);
    check_eq(message->number, self->seen[message->channel]);
    self->seen[message->channel]++;
    self->n_seen++;
}

/* What the merge had taken when it ended is in its place, or among the items of a chunk. */
static void take_the_rest(struct consumes *self)
{
    if (self->in.in_chunks)
        for (uint32_t i = 0; i < weft_chunks_count(&self->chunks); i++)
            take(self, &self->message[i]);
    for (int i = 0; i < CHANNELS; i++) {
        struct message message;

        if (self->input[i].result >= 0)
            take(self, &self->place[i]);
        while (weft_mpsc_try_receive(self->in.receivers[i], &message) == 0)
            take(self, &message);
    }
}

WEFT_ASYNC(consumes)
{
    int64_t n;

    WEFT_BEGIN();
    begin(self);
    for (;;) {
        self->next = self->in.in_chunks ? weft_chunks_next(&self->chunks)
                                        : weft_sequence_next(self->s, self->message);
        self->how = rnd(&self->in.seed) % 4;
        if (self->how == 0)
            WEFT_AWAIT(n, weft_select(&self->sel, counter(&self->few, 1), self->next));
        else if (self->how == 1)
            WEFT_AWAIT(n, weft_timeout(&self->limit, self->next, WEFT_US(20)));
        else
            WEFT_AWAIT(n, self->next);
        n = weft_future_result(self->next);
        if (n == WEFT_EOF || WEFT_CANCELLED())
            break;
        if (n < 0)
            continue; /* that wait was cancelled */
        for (int64_t i = 0; i < (self->in.in_chunks ? n : 1); i++)
            take(self, &self->message[i]);
    }
    if (n != WEFT_EOF) { /* the task has been cancelled */
        if (n > 0 && self->in.in_chunks)
            for (int64_t i = 0; i < n; i++)
                take(self, &self->message[i]);
        else if (n >= 0)
            take(self, &self->message[0]);
        /* The cancelled wait has ended the merge already, if it was a wait on the merge. */
        if (self->in.in_chunks || rnd(&self->in.seed) % 2)
            WEFT_WAIT(weft_merge_close(&self->merge));
        take_the_rest(self);
        WEFT_RETURN(-ECANCELED);
    }
    check_eq(self->n_seen, CHANNELS * MESSAGES);
    WEFT_END(0);
}

/* ---- rounds ---- */

static void run_consumer(weft_runtime *rt, uint32_t seed, bool in_chunks, bool cancel)
{
    weft_mpsc_receiver *receivers[CHANNELS];
    weft_mpsc_sender   *senders[CHANNELS];
    weft_handle         h, producers[CHANNELS];
    pthread_t           t;
    struct weft_sleep   nap;
    int64_t             n;

    for (int i = 0; i < CHANNELS; i++)
        check_eq(
            weft_mpsc_open(sizeof(struct message), 1 + rnd(&seed) % 4, &senders[i], &receivers[i]),
            0);
    check_eq(weft_spawn_on(rt, &h, consumes, .receivers = receivers, .seed = rnd(&seed),
                           .in_chunks = in_chunks),
             0);
    t = thread(produces_on_a_thread, senders[0]);
    for (uint32_t i = 1; i < CHANNELS; i++)
        check_eq(weft_spawn_on(rt, &producers[i], produces, .sender = senders[i], .channel = i,
                               .seed = rnd(&seed)),
                 0);
    if (cancel) {
        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_US(rnd(&seed) % 1500))), 0);
        weft_cancel(&h);
    }
    n = join(rt, &h);
    check(n == 0 || (n == -ECANCELED && cancel));
    for (int i = 0; i < CHANNELS; i++)
        weft_mpsc_receiver_close(receivers[i]);
    pthread_join(t, NULL);
    for (int i = 1; i < CHANNELS; i++)
        check_eq(join(rt, &producers[i]), 0);
}

static void storm(const weft_config *config)
{
    weft_runtime *rt = start_with(config);
    uint32_t      seed = 1;

    for (int round = 0; round < test_scaled(ROUNDS); round++)
        for (int kind = 0; kind < 4; kind++)
            run_consumer(rt, rnd(&seed), kind % 2, kind / 2);
    stop(rt);
}

Test(sequence_storm, with_1_worker, .timeout = 120)
{
    storm(&(weft_config){.workers = 1});
}

Test(sequence_storm, with_the_current_thread, .timeout = 120)
{
    storm(&(weft_config){.current_thread = 1});
}

Test(sequence_storm, with_2_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 2});
}

Test(sequence_storm, with_8_workers, .timeout = 120)
{
    storm(&(weft_config){.workers = 8});
}

Test(sequence_storm, with_a_budget_of_1, .timeout = 120)
{
    storm(&(weft_config){.workers = 2, .budget = 1});
}
