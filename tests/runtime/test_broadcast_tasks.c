/*
 * test_broadcast_tasks.c - a broadcast between tasks and plain threads, whose waits are given up by
 * chance
 */
#include "crew.h"

#define SENDERS   4 /* half of them tasks, as of all others */
#define RECEIVERS 6

struct message {
    int     sender;
    int64_t n, check;
};

static size_t capacity; /* of the channel */

static int64_t rounds(void)
{
    return test_scaled(20000);
}

struct announces {
    WEFT_FRAME;
    struct {
        weft_broadcast_sender *to;
        int                    number;
    } in;
    uint32_t random;
    int64_t  i;
};
WEFT_ASYNC(announces)
{
    struct message m;

    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    for (self->i = 1; self->i <= rounds(); self->i++) {
        m = (struct message){self->in.number, self->i, ~self->i};
        check_eq(weft_broadcast_send(self->in.to, &m), 0);
        if (one_of(&self->random, 2))
            WEFT_YIELD();
    }
    weft_broadcast_sender_close(self->in.to);
    WEFT_END(0);
}

/* Receives to the end. The result is how many messages it got and missed together. */
struct listens {
    WEFT_FRAME;
    struct {
        weft_broadcast_receiver *from;
        int                      number;
    } in;
    uint32_t        random;
    weft_wait       wait;
    struct patience patience;
    struct message  message;
    int64_t         last[SENDERS]; /* numbers of the last messages */
    int64_t         n, missed;
};
/* A message came, behind `missed` that did not. Those of one sender come in order. */
static void hear(struct listens *self, int64_t missed)
{
    const struct message *m = &self->message;

    check_eq(m->check, ~m->n);
    check_cmp(m->n, >, self->last[m->sender]);
    if (self->missed == 0 && missed == 0)
        check_eq(m->n, self->last[m->sender] + 1);
    self->last[m->sender] = m->n;
    self->missed += missed;
    self->n++;
}

WEFT_ASYNC(listens)
{
    int64_t n;

    WEFT_BEGIN();
    self->random = crew_seed(10 + self->in.number);
    self->n = self->missed = 0;
    memset(self->last, 0, sizeof self->last);
    for (;;) {
        PATIENTLY(weft_broadcast_receive(&self->wait, self->in.from, &self->message));
        if (self->wait.future.result == WEFT_EOF)
            break;
        if (self->wait.future.result >= 0)
            hear(self, self->wait.future.result);
        else
            check_eq(self->wait.future.result, -ECANCELED);
        n = one_of(&self->random, 4) ? weft_broadcast_try_receive(self->in.from, &self->message)
                                     : -EAGAIN;
        if (n >= 0)
            hear(self, n);
    }
    weft_broadcast_receiver_close(self->in.from);
    if (capacity >= (size_t)(SENDERS * rounds()))
        check_eq(self->missed, 0);
    WEFT_END(self->n + self->missed);
}

static void each_gets_or_misses_all(weft_runtime *rt)
{
    weft_broadcast_sender   *sender, *to;
    weft_broadcast_receiver *receiver;
    weft_handle              sending[SENDERS], listening[RECEIVERS];
    struct announces         s_frames[SENDERS];
    struct listens           r_frames[RECEIVERS];
    pthread_t                s_threads[SENDERS], r_threads[RECEIVERS];

    check_eq(weft_broadcast_open(sizeof(struct message), capacity, &sender, &receiver), 0);
    for (int i = 0; i < RECEIVERS; i++) {
        if (i > 0)
            check_eq(weft_broadcast_subscribe(sender, &receiver), 0);
        CREW_START(rt, i, listening, r_threads, r_frames, listens, receiver, i);
    }
    for (int i = 0; i < SENDERS; i++) {
        to = weft_broadcast_sender_clone(sender);
        CREW_START(rt, i, sending, s_threads, s_frames, announces, to, i);
    }
    weft_broadcast_sender_close(sender);
    /* The tasks first: nothing else polls those of a current-thread runtime. */
    for (int i = 1; i < SENDERS; i += 2)
        check_eq(join(rt, &sending[i]), 0);
    for (int i = 1; i < RECEIVERS; i += 2)
        check_eq(join(rt, &listening[i]), SENDERS * rounds());
    for (int i = 0; i < SENDERS; i += 2)
        pthread_join(s_threads[i], NULL);
    for (int i = 0; i < RECEIVERS; i += 2) {
        pthread_join(r_threads[i], NULL);
        check_eq(weft_future_result(&r_frames[i].weft_frame_.future), SENDERS * rounds());
    }
}

static void with_room(size_t room, int64_t workers)
{
    capacity = room;
    if (workers == 0)
        on_current_thread(each_gets_or_misses_all);
    else
        on_workers(workers, each_gets_or_misses_all);
}

Test(broadcast_tasks, each_gets_or_misses_all_on_a_current_thread, .timeout = 120)
{
    with_room(16, 0);
}

Test(broadcast_tasks, each_gets_or_misses_all_on_one_worker, .timeout = 120)
{
    with_room(1, 1);
}

Test(broadcast_tasks, each_gets_or_misses_all_on_two_workers, .timeout = 120)
{
    with_room(7, 2);
}

Test(broadcast_tasks, each_gets_or_misses_all_on_eight_workers, .timeout = 120)
{
    with_room(100, 8);
}

Test(broadcast_tasks, with_room_for_all_nothing_is_missed, .timeout = 120)
{
    with_room((size_t)(SENDERS * rounds()), 2);
}
