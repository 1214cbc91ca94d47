/* config.c - see config.h */
#include "config.h"

#include "idle.h"
#include "quota.h"
#include "rt.h"
#include "stderr.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define FIELD(f) #f, offsetof(weft_config, f)

/* -- fallbacks that fallback() computes -- */
#define BY_CPUS  (-1)
#define BY_SHARE (-2)

static const char *const backends[] = {"auto", "uring", "epoll"};

const wf_knob wf_knobs[] = {
    {"WEFT_WORKERS", FIELD(workers), 1, WF_WORKERS_MAX, BY_CPUS,
     "worker threads; default: CPUs of the affinity mask, at most the cgroup's quota", NULL},
    {"WEFT_SPARE_WORKERS", FIELD(spare_workers), 1, WF_SLOTS_MAX - WF_WORKERS_MAX, 1,
     "threads that stand in when all workers are stuck in a poll", NULL},
    {"WEFT_CURRENT_THREAD", FIELD(current_thread), 0, 1, 0,
     "1: no worker threads, tasks run on the thread that calls weft_block_on", NULL},
    {"WEFT_CPU_AFFINITY", FIELD(cpu_affinity), 0, 1, 0,
     "1: each worker stays on one CPU of the affinity mask", NULL},
    {"WEFT_WATCHDOG_MS", FIELD(watchdog_ms), 1, 3600000, 1000,
     "how long a poll may take before it is reported, in ms", NULL},
    {"WEFT_BLOCKING_THREADS", FIELD(blocking_threads), 1, 10000, 512,
     "most threads of the blocking pool", NULL},
    {"WEFT_BLOCKING_KEEP_MS", FIELD(blocking_keep_ms), 1, 3600000, 10000,
     "how long an idle thread of the blocking pool or for files stays, in ms", NULL},
    {"WEFT_DNS_THREADS", FIELD(dns_threads), 1, 10000, 8,
     "most threads that resolve names; they have a pool of their own", NULL},
    {"WEFT_BUDGET", FIELD(budget), 1, 1000000, WEFT_BUDGET_DEFAULT,
     "operations a task may do in one poll before it must yield", NULL},
    {"WEFT_INJECT_INTERVAL", FIELD(inject_interval), 2, 1000000, 61,
     "polls after which a worker takes a task from the injection queue first", NULL},
    {"WEFT_WAKE_US", FIELD(wake_us), 1, 1000000, BY_SHARE,
     "queued polling time, in us, at which the reactor wakes another worker; default: 2000 divided "
     "by the number of workers, from 100 to 1000",
     NULL},
    {"WEFT_PATIENT_REACTOR", FIELD(patient_reactor), 0, 1, 1,
     "1: the reactor runs as SCHED_BATCH and does not preempt the thread on its CPU", NULL},
    {"WEFT_LEADER_AFTER", FIELD(leader_after), 0, 1000000, 32,
     "single events in a row after which an idle worker waits for sockets itself; 0: never", NULL},
    {"WEFT_BACKEND", FIELD(backend), WEFT_BACKEND_AUTO, WEFT_BACKEND_EPOLL, WEFT_BACKEND_AUTO,
     "what the reactor waits with; auto: io_uring, or epoll where that is denied", backends},
    {"WEFT_FILE_THREADS", FIELD(file_threads), 1, 1000, 16,
     "most threads that read and write files where there is no io_uring", NULL},
    {"WEFT_FIBER_STACK", FIELD(fiber_stack), 16, 65536, 256,
     "size of a fiber's stack, in KiB; only what is used of it takes memory", NULL},
    {"WEFT_RING_ENTRIES", FIELD(ring_entries), 8, 32768, 1024,
     "submission entries of the reactor's ring; eight times as many completions, at most 65536",
     NULL},
    {"WEFT_STOP_MS", FIELD(stop_ms), 1, 3600000, 5000, "how long weft_main's stop may take, in ms",
     NULL},
    {"WEFT_RING_MASK", FIELD(ring_mask), 0, 31, 0,
     "debugging: the sum of features not to use: 1 DEFER_TASKRUN, 2 SINGLE_ISSUER, "
     "4 COOP_TASKRUN, 8 FTRUNCATE, 16 SEND_ZC",
     NULL},
    {"WEFT_DISPLAY_ENV", NULL, SIZE_MAX, 0, 1, 0,
     "1: log every knob with its value and where that came from", NULL},
};
const size_t wf_n_knobs = sizeof wf_knobs / sizeof *wf_knobs;

