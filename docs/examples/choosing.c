/*
 * choosing.c - the five channels, each where it fits
 *
 *     choosing        prints what came through each of them
 *
 * docs/channels.md says how to choose.
 */
#include <stdio.h>
#include <weft.h>

#define TASKS 3
#define JOBS  30

/* ---- oneshot: one answer ---- */

struct square {
    WEFT_FRAME;
    struct {
        int64_t              n;
        weft_oneshot_sender *answer; /* the task's own */
    } in;
};
WEFT_ASYNC(square)
{
    int64_t answer;

    WEFT_BEGIN();
    answer = self->in.n * self->in.n;
    weft_oneshot_send(self->in.answer, &answer); /* closes the sender, too */
    WEFT_END(0);
}

struct oneshot {
    WEFT_FRAME;
    struct {
    } in;
    weft_wait              wait;
    weft_oneshot_receiver *receiver;
    int64_t                answer;
};
WEFT_ASYNC(oneshot)
{
    weft_oneshot_sender *sender;
    int64_t              n;

    WEFT_BEGIN();
    n = weft_oneshot_open(sizeof self->answer, &sender, &self->receiver);
    if (n < 0)
        WEFT_RETURN(n);
    n = weft_spawn(NULL, square, .n = 7, .answer = sender);
    if (n < 0)
        weft_oneshot_sender_close(sender); /* the receiver gets WEFT_EOF */
    WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->receiver, &self->answer));
    weft_oneshot_receiver_close(self->receiver);
    WEFT_END(n < 0 ? n : self->answer);
}

/* ---- mpsc: many send, one task has the state ---- */

struct orders {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to; /* the task's own */
    } in;
    weft_wait wait;
    int64_t   i;
};
WEFT_ASYNC(orders)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 1; self->i <= JOBS; self->i++) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->i));
        if (n < 0)
            break; /* -EPIPE: the receiver is closed */
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(0);
}

struct mpsc {
    WEFT_FRAME;
    struct {
    } in;
    weft_wait           wait;
    weft_mpsc_receiver *from;
    int64_t             order, sum;
};

/* Starts the tasks that send. Each owns its sender. The receiver gets WEFT_EOF after the last. */
static int start_orders(struct mpsc *self)
{
    weft_mpsc_sender *to, *own;
    int               r = weft_mpsc_open(sizeof(int64_t), 4, &to, &self->from);

    for (int i = 0; r == 0 && i < TASKS; i++) {
        own = weft_mpsc_sender_clone(to);
        r = weft_spawn(NULL, orders, .to = own);
        if (r < 0)
            weft_mpsc_sender_close(own);
    }
    weft_mpsc_sender_close(to);
    return r;
}

WEFT_ASYNC(mpsc)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    n = start_orders(self);
    if (n < 0)
        WEFT_RETURN(n);
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->from, &self->order));
        if (n < 0)
            break;                /* WEFT_EOF: all senders are closed */
        self->sum += self->order; /* no lock: no other task touches it */
    }
    weft_mpsc_receiver_close(self->from);
    WEFT_END(self->sum);
}

/* ---- mpmc: each job goes to one of the workers ---- */

struct works {
    WEFT_FRAME;
    struct {
        weft_mpmc_receiver *jobs; /* the task's own */
    } in;
    weft_wait wait;
    int64_t   job, n_done;
};
WEFT_ASYNC(works)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_done = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_mpmc_receive(&self->wait, self->in.jobs, &self->job));
        if (n < 0)
            break;
        self->n_done++;
    }
    weft_mpmc_receiver_close(self->in.jobs);
    WEFT_END(self->n_done);
}

struct mpmc {
    WEFT_FRAME;
    struct {
    } in;
    weft_wait         wait;
    weft_handle       worker[TASKS];
    weft_mpmc_sender *jobs;
    int64_t           i, sum;
};

static int start_workers(struct mpmc *self)
{
    weft_mpmc_receiver *receiver, *own;
    int                 r = weft_mpmc_open(sizeof(int64_t), 4, &self->jobs, &receiver);

    for (int i = 0; r == 0 && i < TASKS; i++) {
        own = weft_mpmc_receiver_clone(receiver);
        r = weft_spawn(&self->worker[i], works, .jobs = own);
        if (r < 0)
            weft_mpmc_receiver_close(own);
    }
    weft_mpmc_receiver_close(receiver);
    return r;
}

