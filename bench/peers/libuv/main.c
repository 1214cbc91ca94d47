/*
 * main.c - the libuv peer: one loop, as a user of libuv would write it
 *
 * bench/README.md documents the protocol; bench/run starts it as `weft-peer-libuv server KIND PORT`
 * or `weft-peer-libuv bench`. What is sent is tried at once (uv_try_write), and queued if the
 * socket does not take it.
 */
#include "../../http.h"
#include "../../servers.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

int bench_main(void);

struct connection {
    uv_tcp_t   tcp;
    uv_write_t write;
    size_t     filled, out_size; /* HTTP: of the buffer, and of `out` */
    char       buffer[SERVER_BUFFER];
    char       out[]; /* HTTP: SERVER_BUFFER */
};

static enum kind { SERVE_ECHO, SERVE_MIX, SERVE_STREAM, SERVE_HTTP } kind;
static char piece[SERVER_PIECE];

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
        exit(1);
    }
}

/* ---- connections ---- */

static void resume(struct connection *c);

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void end(struct connection *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp))
        uv_close((uv_handle_t *)&c->tcp, closed);
}

static void written(uv_write_t *write, int status)
{
    struct connection *c = write->handle->data;

    if (status < 0)
        end(c);
    else
        resume(c);
}

/* True: all has been sent. Otherwise `written` goes on, and nothing is read until then. */
static bool sent(struct connection *c, char *text, size_t size)
{
    uv_buf_t rest = uv_buf_init(text, (unsigned)size);
    int      n = uv_try_write((uv_stream_t *)&c->tcp, &rest, 1);

    if (n == (int)size)
        return true;
    if (n < 0 && n != UV_EAGAIN) {
        end(c);
        return false;
    }
    if (n > 0)
        rest = uv_buf_init(text + n, (unsigned)size - (unsigned)n);
    uv_read_stop((uv_stream_t *)&c->tcp);
    check(uv_write(&c->write, (uv_stream_t *)&c->tcp, &rest, 1, written), "uv_write");
    return false;
}

/* Answers what is in the buffer; the rest of a head stays there. */
static bool http(struct connection *c)
{
    size_t taken;

    do {
        c->out_size = 0;
        taken = http_answers(c->buffer, c->filled, c->out, SERVER_BUFFER, &c->out_size);
        memmove(c->buffer, c->buffer + taken, c->filled - taken);
        c->filled -= taken;
        if (taken && !sent(c, c->out, c->out_size))
            return false;
    } while (taken);
    return true;
}

static void provide(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    struct connection *c = handle->data;

    (void)suggested;
    *ret = uv_buf_init(c->buffer + c->filled, (unsigned)(sizeof c->buffer - c->filled));
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = stream->data;

    (void)buf;
    if (n < 0) { /* the end, a reset, or a request larger than the buffer */
        end(c);
        return;
    }
    if (n == 0)
        return;
    if (kind == SERVE_HTTP) {
        c->filled += (size_t)n;
        http(c);
        return;
    }
    if (kind == SERVE_MIX)
        server_burn(c->buffer);
    sent(c, c->buffer, (size_t)n);
}

/* Each turn of the loop one piece for each connection. */
static void pump(struct connection *c)
{
    uv_buf_t buf = uv_buf_init(piece, sizeof piece);

    check(uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, written), "uv_write");
}

static void resume(struct connection *c)
{
    if (kind == SERVE_STREAM)
        pump(c);
    else if (kind != SERVE_HTTP || http(c))
        check(uv_read_start((uv_stream_t *)&c->tcp, provide, received), "uv_read_start");
}

static void connected(uv_stream_t *listener, int status)
{
    struct connection *c = malloc(sizeof *c + (kind == SERVE_HTTP ? SERVER_BUFFER : 0));

    check(status, "listen");
    check(c ? 0 : UV_ENOMEM, "malloc");
    check(uv_tcp_init(listener->loop, &c->tcp), "uv_tcp_init");
    c->tcp.data = c;
    c->filled = 0;
    check(uv_accept(listener, (uv_stream_t *)&c->tcp), "uv_accept");
    uv_tcp_nodelay(&c->tcp, 1);
    resume(c);
}

static void serve(int port)
{
    uv_loop_t         *loop = uv_default_loop();
    uv_tcp_t           listener;
    struct sockaddr_in address;
    int                size = sizeof address;

    server_fill(piece);
    check(uv_tcp_init(loop, &listener), "uv_tcp_init");
    check(uv_ip4_addr("127.0.0.1", port, &address), "port");
    check(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), "bind");
    check(uv_listen((uv_stream_t *)&listener, SERVER_BACKLOG, connected), "listen");
    check(uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size), "getsockname");
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
}

/* -1: there is none of that name. */
static int parse_kind(const char *text)
{
    static const char *const kinds[] = {"echo", "mix", "stream", "http"};

    for (int i = 0; i < 4; i++)
        if (strcmp(text, kinds[i]) == 0)
            return i;
    return -1;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        puts(uv_version_string());
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "bench") == 0)
        return bench_main();
    if (argc == 4 && strcmp(argv[1], "server") == 0 && parse_kind(argv[2]) >= 0) {
        kind = (enum kind)parse_kind(argv[2]);
        serve(atoi(argv[3]));
        return 1;
    }
    fputs(
        "usage: weft-peer-libuv server echo|mix|stream|http PORT\n"
        "       weft-peer-libuv bench\n       weft-peer-libuv version\n",
        stderr);
    return 2;
}
