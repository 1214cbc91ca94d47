/*
 * echo.c - weft's echo server for the benchmarks
 *
 * A task for each connection, as a user would write it. `echo server echo PORT` prints
 * "listening PORT" and serves 127.0.0.1 until it is killed; `echo version` prints weft's version.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

struct echo {
    WEFT_FRAME;
    struct {
        weft_stream *conn;
    } in;
    weft_io io;
    char    buf[16384]; /* as in the other echo servers */
};

WEFT_ASYNC(echo)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.conn, self->buf, sizeof self->buf));
        if (n <= 0)
            break;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.conn, self->buf, (size_t)n));
        if (n < 0)
            break;
    }
    weft_stream_close(self->in.conn);
    WEFT_END(n);
}

struct server {
    WEFT_FRAME;
    struct {
        uint16_t port;
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
    n = weft_address_parse(&address, "127.0.0.1", self->in.port);
    if (n >= 0)
        n = weft_listen(NULL, &self->listener, &address, &options);
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
        n = weft_spawn(NULL, echo, .conn = self->conn);
        if (n < 0) {
            weft_stream_close(self->conn);
            break;
        }
    }
    weft_listener_close(self->listener);
    WEFT_END(n);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("%d.%d.%d\n", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
        return 0;
    }
    if (argc != 4 || strcmp(argv[1], "server") != 0 || strcmp(argv[2], "echo") != 0) {
        fputs("usage: echo server echo PORT\n       echo version\n", stderr);
        return 2;
    }
    return weft_main(server, .port = (uint16_t)atoi(argv[3]));
}
