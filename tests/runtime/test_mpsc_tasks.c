/* test_mpsc_tasks.c - channels between tasks, threads and runtimes */
#include "../helpers.h"

/* Sends 1..n, and returns how many values it could not send. */
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

/* Receives until every sender is closed, and returns the sum. */
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

/* ---- tokio's many_multishot_futures: messages that go round through chains of tasks ---- */

#define CHAINS 20
#define LINKS  50
#define LAPS   5

struct forwards {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        weft_mpsc_sender   *to;
        int64_t             last; /* goes no further; -1: there is none */
    } in;
    weft_wait wait;
    int64_t   message;
};
WEFT_ASYNC(forwards)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.from, &self->message));
        if (n < 0 || self->message == self->in.last)
            break;
        self->message += self->in.last >= 0; /* one lap more */
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->message));
        if (n < 0)
            break;
    }
    weft_mpsc_sender_close(self->in.to);
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(n < 0 ? n : self->message);
}

/* The last task of a chain sends back to its first one, until the laps are done. It is returned. */
static weft_handle begin_chain(weft_runtime *rt)
{
    weft_mpsc_sender   *start, *next;
    weft_mpsc_receiver *from, *to;
    weft_handle         last;
    int64_t             lap = 1;

    check_eq(weft_mpsc_open(sizeof lap, 10, &start, &from), 0);
    check_eq(weft_mpsc_try_send(start, &lap), 0);
    for (int i = 0; i < LINKS; i++) {
        check_eq(weft_mpsc_open(sizeof lap, 10, &next, &to), 0);
        check_eq(weft_spawn_on(rt, NULL, forwards, from, next, -1), 0);
        from = to;
    }
    check_eq(weft_spawn_on(rt, &last, forwards, from, start, LAPS), 0);
    return last;
}

static void go_round(const weft_config *config)
{
    for (int64_t i = 0; i < test_scaled(10); i++) {
        weft_runtime *rt = start_with(config);
        weft_handle   last[CHAINS];

        for (int c = 0; c < CHAINS; c++)
            last[c] = begin_chain(rt);
        for (int c = 0; c < CHAINS; c++)
            check_eq(join(rt, &last[c]), LAPS);
        stop(rt);
    }
}

Test(mpsc_tasks, messages_go_round_through_chains_of_tasks)
{
    go_round(&(weft_config){.current_thread = 1});
    go_round(&(weft_config){.workers = 1});
    go_round(&(weft_config){.workers = 4});
}
