/* load.c - options, phases and report of the load generator; see load.h */
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options opt = {
    .connections = 1, .depth = 1, .size = 64, .warmup = 0.2, .seconds = 1, .path = "/plaintext"};

/* ---- the run ---- */

static bool all_answered(void)
{
    uint64_t asked = 0;

    for (int i = 0; i < opt.connections; i++)
        asked += connections[i].asked;
    return n_answered == asked || opt.kind == LOAD_STREAM;
}

/* A turn takes 100 ms at most: what is more is time that this process was stopped, and no
 * silence. */
static void check_progress(int64_t now)
{
    static uint64_t n_seen;
    static int64_t  last, silence;

    silence += now - last < TURN_NS ? now - last : TURN_NS;
    last = now;
    if (n_answered != n_seen)
        silence = 0;
    n_seen = n_answered;
    if (silence > SILENCE_S * INT64_C(1000000000))
        fail("no answer for %d s (%llu have come)", SILENCE_S, (unsigned long long)n_answered);
}

/* Turns until that much time has passed, or everything has been answered. */
static void run_phase(enum phase which, double seconds)
{
    int64_t now = now_ns(), until = now + (int64_t)(seconds * 1e9);

    phase = which;
    while (phase == DRAINING ? !all_answered() : now < until) {
        int64_t next = keep_pace(now);

        turn(phase != DRAINING && until < next ? until : next);
        now = now_ns();
        check_progress(now);
    }
}

static void count_answers(void)
{
    run_phase(WARMING, opt.warmup);
    window_begin();
    run_phase(COUNTING, opt.seconds);
    window_end();
}

/* While one connection has the server sleep; requests without an answer at the end count, too. */
static void count_beside_sleep(void)
{
    int64_t now = now_ns();

    window_begin();
    ask_for_sleep(now);
    run_phase(COUNTING, opt.seconds);
    record_waiting(now_ns());
    window_end();
    if (window.burns)
        fail("the server did not sleep");
}

static void run(void)
{
    struct window alone = {0};
    double        rss_kb = 0, free_p99 = 0, free_max = 0;

    make_patterns();
    connect_all();
    if (opt.idle) {
        count_answers();
        alone = window;
        rss_kb = server_rss_kb();
        connect_idle();
        rss_kb = server_rss_kb() - rss_kb;
    }
    count_answers();
    if (opt.sleeper) {
        free_p99 = quantile(0.99);
        free_max = quantile(1);
        count_beside_sleep();
    }
    run_phase(DRAINING, 0);
    check_idle();

    printf("{\"answers\": %llu, \"skipped\": %llu, \"bytes\": %zu, \"seconds\": %.6f, ",
           (unsigned long long)window.answers, (unsigned long long)window.skipped, answer_size(),
           window.seconds);
    printf("\"rate\": %.1f, \"server_cpu\": %.4f, \"load_cpu\": %.4f, \"switches\": %.4f, ",
           (double)window.answers / window.seconds, window.server_cpu, window.load_cpu,
           window.switches);
    if (opt.burners)
        printf("\"burn_rate\": %.1f, ", (double)window.burns / window.seconds);
    if (opt.sleeper)
        printf("\"free_p99\": %.1f, \"free_max\": %.1f, ", free_p99, free_max);
    if (opt.idle)
        printf("\"alone_cpu\": %.4f, \"idle_kb\": %.3f, ", alone.server_cpu, rss_kb / opt.idle);
    printf("\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f}\n",
           quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999), quantile(1));
}

/* ---- options ---- */

/* What optarg says, a whole number. */
static int64_t whole(const char *name, int64_t min, int64_t max)
{
    char     *end;
    long long value;

    errno = 0;
    value = strtoll(optarg, &end, 10);
    if (*optarg < '0' || *optarg > '9' || *end || errno || value < min || value > max)
        fail("--%s is '%s': expected a whole number from %lld to %lld", name, optarg,
             (long long)min, (long long)max);
    return value;
}

/* What optarg says, which may be a fraction. */
static double number(const char *name, double min, double max)
{
    char  *end;
    double value = strtod(optarg, &end);

    if (end == optarg || *end || !(value >= min && value <= max))
        fail("--%s is '%s': expected a number from %g to %g", name, optarg, min, max);
    return value;
}

