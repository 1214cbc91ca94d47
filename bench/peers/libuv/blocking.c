/* blocking.c - uv_queue_work for the benchmarks blocking/...; bench/README.md has the protocol */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

enum { AT_ONCE = 10000, REPETITION_NS = 100000000 };

static uv_work_t        works[AT_ONCE];
static _Atomic uint64_t done;
static uint64_t         expected, left;
static int64_t          until;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void job(uv_work_t *work)
{
    (void)work;
    atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
}

static void queue(uv_work_t *work, uv_after_work_cb after)
{
    expected++;
    if (uv_queue_work(uv_default_loop(), work, job, after) < 0) {
        fputs("uv_queue_work failed\n", stderr);
        exit(1);
    }
}

/* One after the other. */
static void next(uv_work_t *work, int status)
{
    (void)status;
    if (clock_ns(CLOCK_MONOTONIC) < until)
        queue(work, next);
}

static void round_trip(void)
{
    queue(&works[0], next);
}

/* All of them, and all again. */
static void at_once(void);

static void ended(uv_work_t *work, int status)
{
    (void)work, (void)status;
    if (--left == 0 && clock_ns(CLOCK_MONOTONIC) < until)
        at_once();
}

static void at_once(void)
{
    left = AT_ONCE;
    for (int i = 0; i < AT_ONCE; i++)
        queue(&works[i], ended);
}

static void measure(void (*begin_round)(void), int print)
{
    int64_t begin = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

    expected = done = 0;
    until = begin + REPETITION_NS;
    begin_round();
    uv_run(uv_default_loop(), UV_RUN_DEFAULT); /* until nothing is left to do */
    if (done != expected) {
        fprintf(stderr, "%" PRIu64 " jobs ran, expected %" PRIu64 "\n", done, expected);
        exit(1);
    }
    if (!print)
        return;
    printf("{\"ops\": %" PRIu64 ", \"ns\": %" PRId64 ", \"cpu_ns\": %" PRId64 "}\n", done,
           clock_ns(CLOCK_MONOTONIC) - begin, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    fflush(stdout);
}

int bench_main(void)
{
    static struct {
        const char *name;
        void (*begin_round)(void);
        int warm;
    } benches[] = {{"blocking/round_trip", round_trip, 0}, {"blocking/at_once", at_once, 0}};

    char line[256], name[256];
    int  repetitions;

    while (fgets(line, sizeof line, stdin)) {
        int k = 0;

        if (sscanf(line, "%255s %d", name, &repetitions) != 2)
            repetitions = 0;
        while (k < 2 && strcmp(benches[k].name, name) != 0)
            k++;
        if (k == 2) {
            puts("{\"error\": \"unknown\"}");
            fflush(stdout);
            continue;
        }
        if (!benches[k].warm)
            measure(benches[k].begin_round, 0);
        benches[k].warm = 1;
        while (repetitions-- > 0)
            measure(benches[k].begin_round, 1);
    }
    return 0;
}
