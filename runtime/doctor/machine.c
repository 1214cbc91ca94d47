/* machine.c - see machine.h */
#include "machine.h"

#include "config.h"
#include "limit.h"
#include "quota.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#define FEW_DESCRIPTORS 4096
#define LITTLE_LOCKED   ((rlim_t)1 << 20) /* bytes; a ring takes 200 KiB */
#define FEW_THREADS     600               /* the blocking pool may have 512 */
#define LITTLE_MEMORY   (INT64_C(64) << 20)

typedef struct number {
    char text[32];
} number;

static const char *quota_text(int64_t n, int64_t unit, number *room)
{
    snprintf(room->text, sizeof room->text, "%lld", (long long)(n / unit));
    if (n < INT64_MAX)
        return room->text;
    return wf_quota_is_visible("") ? "none" : "unknown";
}

/* The number behind "NAME:" in /proc/self/status, or -1. */
static long long status(const char *name, int base)
{
    FILE     *f = fopen("/proc/self/status", "re");
    char      line[256];
    long long found = -1;
    size_t    n = strlen(name);

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, n) == 0 && line[n] == ':')
            found = (long long)strtoull(line + n + 1, NULL, base);
    if (f)
        fclose(f);
    return found;
}

static void look_at_kernel(wf_report *r)
{
    struct utsname host = {0};
    long long      seccomp = status("Seccomp", 10);
    wf_finding    *f;

    uname(&host);
    f = wf_report_add(r, "kernel", "%s %s %s; seccomp filter: %s", host.sysname, host.release,
                      host.machine,
                      seccomp < 0    ? "unknown"
                      : seccomp == 0 ? "none"
                                     : "yes");
    if (access("/proc/self/status", R_OK) != 0)
        wf_report_worse(r, f, WF_LEVEL_NOTE, "mount /proc",
                        "Without /proc, weft does not see the quotas of containers, and a pipe or "
                        "terminal that it wraps becomes non-blocking for all processes that share "
                        "it.");
}

static void look_at_cpus(wf_report *r)
{
    cpu_set_t   mask;
    int64_t     quota = wf_quota_cpus(""), n = wf_config_cpus();
    int         n_mask = sched_getaffinity(0, sizeof mask, &mask) == 0 ? CPU_COUNT(&mask) : 0;
    long        online = sysconf(_SC_NPROCESSORS_ONLN);
    number      room;
    wf_finding *f =
        wf_report_add(r, "CPUs", "%lld for weft; online %ld, affinity mask %d, quota %s",
                      (long long)n, online, n_mask, quota_text(quota, 1, &room));

    if (!wf_quota_is_visible(""))
        wf_report_worse(r, f, WF_LEVEL_NOTE,
                        "mount /proc and /sys/fs/cgroup, or set WEFT_WORKERS to the quota",
                        "The quota of the container can't be read. weft starts %lld workers by "
                        "default.",
                        (long long)n);
    else if (n < online)
        wf_report_worse(r, f, WF_LEVEL_NOTE,
                        "a larger quota (docker --cpus) or mask (taskset), if more are wanted",
                        "weft starts %lld workers by default.", (long long)n);
}

static void look_at_memory(wf_report *r)
{
    int64_t     limit = wf_quota_memory("");
    number      room;
    wf_finding *f =
        wf_report_add(r, "memory", "%lld MiB; limit of the control group: %s%s",
                      (long long)(sysconf(_SC_PHYS_PAGES) / 1024 * (sysconf(_SC_PAGESIZE) / 1024)),
                      quota_text(limit, 1 << 20, &room), limit == INT64_MAX ? "" : " MiB");

    if (limit < LITTLE_MEMORY)
        wf_report_worse(r, f, WF_LEVEL_NOTE, "a larger limit (docker --memory)",
                        "The kernel may end the process when load comes.");
}

