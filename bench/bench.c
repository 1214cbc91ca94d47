/*
 * bench.c - protocol, clock and checks of weft's own benchmark programs
 *
 * Purpose     See bench.h.
 * Threads     See bench.h.
 * Invariants  See bench.h.
 * Ordering    countdown_down is acquire and release: the thread that comes last has seen what
 *             the others did before, and the oneshot hands it on to the waiting one.
 * Failure     See bench.h.
 */
#include "bench.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int64_t repetition_ns = WEFT_MS(100);

static const char usage[] =
    "usage: %1$s bench     [--workers N | --current] answers requests from standard input\n"
    "       %1$s check     [--workers N | --current] [--scale X] does each benchmark once\n"
    "       %1$s version\n";

struct options {
    weft_config config;
    double      scale;
};

/* ---- checks ---- */

int64_t bench_must_(int64_t result, const char *what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "%s: %s\n", what, strerror((int)-result));
    exit(1);
}

void expect(const char *what, int64_t is, int64_t must_be)
{
    if (is == must_be)
        return;
    fprintf(stderr, "%s is %lld, expected %lld\n", what, (long long)is, (long long)must_be);
    exit(1);
}

/* ---- the count-down ---- */

void countdown_begin(struct countdown *c, int64_t n)
{
    c->n = n;
    must(weft_oneshot_open(0, &c->sender, &c->receiver));
    atomic_store(&c->left, n);
}

void countdown_down(struct countdown *c)
{
    weft_oneshot_sender *sender = c->sender; /* once all have, `c` may be gone */

    if (atomic_fetch_sub_explicit(&c->left, 1, memory_order_acq_rel) == 1)
        must(weft_oneshot_send(sender, NULL));
}

weft_future *countdown_wait(struct countdown *c)
{
    return weft_oneshot_receive(&c->wait, c->receiver, NULL);
}

int64_t countdown_end(struct countdown *c)
{
    int64_t left = atomic_load(&c->left);

    expect("the count-down", left, 0);
    weft_oneshot_receiver_close(c->receiver);
    return c->n - left;
}

int64_t countdown_block(struct countdown *c, weft_runtime *rt)
{
    must(weft_block_on(rt, countdown_wait(c)));
    return countdown_end(c);
}

WEFT_ASYNC_EXTERN(count_down)
{
    WEFT_BEGIN();
    countdown_down(self->in.countdown);
    WEFT_END(0);
}

/* ---- one repetition ---- */

static int64_t cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return WEFT_S(t.tv_sec) + t.tv_nsec;
}

