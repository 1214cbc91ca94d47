/*
 * test_mpmc_tasks.c - a queue of work between tasks and plain threads, whose waits are given up by
 * chance
 */
#include "crew.h"

#define SENDERS   4 /* half of them tasks, as of all others */
#define RECEIVERS 4

static int64_t rounds(void)
{
    return test_scaled(2000);
}

/* How often each message was received: sender after sender. */
static int64_t *times;

struct hands_out {
    WEFT_FRAME;
    struct {
        weft_mpmc_sender *to;
        int               number;
    } in;
    uint32_t        random;
    weft_wait       wait;
    struct patience patience;
    int64_t         i, message;
};
WEFT_ASYNC(hands_out)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    for (self->i = 0; self->i < rounds(); self->i++) {
        self->message = self->in.number * rounds() + self->i;
        if (one_of(&self->random, 4) && weft_mpmc_try_send(self->in.to, &self->message) == 0)
            continue;
        do
            PATIENTLY(weft_mpmc_send(&self->wait, self->in.to, &self->message));
        while (self->wait.future.result == -ECANCELED); /* then it was not sent */
        check_eq(self->wait.future.result, 0);
    }
    weft_mpmc_sender_close(self->in.to);
    WEFT_END(0);
}

/* Receives to the end, and returns how many messages it got. */
struct works_off {
    WEFT_FRAME;
    struct {
        weft_mpmc_receiver *from;
        int                 number;
    } in;
    uint32_t        random;
    weft_wait       wait;
    struct patience patience;
    int64_t         n, message;
    int64_t         last[SENDERS];
};
/* The messages of one sender come in order to each receiver. */
static void note(struct works_off *self)
{
    int64_t sender = self->message / rounds();

    check_cmp(self->message, >, self->last[sender]);
    self->last[sender] = self->message;
    check_eq(add(&times[self->message], 1), 1);
    self->n++;
}

WEFT_ASYNC(works_off)
{
    WEFT_BEGIN();
    self->random = crew_seed(10 + self->in.number);
    self->n = 0;
    memset(self->last, -1, sizeof self->last);
    for (;;) {
        if (one_of(&self->random, 4) && weft_mpmc_try_receive(self->in.from, &self->message) == 0) {
            note(self);
            continue;
        }
        PATIENTLY(weft_mpmc_receive(&self->wait, self->in.from, &self->message));
        if (self->wait.future.result == WEFT_EOF)
            break;
        if (self->wait.future.result == 0)
            note(self);
        else
            check_eq(self->wait.future.result, -ECANCELED);
    }
    weft_mpmc_receiver_close(self->in.from);
    WEFT_END(self->n);
}

static size_t capacity;

static void each_message_goes_to_one(weft_runtime *rt)
{
    int64_t             all = SENDERS * rounds(), n = 0;
    weft_mpmc_sender   *sender, *to;
    weft_mpmc_receiver *receiver, *from;
    weft_handle         sending[SENDERS], receiving[RECEIVERS];
    struct hands_out    s_frames[SENDERS];
    struct works_off    r_frames[RECEIVERS];
    pthread_t           s_threads[SENDERS], r_threads[RECEIVERS];

    times = calloc((size_t)all, sizeof *times);
    check_eq(weft_mpmc_open(sizeof(int64_t), capacity, &sender, &receiver), 0);
    for (int i = 0; i < RECEIVERS; i++) {
        from = weft_mpmc_receiver_clone(receiver);
        CREW_START(rt, i, receiving, r_threads, r_frames, works_off, from, i);
    }
    for (int i = 0; i < SENDERS; i++) {
        to = weft_mpmc_sender_clone(sender);
        CREW_START(rt, i, sending, s_threads, s_frames, hands_out, to, i);
    }
    weft_mpmc_sender_close(sender);
    weft_mpmc_receiver_close(receiver);
    /* The tasks first: nothing else polls those of a current-thread runtime. */
    for (int i = 1; i < SENDERS; i += 2)
        check_eq(join(rt, &sending[i]), 0);
    for (int i = 1; i < RECEIVERS; i += 2)
        n += join(rt, &receiving[i]);
    for (int i = 0; i < SENDERS; i += 2)
        pthread_join(s_threads[i], NULL);
    for (int i = 0; i < RECEIVERS; i += 2) {
        pthread_join(r_threads[i], NULL);
        n += weft_future_result(&r_frames[i].weft_frame_.future);
    }
    check_eq(n, all);
    free(times);
}

static void with_room(size_t room, int64_t workers)
{
    capacity = room;
    if (workers == 0)
        on_current_thread(each_message_goes_to_one);
    else
        on_workers(workers, each_message_goes_to_one);
}

Test(mpmc_tasks, each_message_goes_to_one_on_a_current_thread, .timeout = 120)
{
    with_room(2, 0);
}

Test(mpmc_tasks, each_message_goes_to_one_on_one_worker, .timeout = 120)
{
    with_room(1, 1);
}

Test(mpmc_tasks, each_message_goes_to_one_on_two_workers, .timeout = 120)
{
    with_room(1, 2);
}

Test(mpmc_tasks, each_message_goes_to_one_on_eight_workers, .timeout = 120)
{
    with_room(16, 8);
}
