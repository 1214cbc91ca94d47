/*
 * ask.c - asking a task that owns state, and getting its answer
 *
 *     ask        prints "balance 0, 5 paid, 1 refused"
 *
 * One task owns the balance of an account. Other tasks ask it for payments. A request carries the
 * sender of a oneshot channel, and the owner sends the answer there.
 */
#include <stdio.h>
#include <weft.h>

#define TASKS 6

/* The task that receives a request owns its `answer`, and sends or closes it. */
struct request {
    int64_t              amount;
    weft_oneshot_sender *answer;
};

/* ---- the owner ---- */

/* Ends the requests that wait. The tasks that have sent them get WEFT_EOF. */
static void end_requests(weft_mpsc_receiver *from)
{
    struct request request;

    while (weft_mpsc_try_receive(from, &request) == 0)
        weft_oneshot_sender_close(request.answer);
    weft_mpsc_receiver_close(from);
}

/* Answers with the new balance, or -EDQUOT. */
struct owner {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        int64_t             balance;
    } in;
    weft_wait      wait;
    struct request request;
};
WEFT_ASYNC(owner)
{
    int64_t n, answer;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.from, &self->request));
        if (n < 0)
            break;    /* WEFT_EOF: all senders are closed. -ECANCELED: the task is asked to end. */
        WEFT_YIELD(); /* it may await within a request: nothing else touches the balance */
        answer = -EDQUOT;
        if (self->in.balance >= self->request.amount)
            answer = self->in.balance -= self->request.amount;
        weft_oneshot_send(self->request.answer, &answer); /* -EPIPE: the asking task has given up */
    }
    end_requests(self->in.from);
    WEFT_END(self->in.balance);
}

/* ---- those that ask ---- */

/* Asks the owner for a payment, and returns its answer. WEFT_EOF: the owner has ended. */
struct ask {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to;
        int64_t           amount;
    } in;
    weft_wait              wait;
    struct request         request;
    weft_oneshot_receiver *receiver;
    int64_t                answer;
};
WEFT_ASYNC(ask)
{
    int64_t n;

    WEFT_BEGIN();
    self->request.amount = self->in.amount;
    n = weft_oneshot_open(sizeof self->answer, &self->request.answer, &self->receiver);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->request));
    if (n < 0) /* it has not been sent, so it is still this task's */
        weft_oneshot_sender_close(self->request.answer);
    else
        WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->receiver, &self->answer));
    weft_oneshot_receiver_close(self->receiver); /* also after a cancel: the owner gets -EPIPE */
    WEFT_END(n < 0 ? n : self->answer);
}

struct customer {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to; /* its own */
    } in;
    struct ask          ask;
    struct weft_timeout limit;
};
WEFT_ASYNC(customer)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit,
                               weft_async(ask, &self->ask, .to = self->in.to, .amount = 20),
                               WEFT_S(10)));
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(n);
}

/* ---- all of them ---- */

struct start {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_handle         customer[TASKS], owner;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    int                 i, paid, refused;
};
WEFT_ASYNC(start)
{
    int64_t n;

    WEFT_BEGIN();
    self->paid = self->refused = 0;
    if (weft_mpsc_open(sizeof(struct request), 2, &self->sender, &self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    if (weft_spawn(&self->owner, owner, .from = self->receiver, .balance = 100) < 0)
        WEFT_RETURN(-ENOMEM);
    for (self->i = 0; self->i < TASKS; self->i++)
        if (weft_spawn(&self->customer[self->i], customer,
                       .to = weft_mpsc_sender_clone(self->sender)) < 0)
            WEFT_RETURN(-ENOMEM);
    weft_mpsc_sender_close(self->sender);
    for (self->i = 0; self->i < TASKS; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->customer[self->i]));
        self->paid += n >= 0;
        self->refused += n == -EDQUOT;
    }
    WEFT_AWAIT(n, weft_join(&self->owner));
    printf("balance %lld, %d paid, %d refused\n", (long long)n, self->paid, self->refused);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(start, 0);
}