int64_t bench_rss_kb(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    long  pages;

    if (!statm || fscanf(statm, "%*s %ld", &pages) != 1) {
        fputs("/proc/self/statm does not tell the resident memory\n", stderr);
        exit(1);
    }
    fclose(statm);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

void bench_start(struct bench_run *run)
{
    run->begin_cpu = cpu_now();
    run->begin = weft_now();
    run->until = run->begin + (int64_t)((double)repetition_ns * run->scale);
}

bool bench_more(const struct bench_run *run)
{
    return weft_now() < run->until;
}

int64_t bench_scaled(const struct bench_run *run, int64_t n)
{
    double scaled = (double)n * run->scale;

    return scaled < 1 ? 1 : (int64_t)scaled;
}

static struct bench_run measure(struct bench *bench, weft_runtime *rt, double scale)
{
    struct bench_run run = {.rt = rt, .scale = scale};

    bench_start(&run);
    bench->run(&run, bench->argument);
    if (run.ns == 0)
        run.ns = weft_now() - run.begin;
    run.cpu_ns = cpu_now() - run.begin_cpu;
    return run;
}

static void print(const struct bench_run *run)
{
    printf("{\"ops\": %lld, \"ns\": %lld, \"cpu_ns\": %lld", (long long)run->ops,
           (long long)run->ns, (long long)run->cpu_ns);
    if (run->rss_kb > 0)
        printf(", \"rss_kb\": %lld, \"rss_after_kb\": %lld", (long long)run->rss_kb,
               (long long)run->rss_after_kb);
    if (run->has_late)
        printf(", \"late_ns_mean\": %lld, \"early\": %lld", (long long)run->late_ns_mean,
               (long long)run->early);
    puts("}");
    fflush(stdout);
}

/* ---- the program ---- */

/* Answers one request: a line with a benchmark's name and the number of repetitions. */
static void answer(char *request, weft_runtime *rt, struct bench *benches, size_t n_benches)
{
    char            *saved, *name = strtok_r(request, " \n", &saved);
    const char      *count = strtok_r(NULL, " \n", &saved);
    int              repetitions = count ? atoi(count) : 0;
    struct bench_run run;

    for (size_t k = 0; name && k < n_benches; k++) {
        if (strcmp(benches[k].name, name) != 0)
            continue;
        if (!benches[k].warm)
            measure(&benches[k], rt, 1);
        benches[k].warm = true;
        for (int r = 0; r < repetitions; r++) {
            run = measure(&benches[k], rt, 1);
            print(&run);
        }
        return;
    }
    puts("{\"error\": \"unknown\"}");
    fflush(stdout);
}

static void serve(weft_runtime *rt, struct bench *benches, size_t n_benches)
{
    char  *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0)
        answer(line, rt, benches, n_benches);
    free(line);
}

static void check(weft_runtime *rt, double scale, struct bench *benches, size_t n_benches)
{
    struct bench_run run;

    for (size_t k = 0; k < n_benches; k++) {
        printf("%-28s ", benches[k].name);
        fflush(stdout);
        run = measure(&benches[k], rt, scale);
        print(&run);
    }
    printf("%zu passed, 0 failed\n", n_benches); /* one that fails ends the process */
}

/* False: not understood. */
static bool parse(struct options *options, int argc, char **argv)
{
    static const struct option known[] = {{"workers", required_argument, NULL, 'w'},
                                          {"scale", required_argument, NULL, 's'},
                                          {"current", no_argument, NULL, 'c'},
                                          {0}};

    int option;

    *options = (struct options){.config.workers = 2, .scale = 1};
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'w')
            options->config.workers = atoi(optarg);
        else if (option == 's')
            options->scale = atof(optarg);
        else if (option == 'c')
            options->config.current_thread = 1;
        else
            return false;
    }
    if (options->config.workers < 1 || !(options->scale > 0 && options->scale <= 1)) {
        fputs("expected: at least one worker; a scale above 0, at most 1\n", stderr);
        return false;
    }
    return optind == argc - 1;
}

/* A current-thread runtime polls its tasks only while a thread is in weft_block_on. */
static size_t without_foreign(struct bench *benches, size_t n_benches)
{
    size_t n = 0;

    for (size_t k = 0; k < n_benches; k++)
        if (!benches[k].foreign)
            benches[n++] = benches[k];
    return n;
}

int bench_main(int argc, char **argv, struct bench *benches, size_t n_benches)
{
    struct options options;
    weft_runtime  *rt;
    const char    *command;

    if (!parse(&options, argc, argv)) {
        fprintf(stderr, usage, argv[0]);
        return 2;
    }
    command = argv[optind];
    if (strcmp(command, "version") == 0) {
        printf("%d.%d.%d\n", WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
        return 0;
    }
    if (strcmp(command, "bench") != 0 && strcmp(command, "check") != 0) {
        fprintf(stderr, usage, argv[0]);
        return 2;
    }
    if (options.config.current_thread)
        n_benches = without_foreign(benches, n_benches);
    must(weft_runtime_start(&options.config, &rt));
    if (strcmp(command, "bench") == 0)
        serve(rt, benches, n_benches);
    else
        check(rt, options.scale, benches, n_benches);
    must(weft_runtime_stop(rt, WEFT_S(10)));
    return 0;
}
