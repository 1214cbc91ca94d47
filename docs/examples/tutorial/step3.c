/*
 * step3.c - the server for many clients: each has a task of its own
 *
 *     step3 PORT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

struct session {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_reader reader;
    weft_io     io;
    char       *line;
    char        buffer[1024], answer[32];
};
WEFT_ASYNC(session)
{
    int64_t n;

    WEFT_BEGIN();
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);
    for (;;) {
        WEFT_AWAIT(n, weft_reader_line(&self->reader, &self->line));
        if (n < 0)
            break; /* the client has ended, or something is wrong */
        n = snprintf(self->answer, sizeof self->answer, "%lld\n", (long long)n);
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->answer, (size_t)n));
        if (n < 0)
            break;
    }
    weft_stream_close(self->in.stream);
    WEFT_END(0);
}

struct server {
    WEFT_FRAME;
    struct {
        uint16_t port;
    } in;
    weft_listener    *listener;
    weft_stream      *stream;
    weft_io           io;
    struct weft_sleep nap;
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
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->listener, &self->stream));
        if (n == -ECANCELED)
            break;   /* the runtime stops */
        if (n < 0) { /* out of memory, for example: report it, and retry a little later */
            fprintf(stderr, "accept: %s\n", strerror((int)-n));
            WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(100)));
            continue;
        }
        /* A handle of NULL detaches the task. It owns the stream, unless it was not spawned. */
        if (weft_spawn(NULL, session, .stream = self->stream) < 0)
            weft_stream_close(self->stream);
    }
    weft_listener_close(self->listener);
    WEFT_END(n);
}

int main(int argc, char **argv)
{
    return weft_main(server, .port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 7000));
}