WEFT_ASYNC(mpmc)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    n = start_workers(self);
    if (n < 0)
        WEFT_RETURN(n);
    for (self->i = 0; self->i < JOBS; self->i++) {
        WEFT_AWAIT(n, weft_mpmc_send(&self->wait, self->jobs, &self->i));
        if (n < 0)
            break;
    }
    weft_mpmc_sender_close(self->jobs); /* the workers finish what is left, then they end */
    for (self->i = 0; self->i < TASKS; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->worker[self->i]));
        self->sum += n;
    }
    WEFT_END(self->sum);
}

/* ---- broadcast: every listener gets every message, or learns what it has missed ---- */

struct listens {
    WEFT_FRAME;
    struct {
        weft_broadcast_receiver *news; /* the task's own */
    } in;
    weft_wait wait;
    int64_t   message, n_got, n_missed;
};
WEFT_ASYNC(listens)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_got = self->n_missed = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_broadcast_receive(&self->wait, self->in.news, &self->message));
        if (n < 0)
            break;
        self->n_missed += n; /* this listener was too slow for so many */
        self->n_got++;
    }
    weft_broadcast_receiver_close(self->in.news);
    WEFT_END(self->n_got + self->n_missed);
}

struct broadcast {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle            listener[TASKS];
    weft_broadcast_sender *news;
    int64_t                i, sum;
};

static int start_listeners(struct broadcast *self)
{
    weft_broadcast_receiver *first, *own;
    int                      r = weft_broadcast_open(sizeof(int64_t), 8, &self->news, &first);

    for (int i = 0; r == 0 && i < TASKS; i++) {
        r = weft_broadcast_subscribe(self->news, &own);
        if (r == 0 && (r = weft_spawn(&self->listener[i], listens, .news = own)) < 0)
            weft_broadcast_receiver_close(own);
    }
    weft_broadcast_receiver_close(first);
    return r;
}

WEFT_ASYNC(broadcast)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = 0;
    n = start_listeners(self);
    if (n < 0)
        WEFT_RETURN(n);
    for (self->i = 0; self->i < JOBS; self->i++)
        weft_broadcast_send(self->news, &self->i); /* never waits */
    weft_broadcast_sender_close(self->news);
    for (self->i = 0; self->i < TASKS; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->listener[self->i]));
        self->sum += n;
    }
    WEFT_END(self->sum);
}

/* ---- watch: only the latest value counts ---- */

struct follows {
    WEFT_FRAME;
    struct {
        weft_watch_receiver *level; /* the task's own */
    } in;
    weft_wait wait;
    int64_t   level;
};
WEFT_ASYNC(follows)
{
    int64_t n;

    WEFT_BEGIN();
    do {
        weft_watch_read(self->in.level, &self->level);
        WEFT_AWAIT(n, weft_watch_changed(&self->wait, self->in.level));
    } while (n == 0);
    weft_watch_receiver_close(self->in.level);
    WEFT_END(self->level);
}

struct watch {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle        follower;
    weft_watch_sender *sender;
};
WEFT_ASYNC(watch)
{
    weft_watch_receiver *receiver;
    int64_t              n, level;

    WEFT_BEGIN();
    level = 0;
    n = weft_watch_open(sizeof level, &level, &self->sender, &receiver);
    if (n < 0)
        WEFT_RETURN(n);
    n = weft_spawn(&self->follower, follows, .level = receiver);
    if (n < 0) {
        weft_watch_receiver_close(receiver);
        weft_watch_sender_close(self->sender);
        WEFT_RETURN(n);
    }
    for (level = 1; level <= JOBS; level++)
        weft_watch_send(self->sender, &level); /* never waits */
    weft_watch_sender_close(self->sender);
    WEFT_AWAIT(n, weft_join(&self->follower));
    WEFT_END(n);
}

/* ---- all of them ---- */

struct choosing {
    WEFT_FRAME;
    struct {
    } in;
    union {
        struct oneshot   oneshot;
        struct mpsc      mpsc;
        struct mpmc      mpmc;
        struct broadcast broadcast;
        struct watch     watch;
    } call;
};
WEFT_ASYNC(choosing)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, oneshot, &self->call.oneshot);
    printf("oneshot: the answer is %lld\n", (long long)n);
    WEFT_CALL(n, mpsc, &self->call.mpsc);
    printf("mpsc: the orders add up to %lld\n", (long long)n);
    WEFT_CALL(n, mpmc, &self->call.mpmc);
    printf("mpmc: %lld jobs done\n", (long long)n);
    WEFT_CALL(n, broadcast, &self->call.broadcast);
    printf("broadcast: %lld messages received, or known to be missed\n", (long long)n);
    WEFT_CALL(n, watch, &self->call.watch);
    printf("watch: the last level is %lld\n", (long long)n);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(choosing);
}
