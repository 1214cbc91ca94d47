/*
 * echo.c - weft's servers for the benchmarks: echo, mix and stream
 *
 * A task for each connection, as a user would write it. `echo server KIND PORT` prints
 * "listening PORT" and serves 127.0.0.1 until it is killed; `echo version` prints weft's version.
 */
#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

enum kind { ECHO, MIX, STREAM };

static char piece[SERVER_PIECE];

struct echo {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
        enum kind    kind;
    } in;
    weft_io io;
    char    buf[SERVER_BUFFER];
};

WEFT_ASYNC(echo)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.conn, self->buf, sizeof self->buf));
        if (n <= 0)
            break;
        if (self->in.kind == MIX)
            server_burn(self->buf);
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, self->buf, (size_t)n));
        if (n < 0)
            break;
    }
    weft_stream_close(self->in.conn);
    WEFT_END(n);
}

struct stream {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
    } in;
    weft_io io;
};

WEFT_ASYNC(stream)
{
    int64_t n;

    WEFT_BEGIN();
    do
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, piece, sizeof piece));
    while (n >= 0);
    weft_stream_close(self->in.conn);
    WEFT_END(n);
}

struct server {
    WEFT_FRAME;
    struct {
        enum kind kind;
        uint16_t  port;
    } in;
    weft_io        io;
    weft_listener *listener;
    weft_stream   *conn;
};

WEFT_ASYNC(server)
{
    static const weft_listen_options options = {.no_delay = true};

    weft_address address;
    int64_t      n;

    WEFT_BEGIN();
    n = weft_address_parse("127.0.0.1", self->in.port, &address);
    if (n >= 0)
        n = weft_listen(NULL, &address, &options, &self->listener);
    if (n >= 0)
        n = weft_listener_address(self->listener, &address);
    if (n < 0)
        WEFT_RETURN(n);
    printf("listening %d\n", weft_address_port(&address));
    fflush(stdout);

    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->listener, &self->conn));
        if (n < 0)
            break;
        if (self->in.kind == STREAM)
            n = weft_spawn(NULL, stream, .conn = self->conn);
        else
            n = weft_spawn(NULL, echo, .conn = self->conn, .kind = self->in.kind);
        if (n < 0) {
            weft_stream_close(self->conn);
            break;
        }
    }
    weft_listener_close(self->listener);
    WEFT_END(n);
}

/* -1: there is none of that name. */
static int parse_kind(const char *text)
{
    static const char *const kinds[] = {"echo", "mix", "stream"};

    for (int i = 0; i < 3; i++)
        if (strcmp(text, kinds[i]) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    int kind = argc == 4 ? parse_kind(argv[2]) : -1;

    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("%d.%d.%d\n", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
        return 0;
    }
    if (kind < 0 || strcmp(argv[1], "server") != 0) {
        fputs("usage: echo server echo|mix|stream PORT\n       echo version\n", stderr);
        return 2;
    }
    server_fill(piece);
    return weft_main(server, .kind = (enum kind)kind, .port = (uint16_t)atoi(argv[3]));
}
