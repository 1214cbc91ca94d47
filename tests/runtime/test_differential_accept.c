/*
 * test_differential_accept.c - weft_accept does and returns what accept4(2) does
 *
 * The test compares the result; the new socket's flags, addresses, and the bytes that came with it;
 * and the connections that still wait.
 */
#include "differential_scenes.h"

#include <netinet/tcp.h>

/* ---- listeners ---- */

typedef enum what { LISTENS, BOUND, CONNECTED, DATAGRAM, PLAIN_FILE, CLOSED } what;

typedef struct kind {
    const char *name;
    const char *at; /* an IP address; "@" and "/": a Unix socket with such a name */
    what        what;
} kind;

static const kind kinds[] = {
    {"IPv4 listener", "127.0.0.1", LISTENS},
    {"IPv6 listener", "::1", LISTENS},
    {"abstract listener", "@", LISTENS},
    {"Unix listener", "/", LISTENS},
    {"bound IPv4 socket", "127.0.0.1", BOUND},
    {"bound Unix socket", "@", BOUND},
    {"connected Unix socket", "@", CONNECTED},
    {"UDP socket", "127.0.0.1", DATAGRAM},
    {"Unix datagram socket", "@", DATAGRAM},
    {"file", NULL, PLAIN_FILE},
    {"closed", NULL, CLOSED},
};

/* A listener and its clients, made anew for each try. */
typedef struct scene {
    const kind  *kind;
    int          fd;
    int          client[2]; /* or -1 */
    int          spare;     /* or -1 */
    bool         tells;     /* the first connection has bytes, or its end */
    weft_address at, from;  /* the listener's and the first client's */
    char         dir[32];
} scene;

static scene make(const kind *k)
{
    scene        s = {.kind = k, .fd = 900, .client = {-1, -1}, .spare = -1};
    weft_address a;
    int          pair[2], type = k->what == DATAGRAM ? SOCK_DGRAM : SOCK_STREAM;

    if (k->what == PLAIN_FILE)
        s.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!k->at)
        return s;
    if (k->what == CONNECTED) {
        check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        s.fd = pair[0];
        s.spare = pair[1];
        return s;
    }
    a = address_in(s.dir, k->at);
    s.fd = bound_to(&a, type);
    s.at = named(s.fd);
    if (k->what == LISTENS)
        check_eq(listen(s.fd, 8), 0);
    return s;
}

static void let_go(scene *s)
{
    for (int i = 0; i < 2; i++)
        if (s->client[i] >= 0)
            close(s->client[i]);
    if (s->spare >= 0)
        close(s->spare);
    if (s->kind->what != CLOSED)
        close(s->fd);
    remove_directory(s->dir, &s->at);
}

/* ---- what has happened before; it needs a listener, but for the first ---- */

static void nobody(scene *s)
{
    (void)s;
}

