/*
 * test_differential_listen.c - weft_listen and weft_datagram_bind do and return what socket(2),
 * bind(2) and listen(2) do
 *
 * The test compares the result; the socket's flags, options and address; whether it can be reached;
 * and the file that it leaves.
 */
#include "differential_scenes.h"

#include <netinet/tcp.h>
#include <sys/stat.h>

/* ---- addresses ---- */

typedef enum what { FREE, IN_USE, STALE, PLAIN_FILE, NO_DIRECTORY } what;

typedef struct place {
    const char *name;
    const char *at; /* an address; "/": a path in a new directory */
    what        what;
} place;

static const place places[] = {
    {"IPv4 address", "127.0.0.1", FREE},
    {"IPv6 address", "::1", FREE},
    {"any IPv4 address", "0.0.0.0", FREE},
    {"any IPv6 address", "::", FREE},
    {"no name", "", FREE},
    {"abstract name", "@weft-test-differential-listen", FREE},
    {"path", "/", FREE},
    {"IPv4 address in use", "127.0.0.1", IN_USE},
    {"IPv6 address in use", "::1", IN_USE},
    {"abstract name in use", "@weft-test-differential-listen", IN_USE},
    {"path in use", "/", IN_USE},
    {"path of a socket that is gone", "/", STALE},
    {"path of a file", "/", PLAIN_FILE},
    {"path without a directory", "/", NO_DIRECTORY},
    {"address of another machine", "192.0.2.1", FREE},
    {"multicast address", "224.0.0.1", FREE},
    {"IPv6 multicast address", "ff02::1", FREE},
    {"broadcast address", "255.255.255.255", FREE},
    {"no family", NULL, FREE},
};

/* An address and the socket or file there, made anew for each try. */
typedef struct spot {
    weft_address at;
    int          other; /* the socket that has it, or -1 */
    char         dir[32], path[64];
} spot;

static int socket_at(weft_address *at, int type)
{
    int fd = bound_to(at, type);

    if (type == SOCK_STREAM)
        check_eq(listen(fd, 1), 0);
    *at = named(fd);
    return fd;
}

