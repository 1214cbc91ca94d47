/*
 * load.c - load generator for echo and HTTP servers on loopback
 *
 * Purpose     One thread with epoll in a process of its own, without weft, so that what it measures
 *             is the server. It checks every byte (echo), or status and length of every answer
 *             (HTTP), and prints one line of JSON. Any wrong answer, lost connection, or five
 *             seconds without an answer ends it with one line on standard error and status 1.
 * Load        Closed loop: each connection asks for `depth` answers at once, and again when it has
 *             them all. Fixed rate: all connections ask together, at instants fixed beforehand;
 *             latency counts from those instants, so a server that falls behind can't hide it.
 *             It ends when all answers have come, so one connection left waiting is noticed.
 * Bounds      127.0.0.1 only; connections, sizes and seconds have limits (MAX_...).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_CONNECTIONS = 20000,
    MAX_SIZE = 1 << 20,
    MAX_SECONDS = 300,
    MAX_AHEAD = 256, /* answers that one connection may wait for */
    PERIOD = 65521,  /* of the echoed bytes: prime, so no message size repeats soon */
    BUFFER = 256 << 10,
    CARRY = 8 << 10, /* longest HTTP answer */
    SILENCE_S = 5,
};

static struct {
    bool        http;
    int         port, connections, depth;
    size_t      size; /* echo: of a message; HTTP: of the body */
    double      rate; /* requests/s of all connections; 0: closed loop */
    double      warmup, seconds;
    pid_t       server; /* whose CPU time to read; 0: nobody's */
    const char *path;
} opt = {
    .connections = 1, .depth = 1, .size = 64, .warmup = 0.2, .seconds = 1, .path = "/plaintext"};

struct connection {
    int      fd;
    uint64_t asked, answered;  /* requests */
    uint64_t out_due, out, in; /* bytes due, sent, received: positions in the pattern */
    size_t   n_carry;          /* HTTP: start of an answer that has not come whole */
    char    *carry;
    int64_t  asked_at[MAX_AHEAD];
};

static struct connection *connections;

/* What is sent is one periodic stream of bytes, laid out so that any stretch of it up to BUFFER is
 * contiguous: pattern[p % period] for position p. Echo sends random bytes and each connection
 * starts elsewhere in them, so mixed-up connections show; HTTP repeats its request. */
static char  *pattern;
static size_t period, request_size;

static enum { WARMING, COUNTING, DRAINING } phase;
static uint64_t n_answered; /* in any phase */
static struct {
    uint64_t answers, skipped;
} count; /* while COUNTING */

/* The last answer that was parsed and found right. */
static char   good[CARRY];
static size_t good_size;

/* ---- time, failure ---- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) < 0)
        return 0;
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static double per_answer_us(int64_t ns)
{
    return (double)ns / 1000 / (double)count.answers;
}

static int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    exit(1);
}

static void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p)
        fail("out of memory");
    return p;
}

/* ---- histogram: 64 linear steps for each power of two, so a value is at most 1.6 % off ---- */

enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS };

static uint64_t histogram[(64 - STEP_BITS + 1) * STEPS];

static void record(int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    int      shift = 0;

    if (v >= 2 * STEPS)
        shift = 63 - __builtin_clzll(v) - STEP_BITS;
    histogram[(size_t)shift * STEPS + (v >> shift)]++;
}

/* The value that the given part of all answers did not exceed, in µs. */
static double quantile(double part)
{
    uint64_t rank = (uint64_t)(part * (double)count.answers), seen = 0;

    for (size_t i = 0; i < sizeof histogram / sizeof *histogram; i++) {
        seen += histogram[i];
        if (seen > rank || (seen && seen == count.answers)) {
            size_t shift = i < 2 * STEPS ? 0 : i / STEPS - 1;
            return (double)((i - shift * STEPS + 1) << shift) / 1000;
        }
    }
    return 0;
}

/* ---- answers ---- */

static void check_echo(struct connection *c, const char *text, size_t size)
{
    const char *right = pattern + c->in % period;

    if (memcmp(text, right, size) != 0) {
        size_t i = 0;

        while (text[i] == right[i])
            i++;
        fail("connection %td: byte %llu came back as %#x, sent as %#x", c - connections,
             (unsigned long long)(c->in + i), (unsigned char)text[i], (unsigned char)right[i]);
    }
}

