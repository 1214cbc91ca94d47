/*
 * cancelling.c - what a cancel leaves behind, and futures that cancel well
 *
 *     cancelling        prints a line for each part
 *
 * docs/cancellation.md explains each of them.
 */
#include <pthread.h>
#include <stdio.h>
#include <weft.h>

/* ---- a future that cancels well ---- */

/* A bell that any thread rings, and one task waits for. Each ring ends one wait, now or later. */
struct bell {
    pthread_mutex_t lock;
    int64_t         n_rings; /* not taken yet */
    weft_waker      sleeper; /* of the task that waits; vtable NULL: none does */
};

struct ring_wait {
    weft_future  future;
    struct bell *bell;
};

static weft_poll ring_wait_poll(weft_future *future, weft_context *cx)
{
    struct bell *bell = weft_container(future, struct ring_wait, future)->bell;
    weft_waker   before;
    bool         is_over = weft_future_is_cancelled(future), rings;

    if (!is_over && !weft_context_spend(cx))
        return WEFT_PENDING;
    pthread_mutex_lock(&bell->lock);
    rings = !is_over && bell->n_rings > 0;
    if (rings)
        bell->n_rings--; /* taken by the poll that is READY, so a cancel has nothing to give back */
    before = bell->sleeper;
    bell->sleeper = (weft_waker){0};
    if (!rings && !is_over)
        bell->sleeper = weft_waker_clone(weft_context_waker(cx));
    pthread_mutex_unlock(&bell->lock);
    if (before.vtable)
        weft_waker_drop(before);
    if (!rings && !is_over)
        return WEFT_PENDING;
    return weft_ready(future, rings ? 0 : -ECANCELED);
}

/* The next poll withdraws the wait. It comes at once. */
static void ring_wait_cancel(weft_future *future)
{
    (void)future;
}

static const weft_future_ops ring_wait_ops = {
    .size = sizeof(struct ring_wait),
    .flags = WEFT_FUTURE_WITHDRAWS,
    .name = "ring_wait",
    .poll = ring_wait_poll,
    .cancel = ring_wait_cancel,
};

static weft_future *ring_wait(struct ring_wait *self, struct bell *bell)
{
    weft_future_init(&self->future, &ring_wait_ops);
    self->bell = bell;
    return &self->future;
}

static void ring(struct bell *bell)
{
    weft_waker waker;

    pthread_mutex_lock(&bell->lock);
    bell->n_rings++;
    waker = bell->sleeper;
    bell->sleeper = (weft_waker){0};
    pthread_mutex_unlock(&bell->lock);
    if (waker.vtable)
        weft_waker_wake(waker); /* outside the lock: it may be another executor's */
}

static struct bell bell = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct bells {
    WEFT_FRAME;
    struct {
    } in;
    struct ring_wait    wait;
    struct weft_timeout limit;
    int64_t             first;
};
WEFT_ASYNC(bells)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(self->first, weft_timeout(&self->limit, ring_wait(&self->wait, &bell), WEFT_MS(10)));
    ring(&bell); /* too late for the first wait, in time for the second */
    WEFT_AWAIT(n, weft_timeout(&self->limit, ring_wait(&self->wait, &bell), WEFT_S(10)));
    printf("bell: %s, then %lld\n", self->first == -ETIMEDOUT ? "timed out" : "?", (long long)n);
    WEFT_END(0);
}

/* ---- a read that was cancelled half-way ---- */

struct reads_slowly {
    WEFT_FRAME;
    struct {
        weft_stream *from;
    } in;
    weft_io             io;
    struct weft_timeout limit;
    char                buffer[8];
    size_t              n_read;
    int                 n_tries;
};
WEFT_ASYNC(reads_slowly)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_read = 0;
    self->n_tries = 0;
    do {
        self->n_tries++;
        WEFT_AWAIT(
            n, weft_timeout(&self->limit,
                            weft_read_exact(&self->io, self->in.from, self->buffer + self->n_read,
                                            sizeof self->buffer - self->n_read),
                            WEFT_MS(20)));
        self->n_read += self->io.done; /* also after -ETIMEDOUT: these bytes have left the socket */
    } while (n == -ETIMEDOUT);
    weft_stream_close(self->in.from);
    WEFT_END(n < 0 ? n : self->n_tries);
}

struct partial {
    WEFT_FRAME;
    struct {
    } in;
    weft_stream      *mine;
    weft_handle       reader;
    weft_io           io;
    struct weft_sleep nap;
};
WEFT_ASYNC(partial)
{
    weft_stream *theirs;
    int64_t      n;

    WEFT_BEGIN();
    n = weft_stream_pair(NULL, &self->mine, &theirs);
    if (n < 0)
        WEFT_RETURN(n);
    n = weft_spawn(&self->reader, reads_slowly, .from = theirs);
    if (n < 0) {
        weft_stream_close(theirs);
        weft_stream_close(self->mine);
        WEFT_RETURN(n);
    }
    WEFT_AWAIT(n, weft_write_all(&self->io, self->mine, "half", 4));
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(50)));
    WEFT_AWAIT(n, weft_write_all(&self->io, self->mine, "done", 4));
    WEFT_AWAIT(n, weft_join(&self->reader));
    weft_stream_close(self->mine);
    printf("partial: all 8 bytes, in %s\n", n > 1 ? "several tries" : "?");
    WEFT_END(0);
}

