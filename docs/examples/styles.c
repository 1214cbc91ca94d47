/*
 * styles.c - one program in three styles: a future by hand, an async function, a fiber
 *
 * Each counts what comes through a channel until its end, or until a second without a message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

/* ---- a future by hand: a struct and a poll function ---- */

struct sum_by_hand {
    weft_future         future;
    weft_mpsc_receiver *from;
    int64_t             sum;
    int                 message;
    weft_wait           wait;
    struct weft_timeout limit;
    weft_future        *next; /* the pending wait for a message, or NULL */
};

static weft_poll sum_poll(weft_future *future, weft_context *cx)
{
    struct sum_by_hand *self = weft_container(future, struct sum_by_hand, future);

    for (;;) {
        if (!self->next)
            self->next =
                weft_timeout(&self->limit,
                             weft_mpsc_receive(&self->wait, self->from, &self->message), WEFT_S(1));
        if (weft_future_is_cancelled(future) && weft_poll_is_ready(weft_future_cancel(self->next)))
            return weft_ready(future, self->next->result);
        if (!weft_poll_is_ready(weft_future_poll_inner(self->next, cx)))
            return WEFT_PENDING;
        if (self->next->result < 0)
            return weft_ready(future,
                              self->next->result == WEFT_EOF ? self->sum : self->next->result);
        self->sum += self->message;
        self->next = NULL;
    }
}

static void sum_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the wait */
}

static weft_future *sum_by_hand(struct sum_by_hand *self, weft_mpsc_receiver *from)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_DRAINS,
                                        .name = "sum_by_hand",
                                        .poll = sum_poll,
                                        .cancel = sum_cancel};

    weft_future_init(&self->future, &ops);
    self->from = from;
    self->sum = 0;
    self->next = NULL;
    return &self->future;
}

/* ---- an async function: what lives across an await stands in the frame ---- */

struct sum_async {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
    } in;
    int64_t             sum;
    int                 message;
    weft_wait           wait;
    struct weft_timeout limit;
};
WEFT_ASYNC(sum_async)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_timeout(&self->limit,
                                   weft_mpsc_receive(&self->wait, self->in.from, &self->message),
                                   WEFT_S(1)));
        if (n < 0)
            break;
        self->sum += self->message;
    }
    WEFT_END(n == WEFT_EOF ? self->sum : n);
}

/* ---- a fiber: local variables, and a call for each await ---- */

static int64_t sum_fiber(void *from)
{
    struct weft_timeout limit;
    weft_wait           wait;
    int64_t             sum = 0, n;
    int                 message;

    while ((n = weft_await(
                weft_timeout(&limit, weft_mpsc_receive(&wait, from, &message), WEFT_S(1)))) >= 0)
        sum += message;
    return n == WEFT_EOF ? sum : n;
}

/* ---- all of them ---- */

static weft_mpsc_receiver *three_messages(void)
{
    weft_mpsc_sender   *to;
    weft_mpsc_receiver *from;

    if (weft_mpsc_open(sizeof(int), 4, &to, &from) < 0)
        exit(1);
    for (int i = 1; i <= 3; i++)
        if (weft_mpsc_try_send(to, &i) < 0)
            exit(1);
    weft_mpsc_sender_close(to);
    return from;
}

struct styles {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpsc_receiver *from;
    struct sum_by_hand  by_hand;
    weft_handle         handle;
};
WEFT_ASYNC(styles)
{
    int64_t n;

    WEFT_BEGIN();
    self->from = three_messages();
    WEFT_AWAIT(n, sum_by_hand(&self->by_hand, self->from));
    printf("by hand: %lld\n", (long long)n);
    weft_mpsc_receiver_close(self->from);

    self->from = three_messages();
    n = weft_spawn(&self->handle, sum_async, .from = self->from);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_AWAIT(n, weft_join(&self->handle));
    printf("async function: %lld\n", (long long)n);
    weft_mpsc_receiver_close(self->from);

    self->from = three_messages();
    n = weft_fiber(&self->handle, sum_fiber, self->from);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_AWAIT(n, weft_join(&self->handle));
    printf("fiber: %lld\n", (long long)n);
    weft_mpsc_receiver_close(self->from);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(styles);
}
