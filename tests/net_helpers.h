/*
 * net_helpers.h - what the tests of sockets, files and the reactor share
 *
 * The runtime under test is on one side, plain blocking sockets of the test's own thread are on the
 * other, so that a test can do one thing at a time and say what must come of it.
 */
#ifndef NET_HELPERS_H
#define NET_HELPERS_H

#include "test.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <weft.h>

#define UNUSED __attribute__((unused))

/* ---- runtimes ---- */

UNUSED static weft_runtime *start_with(weft_config config)
{
    weft_runtime *rt;

    check_eq(weft_runtime_start(&config, &rt), 0);
    return rt;
}

UNUSED static weft_runtime *start(int64_t workers)
{
    return start_with((weft_config){.workers = workers});
}

UNUSED static void stop(weft_runtime *rt)
{
    check_eq(weft_runtime_stop(rt, WEFT_S(20)), 0);
}

UNUSED static struct weft_runtime_counters counters(weft_runtime *rt)
{
    struct weft_runtime_counters c;

    weft_runtime_counters(rt, &c);
    return c;
}

/* Runs an async function as a task; its result. */
#define RUN(rt, name, ...)                                                                         \
    __extension__({                                                                                \
        weft_handle run_;                                                                          \
        check_eq(weft_spawn_on(rt, &run_, name, __VA_ARGS__), 0);                                  \
        weft_block_on(rt, weft_join(&run_));                                                       \
    })

#define JOIN(rt, handle) weft_block_on(rt, weft_join(handle))

/* ---- waiting for what other threads do ---- */

UNUSED static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* Waits until the condition holds; a failed check after 20 s. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        int64_t end_ = weft_now() + WEFT_S(20) * test_slow();                                      \
        while (!(condition) && weft_now() < end_)                                                  \
            pause_ms(1);                                                                           \
        check(condition);                                                                          \
    } while (0)

UNUSED static int n_entries(const char *path)
{
    DIR *dir = opendir(path);
    int  n = 0;

    check(dir != NULL);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2; /* . and .. */
}

/* Open descriptors of the process. */
UNUSED static int n_fds(void)
{
    return n_entries("/proc/self/fd") - 1; /* the one that looks */
}

/* Threads of runtimes; sanitizers have some of their own. */
UNUSED static int n_weft_threads(void)
{
    DIR           *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int            n = 0;

    check(dir != NULL);
    while ((entry = readdir(dir))) {
        char  path[64], name[32] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", entry->d_name);
        if (!(f = fopen(path, "re")))
            continue;
        n += fgets(name, sizeof name, f) && strncmp(name, "weft-", 5) == 0;
        fclose(f);
    }
    closedir(dir);
    return n;
}

/* ---- pseudo-random numbers: the same at each run ---- */