extern char **environ;

/* ---- defaults that depend on the machine ---- */

static int64_t affinity_cpus(void)
{
    cpu_set_t mask;

    if (sched_getaffinity(0, sizeof mask, &mask) == 0)
        return CPU_COUNT(&mask);
    return sysconf(_SC_NPROCESSORS_ONLN); /* more CPUs than the mask has room for */
}

int64_t wf_config_cpus(void)
{
    int64_t n = affinity_cpus(), quota = wf_quota_cpus("");

    n = n < quota ? n : quota;
    n = n < WF_WORKERS_MAX ? n : WF_WORKERS_MAX;
    return n > 0 ? n : 1;
}

/* ---- reading ---- */

static bool is_setuid(void)
{
    return getauxval(AT_SECURE) != 0;
}

static int64_t n_names(const wf_knob *knob)
{
    return knob->names ? knob->most - knob->least + 1 : 0;
}

/* Writes "auto, uring or epoll". */
static void list_names(const wf_knob *knob, char *text, size_t size)
{
    size_t used = 0;

    *text = '\0';
    for (int64_t i = 0; i < n_names(knob) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i == 0                  ? ""
                                 : i + 1 < n_names(knob) ? ", "
                                                         : " or ",
                                 knob->names[i]);
}

/* The name is that of the knob, or of the field of weft_config. */
static int refuse(const weft_config *config, const wf_knob *knob, const char *name,
                  const char *value)
{
    char names[64];

    list_names(knob, names, sizeof names);
    if (*names && name == knob->name)
        wf_log(config, WEFT_LOG_ERROR, "start: %s=%s is not %s (%s)", name, value, names,
               knob->help);
    else
        wf_log(config, WEFT_LOG_ERROR, "start: %s=%s is not a whole number from %lld to %lld (%s)",
               name, value, (long long)knob->least, (long long)knob->most, knob->help);
    return -EINVAL;
}

/* Rejects the white space and the plus that strtoll accepts. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int read_name(const weft_config *config, const wf_knob *knob, const char *text, int64_t *ret)
{
    for (int64_t i = 0; i < n_names(knob); i++)
        if (strcmp(text, knob->names[i]) == 0) {
            *ret = knob->least + i;
            return 1;
        }
    return refuse(config, knob, knob->name, text);
}

static int read_environment(const weft_config *config, const wf_knob *knob, int64_t *ret)
{
    const char *text = is_setuid() ? NULL : getenv(knob->name);
    char       *end;
    long long   value;

    if (!text || !*text)
        return 0;
    if (knob->names)
        return read_name(config, knob, text, ret);
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || *end || !is_digit(text[*text == '-']) || value < knob->least || value > knob->most)
        return refuse(config, knob, knob->name, text);
    *ret = value;
    return 1;
}

static void display(const weft_config *config, const wf_knob *knob, int64_t value,
                    const char *origin)
{
    if (knob->names)
        wf_log(config, WEFT_LOG_INFO, "%s=%s (%s)", knob->name, knob->names[value - knob->least],
               origin);
    else
        wf_log(config, WEFT_LOG_INFO, "%s=%lld (%s)", knob->name, (long long)value, origin);
}

/* With few CPUs another worker would compete with other threads, such as clients on the same
 * machine. So the reactor then wakes it later. */
static int64_t wake_us(int64_t workers)
{
    int64_t us = 2000 / workers;

    if (us > 1000)
        return 1000;
    return us > 100 ? us : 100;
}

