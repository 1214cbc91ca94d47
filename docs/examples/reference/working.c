/*
 * working.c - work that several tasks share: an mpmc channel
 */
#include "expect.h"

struct work {
    WEFT_FRAME;
    struct {
        weft_mpmc_receiver *jobs;
    } in;
    weft_wait wait;
    int       job;
    int64_t   sum;
};
WEFT_ASYNC(work)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (;;) {
        /* Each job goes to one of the tasks that wait, in their order. */
        WEFT_AWAIT(n, weft_mpmc_receive(&self->wait, self->in.jobs, &self->job));
        if (n < 0)
            break;
        self->sum += self->job;
    }
    EXPECT(n == WEFT_EOF); /* all senders are closed, and all jobs are taken */
    weft_mpmc_receiver_close(self->in.jobs);
    WEFT_END(self->sum);
}

/* ---- without waiting ---- */

static void without_waiting(void)
{
    weft_mpmc_sender   *sender, *other;
    weft_mpmc_receiver *receiver;
    int                 job = 1;

    EXPECT(weft_mpmc_open(sizeof job, 1, &sender, &receiver) == 0);
    other = weft_mpmc_sender_clone(sender);
    EXPECT(weft_mpmc_try_send(other, &job) == 0);
    EXPECT(weft_mpmc_try_send(other, &job) == -EAGAIN); /* full */
    weft_mpmc_sender_close(other);
    EXPECT(weft_mpmc_try_receive(receiver, &job) == 0);
    EXPECT(weft_mpmc_try_receive(receiver, &job) == -EAGAIN); /* empty */
    EXPECT(weft_mpmc_try_send(sender, &job) == 0);
    weft_mpmc_receiver_stop(receiver);
    EXPECT(weft_mpmc_try_send(sender, &job) == -EPIPE);
    EXPECT(weft_mpmc_count(receiver) == 1); /* what was sent is not lost */
    EXPECT(weft_mpmc_try_receive(receiver, &job) == 0);
    EXPECT(weft_mpmc_try_receive(receiver, &job) == WEFT_EOF);
    weft_mpmc_receiver_close(receiver);
    weft_mpmc_sender_close(sender);
}

struct working {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpmc_sender   *sender;
    weft_mpmc_receiver *receiver;
    weft_handle         workers[3];
    weft_wait           wait;
    int                 i, job;
    int64_t             sum;
};
WEFT_ASYNC(working)
{
    int64_t n;

    WEFT_BEGIN();
    without_waiting();
    self->sum = 0;
    if (weft_mpmc_open(sizeof self->job, 4, &self->sender, &self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    for (self->i = 0; self->i < 3; self->i++)
        EXPECT(weft_spawn(&self->workers[self->i], work,
                          .jobs = weft_mpmc_receiver_clone(self->receiver)) == 0);
    weft_mpmc_receiver_close(self->receiver);

    for (self->job = 1; self->job <= 100; self->job++) {
        /* Waits while 4 jobs wait already: the workers set the pace. */
        WEFT_AWAIT(n, weft_mpmc_send(&self->wait, self->sender, &self->job));
        if (n < 0)
            break; /* -EPIPE: all receivers are closed */
    }
    weft_mpmc_closed(&self->wait, self->sender); /* would wait until all workers have gone */
    WEFT_CANCEL(&self->wait.future);
    weft_mpmc_sender_close(self->sender);
    for (self->i = 0; self->i < 3; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->workers[self->i]));
        self->sum += n;
    }
    EXPECT(self->sum == 5050);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(working);
}
