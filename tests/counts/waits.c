/*
 * waits.c - rows of channels, ready and waiting, and of a mutex that is free
 *
 * Purpose     See counts.h.
 * Threads     The main thread.
 * Invariants  Each message carries its number, and each receiver checks it.
 * Ordering    None.
 * Failure     See counts.h.
 */
#include "counts.h"

/* ---- oneshot: opened, sent, received and closed by one task that never waits ---- */

struct oneshot {
    WEFT_FRAME;
    struct {
    } in;
    weft_oneshot_sender   *sender;
    weft_oneshot_receiver *receiver;
    weft_wait              wait;
    int64_t                left, got;
};
WEFT_ASYNC(oneshot)
{
    int64_t n;

    WEFT_BEGIN();
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        n = weft_oneshot_open(sizeof self->left, &self->sender, &self->receiver);
        must(n == 0, "a channel does not open");
        must(weft_oneshot_send(self->sender, &self->left) == 0, "a send failed");
        WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->receiver, &self->got));
        must(n == 0 && self->got == self->left, "a message was lost");
        weft_oneshot_receiver_close(self->receiver);
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(oneshot)

/* ---- oneshot_wait: two tasks; each hand-over is a channel of its own, and a wait ---- */

static weft_oneshot_sender *to[2];
static int64_t              n_sent;

struct player {
    WEFT_FRAME;
    struct {
        int me;
    } in;
    weft_oneshot_receiver *receiver;
    weft_wait              wait;
    int64_t                got;
};
WEFT_ASYNC(player)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        n = weft_oneshot_open(sizeof self->got, &to[self->in.me], &self->receiver);
        must(n == 0, "a channel does not open");
        if (to[1 - self->in.me]) { /* The task that starts first has no partner yet. */
            if (n_sent == 0)
                counts_begin();
            if (n_sent == TIMES)
                break;
            n_sent++;
            must(weft_oneshot_send(to[1 - self->in.me], &n_sent) == 0, "a send failed");
        }
        WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->receiver, &self->got));
        weft_oneshot_receiver_close(self->receiver);
        if (n == WEFT_EOF) /* The partner has sent the last message and closed both channels. */
            break;
        must(n == 0 && self->got == n_sent, "a message was lost");
    }
    if (n == 0) {
        counts_end(TIMES, (struct counts_proof){.polls = TIMES});
        for (int i = 0; i < 2; i++)
            weft_oneshot_sender_close(to[i]);
        weft_oneshot_receiver_close(self->receiver);
    }
    counts_task_ends();
    WEFT_END(0);
}

static void start_players(void)
{
    n_sent = 0;
    for (int me = 0; me < 2; me++) {
        to[me] = NULL;
        must(weft_spawn(NULL, player, .me = me) == 0, "spawn failed");
    }
}

/* ---- mpsc_ready: one task sends and receives; there is always room, or a message ---- */

struct mpsc_ready {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_wait           wait;
    int64_t             left, got;
};
WEFT_ASYNC(mpsc_ready)
{
    int64_t n;

    WEFT_BEGIN();
    n = weft_mpsc_open(sizeof self->left, 1024, &self->sender, &self->receiver);
    must(n == 0, "a channel does not open");
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->sender, &self->left));
        must(n == 0, "a send failed");
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->receiver, &self->got));
        must(n == 0 && self->got == self->left, "a message was lost");
    }
    counts_end(TIMES, (struct counts_proof){0});
    weft_mpsc_sender_close(self->sender);
    weft_mpsc_receiver_close(self->receiver);
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(mpsc_ready)

/* ---- mpsc_1: room for one message, so that sender and receiver wait for each other ---- */

struct sends {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *sender;
    } in;
    weft_wait wait;
    int64_t   number;
};
WEFT_ASYNC(sends)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->number = 1;; self->number++) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.sender, &self->number));
        if (n < 0)
            break;
    }
    must(n == -EPIPE, "a send failed");
    weft_mpsc_sender_close(self->in.sender);
    counts_task_ends();
    WEFT_END(0);
}

struct receives {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *receiver;
    } in;
    weft_wait wait;
    int64_t   number, got;
};
WEFT_ASYNC(receives)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->number = 1;; self->number++) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.receiver, &self->got));
        must(n == 0 && self->got == self->number, "a message was lost");
        if (self->number == 2) /* Both tasks have begun by now. */
            counts_begin();
        if (self->number == TIMES + 2)
            break;
    }
    counts_end(TIMES, (struct counts_proof){.polls = TIMES});
    weft_mpsc_receiver_close(self->in.receiver);
    counts_task_ends();
    WEFT_END(0);
}

static void start_mpsc_1(void)
{
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;

    must(weft_mpsc_open(sizeof(int64_t), 1, &sender, &receiver) == 0, "a channel does not open");
    must(weft_spawn(NULL, sends, .sender = sender) == 0, "spawn failed");
    must(weft_spawn(NULL, receives, .receiver = receiver) == 0, "spawn failed");
}

/* ---- mutex: locked and unlocked by one task; it is always free ---- */

struct mutex {
    WEFT_FRAME;
    struct {
    } in;
    weft_mutex mutex;
    weft_wait  wait;
    int64_t    left;
};
WEFT_ASYNC(mutex)
{
    int64_t n;

    WEFT_BEGIN();
    self->mutex = (weft_mutex){0};
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &self->mutex));
        must(n == 0, "a lock failed");
        weft_mutex_unlock(&self->mutex);
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(mutex)

const struct counts_row counts_wait_rows[] = {
    {"oneshot", start_oneshot, 1},       {"oneshot_wait", start_players, 2},
    {"mpsc_ready", start_mpsc_ready, 1}, {"mpsc_1", start_mpsc_1, 2},
    {"mutex", start_mutex, 1},           {NULL, NULL, 0}};
