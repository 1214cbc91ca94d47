/*
 * proxy.c - a TCP proxy: proxy PORT ADDRESS, then `nc 127.0.0.1 PORT` talks to ADDRESS
 *
 * A task per connection: it connects to the other end and copies both ways at once. A half-close goes
 * through: `echo hello | nc -N` gets its answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#define STOP_SIGNALS  (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))
#define CONNECT_LIMIT WEFT_S(5)

struct relay {
    WEFT_FRAME;
    struct {
        weft_stream  *client;
        weft_address *to;
    } in;
    weft_stream      *server;
    weft_io           io;
    weft_limit        limit;
    weft_copying_both copying;
    char              buffer[32768];
};
WEFT_ASYNC(relay)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_connect(&self->io, &self->server, self->in.to),
                               CONNECT_LIMIT));
    if (n == 0) {
        WEFT_AWAIT(n, weft_copy_both(&self->copying, self->in.client, self->server, self->buffer,
                                     sizeof self->buffer));
        weft_stream_close(self->server);
    }
    weft_stream_close(self->in.client);
    WEFT_END(n);
}

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
        weft_address  *to;
    } in;
    weft_io      io;
    weft_stream *client;
};
WEFT_ASYNC(acceptor)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->client));
        if (n < 0)
            break;
        if (weft_spawn(NULL, relay, .client = self->client, .to = self->in.to) < 0)
            weft_stream_close(self->client);
    }
    WEFT_END(n);
}

struct proxy {
    WEFT_FRAME;
    struct {
        uint16_t      port;
        weft_address *to;
    } in;
    weft_listener *listener;
    weft_handle    acceptor;
    weft_signal    signal;
};
WEFT_ASYNC(proxy)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];
    int64_t      n;

    WEFT_BEGIN();
    n = weft_address_parse(&address, "127.0.0.1", self->in.port);
    if (n == 0)
        n = weft_listen(NULL, &self->listener, &address, NULL);
    if (n < 0)
        WEFT_RETURN(n);
    weft_listener_address(self->listener, &address);
    printf("listening on %s\n", weft_address_format(&address, text));
    fflush(stdout);

    n = weft_spawn(&self->acceptor, acceptor, .listener = self->listener, .to = self->in.to);
    if (n == 0) {
        WEFT_AWAIT(n, weft_signal_wait(&self->signal, STOP_SIGNALS));
        weft_cancel(&self->acceptor);
        WEFT_AWAIT(n, weft_join(&self->acceptor));
        n = 0;
    }
    weft_listener_close(self->listener);
    WEFT_END(n); /* weft_main cancels the relays */
}

int main(int argc, char **argv)
{
    static weft_address to;
    const char         *text = argc > 1 ? argv[1] : "";
    char               *end;
    unsigned long       port = strtoul(text, &end, 10);

    if (argc != 3 || *text < '0' || *text > '9' || *end || port > 65535) {
        fprintf(stderr,
                "proxy: PORT is '%s', expected 0 (any free one) to 65535: proxy PORT ADDRESS\n",
                text);
        return 2;
    }
    if (weft_address_parse(&to, argv[2], 0) < 0 || weft_address_port(&to) == 0) {
        fprintf(stderr, "proxy: ADDRESS is '%s', expected 127.0.0.1:80, [::1]:80 or the like\n",
                argv[2]);
        return 2;
    }
    weft_signal_block(STOP_SIGNALS);
    return weft_main(proxy, .port = (uint16_t)port, .to = &to);
}