static void look_at_descriptors(wf_report *r)
{
    struct rlimit limit = {0};
    wf_limit_room soft, hard;
    wf_finding   *f;

    getrlimit(RLIMIT_NOFILE, &limit);
    f = wf_report_add(r, "descriptors", "%s; hard limit %s", wf_limit_value(limit.rlim_cur, &soft),
                      wf_limit_value(limit.rlim_max, &hard));
    if (limit.rlim_cur < FEW_DESCRIPTORS)
        wf_report_worse(r, f, WF_LEVEL_NOTE,
                        "ulimit -n, or LimitNOFILE= in a unit of systemd; weft does not raise it",
                        "A server has at most about %s connections at a time.", soft.text);
}

/* Needed by the ring alone, and not by a process with CAP_IPC_LOCK (bit 14). */
static void look_at_locked_memory(wf_report *r)
{
    struct rlimit limit = {0};
    long long     capabilities = status("CapEff", 16);
    bool          exempt = capabilities >= 0 && capabilities >> 14 & 1;
    wf_limit_room room;
    wf_finding   *f;

    getrlimit(RLIMIT_MEMLOCK, &limit);
    f = wf_report_add(r, "locked memory", "%s%s", wf_limit_value(limit.rlim_cur, &room),
                      limit.rlim_cur == RLIM_INFINITY ? ""
                      : exempt                        ? " bytes; this process may exceed them"
                                                      : " bytes");
    if (!exempt && limit.rlim_cur < LITTLE_LOCKED)
        wf_report_worse(r, f, WF_LEVEL_NOTE, "ulimit -l, or LimitMEMLOCK= in a unit of systemd",
                        "Each runtime's ring takes 200 KiB of it. Where it is used up, weft uses "
                        "epoll.");
}

static void look_at_threads(wf_report *r)
{
    struct rlimit limit = {0};
    int64_t       quota = wf_quota_threads("");
    wf_limit_room user;
    number        group;
    wf_finding   *f;

    getrlimit(RLIMIT_NPROC, &limit);
    f = wf_report_add(r, "threads", "limit of the user: %s; of the control group: %s",
                      wf_limit_value(limit.rlim_cur, &user), quota_text(quota, 1, &group));
    if (quota < FEW_THREADS || limit.rlim_cur < FEW_THREADS)
        wf_report_worse(r, f, WF_LEVEL_NOTE,
                        "raise them (ulimit -u, docker --pids-limit), or lower "
                        "WEFT_BLOCKING_THREADS",
                        "The blocking pool may have up to 512 threads. Where a thread can't be "
                        "created, its jobs wait for another one.");
}

/* Whether the threads of the blocking pool have room for their stacks. */
static void look_at_stacks(wf_report *r)
{
    struct rlimit space = {0}, data = {0};
    size_t        size = wf_limit_stack();
    wf_limit_room text[2];
    wf_finding   *f;

    getrlimit(RLIMIT_AS, &space);
    getrlimit(RLIMIT_DATA, &data);
    f = wf_report_add(r, "stacks", "%zu KiB for a thread; address space: %s; data: %s", size >> 10,
                      wf_limit_value(space.rlim_cur, &text[0]),
                      wf_limit_value(data.rlim_cur, &text[1]));
    if (space.rlim_cur / FEW_THREADS < size || data.rlim_cur / FEW_THREADS < size)
        wf_report_worse(r, f, WF_LEVEL_NOTE,
                        "raise RLIMIT_AS (ulimit -v) or RLIMIT_DATA (ulimit -d), or lower "
                        "RLIMIT_STACK (ulimit -s)",
                        "There is no room for the stacks of all threads that the blocking pool may "
                        "have. Where a thread can't be created, its jobs wait for another one.");
}

void wf_machine_look(wf_report *r)
{
    look_at_kernel(r);
    look_at_cpus(r);
    look_at_memory(r);
    look_at_descriptors(r);
    look_at_locked_memory(r);
    look_at_threads(r);
    look_at_stacks(r);
}
