/*
 * test_mpsc_storm.c - all ways to send and to receive at once, between tasks and plain threads,
 * whose waits are given up by chance
 */
#include "crew.h"

#define SENDERS 6 /* half of them tasks */
#define MANY    5

static int64_t rounds(void)
{
    return test_scaled(4000);
}

/* It is so large that a few tens of them make a buffer that an unbounded channel gives back. */
struct message {
    int     sender;
    int64_t n;
    char    bulk[2000];
};

/* ---- a sender ---- */

struct sends {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to;
        int               number;
    } in;
    uint32_t          random;
    weft_wait         wait;
    struct patience   patience;
    struct message    message;
    weft_mpsc_permit *permit;
    weft_mpsc_weak   *weak;
};

/* Puts a sender from a weak one in place of its own. There is another one meanwhile. */
static void exchange_sender(struct sends *self)
{
    weft_mpsc_sender *upgraded;

    self->weak = weft_mpsc_downgrade(self->in.to);
    upgraded = weft_mpsc_upgrade(self->weak);
    check(upgraded != NULL);
    weft_mpsc_sender_close(self->in.to);
    weft_mpsc_weak_close(self->weak);
    self->in.to = upgraded;
}

/* Ends the permit that it has got. Returns whether the message was sent by it. */
static bool use_permit(struct sends *self)
{
    if (one_of(&self->random, 3)) {
        weft_mpsc_permit_close(self->permit);
        return false;
    }
    check_eq(weft_mpsc_permit_send(self->permit, &self->message), 0);
    return true;
}

WEFT_ASYNC(sends)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    self->message = (struct message){.sender = self->in.number, .n = 1};
    while (self->message.n <= rounds()) {
        if (one_of(&self->random, 16))
            exchange_sender(self);
        if (one_of(&self->random, 4)) {
            self->message.n += weft_mpsc_try_send(self->in.to, &self->message) == 0;
        } else if (one_of(&self->random, 2)) {
            PATIENTLY(weft_mpsc_send(&self->wait, self->in.to, &self->message));
            self->message.n += self->wait.future.result == 0;
        } else {
            PATIENTLY(weft_mpsc_reserve(&self->wait, self->in.to, &self->permit));
            if (self->wait.future.result == 0)
                self->message.n += use_permit(self);
        }
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(0);
}

/* ---- the receiver ---- */

struct receives {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
    } in;
    uint32_t        random;
    weft_wait       wait;
    struct patience patience;
    struct message  messages[MANY];
    int64_t         n, last[SENDERS];
};

/* The messages of each sender come in order, and none is missing. */
static void note(struct receives *self, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const struct message *m = &self->messages[i];

        check_eq(m->n, self->last[m->sender] + 1);
        self->last[m->sender] = m->n;
    }
    self->n += n;
}

WEFT_ASYNC(receives)
{
    WEFT_BEGIN();
    self->random = crew_seed(SENDERS);
    self->n = 0;
    memset(self->last, 0, sizeof self->last);
    for (;;) {
        if (one_of(&self->random, 2)) {
            PATIENTLY(weft_mpsc_receive(&self->wait, self->in.from, self->messages));
            if (self->wait.future.result == 0)
                note(self, 1);
        } else {
            PATIENTLY(weft_mpsc_receive_many(&self->wait, self->in.from, self->messages,
                                             1 + rnd(&self->random) % MANY));
            if (self->wait.future.result > 0)
                note(self, self->wait.future.result);
        }
        if (self->wait.future.result == WEFT_EOF)
            break;
    }
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(self->n);
}

static size_t capacity; /* 0: unbounded */
static bool   receiver_is_task;

static void nothing_is_lost(weft_runtime *rt)
{
    weft_mpsc_sender   *sender, *to;
    weft_mpsc_receiver *receiver;
    weft_handle         sending[SENDERS], receiving;
    struct sends        frames[SENDERS];
    struct receives     frame;
    pthread_t           threads[SENDERS], other = {0};

    check_eq(capacity > 0 ? weft_mpsc_open(sizeof(struct message), capacity, &sender, &receiver)
                          : weft_mpsc_open_unbounded(sizeof(struct message), &sender, &receiver),
             0);
    if (receiver_is_task)
        check_eq(weft_spawn_on(rt, &receiving, receives, receiver), 0);
    else
        other = thread(run_parked, weft_async(receives, &frame, receiver));
    for (int i = 0; i < SENDERS; i++) {
        to = weft_mpsc_sender_clone(sender);
        CREW_START(rt, i, sending, threads, frames, sends, to, i);
    }
    weft_mpsc_sender_close(sender);
    /* The tasks first: nothing else polls those of a current-thread runtime. */
    for (int i = 1; i < SENDERS; i += 2)
        check_eq(join(rt, &sending[i]), 0);
    if (receiver_is_task)
        check_eq(join(rt, &receiving), SENDERS * rounds());
    for (int i = 0; i < SENDERS; i += 2)
        pthread_join(threads[i], NULL);
    if (!receiver_is_task) {
        pthread_join(other, NULL);
        check_eq(weft_future_result(&frame.weft_frame_.future), SENDERS * rounds());
    }
}

static void storm(size_t room, bool is_task, int64_t workers)
{
    capacity = room;
    receiver_is_task = is_task;
    if (workers == 0)
        on_current_thread(nothing_is_lost);
    else
        on_workers(workers, nothing_is_lost);
}

Test(mpsc_storm, nothing_is_lost_on_a_current_thread, .timeout = 120)
{
    storm(2, true, 0);
}

Test(mpsc_storm, nothing_is_lost_on_one_worker, .timeout = 120)
{
    storm(1, false, 1);
}

Test(mpsc_storm, nothing_is_lost_on_two_workers, .timeout = 120)
{
    storm(3, true, 2);
}

Test(mpsc_storm, nothing_is_lost_on_eight_workers, .timeout = 120)
{
    storm(16, false, 8);
}

Test(mpsc_storm, nothing_is_lost_without_a_limit, .timeout = 120)
{
    storm(0, true, 2);
}