/* The length of the answer at the start of the text, 0 if it is not there whole. An answer equal to
 * the last good one is good: servers change theirs once a second (Date), so parsing costs nothing.
 */
static size_t check_http(const struct connection *c, const char *text, size_t size)
{
    const char *end, *line;
    long        length = -1;
    size_t      whole;

    if (good_size && size >= good_size && memcmp(text, good, good_size) == 0)
        return good_size;

    end = memmem(text, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (end - text < 12 || memcmp(text, "HTTP/1.1 200", 12) != 0)
        fail("connection %td: answer \"%.*s\"", c - connections,
             (int)((const char *)memchr(text, '\r', size) - text), text);
    for (line = text; line < end; line = (const char *)memchr(line, '\n', size) + 1)
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = strtol(line + 15, NULL, 10);
    if (length < 0)
        fail("connection %td: no Content-Length", c - connections);
    if (length != (long)opt.size)
        fail("connection %td: body of %ld bytes instead of %zu", c - connections, length, opt.size);

    whole = (size_t)(end + 4 - text) + (size_t)length;
    if (whole > size)
        return 0;
    if (whole > sizeof good)
        fail("connection %td: an answer longer than %zu bytes", c - connections, sizeof good);
    memcpy(good, text, whole);
    good_size = whole;
    return whole;
}

static void answered(struct connection *c, int64_t now)
{
    if (c->answered == c->asked)
        fail("connection %td: an answer to nothing", c - connections);
    if (phase == COUNTING) {
        record(now - c->asked_at[c->answered % MAX_AHEAD]);
        count.answers++;
    }
    c->answered++;
    n_answered++;
}

/* Takes what has been received: `size` bytes at `text`, the carried ones included. */
static void take(struct connection *c, const char *text, size_t size, int64_t now)
{
    size_t n;

    if (!opt.http) {
        check_echo(c, text, size);
        n = c->in % opt.size + size;
        c->in += size;
        for (; n >= opt.size; n -= opt.size)
            answered(c, now);
        return;
    }
    for (; size && (n = check_http(c, text, size)) > 0; text += n, size -= n)
        answered(c, now);
    if (size > CARRY)
        fail("connection %td: an answer longer than %d bytes", c - connections, CARRY);
    memcpy(c->carry, text, size);
    c->n_carry = size;
}

/* ---- connections ---- */

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
        ssize_t  n = send(c->fd, pattern + c->out % period, due < BUFFER ? due : BUFFER,
                          MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0) {
            if (errno == EAGAIN)
                return;
            fail("connection %td: send: %s", c - connections, strerror(errno));
        }
        c->out += (uint64_t)n;
    }
}

static void receive(struct connection *c, int64_t *now)
{
    static char buffer[CARRY + BUFFER];
    ssize_t     n;

    do {
        size_t carried = c->n_carry;

        n = recv(c->fd, buffer + carried, BUFFER, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            fail("connection %td: recv: %s", c - connections, strerror(errno));
        if (n == 0)
            fail("connection %td: closed by the server", c - connections);
        if (carried)
            memcpy(buffer, c->carry, carried);
        c->n_carry = 0;
        *now = now_ns();
        take(c, buffer, carried + (size_t)n, *now);
    } while (n == BUFFER); /* less means empty, and more to come is a new edge */
}

static void connect_all(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)opt.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval     patience = {.tv_sec = SILENCE_S};
    int                one = 1;

    connections = allocate((size_t)opt.connections, sizeof *connections);
    for (int i = 0; i < opt.connections; i++) {
        struct connection *c = &connections[i];

        c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->fd < 0)
            fail("socket: %s", strerror(errno));
        setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address) < 0)
            fail("connection %d: connect: %s", i, strerror(errno));
        if (opt.http)
            c->carry = allocate(1, CARRY);
        else /* a multiple of the size, so that messages end where the position divides by it */
            c->in = c->out = c->out_due = (uint64_t)i * 977 * opt.size;
    }
}