/* ---- select with a kept branch ---- */

struct keeps {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from; /* its own */
    } in;
    weft_wait          receive;
    struct weft_sleep  tick;
    struct weft_select either;
    int64_t            message, sum;
    int                n_ticks;
};
WEFT_ASYNC(keeps)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = self->n_ticks = 0;
    weft_sleep(&self->tick, WEFT_MS(10));
    for (;;) {
        WEFT_AWAIT(n, weft_select(&self->either,
                                  weft_mpsc_receive(&self->receive, self->in.from, &self->message),
                                  weft_keep(&self->tick.future)));
        if (n == 1) {
            self->n_ticks++;
            weft_sleep(&self->tick, WEFT_MS(10)); /* it has ended, so it may be made again */
        } else if (n < 0 || weft_future_result(&self->receive.future) < 0) {
            break;
        } else {
            self->sum += self->message; /* the tick goes on: a message does not put it off */
        }
    }
    WEFT_CANCEL(&self->tick.future); /* a kept branch is never left pending */
    weft_mpsc_receiver_close(self->in.from);
    WEFT_END(self->sum);
}

struct kept {
    WEFT_FRAME;
    struct {
    } in;
    weft_mpsc_sender *to;
    weft_handle       task;
    weft_wait         wait;
    struct weft_sleep nap;
    int64_t           i;
};
WEFT_ASYNC(kept)
{
    weft_mpsc_receiver *from;
    int64_t             n;

    WEFT_BEGIN();
    n = weft_mpsc_open(sizeof self->i, 4, &self->to, &from);
    if (n < 0)
        WEFT_RETURN(n);
    n = weft_spawn(&self->task, keeps, .from = from);
    if (n < 0) {
        weft_mpsc_receiver_close(from);
        weft_mpsc_sender_close(self->to);
        WEFT_RETURN(n);
    }
    for (self->i = 1; self->i <= 20; self->i++) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->to, &self->i));
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    }
    weft_mpsc_sender_close(self->to);
    WEFT_AWAIT(n, weft_join(&self->task));
    printf("kept: the messages add up to %lld\n", (long long)n);
    WEFT_END(0);
}

/* ---- last words ---- */

/* Echoes until its token is cancelled, or its task is. Says bye in either case. */
struct serves {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
        weft_token  *stop;
    } in;
    weft_io               io;
    struct weft_token_run run;
    struct weft_shield    guard;
    char                  buffer[16];
};
WEFT_ASYNC(serves)
{
    weft_future *read;
    int64_t      n;

    WEFT_BEGIN();
    for (;;) {
        read = weft_read(&self->io, self->in.conn, self->buffer, sizeof self->buffer);
        WEFT_AWAIT(n, weft_token_run(&self->run, self->in.stop, read));
        if (n <= 0)
            break; /* -ECANCELED: nothing was read */
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, self->buffer, (size_t)n));
        if (n < 0)
            break;
    }
    WEFT_AWAIT(n, weft_shield(&self->guard, weft_write_all(&self->io, self->in.conn, "bye", 3),
                              WEFT_MS(500)));
    weft_stream_close(self->in.conn);
    WEFT_END(n);
}

/* Not in the frame: if `words` is cancelled, the task may still use its token. */
static weft_token stop[2];

struct words {
    WEFT_FRAME;
    struct {
        bool by_token;
    } in;
    weft_stream *mine;
    weft_handle  task;
    weft_io      io;
    char         buffer[16];
};
WEFT_ASYNC(words)
{
    weft_stream *theirs;
    int64_t      n;

    WEFT_BEGIN();
    n = weft_stream_pair(NULL, &self->mine, &theirs);
    if (n < 0)
        WEFT_RETURN(n);
    n = weft_spawn(&self->task, serves, .conn = theirs, .stop = &stop[self->in.by_token]);
    if (n < 0) {
        weft_stream_close(theirs);
        weft_stream_close(self->mine);
        WEFT_RETURN(n);
    }
    WEFT_AWAIT(n, weft_write_all(&self->io, self->mine, "hi", 2));
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->mine, self->buffer, 2));
    if (self->in.by_token)
        weft_token_cancel(&stop[true]);
    else
        weft_cancel(&self->task);
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->mine, self->buffer, 3));
    printf("%s: %.3s\n", self->in.by_token ? "token" : "cancel", n == 3 ? self->buffer : "?");
    WEFT_AWAIT(n, weft_join(&self->task));
    weft_stream_close(self->mine);
    WEFT_END(0);
}

/* ---- all of them ---- */

struct cancelling {
    WEFT_FRAME;
    struct {
    } in;
    union {
        struct bells   bells;
        struct partial partial;
        struct kept    kept;
        struct words   words;
    } call;
};
WEFT_ASYNC(cancelling)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, bells, &self->call.bells);
    WEFT_CALL(n, partial, &self->call.partial);
    WEFT_CALL(n, kept, &self->call.kept);
    WEFT_CALL(n, words, &self->call.words, .by_token = true);
    WEFT_CALL(n, words, &self->call.words, .by_token = false);
    WEFT_END(n);
}

int main(void)
{
    return weft_main(cancelling);
}
