/*
 * test_differential_connect.c - weft_connect does and returns what socket(2) and connect(2) do
 *
 * The test compares the result; the new socket's kind, flags and addresses; and the connection that
 * the listener gets.
 */
#include "differential_scenes.h"

#include <netinet/tcp.h>

/* ---- places to connect to ---- */

typedef enum what {
    LISTENS,
    FULL,     /* its queue */
    SHUT,     /* by shutdown(2) */
    GONE,     /* it has listened */
    BOUND,    /* it does not listen */
    DATAGRAM, /* it is of another type */
    FIXED,    /* no socket */
} what;

typedef struct place {
    const char *name;
    const char *at; /* an IP address; "@" and "/": a Unix socket with such a name */
    what        what;
    const char *to; /* the address to connect to instead, with the socket's port */
} place;

static const place places[] = {
    {"IPv4 listener", "127.0.0.1", LISTENS, NULL},
    {"IPv6 listener", "::1", LISTENS, NULL},
    {"abstract listener", "@", LISTENS, NULL},
    {"Unix listener", "/", LISTENS, NULL},
    {"full IPv4 listener", "127.0.0.1", FULL, NULL},
    {"full IPv6 listener", "::1", FULL, NULL},
    {"full abstract listener", "@", FULL, NULL},
    {"full Unix listener", "/", FULL, NULL},
    {"IPv4 listener, shut down", "127.0.0.1", SHUT, NULL},
    {"IPv6 listener, shut down", "::1", SHUT, NULL},
    {"abstract listener, shut down", "@", SHUT, NULL},
    {"Unix listener, shut down", "/", SHUT, NULL},
    {"closed IPv4 listener", "127.0.0.1", GONE, NULL},
    {"closed IPv6 listener", "::1", GONE, NULL},
    {"closed abstract listener", "@", GONE, NULL},
    {"closed Unix listener", "/", GONE, NULL},
    {"bound IPv4 socket", "127.0.0.1", BOUND, NULL},
    {"bound IPv6 socket", "::1", BOUND, NULL},
    {"bound abstract socket", "@", BOUND, NULL},
    {"bound Unix socket", "/", BOUND, NULL},
    {"UDP socket", "127.0.0.1", DATAGRAM, NULL},
    {"IPv6 UDP socket", "::1", DATAGRAM, NULL},
    {"abstract datagram socket", "@", DATAGRAM, NULL},
    {"Unix datagram socket", "/", DATAGRAM, NULL},
    {"any IPv4 address", "127.0.0.1", LISTENS, "0.0.0.0"},
    {"any IPv6 address", "::1", LISTENS, "::"},
    {"IPv4 address in IPv6", "127.0.0.1", LISTENS, "::ffff:127.0.0.1"},
    {"IPv6 listener by IPv4", "::1", LISTENS, "127.0.0.1"},
    {"port 0", NULL, FIXED, "127.0.0.1:0"},
    {"IPv6 port 0", NULL, FIXED, "[::1]:0"},
    {"broadcast address", NULL, FIXED, "255.255.255.255:9"},
    {"multicast address", NULL, FIXED, "224.0.0.1:9"},
    {"IPv6 multicast address", NULL, FIXED, "[ff02::1]:9"},
    {"IPv6 address without its scope", NULL, FIXED, "[fe80::1]:9"},
    {"unnamed", NULL, FIXED, ""},
    {"abstract name without a socket", NULL, FIXED, "@weft-test-nobody"},
    {"path without a file", NULL, FIXED, "/none"},
    {"path below a file", NULL, FIXED, "/dev/null/none"},
    {"device", NULL, FIXED, "/dev/null"},
    {"directory", NULL, FIXED, "/"},
};

/* These are no texts. */
static const struct {
    const char *name;
    sa_family_t family;
} families[] = {
    {"no family", AF_UNSPEC},
    {"unknown family", 99},
    {"family without streams", AF_NETLINK},
};

