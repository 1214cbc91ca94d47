/*
 * sharing.c - three ways to share state between tasks: a lock, an owner, a worker
 *
 *     sharing        prints "600 600 600"
 *
 * docs/sharing.md explains each of them.
 */
#include <pthread.h>
#include <stdio.h>
#include <weft.h>

#define TASKS  6
#define ROUNDS 100

static struct totals {
    pthread_mutex_t lock;
    int64_t         locked; /* under the lock */
    int64_t         bound;  /* of tasks that are bound to worker 0 */
} totals = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- a lock ---- */

struct adds_locked {
    WEFT_FRAME;
    struct {
        int64_t rounds;
    } in;
    int64_t i;
};
WEFT_ASYNC(adds_locked)
{
    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.rounds; self->i++) {
        pthread_mutex_lock(&totals.lock);
        totals.locked++;
        pthread_mutex_unlock(&totals.lock);
        WEFT_YIELD(); /* never between lock and unlock */
    }
    WEFT_END(0);
}

/* ---- an owner ---- */

struct sends {
    WEFT_FRAME;
    struct {
        weft_mpsc_sender *to; /* its own */
        int64_t           rounds;
    } in;
    weft_wait wait;
    int64_t   i, one;
};
WEFT_ASYNC(sends)
{
    int64_t n;

    WEFT_BEGIN();
    self->one = 1;
    for (self->i = 0; self->i < self->in.rounds; self->i++) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.to, &self->one));
        if (n < 0)
            break;
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(0);
}

/* The state is this task's. It answers with the total once all senders are closed. */
struct owns {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
    } in;
    weft_wait wait;
    int64_t   message, total;
};
WEFT_ASYNC(owns)
{
    int64_t n;

    WEFT_BEGIN();
    self->total = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.from, &self->message));
        if (n < 0)
            break;
        self->total += self->message;
    }
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(self->total);
}

/* ---- a worker ---- */

struct adds_bound {
    WEFT_FRAME;
    struct {
        int64_t rounds;
    } in;
    int64_t i;
};
WEFT_ASYNC(adds_bound)
{
    WEFT_BEGIN();
    for (self->i = 0; self->i < self->in.rounds; self->i++) {
        totals.bound++; /* no lock: all that touch it are bound to the same worker */
        WEFT_YIELD();
    }
    WEFT_END(0);
}

/* ---- all of them ---- */

struct sharing {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_handle         handle[2 * TASKS], owner;
    weft_mpsc_sender   *sender;
    weft_mpsc_receiver *receiver;
    int                 i;
};
WEFT_ASYNC(sharing)
{
    int64_t n;

    WEFT_BEGIN();
    if (weft_mpsc_open(sizeof(int64_t), 4, &self->sender, &self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    for (self->i = 0; self->i < TASKS; self->i++) {
        if (weft_spawn(&self->handle[2 * self->i], adds_locked, .rounds = ROUNDS) < 0 ||
            weft_spawn_bound(NULL, &self->handle[2 * self->i + 1], 0, adds_bound,
                             .rounds = ROUNDS) < 0 ||
            weft_spawn(NULL, sends, .to = weft_mpsc_sender_clone(self->sender), .rounds = ROUNDS) <
                0)
            WEFT_RETURN(-ENOMEM);
    }
    weft_mpsc_sender_close(self->sender);
    if (weft_spawn(&self->owner, owns, .from = self->receiver) < 0)
        WEFT_RETURN(-ENOMEM);
    for (self->i = 0; self->i < 2 * TASKS; self->i++)
        WEFT_AWAIT(n, weft_join(&self->handle[self->i]));
    WEFT_AWAIT(n, weft_join(&self->owner));
    printf("%lld %lld %lld\n", (long long)totals.locked, (long long)n, (long long)totals.bound);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(sharing, 0);
}
