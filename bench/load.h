/*
 * load.h - load generator for servers on loopback
 *
 * Purpose     One thread with epoll in a process of its own, without weft, so that what it measures
 *             is the server. It checks every byte (of HTTP: status and length of every answer) and
 *             prints one line of JSON. Any wrong answer, lost connection, or five seconds without
 *             an answer ends it with one line on standard error and status 1.
 *             load.c: options and the run; load_connections.c: what is asked, when, and what comes;
 *             load_answers.c: whether that is right; load_stats.c: clock, histogram, the server's
 *             figures.
 * Load        Closed loop: each connection asks for `depth` answers at once, and again when it has
 *             them all. Fixed rate: connections ask at instants fixed beforehand, all together or
 *             one by one; latency counts from those instants, so a server that falls behind can't
 *             hide it. It ends when all answers have come, so one connection left waiting is
 *             noticed.
 * Bounds      Loopback only; connections, sizes and seconds have limits (MAX_...).
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    MAX_CONNECTIONS = 19000,
    MAX_SIZE = 1 << 20,
    MAX_SECONDS = 300,
    MAX_AHEAD = 256, /* answers that one connection may wait for */
    BUFFER = 256 << 10,
    CARRY = 8 << 10, /* longest HTTP answer */
    SILENCE_S = 5,
    TURN_NS = 100000000, /* longest wait for events */
};

enum kind {
    LOAD_ECHO,
    LOAD_CHURN, /* echo, each message on a connection of its own */
    LOAD_STREAM,
    LOAD_HTTP,
};

struct options {
    enum kind   kind;
    int         port, connections, depth;
    size_t      size;    /* echo: of a message; HTTP: of the body; stream: what is counted */
    double      rate;    /* requests/s of all connections; 0: closed loop */
    bool        even;    /* fixed rate: one connection at a time, not all at once */
    int         burners; /* the first ones: they ask for long computations at a fixed rate */
    bool        sleeper; /* the first one: it asks once, for 2 s of sleep */
    int         idle;    /* more connections, which ask once and then stay silent */
    double      warmup, seconds;
    pid_t       server; /* whose CPU time to read; 0: of no process */
    const char *path;
};
extern struct options opt;

struct connection {
    int         fd;
    bool        paced, burner; /* asks at fixed instants; for computations, or for sleep */
    const char *pattern;       /* see load_answers.c */
    uint64_t    asked, answered;
    uint64_t    out_due, out, in; /* bytes due, sent, received: positions in the pattern */
    size_t      n_carry;          /* HTTP: start of an answer that has not come whole */
    char       *carry;
    int64_t     asked_at[MAX_AHEAD];
};
extern struct connection *connections;

enum phase { WARMING, COUNTING, DRAINING };
extern enum phase phase;
extern uint64_t   n_answered; /* in any phase */

/* ---- load_stats.c ---- */

/* What was counted between window_begin and window_end. */
struct window {
    int64_t  begin;
    uint64_t answers, burns, skipped;
    double   seconds, server_cpu, load_cpu, switches; /* the latter three per answer, CPU in µs */
};
extern struct window window;

int64_t now_ns(void);
void    window_begin(void);
void    window_end(void);
void    record(int64_t latency_ns);
/* The latency that the given part of all answers did not exceed, in µs. */
double quantile(double part);
/* What the server has resident. */
double server_rss_kb(void);

__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
void                                                *allocate(size_t n, size_t size);

/* ---- load_answers.c ---- */

/* Positions in what is sent, after which it repeats itself, and how long a request is in it. */
extern size_t period, request_size;
void          make_patterns(void);
const char   *pattern_of(const struct connection *c);
/* Takes what has been received: `size` bytes at `text`, the carried ones included. */
void take(struct connection *c, const char *text, size_t size, int64_t now);
/* Of the last answer, with its headers. */
size_t answer_size(void);

/* ---- load_connections.c ---- */

void connect_all(void);
/* Connects the idle ones, which ask once each; and finds them all connected still. */
void connect_idle(void);
void check_idle(void);
/* The sleeper asks. */
void ask_for_sleep(int64_t now);
/* Records the requests that have no answer yet. */
void record_waiting(int64_t now);
/* Asks on the connections whose instants have come; the next instant, INT64_MAX if there is
 * none. */
int64_t keep_pace(int64_t now);
/* Waits for events until then at most, and serves them. */
void turn(int64_t until);

#endif