static spot make(const place *p, int type)
{
    spot s = {.other = -1};

    if (!p->at)
        return s;
    if (p->at[0] == '/') {
        make_directory(s.dir);
        snprintf(s.path, sizeof s.path, "%s/%ss", s.dir, p->what == NO_DIRECTORY ? "none/" : "");
    }
    if (weft_address_parse(p->at, 0, &s.at) < 0)
        check_eq(weft_address_unix(s.dir[0] ? s.path : p->at, &s.at), 0);
    if (p->what == IN_USE || p->what == STALE)
        s.other = socket_at(&s.at, type);
    if (p->what == STALE) {
        close(s.other);
        s.other = -1;
    }
    if (p->what == PLAIN_FILE)
        close(open(s.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return s;
}

static void let_go(const spot *s)
{
    if (s->other >= 0)
        close(s->other);
    if (!s->dir[0])
        return;
    unlink(s->path);
    check_eq(rmdir(s->dir), 0);
}

/* ---- options and calls ---- */

typedef struct argument {
    const char           *name;
    weft_listen_options   listen;
    weft_datagram_options datagram;
} argument;

static const argument arguments[] = {
    {"-", {0}, {0}},
    {"v6_only", {.v6_only = true}, {.v6_only = true}},
    {"reuse_port", {.reuse_port = true}, {.reuse_port = true}},
    {"reuse_addr changed", {.no_reuse_addr = true}, {.reuse_addr = true}},
    {"no_delay", {.no_delay = true}, {0}},
    {"backlog", {.backlog = 1}, {0}},
};

static void set(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

typedef int64_t plain_call(const spot *s, const argument *a, int type);

static int64_t plain_bind(const spot *s, const argument *a, int type)
{
    int     family = s->at.u.any.sa_family, fd = socket(family, type | SOCK_CLOEXEC, 0);
    bool    streams = type == SOCK_STREAM, is_ip = family == AF_INET || family == AF_INET6;
    int64_t r;

    if (fd < 0)
        return -errno;
    set(fd, SOL_SOCKET, SO_REUSEADDR, streams ? !a->listen.no_reuse_addr : a->datagram.reuse_addr);
    if (a->listen.reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, 4) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    if (family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, a->listen.v6_only);
    if (streams && is_ip)
        set(fd, IPPROTO_TCP, TCP_NODELAY, a->listen.no_delay);
    r = answer(bind(fd, &s->at.u.any, size_of_any(&s->at)));
    if (r == 0 && streams)
        r = answer(listen(fd, a->listen.backlog > 0 ? a->listen.backlog : 1024));
    if (r == 0)
        return fd;
    close(fd);
    return r;
}

/* ---- what has come of it ---- */

/* Whether the socket's address is the one that was asked for, and can be connected to. */
static int64_t reach(const spot *s, int fd, int type)
{
    weft_address now = named(fd);
    int64_t      r;
    int          client;

    client = socket(now.u.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    r = connect(client, &now.u.any, size_of_any(&now)) < 0 && errno != EINPROGRESS ? errno : 0;
    close(client);
    r = r << 1 | (now.u.any.sa_family == s->at.u.any.sa_family);
    return r << 1 | (weft_address_port(&now) != 0 || now.u.any.sa_family == AF_UNIX);
}

static void look_at(const spot *s, int64_t r, int fd, int type, outcome *ret)
{
    struct stat st = {0};

    (void)stat(s->path, &st);
    *ret = (outcome){.result = r, .content = st.st_mode};
    if (fd < 0)
        return;
    ret->flags = (fcntl(fd, F_GETFL) & ~O_NONBLOCK) | fcntl(fd, F_GETFD) << 24;
    ret->buffer =
        hash(0,
             (int[]){option(fd, SOL_SOCKET, SO_TYPE), option(fd, SOL_SOCKET, SO_ACCEPTCONN),
                     option(fd, SOL_SOCKET, SO_REUSEADDR), option(fd, SOL_SOCKET, SO_REUSEPORT),
                     option(fd, IPPROTO_IPV6, IPV6_V6ONLY), option(fd, IPPROTO_TCP, TCP_NODELAY),
                     option(fd, SOL_SOCKET, SO_KEEPALIVE), option(fd, SOL_SOCKET, SO_BROADCAST)},
             8 * sizeof(int));
    /* Of a listener this is the length of its queue. */
    if (type == SOCK_STREAM && s->at.u.any.sa_family != AF_UNIX) {
        struct tcp_info info = {0};

        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &(socklen_t){sizeof info});
        ret->unread = info.tcpi_sacked;
    }
    ret->position = reach(s, fd, type);
}

/* ---- running it ---- */

static void run_by_weft(weft_runtime *rt, const spot *s, const argument *a, int type, outcome *ret)
{
    weft_listener *l = NULL;
    weft_datagram *d = NULL;
    int            r;

    if (type == SOCK_STREAM)
        r = weft_listen(rt, &s->at, &a->listen, &l);
    else
        r = weft_datagram_bind(rt, &s->at, &a->datagram, &d);
    look_at(s, r, l ? weft_listener_fd(l) : d ? weft_datagram_fd(d) : -1, type, ret);
    weft_listener_close(l);
    weft_datagram_close(d);
}

static int try(weft_runtime *rt, plain_call *call, const place *p, const argument *a, int type)
{
    const char *operation = type == SOCK_STREAM ? "weft_listen" : "weft_datagram_bind";
    spot        s = make(p, type);
    outcome     plain, weft;
    int64_t     r = call(&s, a, type);

    look_at(&s, r < 0 ? r : 0, r < 0 ? -1 : (int)r, type, &plain);
    if (r >= 0)
        close((int)r);
    let_go(&s);
    s = make(p, type);
    run_by_weft(rt, &s, a, type, &weft);
    let_go(&s);
    return compare(p->name, a->name, operation, &plain, &weft);
}

static int run(weft_runtime *rt, plain_call *call)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    int              n_bad = 0;

    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
            for (size_t j = 0; j < sizeof arguments / sizeof *arguments; j++)
                n_bad += try(rt, call, &places[i], &arguments[j], types[t]);
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_listen.c`");
    return start(1);
}

Test(differential_listen, it_does_what_the_system_calls_do, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();
    int           n = n_fds();

    check_eq(run(rt, plain_bind), 0);
    check_eq(n_fds(), n);
    check_list(rt);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

static int64_t another_queue(const spot *s, const argument *a, int type)
{
    int64_t r = plain_bind(s, a, type);

    if (r >= 0 && type == SOCK_STREAM)
        check_eq(listen((int)r, 7), 0);
    return r;
}

static int64_t another_option(const spot *s, const argument *a, int type)
{
    int64_t r = plain_bind(s, a, type);

    if (r >= 0)
        set((int)r, SOL_SOCKET, SO_REUSEADDR, !option((int)r, SOL_SOCKET, SO_REUSEADDR));
    return r;
}

static int64_t file_gone(const spot *s, const argument *a, int type)
{
    int64_t r = plain_bind(s, a, type);

    unlink(s->path);
    return r;
}

Test(differential_listen, a_difference_is_seen, .timeout = MANY_WAITS)
{
    plain_call *const wrong[] = {another_queue, another_option, file_gone};
    weft_runtime     *rt = begin();

    wants_differences = true;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_cmp(run(rt, wrong[i]), >, 0);
    stop(rt);
}