static void make_pattern(void)
{
    char     request[512];
    uint64_t x = 88172645463325252u;

    if (opt.http) {
        int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                         opt.path, opt.port);

        if (n < 0 || (size_t)n >= sizeof request)
            fail("the path is too long");
        period = request_size = (size_t)n;
    } else {
        period = PERIOD;
        request_size = opt.size;
    }
    pattern = allocate(1, period + BUFFER);
    for (size_t i = 0; i < period + BUFFER; i++) {
        if (i >= period) {
            pattern[i] = pattern[i - period];
        } else if (opt.http) {
            pattern[i] = request[i];
        } else { /* xorshift64 */
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            pattern[i] = (char)(x >> 32);
        }
    }
}

/* ---- the run ---- */

static clockid_t server_clock(void)
{
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;

    if (opt.server && clock_getcpuclockid(opt.server, &clock) != 0)
        fail("no process %d", (int)opt.server);
    return clock;
}

static void watch(int epoll, int fd, uint32_t events, void *who)
{
    struct epoll_event event = {.events = events, .data.ptr = who};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        fail("epoll_ctl: %s", strerror(errno));
}

/* A timer that expires at `first` and every `interval` from then. */
static int start_timer(int64_t first, int64_t interval)
{
    struct itimerspec every = {
        .it_value = {first / 1000000000, first % 1000000000},
        .it_interval = {interval / 1000000000, interval % 1000000000},
    };
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (timer < 0 || timerfd_settime(timer, TFD_TIMER_ABSTIME, &every, NULL) < 0)
        fail("timerfd: %s", strerror(errno));
    return timer;
}

/* Fixed rate: one burst, requests on every connection, for each instant that has come. Returns the
 * next instant. */
static int64_t burst(int64_t tick, int64_t interval, int64_t now)
{
    for (; tick <= now; tick += interval) {
        for (int i = 0; i < opt.connections; i++) {
            struct connection *c = &connections[i];

            if (c->asked - c->answered + (uint64_t)opt.depth > MAX_AHEAD) {
                count.skipped += (uint64_t)opt.depth;
                continue;
            }
            ask(c, tick);
            send_due(c);
        }
    }
    return tick;
}

/* Waits for events once and serves them. */
static void turn(int epoll, int timer)
{
    static struct epoll_event events[1024];
    int                       n = epoll_wait(epoll, events, sizeof events / sizeof *events, 100);

    if (n < 0 && errno != EINTR)
        fail("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;
        int64_t            now = 0;
        uint64_t           expired;

        if (!c) {
            if (read(timer, &expired, sizeof expired) < 0 && errno != EAGAIN)
                fail("timerfd: %s", strerror(errno));
            continue;
        }
        if (events[i].events & ~(uint32_t)EPOLLOUT)
            receive(c, &now);
        if (events[i].events & EPOLLRDHUP)
            fail("connection %td: closed by the server", c - connections);
        if (opt.rate <= 0 && phase != DRAINING && c->answered == c->asked)
            ask(c, now ? now : now_ns());
        send_due(c);
    }
}

