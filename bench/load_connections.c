/* load_connections.c - which connection asks, when, and what comes; see load.h */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURN_EVERY_MS = 10 }; /* each burner asks */

struct connection *connections;
enum phase         phase;
uint64_t           n_answered;

static int  epoll;
static int *idle;

/* The connections that ask at fixed instants: `at_once` of the first n each time, in turn. */
static struct {
    int     n, at_once, next;
    int64_t at, interval;
} pace = {.at = INT64_MAX};

/* ---- connecting ---- */

static int connected(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)opt.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval     patience = {.tv_sec = SILENCE_S};
    int                one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect: %s", strerror(errno));
    return fd;
}

/* Streams are read a piece at a time in turn, or the first would never end. */
static void start(struct connection *c)
{
    struct epoll_event event = {.data.ptr = c};

    event.events =
        opt.kind == LOAD_STREAM ? EPOLLIN | EPOLLRDHUP : EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    c->fd = connected();
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

static void start_pace(void)
{
    pace.n = opt.rate > 0 ? opt.connections : opt.burners;
    pace.at_once = opt.rate > 0 && !opt.even ? opt.connections : 1;
    pace.interval = opt.rate > 0 ? (int64_t)(1e9 * pace.at_once * opt.depth / opt.rate)
                                 : BURN_EVERY_MS * INT64_C(1000000) / pace.n;
    if (pace.interval < (opt.even ? 1000 : 10000))
        fail("requests %d ns apart are too close", (int)pace.interval);
    pace.at = now_ns() + pace.interval;
    prctl(PR_SET_TIMERSLACK, 1);
}

void connect_all(void)
{
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1: %s", strerror(errno));
    connections = allocate((size_t)opt.connections, sizeof *connections);
    for (int i = 0; i < opt.connections; i++) {
        struct connection *c = &connections[i];

        c->burner = i < opt.burners + opt.sleeper;
        c->paced = opt.rate > 0 || c->burner;
        c->pattern = pattern_of(c);
        if (opt.kind == LOAD_HTTP)
            c->carry = allocate(1, CARRY);
        else if (opt.kind != LOAD_STREAM)
            /* a multiple of the size, so that messages end where the position divides by it */
            c->in = c->out = c->out_due = (uint64_t)i * 977 * opt.size;
        start(c);
    }
    if (opt.rate > 0 || opt.burners)
        start_pace();
}

/* ---- the idle ones ---- */

static void ask_once(int fd)
{
    char    message[64] = "idle from now on", answer[sizeof message];
    ssize_t n = send(fd, message, sizeof message, MSG_NOSIGNAL);

    if (n == sizeof message)
        n = recv(fd, answer, sizeof answer, MSG_WAITALL);
    if (n != sizeof message || memcmp(answer, message, sizeof message) != 0)
        fail("idle connection: no answer to its first message");
}

void connect_idle(void)
{
    idle = allocate((size_t)opt.idle, sizeof *idle);
    for (int i = 0; i < opt.idle; i++) {
        idle[i] = connected();
        ask_once(idle[i]);
    }
}

void check_idle(void)
{
    char byte;

    for (int i = 0; i < opt.idle; i++)
        if (recv(idle[i], &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)
            fail("idle connection %d: no longer connected and silent", i);
}

/* ---- asking ---- */

static void ask(struct connection *c, int64_t now)
{
    for (int i = 0; i < opt.depth; i++)
        c->asked_at[c->asked++ % MAX_AHEAD] = now;
    c->out_due += (size_t)opt.depth * request_size;
}

/* Sends what is due, as far as the socket takes it; an edge of EPOLLOUT continues. */
static void send_due(struct connection *c)
{
    while (c->out < c->out_due) {
        uint64_t due = c->out_due - c->out;
        ssize_t  n = send(c->fd, c->pattern + c->out % period, due < BUFFER ? due : BUFFER,
                          MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0) {
            if (errno == EAGAIN)
                return;
            fail("connection %td: send: %s", c - connections, strerror(errno));
        }
        c->out += (uint64_t)n;
    }
}

static void ask_in_time(struct connection *c)
{
    uint64_t ahead = c->asked - c->answered + (uint64_t)opt.depth;

    if (ahead > (c->burner ? 1 : MAX_AHEAD)) {
        window.skipped += (uint64_t)opt.depth;
        return;
    }
    ask(c, pace.at);
    send_due(c);
}

void ask_for_sleep(int64_t now)
{
    ask(&connections[0], now);
    send_due(&connections[0]);
}

void record_waiting(int64_t now)
{
    for (int i = 0; i < opt.connections; i++) {
        const struct connection *c = &connections[i];

        if (!c->burner && c->answered < c->asked)
            record(now - c->asked_at[c->answered % MAX_AHEAD]);
    }
}

int64_t keep_pace(int64_t now)
{
    for (; pace.at <= now && phase != DRAINING; pace.at += pace.interval) {
        for (int i = 0; i < pace.at_once; i++) {
            ask_in_time(&connections[pace.next]);
            pace.next = (pace.next + 1) % pace.n;
        }
    }
    return phase == DRAINING ? INT64_MAX : pace.at;
}

/* ---- what comes ---- */

/* The time when something came last, or 0. */
static int64_t receive(struct connection *c)
{
    static char buffer[CARRY + BUFFER];
    int64_t     now = 0;
    ssize_t     n;

    do {
        size_t carried = c->n_carry;

        n = recv(c->fd, buffer + carried, BUFFER, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0)
            fail("connection %td: recv: %s", c - connections, strerror(errno));
        if (n == 0)
            fail("connection %td: closed by the server", c - connections);
        if (carried)
            memcpy(buffer, c->carry, carried);
        c->n_carry = 0;
        now = now_ns();
        take(c, buffer, carried + (size_t)n, now);
        /* less means empty, and more to come is a new edge */
    } while (n == BUFFER && opt.kind != LOAD_STREAM);
    return now;
}

/* Closed loop: what a connection does when it has all its answers. */
static void again(struct connection *c, int64_t now)
{
    const struct linger reset = {.l_onoff = 1}; /* an orderly end would use up the ports */

    if (opt.kind == LOAD_CHURN && c->asked > 0) {
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(c->fd);
        now = now_ns();
        start(c);
    }
    ask(c, now ? now : now_ns());
}

static void serve(struct connection *c, uint32_t events)
{
    int64_t now = events & ~(uint32_t)EPOLLOUT ? receive(c) : 0;

    if (events & EPOLLRDHUP)
        fail("connection %td: closed by the server", c - connections);
    if (opt.kind == LOAD_STREAM)
        return;
    /* A new socket is writable: the first event of each makes it ask. */
    if (!c->paced && phase != DRAINING && c->answered == c->asked)
        again(c, now);
    send_due(c);
}

void turn(int64_t until)
{
    static struct epoll_event events[1024];
    int64_t                   ns = until - now_ns();
    struct timespec           time = {.tv_nsec = ns < 0 ? 0 : ns < TURN_NS ? ns : TURN_NS};
    int n = epoll_pwait2(epoll, events, sizeof events / sizeof *events, &time, NULL);

    if (n < 0 && errno != EINTR)
        fail("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++)
        serve(events[i].data.ptr, events[i].events);
}
