/*
 * step5.c - the server computes on other threads, and its tasks talk to each other
 *
 *     step5 PORT [IDLE-MS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

/* Long work runs on a thread of the blocking pool. The struct holds the job's arguments. */
struct count_primes {
    int64_t below;
};
WEFT_BLOCKING(count_primes)
{
    int64_t count = 0;

    if (self->below > 1000000)
        return -ERANGE;
    for (int64_t n = 2, divisor; n < self->below; n++) {
        for (divisor = 2; divisor * divisor <= n && n % divisor != 0; divisor++)
            ;
        count += divisor * divisor > n;
    }
    return count;
}

struct session {
    WEFT_FRAME;
    struct {
        weft_stream      *stream;
        int64_t           idle;
        weft_mpsc_sender *totals; /* this task's own: it closes it */
    } in;
    int64_t                    lines;
    struct weft_spawn_blocking job;
    weft_wait                  message;
    weft_reader                reader;
    struct weft_timeout        limit;
    struct weft_shield         guard;
    weft_io                    io;
    char                      *line;
    char                       buffer[1024], answer[32];
};
WEFT_ASYNC(session)
{
    int64_t n;

    WEFT_BEGIN();
    self->lines = 0; /* a frame is not zeroed */
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);
    for (;;) {
        /* -ETIMEDOUT: no line has come in time, and nothing reads from the stream any more. */
        WEFT_AWAIT(n, weft_timeout(&self->limit, weft_reader_line(&self->reader, &self->line),
                                   self->in.idle));
        if (n < 0)
            break;
        self->lines++;
        if (strncmp(self->line, "primes ", 7) == 0)
            WEFT_AWAIT(
                n, weft_spawn_blocking(&self->job, count_primes, .below = atoll(self->line + 7)));
        n = snprintf(self->answer, sizeof self->answer, "%lld\n", (long long)n);
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->answer, (size_t)n));
        if (n < 0)
            break;
    }
    /* -ECANCELED: the server stops. All awaits return that from now on, except inside a shield: it
     * gives half a second to say goodbye. */
    if (n == -ECANCELED || n == -ETIMEDOUT)
        WEFT_AWAIT(n,
                   weft_shield(&self->guard, weft_write_all(&self->io, self->in.stream, "bye\n", 4),
                               WEFT_MS(500)));
    weft_stream_close(self->in.stream);
    WEFT_AWAIT(n, weft_shield(&self->guard,
                              weft_mpsc_send(&self->message, self->in.totals, &self->lines),
                              WEFT_MS(500)));
    weft_mpsc_sender_close(self->in.totals);
    WEFT_END(n);
}

/* One task owns the sums, so nothing needs a lock. It ends when all senders have been closed. */
struct statistics {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *totals;
    } in;
    weft_wait          message;
    struct weft_shield guard;
    int64_t            lines, sessions, all_lines;
};
WEFT_ASYNC(statistics)
{
    int64_t n;

    WEFT_BEGIN();
    self->sessions = self->all_lines = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_shield(&self->guard,
                                  weft_mpsc_receive(&self->message, self->in.totals, &self->lines),
                                  WEFT_S(2)));
        if (n < 0)
            break;
        self->sessions++;
        self->all_lines += self->lines;
    }
    weft_mpsc_receiver_close(self->in.totals);
    printf("%lld sessions, %lld lines\n", (long long)self->sessions, (long long)self->all_lines);
    WEFT_END(0);
}

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener    *listener;
        int64_t           idle;
        weft_mpsc_sender *totals;
    } in;
    weft_stream      *stream;
    weft_io           io;
    struct weft_sleep nap;
};
WEFT_ASYNC(acceptor)
{
    weft_mpsc_sender *mine;
    int64_t           n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
        if (n == -ECANCELED)
            break;
        if (n < 0) { /* out of memory, for example: report it, and retry a little later */
            fprintf(stderr, "accept: %s\n", strerror((int)-n));
            WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(100)));
            continue;
        }
        mine = weft_mpsc_sender_clone(self->in.totals);
        if (weft_spawn(NULL, session, .stream = self->stream, .idle = self->in.idle,
                       .totals = mine) < 0) {
            weft_stream_close(self->stream);
            weft_mpsc_sender_close(mine);
        }
    }
    weft_mpsc_sender_close(self->in.totals);
    WEFT_END(0);
}

struct server {
    WEFT_FRAME;
    struct {
        uint16_t port;
        int64_t  idle;
    } in;
    weft_listener          *listener;
    weft_handle             acceptor;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(server)
{
    weft_mpsc_receiver *receiver;
    weft_mpsc_sender   *sender;
    weft_address        address;
    char                text[WEFT_ADDRESS_TEXT];
    int64_t             n;

    WEFT_BEGIN();
    n = weft_address_parse("127.0.0.1", self->in.port, &address);
    if (n == 0)
        n = weft_listen(NULL, &address, NULL, &self->listener);
    if (n < 0)
        WEFT_RETURN(n);
    if (weft_listener_address(self->listener, &address) == 0) /* with the port that it has */
        printf("listening on %s\n", weft_address_format(&address, text));
    fflush(stdout);
    n = weft_mpsc_open(sizeof(int64_t), 16, &sender, &receiver);
    if (n < 0)
        WEFT_RETURN(n);
    if (weft_spawn(NULL, statistics, .totals = receiver) < 0)
        weft_mpsc_receiver_close(receiver);
    n = weft_spawn(&self->acceptor, acceptor, .listener = self->listener, .idle = self->in.idle,
                   .totals = sender);
    if (n < 0)
        weft_mpsc_sender_close(sender);
    if (n == 0) {
        WEFT_AWAIT(n, weft_signal_wait(&self->signal, WEFT_SIGNAL(SIGTERM) | WEFT_SIGNAL(SIGINT)));
        weft_cancel(&self->acceptor);
        WEFT_AWAIT(n, weft_join(&self->acceptor));
    }
    weft_listener_close(self->listener);
    WEFT_END(n); /* weft_main now cancels the sessions, and waits until they have ended */
}

int main(int argc, char **argv)
{
    if (weft_signal_block(WEFT_SIGNAL(SIGTERM) | WEFT_SIGNAL(SIGINT)) < 0)
        return 1;
    return weft_main(server, .port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 7000),
                     .idle = WEFT_MS(argc > 2 ? atoi(argv[2]) : 30000));
}