static const char usage[] =
    "usage: load echo|churn|stream|http --port PORT [options]\n"
    "  echo: messages come back; churn: each on a connection of its own; stream: the server\n"
    "  sends without end; http: GET\n"
    "  --connections N   (1)\n"
    "  --size BYTES      of a message (64), of the body expected of HTTP, or that count as one\n"
    "                    answer of a stream\n"
    "  --path PATH       HTTP: what to ask for (/plaintext)\n"
    "  --depth N         requests sent at once on each connection (1)\n"
    "  --rate N          requests/s in all, in bursts of one per connection (closed loop)\n"
    "  --even            these one by one instead of in bursts\n"
    "  --burners N       echo: the first N connections send messages of 'B' every 10 ms instead;\n"
    "                    latency and rate are the others'\n"
    "  --sleeper         echo: count twice, the second time while the first connection's one "
    "message, of\n"
    "                    'S', makes the server sleep 2 s; latency and rate are the others'\n"
    "  --idle N          echo: count twice, the second time beside N connections that are silent\n"
    "  --warmup S        not counted (0.2)\n"
    "  --seconds S       counted (1)\n"
    "  --server-pid PID  whose CPU time to report\n"
    "Prints one line of JSON: rates per second, times in µs, CPU in µs per answer.\n";

/* Where a LOAD_... stands in `kinds`; -1: nowhere. */
static int parse_kind(const char *text)
{
    static const char *const kinds[] = {"echo", "churn", "stream", "http"};

    for (int i = 0; i < 4; i++)
        if (strcmp(text, kinds[i]) == 0)
            return i;
    return -1;
}

static const struct option options[] = {
    {"port", required_argument, NULL, 'p'},
    {"connections", required_argument, NULL, 'c'},
    {"size", required_argument, NULL, 's'},
    {"path", required_argument, NULL, 'u'},
    {"depth", required_argument, NULL, 'd'},
    {"rate", required_argument, NULL, 'r'},
    {"even", no_argument, NULL, 'e'},
    {"burners", required_argument, NULL, 'b'},
    {"sleeper", no_argument, NULL, 'S'},
    {"idle", required_argument, NULL, 'i'},
    {"warmup", required_argument, NULL, 'w'},
    {"seconds", required_argument, NULL, 't'},
    {"server-pid", required_argument, NULL, 'P'},
    {NULL, 0, NULL, 0},
};

/* Returns false for an option that is not one of them. */
static bool read_option(int letter, const char *name)
{
    if (letter == 'p')
        opt.port = (int)whole(name, 1, 65535);
    else if (letter == 'c')
        opt.connections = (int)whole(name, 1, MAX_CONNECTIONS);
    else if (letter == 's')
        opt.size = (size_t)whole(name, 1, MAX_SIZE);
    else if (letter == 'u')
        opt.path = optarg;
    else if (letter == 'd')
        opt.depth = (int)whole(name, 1, MAX_AHEAD);
    else if (letter == 'r')
        opt.rate = number(name, 1, 1e8);
    else if (letter == 'e')
        opt.even = true;
    else if (letter == 'b')
        opt.burners = (int)whole(name, 1, MAX_CONNECTIONS);
    else if (letter == 'S')
        opt.sleeper = true;
    else if (letter == 'i')
        opt.idle = (int)whole(name, 1, MAX_CONNECTIONS);
    else if (letter == 'w')
        opt.warmup = number(name, 0, MAX_SECONDS);
    else if (letter == 't')
        opt.seconds = number(name, 0.01, MAX_SECONDS);
    else if (letter == 'P')
        opt.server = (pid_t)whole(name, 1, 1 << 30);
    else
        return false;
    return true;
}

/* Fails if options do not go together. */
static void check_options(void)
{
    if (opt.rate > 0 && opt.kind != LOAD_ECHO && opt.kind != LOAD_HTTP)
        fail("--rate is for echo and http");
    if (opt.burners && (opt.rate > 0 || opt.depth > 1 || opt.burners >= opt.connections))
        fail("--burners goes with a closed loop, without --depth, and more --connections");
    if (opt.sleeper && (opt.burners || opt.idle || opt.rate > 0 || opt.depth > 1 ||
                        opt.connections < 2 || opt.seconds > 1.5))
        fail(
            "--sleeper goes with a closed loop of several --connections, 1.5 s at most, and none "
            "of --depth, --burners and --idle");
    if ((opt.burners || opt.idle || opt.sleeper) && opt.kind != LOAD_ECHO)
        fail("--burners, --sleeper and --idle are for echo");
    if (opt.kind == LOAD_CHURN && opt.depth > 1)
        fail("--depth is not for churn");
}

/* Returns false if the command line is not understood. */
static bool parse(int argc, char **argv)
{
    int letter, kind, row = 0;

    while ((letter = getopt_long(argc, argv, "", options, &row)) != -1)
        if (!read_option(letter, options[row].name))
            return false;
    if (optind + 1 != argc || !opt.port || (kind = parse_kind(argv[optind])) < 0)
        return false;
    opt.kind = (enum kind)kind;
    check_options();
    return true;
}

int main(int argc, char **argv)
{
    if (!parse(argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    run();
    return 0;
}
