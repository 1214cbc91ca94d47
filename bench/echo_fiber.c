/*
 * echo_fiber.c - echo.c with a fiber for each connection, for the benchmarks
 *
 * `echo_fiber server echo PORT` prints "listening PORT" and serves 127.0.0.1 until it is killed;
 * `echo_fiber version` prints weft's version. The buffer of a connection is allocated, so that it
 * is the same with stacks of any size (WEFT_FIBER_STACK).
 */
#include "servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

static int64_t echo(void *argument)
{
    weft_stream *conn = argument;
    char        *buffer = malloc(SERVER_BUFFER);
    weft_io      io;
    int64_t      n = buffer ? 1 : -ENOMEM;

    while (n > 0) {
        n = weft_await(weft_read(&io, conn, buffer, SERVER_BUFFER));
        if (n > 0)
            n = weft_await(weft_write_all(&io, conn, buffer, (size_t)n));
    }
    free(buffer);
    weft_stream_close(conn);
    return n;
}

static int64_t serve(weft_listener *listener)
{
    weft_address address;
    weft_stream *conn;
    weft_io      io;
    int64_t      n = weft_listener_address(listener, &address);

    if (n < 0)
        return n;
    printf("listening %d\n", weft_address_port(&address));
    fflush(stdout);
    for (;;) {
        n = weft_await(weft_accept(&io, listener, &conn));
        if (n < 0)
            return n;
        n = weft_fiber(NULL, echo, conn);
        if (n < 0) {
            weft_stream_close(conn);
            return n;
        }
    }
}

static int64_t server(void *argument)
{
    static const weft_listen_options options = {.no_delay = true};

    const uint16_t *port = argument;
    weft_listener  *listener;
    weft_address    address;
    int64_t         n = weft_address_parse("127.0.0.1", *port, &address);

    if (n >= 0)
        n = weft_listen(NULL, &address, &options, &listener);
    if (n < 0)
        return n;
    n = serve(listener);
    weft_listener_close(listener);
    return n;
}

int main(int argc, char **argv)
{
    uint16_t      port = argc == 4 ? (uint16_t)atoi(argv[3]) : 0;
    weft_runtime *rt;
    weft_handle   handle;
    int64_t       n;

    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("%d.%d.%d\n", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
        return 0;
    }
    if (argc != 4 || strcmp(argv[1], "server") != 0 || strcmp(argv[2], "echo") != 0) {
        fputs("usage: echo_fiber server echo PORT\n       echo_fiber version\n", stderr);
        return 2;
    }
    n = weft_runtime_start(NULL, &rt);
    if (n >= 0)
        n = weft_fiber_on(rt, &handle, server, &port);
    if (n >= 0)
        n = weft_block_on(rt, weft_join(&handle));
    fprintf(stderr, "echo_fiber: %s\n", strerror((int)-n));
    return 1;
}
