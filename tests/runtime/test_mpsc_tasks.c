/* test_mpsc_tasks.c - channels between tasks, threads and runtimes */
#include "../helpers.h"

/* Sends 1..n, and answers how many it could not send. */
struct sends {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to;
        int64_t           n;
        bool              impatient; /* cancels a send now and then, and sends again */
    } in;
    weft_wait          wait;
    struct weft_select sel;
    struct counter     few;
    int64_t            i;
};
WEFT_ASYNC(sends)
{
    int64_t n = 0;

    WEFT_BEGIN();
    for (self->i = 1; self->i <= self->in.n; self->i++) {
        if (self->in.impatient)
            do
                WEFT_AWAIT(n, weft_select_biased(&self->sel,
                                                 weft_mpsc_send(&self->wait, self->in.to, &self->i),
                                                 counter(&self->few, 1)));
            while (n == 1 && !(weft_select_undone(&self->sel) & 1));
        else
            WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->i));
        if (self->wait.future.result < 0)
            break;
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(self->in.n - (self->i - 1));
}

/* Receives until every sender is closed; answers the sum. */
struct receives {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        bool                impatient;
    } in;
    weft_wait          wait;
    struct weft_select sel;
    struct counter     few;
    int64_t            got, sum;
};
WEFT_ASYNC(receives)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (;;) {
        if (self->in.impatient)
            WEFT_AWAIT(n, weft_select_biased(
                              &self->sel, weft_mpsc_receive(&self->wait, self->in.from, &self->got),
                              counter(&self->few, 1)));
        else
            WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.from, &self->got));
        if (n == 1 && self->in.impatient)
            continue; /* cancelled: it has taken nothing */
        if (self->wait.future.result < 0)
            break;
        self->sum += self->got;
    }
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(self->sum);
}

static void sum_of_four(weft_runtime *to, weft_runtime *from, bool impatient, size_t capacity)
{
    int64_t             n = test_scaled(impatient ? 2000 : 10000);
    weft_mpsc_sender   *sender, *senders[4];
    weft_mpsc_receiver *receiver;
    weft_handle         sending[4], receiving;

    check_eq(weft_mpsc_open(sizeof n, capacity, &sender, &receiver), 0);
    check_eq(weft_spawn_on(to, &receiving, receives, receiver, impatient), 0);
    for (int i = 0; i < 4; i++) /* all before the first may close its own */
        senders[i] = i ? weft_mpsc_sender_clone(sender) : sender;
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(from, &sending[i], sends, senders[i], n, impatient), 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(from, &sending[i]), 0);
    check_eq(join(to, &receiving), 4 * (n * (n + 1) / 2));
}

Test(mpsc_tasks, four_senders_and_a_receiver_on_two_workers_lose_nothing)
{
    weft_runtime *rt = start(2);

    sum_of_four(rt, rt, false, 16);
    stop(rt);
}

Test(mpsc_tasks, cancelled_sends_and_receives_lose_nothing)
{
    weft_runtime *rt = start(2);

    sum_of_four(rt, rt, true, 2);
    stop(rt);
}

Test(mpsc_tasks, two_runtimes_at_once_talk_over_a_channel)
{
    weft_runtime *one = start(2), *two = start(1);

    sum_of_four(one, two, false, 4);
    sum_of_four(two, one, false, 1);
    stop(one);
    stop(two);
}

struct thread_sender {
    weft_runtime     *rt;
    weft_mpsc_sender *to;
    int64_t           n;
};

/* A plain thread: waits for room in block_on. */
static void *send_from_thread(void *arg)
{
    struct thread_sender *s = arg;
    weft_wait             wait;

    for (int64_t i = 1; i <= s->n; i++)
        check_eq(weft_block_on(s->rt, weft_mpsc_send(&wait, s->to, &i)), 0);
    weft_mpsc_sender_close(s->to);
    return NULL;
}

Test(mpsc_tasks, four_threads_and_a_receiving_task_lose_nothing)
{
    weft_runtime        *rt = start(1);
    struct thread_sender s[4];
    int64_t              n = test_scaled(3000);
    weft_mpsc_sender    *sender;
    weft_mpsc_receiver  *receiver;
    weft_handle          receiving;
    pthread_t            threads[4];

    check_eq(weft_mpsc_open(sizeof n, 2, &sender, &receiver), 0);
    check_eq(weft_spawn_on(rt, &receiving, receives, receiver, .impatient = false), 0);
    for (int i = 0; i < 4; i++) /* all before the first may close its own */
        s[i] = (struct thread_sender){rt, i ? weft_mpsc_sender_clone(sender) : sender, n};
    for (int i = 0; i < 4; i++)
        threads[i] = thread(send_from_thread, &s[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check_eq(join(rt, &receiving), 4 * (n * (n + 1) / 2));
    stop(rt);
}

Test(mpsc_tasks, a_receiver_that_closes_ends_the_senders_that_wait)
{
    weft_runtime       *rt = start(2);
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    weft_handle         sending[3];
    int64_t             got = 0;

    check_eq(weft_mpsc_open(sizeof got, 1, &sender, &receiver), 0);
    for (int i = 0; i < 3; i++)
        check_eq(weft_spawn_on(rt, &sending[i], sends, i ? weft_mpsc_sender_clone(sender) : sender,
                               .n = 1000),
                 0);
    while (weft_mpsc_try_receive(receiver, &got) == -EAGAIN)
        sched_yield();
    weft_mpsc_receiver_close(receiver);
    for (int i = 0; i < 3; i++)
        check_cmp(join(rt, &sending[i]), >, 900);
    stop(rt);
}