/* The value of a knob that neither code nor environment sets. BY_SHARE needs `workers`, which has
 * its value already: its row comes earlier in the table. */
static int64_t fallback(const weft_config *config, const wf_knob *knob)
{
    switch (knob->fallback) {
    case BY_CPUS:
        return wf_config_cpus();
    case BY_SHARE:
        return wake_us(config->workers);
    default:
        return knob->fallback;
    }
}

/* Sets the field of one knob. 0, or -EINVAL. */
static int complete(weft_config *config, const wf_knob *knob, bool show)
{
    int64_t    *field = knob->at == SIZE_MAX ? NULL : (int64_t *)((char *)config + knob->at);
    int64_t     value = field ? *field : 0;
    const char *origin = "code";
    char        text[32];
    int         r;

    if (value == WEFT_OFF && knob->least == 0) {
        value = 0;
    } else if (value != 0) {
        snprintf(text, sizeof text, "%lld", (long long)value);
        if (value < knob->least || value > knob->most)
            return refuse(config, knob, knob->field, text);
    } else if ((r = read_environment(config, knob, &value)) < 0) {
        return r;
    } else if (r > 0) {
        origin = "environment";
    } else {
        value = fallback(config, knob);
        origin = "default";
    }
    if (field)
        *field = value;
    if (show)
        display(config, knob, value, origin);
    return 0;
}

/* ---- unknown names ---- */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The number of letters to change, add or remove to turn one name into the other (Levenshtein). */
static size_t distance(const char *a, size_t n, const char *b)
{
    size_t row[64], m = strlen(b);

    if (n >= 64 || m >= 64)
        return 64;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t above = row[j];

            row[j] = least(least(above, row[j - 1]) + 1, corner + (a[i - 1] != b[j - 1]));
            corner = above;
        }
    }
    return row[m];
}

static void warn_unknown(const weft_config *config, const char *name, size_t length)
{
    const wf_knob *nearest = &wf_knobs[0];
    size_t         best = SIZE_MAX;

    for (size_t i = 0; i < wf_n_knobs; i++) {
        size_t d = distance(name, length, wf_knobs[i].name);

        if (d == 0)
            return;
        if (d < best) {
            best = d;
            nearest = &wf_knobs[i];
        }
    }
    wf_log(config, WEFT_LOG_WARNING, "start: unknown variable %.*s; did you mean %s?", (int)length,
           name, nearest->name);
}

static void check_names(const weft_config *config)
{
    for (char **e = environ; e && *e && !is_setuid(); e++)
        if (strncmp(*e, "WEFT_", 5) == 0)
            warn_unknown(config, *e, strcspn(*e, "="));
}

/* ---- completing a configuration ---- */

/* Memory of one allocator would go to another one. 0, or -EINVAL. */
static int complete_allocator(weft_config *config)
{
    weft_allocator *a = &config->allocator;

    if (!a->allocate != !a->release) {
        wf_log(config, WEFT_LOG_ERROR,
               "start: the allocator lacks its function %s; set both functions, or none",
               a->allocate ? "release" : "allocate");
        return -EINVAL;
    }
    if (!a->allocate)
        *a = wf_alloc_default;
    return 0;
}

int wf_config_complete(weft_config *ret, const weft_config *given)
{
    weft_config    config = given ? *given : (weft_config){0};
    const wf_knob *show = &wf_knobs[wf_n_knobs - 1];
    int64_t        shown = 0;
    int            r;

    if (!config.log)
        config.log = wf_stderr_log;
    check_names(&config);
    if ((r = complete_allocator(&config)) < 0 || (r = read_environment(&config, show, &shown)) < 0)
        return r;
    for (size_t i = 0; i < wf_n_knobs; i++)
        if ((r = complete(&config, &wf_knobs[i], shown)) < 0)
            return r;
    if (config.current_thread) {
        config.workers = 1;
        config.spare_workers = 0;
    }
    *ret = config;
    return 0;
}