/* A place, made anew for each try. */
typedef struct spot {
    int          fd;       /* the listener, or -1 */
    int          waits[4]; /* connections that fill its queue, or -1 */
    weft_address to;
    char         dir[32];
} spot;

/* Connections without end fill a listener's queue; one more would wait. */
static void fill(spot *s)
{
    for (int i = 0; i < 4; i++) {
        s->waits[i] = socket(s->to.u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(s->waits[i], &s->to.u.any, size_of_any(&s->to)) < 0)
            check(errno == EAGAIN || errno == EINPROGRESS);
    }
}

static void bind_it(const place *p, spot *s)
{
    weft_address a = address_in(s->dir, p->at);

    s->fd = bound_to(&a, p->what == DATAGRAM ? SOCK_DGRAM : SOCK_STREAM);
    s->to = named(s->fd);
    if (p->what != BOUND && p->what != DATAGRAM)
        check_eq(listen(s->fd, p->what == FULL ? 0 : 8), 0);
}

static spot make(const place *p)
{
    spot     s = {.fd = -1, .waits = {-1, -1, -1, -1}};
    uint16_t port;

    if (!p->at) {
        s.to = parsed(p->to);
        return s;
    }
    bind_it(p, &s);
    if (p->what == FULL)
        fill(&s);
    if (p->what == SHUT)
        (void)shutdown(s.fd, SHUT_RDWR);
    if (p->what == GONE) {
        close(s.fd);
        s.fd = -1;
    }
    port = weft_address_port(&s.to);
    if (p->to) {
        s.to = parsed(p->to);
        check_eq(weft_address_set_port(&s.to, port), 0);
    }
    return s;
}

static void let_go(spot *s)
{
    for (int i = 0; i < 4; i++)
        if (s->waits[i] >= 0)
            close(s->waits[i]);
    if (s->fd >= 0)
        close(s->fd);
    remove_directory(s->dir, &s->to);
}

/* ---- the calls ---- */