/* How many connections wait. */
static int n_waiting(const scene *s)
{
    struct tcp_info info = {0};
    socklen_t       size = sizeof info;

    if (s->at.u.any.sa_family == AF_UNIX)
        return -1;
    check_eq(getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return (int)info.tcpi_unacked;
}

static void comes(scene *s, int i)
{
    int before = n_waiting(s);

    s->client[i] = socket(s->at.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_eq(connect(s->client[i], &s->at.u.any, size_of_any(&s->at)), 0);
    if (before >= 0) /* a Unix connection waits once it is made */
        EVENTUALLY(n_waiting(s) == before + 1);
    if (i == 0)
        s->from = named(s->client[0]);
}

static void one(scene *s)
{
    comes(s, 0);
}

static void one_with_bytes(scene *s)
{
    comes(s, 0);
    raw_write(s->client[0], "hello", 5);
    s->tells = true;
}

static void one_that_closed(scene *s)
{
    one_with_bytes(s);
    close(s->client[0]);
    s->client[0] = -1;
}

static void one_that_reset(scene *s)
{
    comes(s, 0);
    raw_reset(s->client[0]);
    s->client[0] = -1;
    s->tells = true;
}

static void two(scene *s)
{
    one_with_bytes(s);
    comes(s, 1);
    raw_write(s->client[1], "world", 5);
}

static void shut_down(scene *s)
{
    (void)shutdown(s->fd, SHUT_RDWR);
}

static void one_and_shut(scene *s)
{
    comes(s, 0);
    shut_down(s);
}

static void non_blocking(scene *s)
{
    check_eq(fcntl(s->fd, F_SETFL, O_NONBLOCK), 0);
}

static void non_blocking_one(scene *s)
{
    non_blocking(s);
    comes(s, 0);
}

static const struct state {
    const char *name;
    void (*prepare)(scene *s);
} states[] = {
    {"nobody", nobody},
    {"one", one},
    {"one with bytes", one_with_bytes},
    {"one that closed", one_that_closed},
    {"one that reset", one_that_reset},
    {"two", two},
    {"shut down", shut_down},
    {"one, shut down", one_and_shut},
    {"O_NONBLOCK", non_blocking},
    {"O_NONBLOCK, one", non_blocking_one},
};

/* ---- what has come of it ---- */

static int64_t plain_accept(const scene *s, int *ret, weft_address *ret_from)
{
    socklen_t size = sizeof ret_from->u;

    *ret = accept4(s->fd, &ret_from->u.any, &size, SOCK_CLOEXEC);
    ret_from->size_ = size;
    return answer(*ret < 0 ? -1 : 0);
}

/* A hash of the bytes that the new socket has to read, or of its error. */
static uint64_t hash_bytes(const scene *s, int fd)
{
    char    text[16] = "";
    int64_t r;

    if (s->tells)
        check_eq(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 5000), 1);
    r = answer(recv(fd, text, sizeof text, MSG_DONTWAIT));
    return hash(hash(1, &r, sizeof r), text, sizeof text);
}

/* A peer without a name has no address, or is "unnamed": as accept4 and getpeername have it. */
static bool is_from(const weft_address *from, const weft_address *expected)
{
    if (expected->u.any.sa_family == AF_UNIX)
        return from->u.any.sa_family == AF_UNIX || from->size_ == 0;
    return memcmp(&from->u, &expected->u, size_of(expected)) == 0;
}

static void look_at(const scene *s, int64_t r, int fd, const weft_address *from, outcome *ret)
{
    *ret = (outcome){.result = r};
    if (s->kind->what == LISTENS)
        ret->unread = poll(&(struct pollfd){s->fd, POLLIN, 0}, 1, 0);
    if (fd < 0)
        return;
    ret->flags = (fcntl(fd, F_GETFL) & ~O_NONBLOCK) | fcntl(fd, F_GETFD) << 24;
    ret->position = is_from(from, &s->from);
    ret->buffer = hash_bytes(s, fd);
    if (s->client[0] >= 0) {
        (void)send(fd, "answer", 6, MSG_NOSIGNAL);
        ret->peer = hash_peer(s->client[0], 6);
    }
}

/* ---- running it ---- */

typedef int64_t plain_call(const scene *s, int *ret, weft_address *ret_from);

static void run_plain(plain_call *call, scene *s, bool limited, outcome *ret)
{
    weft_address from = {0};
    int          fd = -1;
    int64_t      r;

    if (limited)
        limit_descriptors(true);
    set_tick(patience_ms);
    r = call(s, &fd, &from);
    set_tick(0);
    if (limited)
        limit_descriptors(false);
    look_at(s, r, fd, &from, ret);
    if (fd >= 0)
        close(fd);
    let_go(s);
}

static int64_t accept_by_weft(weft_runtime *rt, weft_listener *l, weft_stream **ret, bool limited,
                              bool waits)
{
    weft_io io;
    int64_t r;

    if (limited)
        limit_descriptors(true);
    r = run_weft(rt, weft_accept(&io, l, ret), waits);
    if (limited)
        limit_descriptors(false);
    return r;
}

static void run_by_weft(weft_runtime *rt, scene *s, bool limited, bool waits, outcome *ret)
{
    weft_stream   *stream = NULL;
    weft_listener *l;
    weft_address   from = {0};
    weft_io        io;
    int64_t        adopted = weft_listener_adopt(rt, s->fd, &l), r = adopted;

    if (adopted == 0)
        r = accept_by_weft(rt, l, &stream, limited, waits);
    if (stream)
        (void)!weft_stream_peer_address(stream, &from);
    look_at(s, r, stream ? weft_stream_fd(stream) : -1, &from, ret);
    weft_stream_close(stream);
    if (adopted == 0)
        check_eq(weft_block_on(rt, weft_listener_release(&io, l)), s->fd);
    let_go(s);
}

static int try(weft_runtime *rt, plain_call *call, const kind *k, const struct state *st,
               bool limited)
{
    const char *argument = limited ? "no descriptor left" : "-";
    scene       s;
    outcome     plain, weft;
    char        name[96];

    snprintf(name, sizeof name, "%s|%s", k->name, st->name);
    do {
        s = make(k);
        st->prepare(&s);
        run_plain(call, &s, limited, &plain);
        s = make(k);
        st->prepare(&s);
        run_by_weft(rt, &s, limited, may_wait(name, argument, "weft_accept", plain.result), &weft);
    } while (needs_patience(&plain, &weft));
    return compare(name, argument, "weft_accept", &plain, &weft);
}

static int run(weft_runtime *rt, plain_call *call)
{
    int n_bad = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < (kinds[k].what == LISTENS ? sizeof states / sizeof *states : 1); i++)
            for (int limited = 0; limited <= 1; limited++)
                n_bad += try(rt, call, &kinds[k], &states[i], limited);
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_accept.c`");
    return start(1);
}

Test(differential_accept, it_does_what_the_system_call_does, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();

    check_eq(run(rt, plain_accept), 0);
    check_list(rt);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

static int64_t for_the_child(const scene *s, int *ret, weft_address *ret_from)
{
    int64_t r = plain_accept(s, ret, ret_from);

    if (r == 0)
        check_eq(fcntl(*ret, F_SETFD, 0), 0);
    return r;
}

static int64_t from_another(const scene *s, int *ret, weft_address *ret_from)
{
    int64_t r = plain_accept(s, ret, ret_from);

    if (r == 0)
        *ret_from = s->at;
    return r;
}

static int64_t the_second(const scene *s, int *ret, weft_address *ret_from)
{
    int64_t r = plain_accept(s, ret, ret_from);

    if (r == 0 && s->client[1] >= 0) {
        close(*ret);
        r = plain_accept(s, ret, ret_from);
    }
    return r;
}

Test(differential_accept, a_difference_is_seen, .timeout = MANY_WAITS)
{
    plain_call *const wrong[] = {for_the_child, from_another, the_second};
    weft_runtime     *rt = begin();

    wants_differences = true;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_cmp(run(rt, wrong[i]), >, 0);
    stop(rt);
}
