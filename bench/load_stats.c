/* load_stats.c - clock, histogram, and what /proc knows of the server; see load.h */
#include "load.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct window window;

static struct {
    int64_t  server_cpu, load_cpu;
    uint64_t switches;
} before;

void fail(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    exit(1);
}

void *allocate(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (!p)
        fail("out of memory");
    return p;
}

/* ---- clocks ---- */

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    if (clock_gettime(clock, &t) < 0)
        return -1;
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static int64_t server_cpu(void)
{
    clockid_t clock;
    int64_t   ns;

    if (!opt.server)
        return 0;
    if (clock_getcpuclockid(opt.server, &clock) != 0 || (ns = clock_ns(clock)) < 0)
        fail("no process %d", (int)opt.server);
    return ns;
}

/* ---- the server in /proc ---- */

/* The number behind `name` in a file of "name: number" lines, 0 if it isn't there. */
static uint64_t number_in(const char *path, const char *name)
{
    FILE              *file = fopen(path, "re");
    char               line[256];
    unsigned long long value = 0;
    size_t             n = strlen(name);

    if (!file)
        return 0; /* the thread has ended */
    while (fgets(line, sizeof line, file))
        if (strncmp(line, name, n) == 0)
            value = strtoull(line + n, NULL, 10);
    fclose(file);
    return value;
}

/* How often its threads have gone to sleep. */
static uint64_t server_switches(void)
{
    char           path[64 + sizeof((struct dirent *)0)->d_name];
    DIR           *threads;
    struct dirent *thread;
    uint64_t       sum = 0;

    snprintf(path, sizeof path, "/proc/%d/task", (int)opt.server);
    threads = opt.server ? opendir(path) : NULL;
    if (!threads)
        return 0;
    while ((thread = readdir(threads))) {
        if (thread->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/status", (int)opt.server, thread->d_name);
        sum += number_in(path, "voluntary_ctxt_switches:");
    }
    closedir(threads);
    return sum;
}

double server_rss_kb(void)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/status", (int)opt.server);
    return opt.server ? (double)number_in(path, "VmRSS:") : 0;
}

/* ---- histogram: 64 linear steps for each power of two, so a value is at most 1.6 % off ---- */

enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS };

static uint64_t histogram[(64 - STEP_BITS + 1) * STEPS];

void record(int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    int      shift = 0;

    if (v >= 2 * STEPS)
        shift = 63 - __builtin_clzll(v) - STEP_BITS;
    histogram[(size_t)shift * STEPS + (v >> shift)]++;
    window.answers++;
}

double quantile(double part)
{
    uint64_t rank = (uint64_t)(part * (double)window.answers), seen = 0;

    for (size_t i = 0; i < sizeof histogram / sizeof *histogram; i++) {
        seen += histogram[i];
        if (seen > rank || (seen && seen == window.answers)) {
            size_t shift = i < 2 * STEPS ? 0 : i / STEPS - 1;
            return (double)((i - shift * STEPS + 1) << shift) / 1000;
        }
    }
    return 0;
}

/* ---- the window ---- */

void window_begin(void)
{
    memset(histogram, 0, sizeof histogram);
    before.switches = server_switches();
    before.server_cpu = server_cpu();
    before.load_cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    window = (struct window){.begin = now_ns()};
}

void window_end(void)
{
    double   n = (double)window.answers;
    uint64_t switches;

    window.seconds = (double)(now_ns() - window.begin) / 1e9;
    window.load_cpu = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before.load_cpu) / 1000 / n;
    window.server_cpu = (double)(server_cpu() - before.server_cpu) / 1000 / n;
    switches = server_switches();
    if (switches > before.switches) /* threads that end take theirs with them */
        window.switches = (double)(switches - before.switches) / n;
    if (!window.answers)
        fail("no answer within the %g s counted", opt.seconds);
}