UNUSED static uint32_t rnd(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* ---- the peer: plain blocking sockets ---- */

UNUSED static weft_address loopback(bool v6)
{
    weft_address address;

    check_eq(weft_address_parse(v6 ? "::1" : "127.0.0.1", 0, &address), 0);
    return address;
}

UNUSED static socklen_t size_of(const weft_address *a)
{
    return a->u.any.sa_family == AF_INET6 ? sizeof a->u.v6 : sizeof a->u.v4;
}

/* Listens on a free port of the loopback address, which it writes to *ret. */
UNUSED static int raw_listen(bool v6, int backlog, weft_address *ret)
{
    socklen_t size = sizeof *ret;
    int       fd;

    *ret = loopback(v6);
    fd = socket(ret->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_cmp(fd, >=, 0);
    if (bind(fd, &ret->u.any, size_of(ret)) < 0)
        test_skip("no such loopback address");
    check_eq(listen(fd, backlog), 0);
    check_eq(getsockname(fd, &ret->u.any, &size), 0);
    return fd;
}

/* Reads and writes fail after 20 s instead of hanging. */
UNUSED static void raw_set_patience(int fd)
{
    struct timeval patience = {.tv_sec = 20 * test_slow()};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

UNUSED static int raw_connect(const weft_address *to)
{
    int fd = socket(to->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    check_cmp(fd, >=, 0);
    check_eq(connect(fd, &to->u.any, size_of(to)), 0);
    raw_set_patience(fd);
    return fd;
}

UNUSED static void raw_write(int fd, const void *data, size_t size)
{
    check_eq(send(fd, data, size, MSG_NOSIGNAL), size);
}

UNUSED static void raw_read(int fd, void *data, size_t size)
{
    check_eq(recv(fd, data, size, MSG_WAITALL), size);
}

/* Closes with a reset. */
UNUSED static void raw_reset(int fd)
{
    struct linger now = {.l_onoff = 1};

    check_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(fd);
}

/* A listener of the runtime's on a free loopback port. */
UNUSED static weft_listener *listen_on(weft_runtime *rt, bool v6, weft_address *ret)
{
    weft_address   any = loopback(v6);
    weft_listener *l;
    int            r = weft_listen(rt, &any, NULL, &l);

    if (v6 && r < 0)
        test_skip("no IPv6 loopback");
    check_eq(r, 0);
    check_eq(weft_listener_address(l, ret), 0);
    return l;
}

/* A stream of the runtime's, and the plain socket at its other end. */
UNUSED static int pair(weft_runtime *rt, weft_stream **ret)
{
    weft_address address;
    weft_io      io;
    int          listener = raw_listen(false, 1, &address), fd;

    check_eq(weft_block_on(rt, weft_connect(&io, &address, ret)), 0);
    fd = accept(listener, NULL, NULL);
    check_cmp(fd, >=, 0);
    close(listener);
    raw_set_patience(fd);
    return fd;
}

/* ---- small futures ---- */

/* Ends with 0 when it has been polled n + 1 times; wakes itself. */
typedef struct ticks {
    weft_future future;
    uint32_t    left;
} ticks;

static weft_poll ticks_poll(weft_future *future, weft_context *cx)
{
    ticks *self = weft_container(future, ticks, future);

    if (self->left == 0)
        return weft_ready(future, 0);
    self->left--;
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

UNUSED static weft_future *after_ticks(ticks *self, uint32_t n)
{
    static const weft_future_ops ops = {.size = sizeof(ticks), .name = "ticks", .poll = ticks_poll};

    weft_future_init(&self->future, &ops);
    self->left = n;
    return &self->future;
}

/* Passes everything on to another future, and counts how often it is polled. */
typedef struct counted {
    weft_future  future;
    weft_future *inner;
    atomic_int   n;
} counted;

static weft_poll counted_poll(weft_future *future, weft_context *cx)
{
    counted  *self = weft_container(future, counted, future);
    weft_poll poll;

    if (weft_future_is_cancelled(future) && weft_poll_is_ready(weft_future_cancel(self->inner)))
        return weft_ready(future, self->inner->result);
    poll = weft_future_poll(self->inner, cx);
    self->n++;
    return weft_poll_is_ready(poll) ? weft_ready(future, self->inner->result) : WEFT_PENDING;
}

static void counted_cancel(weft_future *future)
{
    (void)future;
}

UNUSED static weft_future *count_polls(counted *self, weft_future *inner)
{
    static const weft_future_ops ops = {.size = sizeof(counted),
                                        .flags = WEFT_FUTURE_DRAINS,
                                        .name = "counted",
                                        .poll = counted_poll,
                                        .cancel = counted_cancel};

    weft_future_init(&self->future, &ops);
    self->inner = inner;
    self->n = 0;
    return &self->future;
}

/* ---- the log ---- */

typedef struct log_lines {
    pthread_mutex_t lock;
    int             n;
    char            text[2048];
} log_lines;

#define LOG_LINES                                                                                  \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

/* A weft_log that keeps what it is told: `.log = keep_line, .log_arg = &lines`. */
UNUSED static void keep_line(void *arg, weft_log_level level, const char *line)
{
    log_lines *log = arg;
    size_t     used;

    (void)level;
    pthread_mutex_lock(&log->lock);
    used = strlen(log->text);
    snprintf(log->text + used, sizeof log->text - used, "%s\n", line);
    log->n++;
    pthread_mutex_unlock(&log->lock);
}

#endif