static int64_t plain_connect(const spot *s, int *ret)
{
    int     fd = socket(s->to.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int64_t r;

    if (fd < 0)
        return -errno;
    r = answer(connect(fd, &s->to.u.any, size_of_any(&s->to)));
    if (r == 0)
        *ret = fd;
    else
        close(fd);
    return r;
}

/* ---- what has come of it ---- */

/* Accepts the connection of this socket: hashes its address, and the bytes that get there. */
static uint64_t hash_accepted(int listener, int fd)
{
    weft_address from = {0}, own = named(fd);
    socklen_t    size = sizeof from.u;
    char         bytes[8] = "";
    int          accepted;
    uint64_t     h;

    if (poll(&(struct pollfd){listener, POLLIN, 0}, 1, 5000) != 1)
        return 1;
    accepted = accept4(listener, &from.u.any, &size, SOCK_CLOEXEC);
    if (accepted < 0)
        return 2;
    h = from.u.any.sa_family == own.u.any.sa_family &&
        weft_address_port(&from) == weft_address_port(&own);
    raw_set_patience(accepted);
    raw_write(fd, "hello", 5);
    raw_read(accepted, bytes, 5);
    close(accepted);
    return hash(h, bytes, sizeof bytes);
}

static void look_at(const spot *s, int64_t r, int fd, outcome *ret)
{
    weft_address peer = {0};
    socklen_t    size = sizeof peer.u;

    *ret = (outcome){.result = r};
    if (fd < 0)
        return;
    ret->flags = (fcntl(fd, F_GETFL) & ~O_NONBLOCK) | fcntl(fd, F_GETFD) << 24;
    ret->buffer =
        hash((uint64_t)option(fd, SOL_SOCKET, SO_TYPE),
             &(int[]){option(fd, SOL_SOCKET, SO_DOMAIN), option(fd, SOL_SOCKET, SO_PROTOCOL),
                      option(fd, SOL_SOCKET, SO_ERROR), option(fd, SOL_SOCKET, SO_KEEPALIVE),
                      option(fd, IPPROTO_TCP, TCP_NODELAY)},
             5 * sizeof(int));
    check_eq(getpeername(fd, &peer.u.any, &size), 0);
    ret->content =
        size == size_of_any(&s->to) && weft_address_port(&peer) == weft_address_port(&s->to);
    ret->peer = hash_accepted(s->fd, fd);
}

/* ---- running it ---- */

typedef int64_t plain_call(const spot *s, int *ret);

static void run_plain(plain_call *call, spot *s, bool limited, outcome *ret)
{
    int64_t r;
    int     fd = -1;

    if (limited)
        limit_descriptors(true);
    set_tick(patience_ms);
    r = call(s, &fd);
    set_tick(0);
    if (limited)
        limit_descriptors(false);
    look_at(s, r, fd, ret);
    if (fd >= 0)
        close(fd);
    let_go(s);
}

static void run_by_weft(weft_runtime *rt, spot *s, bool limited, bool waits, outcome *ret)
{
    weft_stream *stream = NULL;
    weft_address peer;
    weft_io      io;
    int64_t      r;

    if (limited)
        limit_descriptors(true);
    r = run_weft(rt, weft_connect(&io, &s->to, &stream), waits);
    if (limited)
        limit_descriptors(false);
    look_at(s, r, stream ? weft_stream_fd(stream) : -1, ret);
    if (stream) {
        check_eq(weft_stream_peer_address(stream, &peer), 0);
        check_eq(weft_address_port(&peer), weft_address_port(&s->to));
    }
    weft_stream_close(stream);
    let_go(s);
}

static int try(weft_runtime *rt, plain_call *call, const char *name, const place *p,
               const sa_family_t *family, bool limited)
{
    const char *argument = limited ? "no descriptor left" : "-";
    spot        s;
    outcome     plain, weft;

    do {
        s = make(p);
        if (family)
            s.to = (weft_address){.u.any.sa_family = *family};
        run_plain(call, &s, limited, &plain);
        s = make(p);
        if (family)
            s.to = (weft_address){.u.any.sa_family = *family};
        run_by_weft(rt, &s, limited, may_wait(name, argument, "weft_connect", plain.result), &weft);
    } while (needs_patience(&plain, &weft));
    return compare(name, argument, "weft_connect", &plain, &weft);
}

static int run(weft_runtime *rt, plain_call *call)
{
    static const place nowhere = {.what = FIXED, .to = ""};
    int                n_bad = 0;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        n_bad += try(rt, call, places[i].name, &places[i], NULL, false);
        n_bad += try(rt, call, places[i].name, &places[i], NULL, true);
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        n_bad += try(rt, call, families[i].name, &nowhere, &families[i].family, false);
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_connect.c`");
    signal(SIGPIPE, SIG_IGN);
    return start(1);
}

Test(differential_connect, it_does_what_the_system_calls_do, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();
    int           n = n_fds();

    check_eq(run(rt, plain_connect), 0);
    check_eq(n_fds(), n);
    check_list(rt);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

static int64_t another_error(const spot *s, int *ret)
{
    int64_t r = plain_connect(s, ret);

    return r == -ENOENT ? -ECONNREFUSED : r;
}

static int64_t for_the_child(const spot *s, int *ret)
{
    int64_t r = plain_connect(s, ret);

    if (r == 0)
        check_eq(fcntl(*ret, F_SETFD, 0), 0);
    return r;
}

static int64_t another_option(const spot *s, int *ret)
{
    int64_t r = plain_connect(s, ret);

    if (r == 0 && s->to.u.any.sa_family == AF_INET)
        check_eq(setsockopt(*ret, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    return r;
}

Test(differential_connect, a_difference_is_seen, .timeout = MANY_WAITS)
{
    plain_call *const wrong[] = {another_error, for_the_child, another_option};
    weft_runtime     *rt = begin();

    wants_differences = true;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_cmp(run(rt, wrong[i]), >, 0);
    stop(rt);
}
