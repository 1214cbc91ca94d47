/*
 * step4.c - the server ends idle sessions, and itself when it is told to
 *
 *     step4 PORT [IDLE-MS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

struct session {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int64_t      idle;
    } in;
    weft_reader         reader;
    struct weft_timeout limit;
    struct weft_shield  guard;
    weft_io             io;
    char               *line;
    char                buffer[1024], answer[32];
};
WEFT_ASYNC(session)
{
    int64_t n;

    WEFT_BEGIN();
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);
    for (;;) {
        /* -ETIMEDOUT: no line has come in time, and nothing reads from the stream any more. */
        WEFT_AWAIT(n, weft_timeout(&self->limit, weft_reader_line(&self->reader, &self->line),
                                   self->in.idle));
        if (n < 0)
            break;
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
    WEFT_END(n);
}

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
        int64_t        idle;
    } in;
    weft_stream      *stream;
    weft_io           io;
    struct weft_sleep nap;
};
WEFT_ASYNC(acceptor)
{
    int64_t n;

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
        if (weft_spawn(NULL, session, .stream = self->stream, .idle = self->in.idle) < 0)
            weft_stream_close(self->stream);
    }
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
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];
    int64_t      n;

    WEFT_BEGIN();
    n = weft_address_parse("127.0.0.1", self->in.port, &address);
    if (n == 0)
        n = weft_listen(NULL, &address, NULL, &self->listener);
    if (n < 0)
        WEFT_RETURN(n);
    if (weft_listener_address(self->listener, &address) == 0) /* with the port that it has */
        printf("listening on %s\n", weft_address_format(&address, text));
    fflush(stdout);
    n = weft_spawn(&self->acceptor, acceptor, .listener = self->listener, .idle = self->in.idle);
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
