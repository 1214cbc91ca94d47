/*
 * main.c - the program `weft`
 *
 * Purpose     `weft doctor` reports what weft finds on this machine, and what to do about it.
 * Threads     One, besides those of the runtime that it starts and stops.
 * Invariants  The exit status is the report's level; 64 for a command that is not understood, and
 *             74 if the report can't be written.
 * Ordering    None.
 * Failure     A runtime that does not start is a finding.
 */
#include "config.h"
#include "machine.h"
#include "reactor.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/runtime.h>

#define USAGE_STATUS  64
#define OUTPUT_STATUS 74

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#define VERSION  TEXT(WEFT_VERSION_MAJOR) "." TEXT(WEFT_VERSION_MINOR) "." TEXT(WEFT_VERSION_PATCH)

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifdef __x86_64__
#define MACHINE "x86-64"
#elif defined __aarch64__
#define MACHINE "aarch64"
#else
#define MACHINE "another machine"
#endif

static const char usage[] =
    "usage: weft doctor [--json]\n"
    "       weft --version\n"
    "\n"
    "doctor starts a runtime as a program would here, and reports the kernel, the backend, limits\n"
    "and knobs; for each that limits weft, what follows and the remedy. It changes nothing.\n"
    "Exit status: 0 nothing limits weft, 1 something does, 2 weft does not start, 74 the report\n"
    "can't be written.\n";

/* What the runtime logs at its start, one line after the other. */
typedef struct heard {
    char   text[512];
    size_t used;
} heard;

static void hear(void *arg, weft_log_level level, const char *line)
{
    heard      *h = arg;
    const char *said = strncmp(line, "start: ", 7) == 0 ? line + 7 : line;
    size_t      room = sizeof h->text - h->used;
    int         n;

    if (level > WEFT_LOG_WARNING)
        return;
    n = snprintf(h->text + h->used, room, "%s%s", h->used ? "; " : "", said);
    h->used += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

static void add_features(const wf_ring *ring, char *text, size_t size)
{
    static const struct {
        uint32_t    bit;
        const char *name;
    } all[] = {{WF_RING_DEFER_TASKRUN, "DEFER_TASKRUN"},
               {WF_RING_SINGLE_ISSUER, "SINGLE_ISSUER"},
               {WF_RING_COOP_TASKRUN, "COOP_TASKRUN"},
               {WF_RING_FTRUNCATE, "FTRUNCATE"},
               {WF_RING_SEND_ZC, "SEND_ZC"}};
    size_t used = 0;

    *text = '\0';
    for (size_t i = 0; i < sizeof all / sizeof *all && used < size; i++)
        if (ring->features & all[i].bit)
            used +=
                (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", all[i].name);
}

static void look_at_backend(wf_report *r, weft_runtime *rt, const heard *h)
{
    char        features[128];
    wf_finding *f;

    if (weft_runtime_backend(rt) == WEFT_BACKEND_URING) {
        /* Constant since the start. */
        add_features(&rt->reactor->ring, features, sizeof features);
        f = wf_report_add(r, "backend", "io_uring, with %s", *features ? features : "no features");
    } else {
        f = wf_report_add(r, "backend", "epoll%s",
                          rt->config.backend == WEFT_BACKEND_EPOLL ? ", as the knob asks" : "");
    }
    if (h->used > 0)
        wf_report_worse(r, f, WF_LEVEL_NOTE, NULL, "%s", h->text);
}

/* Starts a runtime as a program would, with the environment's knobs. */
static void look_at_start(wf_report *r, weft_config *ret_config)
{
    heard         h = {.used = 0};
    weft_runtime *rt;
    int           result = weft_runtime_start(&(weft_config){.log = hear, .log_arg = &h}, &rt);

    if (result < 0) {
        wf_report_worse(r, wf_report_add(r, "start", "weft_runtime_start: %s", strerror(-result)),
                        WF_LEVEL_PROBLEM, NULL, "%s", h.text);
        return;
    }
    look_at_backend(r, rt, &h);
    *ret_config = rt->config;
    r->config = ret_config;
    if (weft_runtime_stop(rt, WEFT_FOREVER) < 0)
        abort(); /* there is no task to wait for */
}

static int doctor(bool json)
{
    static wf_report   report;
    static weft_config config;

    wf_report_add(&report, "weft", "%s, built by %s for %s", VERSION, COMPILER, MACHINE);
    wf_machine_look(&report);
    look_at_start(&report, &config);
    wf_report_print(&report, json);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return (int)report.level;
    fprintf(stderr, "weft: can't write the report: %s\n", strerror(errno));
    return OUTPUT_STATUS;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("weft %s\n", VERSION);
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc >= 2 && argc <= 3 && strcmp(argv[1], "doctor") == 0 &&
        (argc == 2 || strcmp(argv[2], "--json") == 0))
        return doctor(argc == 3);
    if (argc > 1)
        fprintf(stderr, "weft: '%s' is not understood\n", argv[argc - 1]);
    fputs(usage, stderr);
    return USAGE_STATUS;
}
