/*
 * test_patience.c - how the kernel schedules weft's threads: the reactor's policy, the workers'
 * CPUs
 */
#include "../helpers.h"

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>

/* The thread of that name, or 0. */
static pid_t thread_named(const char *name)
{
    DIR           *dir = opendir("/proc/self/task");
    struct dirent *entry;
    pid_t          found = 0;

    while ((entry = readdir(dir))) {
        char  path[300], text[32] = "";
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        if (!(f = fopen(path, "re")))
            continue;
        if (fgets(text, sizeof text, f) && strncmp(text, name, strlen(name)) == 0)
            found = (pid_t)atoi(entry->d_name);
        fclose(f);
    }
    closedir(dir);
    return found;
}

/* The reactor's policy once it has been round. musl's functions for policies only fail. */
static int reactor_policy(weft_runtime *rt)
{
    struct weft_sleep nap;
    pid_t             reactor = thread_named("weft-reactor");

    check_cmp(reactor, >, 0);
    check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_MS(1))), 0);
    return (int)syscall(SYS_sched_getscheduler, reactor);
}

Test(patience, the_reactor_interrupts_nobody)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1});

    EVENTUALLY(reactor_policy(rt) == SCHED_BATCH);
    stop(rt);
}

Test(patience, unless_told_to)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .patient_reactor = WEFT_OFF});

    check_eq(reactor_policy(rt), SCHED_OTHER);
    stop(rt);
}

Test(patience, the_hosts_policy_stays)
{
    weft_runtime *rt;

    check_eq(syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &(struct sched_param){0}), 0);
    rt = start_with(&(weft_config){.workers = 1});
    check_eq(reactor_policy(rt), SCHED_IDLE);
    stop(rt);
}

/* One long poll after another: after such a poll the reactor would have to wait for the next. */
struct hog {
    WEFT_FRAME;
    struct {
        int64_t duration;
    } in;
};
WEFT_ASYNC(hog)
{
    int64_t until = weft_now() + self->in.duration;

    WEFT_BEGIN();
    while (!WEFT_CANCELLED()) {
        while (weft_now() < until)
            ;
        WEFT_YIELD();
    }
    WEFT_END(0);
}

Test(patience, ends_while_polls_are_long)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1});
    weft_handle   handle;

    EVENTUALLY(reactor_policy(rt) == SCHED_BATCH);
    check_eq(weft_spawn_on(rt, &handle, hog, .duration = WEFT_MS(20)), 0);
    EVENTUALLY(reactor_policy(rt) == SCHED_OTHER);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 0);
    EVENTUALLY(reactor_policy(rt) == SCHED_BATCH);
    stop(rt);
}

static int n_cpus_of(const char *thread)
{
    cpu_set_t set;

    check_eq(sched_getaffinity(thread_named(thread), sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

Test(patience, workers_are_pinned_if_they_are_asked_to_be)
{
    cpu_set_t     set;
    weft_runtime *rt;

    check_eq(sched_getaffinity(0, sizeof set, &set), 0);
    rt = start_with(&(weft_config){.workers = CPU_COUNT(&set), .cpu_affinity = 1});
    EVENTUALLY(n_cpus_of("weft-0") == 1);
    stop(rt);
    rt = start_with(&(weft_config){.workers = CPU_COUNT(&set)});
    pause_ms(5);
    check_eq(n_cpus_of("weft-0"), CPU_COUNT(&set));
    stop(rt);
}