static void run(void)
{
    int             epoll = epoll_create1(EPOLL_CLOEXEC), timer = -1;
    int64_t         now, until, begin = 0, tick = 0, interval = 0, last;
    int64_t         server_cpu = 0, load_cpu = 0;
    double          seconds = 0;
    uint64_t        n_asked = 0, n_seen = 0;
    const clockid_t server = server_clock();

    if (epoll < 0)
        fail("epoll_create1: %s", strerror(errno));
    make_pattern();
    connect_all();
    now = last = now_ns();
    until = now + (int64_t)(opt.warmup * 1e9);
    if (opt.rate > 0) {
        interval = (int64_t)(1e9 * opt.connections * opt.depth / opt.rate);
        if (interval < 10000)
            fail("bursts %d ns apart are too close", (int)interval);
        tick = now + interval;
        timer = start_timer(tick, interval);
        watch(epoll, timer, EPOLLIN, NULL);
    }
    /* A new socket is writable: the first event of each makes it ask. */
    for (int i = 0; i < opt.connections; i++)
        watch(epoll, connections[i].fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &connections[i]);

    for (;;) {
        turn(epoll, timer);
        now = now_ns();
        if (opt.rate > 0 && phase != DRAINING && tick <= now)
            tick = burst(tick, interval, now);

        if (n_answered != n_seen) {
            n_seen = n_answered;
            last = now;
        } else if (now - last > SILENCE_S * INT64_C(1000000000)) {
            fail("no answer for %d s (%llu have come)", SILENCE_S, (unsigned long long)n_answered);
        }

        if (phase == WARMING && now >= until) {
            phase = COUNTING;
            count.skipped = 0;
            begin = now;
            until = begin + (int64_t)(opt.seconds * 1e9);
            server_cpu = clock_ns(server);
            load_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        } else if (phase == COUNTING && now >= until) {
            server_cpu = clock_ns(server) - server_cpu;
            load_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - load_cpu;
            seconds = (double)(now - begin) / 1e9;
            phase = DRAINING;
            for (int i = 0; i < opt.connections; i++)
                n_asked += connections[i].asked;
        }
        if (phase == DRAINING && n_answered == n_asked)
            break;
    }
    if (!count.answers)
        fail("no answer within the %g s counted", opt.seconds);
    if (server_cpu < 0)
        fail("process %d has ended", (int)opt.server);

    printf("{\"answers\": %llu, \"skipped\": %llu, \"bytes\": %zu, \"seconds\": %.6f, ",
           (unsigned long long)count.answers, (unsigned long long)count.skipped,
           opt.http ? good_size : opt.size, seconds);
    printf("\"rate\": %.1f, \"server_cpu\": %.4f, \"load_cpu\": %.4f, ",
           (double)count.answers / seconds, opt.server ? per_answer_us(server_cpu) : 0,
           per_answer_us(load_cpu));
    printf("\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}\n",
           quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), quantile(1));
}

static double number(const char *name, double min, double max)
{
    char  *end;
    double value = strtod(optarg, &end);

    if (end == optarg || *end || !(value >= min && value <= max))
        fail("--%s: \"%s\" is not a number from %g to %g", name, optarg, min, max);
    return value;
}

static const char usage[] =
    "usage: load echo|http --port PORT [options]\n"
    "  --connections N   (1)\n"
    "  --size BYTES      of a message (64), or of the body expected of HTTP\n"
    "  --path PATH       HTTP: what to ask for (/plaintext)\n"
    "  --depth N         requests sent at once on each connection (1)\n"
    "  --rate N          requests/s in all, in bursts of one per connection (closed loop)\n"
    "  --warmup S        not counted (0.2)\n"
    "  --seconds S       counted (1)\n"
    "  --server-pid PID  whose CPU time to report\n"
    "Prints one line of JSON: rates per second, times in µs, CPU in µs per answer.\n";

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},       {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 's'},       {"path", required_argument, NULL, 'u'},
        {"depth", required_argument, NULL, 'd'},      {"rate", required_argument, NULL, 'r'},
        {"warmup", required_argument, NULL, 'w'},     {"seconds", required_argument, NULL, 't'},
        {"server-pid", required_argument, NULL, 'P'}, {NULL, 0, NULL, 0},
    };
    int which;

    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (which == 'p')
            opt.port = (int)number("port", 1, 65535);
        else if (which == 'c')
            opt.connections = (int)number("connections", 1, MAX_CONNECTIONS);
        else if (which == 's')
            opt.size = (size_t)number("size", 1, MAX_SIZE);
        else if (which == 'u')
            opt.path = optarg;
        else if (which == 'd')
            opt.depth = (int)number("depth", 1, MAX_AHEAD);
        else if (which == 'r')
            opt.rate = number("rate", 1, 1e8);
        else if (which == 'w')
            opt.warmup = number("warmup", 0, MAX_SECONDS);
        else if (which == 't')
            opt.seconds = number("seconds", 0.01, MAX_SECONDS);
        else if (which == 'P')
            opt.server = (pid_t)number("server-pid", 1, 1 << 30);
        else
            break;
    }
    if (which != -1 || optind + 1 != argc || !opt.port ||
        (strcmp(argv[optind], "echo") != 0 && strcmp(argv[optind], "http") != 0)) {
        fputs(usage, stderr);
        return 2;
    }
    opt.http = argv[optind][0] == 'h';
    run();
    return 0;
}
