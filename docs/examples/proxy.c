/*
 * proxy.c - a TCP proxy: proxy PORT ADDRESS, then `nc 127.0.0.1 PORT` talks to ADDRESS
 *
 * A task per connection: it connects to the other end and copies both ways at once. A half-close
 * goes through: `echo hello | nc -N` gets its answer.
 *
 * A proxy that is told to connect to itself is refused at the start. If it reaches itself through
 * other proxies, its first client would use up one descriptor after the other. So the number of
 * relays is limited, and a relay beyond the limit is closed. That ends all others of the circle.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <weft.h>

#include "local.h"
#include "say.h"

#define STOP_SIGNALS  (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))
#define CONNECT_LIMIT WEFT_S(5)
#define ACCEPT_PAUSE  WEFT_MS(100) /* after an error */
#define SPARE_FDS     64           /* descriptors that are not for relays */

static atomic_int n_relays; /* each has two descriptors */

struct relay {
    WEFT_FRAME;
    struct {
        weft_stream  *client;
        weft_address *to;
    } in;
    weft_stream          *server;
    weft_io               io;
    struct weft_timeout   limit;
    struct weft_copy_both copying;
    char                  buffer[32768];
};
WEFT_ASYNC(relay)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_connect(&self->io, self->in.to, &self->server),
                               CONNECT_LIMIT));
    if (n == 0) {
        WEFT_AWAIT(n, weft_copy_both(&self->copying, self->in.client, self->server, self->buffer,
                                     sizeof self->buffer));
        weft_stream_close(self->server);
    }
    weft_stream_close(self->in.client);
    atomic_fetch_sub(&n_relays, 1);
    WEFT_END(n);
}

static int relays_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 20000 + SPARE_FDS)
        return 10000;
    return limit.rlim_cur > SPARE_FDS + 2 ? (int)(limit.rlim_cur - SPARE_FDS) / 2 : 1;
}

struct acceptor {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
        weft_address  *to;
    } in;
    weft_io           io;
    struct weft_sleep nap;
    weft_stream      *client;
    int               max;     /* relays at once */
    bool              failing; /* an error has been reported */
    bool              full;    /* too many relays have been reported */
};

/* Starts a relay for the client, or closes it. */
static void begin_relay(struct acceptor *self)
{
    bool full = atomic_fetch_add(&n_relays, 1) >= self->max;

    if (full && !self->full)
        say("proxy: %d connections are there; more are closed at once\n", self->max);
    self->full = full;
    if (!full && weft_spawn(NULL, relay, .client = self->client, .to = self->in.to) == 0)
        return;
    atomic_fetch_sub(&n_relays, 1);
    weft_stream_close(self->client);
}

WEFT_ASYNC(acceptor)
{
    int64_t n;

    WEFT_BEGIN();
    self->max = relays_max();
    self->failing = self->full = false;
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->client));
        if (n == -ECANCELED)
            break; /* the task is cancelled */
        if (n < 0) {
            if (!self->failing)
                say("proxy: can't accept: %s; trying again\n", strerror((int)-n));
            self->failing = true;
            WEFT_AWAIT(n, weft_sleep(&self->nap, ACCEPT_PAUSE));
            if (n < 0)
                break;
            continue;
        }
        self->failing = false;
        begin_relay(self);
    }
    WEFT_END(n);
}

/* Whether a connection to `to` would come back to the listener at `address` of 127.0.0.1. */
static bool leads_back(const weft_address *to, const weft_address *address)
{
    char text[WEFT_ADDRESS_TEXT];

    if (weft_address_port(to) != weft_address_port(address))
        return false;
    weft_address_format(to, text);
    return !strncmp(text, "127.0.0.1:", 10) || !strncmp(text, "0.0.0.0:", 8) ||
           !strncmp(text, "[::ffff:127.0.0.1]:", 19) || !strncmp(text, "[::ffff:0.0.0.0]:", 17);
}

struct proxy {
    WEFT_FRAME;
    struct {
        uint16_t      port;
        weft_address *to;
    } in;
    weft_listener          *listener;
    weft_handle             acceptor;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(proxy)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];
    int64_t      n;

    WEFT_BEGIN();
    n = local_listen(self->in.port, &self->listener);
    if (n < 0)
        WEFT_RETURN(n);
    weft_listener_address(self->listener, &address);
    if (leads_back(self->in.to, &address)) {
        weft_listener_close(self->listener);
        say("proxy: ADDRESS is the proxy itself, %s\n", weft_address_format(&address, text));
        WEFT_RETURN(-ELOOP);
    }
    local_print(self->listener);

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
    int                 port = local_port(text);

    if (argc != 3 || port < 0) {
        fprintf(stderr,
                "proxy: PORT is '%s', expected 0 (any free one) to 65535: proxy PORT ADDRESS\n",
                text);
        return 2;
    }
    if (weft_address_parse(argv[2], 0, &to) < 0 || weft_address_port(&to) == 0) {
        fprintf(stderr, "proxy: ADDRESS is '%s', expected 127.0.0.1:80, [::1]:80 or the like\n",
                argv[2]);
        return 2;
    }
    say_open();
    weft_signal_block(STOP_SIGNALS);
    return weft_main(proxy, .port = (uint16_t)port, .to = &to);
}
