/* thread.c - see thread.h */
#include "thread.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Signals of a thread's own faults must reach the handlers of the host and of sanitizers in every
 * thread. A profiler samples every thread. */
static const int never_blocked[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
                                    SIGTRAP, SIGSYS, SIGABRT, SIGPROF};

void wf_thread_host_init(wf_thread_host *h, bool has_affinity)
{
    h->has_affinity = has_affinity;
    if (sched_getaffinity(0, sizeof h->cpus, &h->cpus) < 0)
        CPU_ZERO(&h->cpus);
    pthread_sigmask(SIG_SETMASK, NULL, &h->signals);
}

/* A thread of the runtime runs the host's polls and jobs. */
#define STACK_LEAST ((size_t)2 << 20)

/* glibc takes the size of stacks from RLIMIT_STACK, so the host's user has chosen it. musl takes
 * 128 KiB. */
static void make_attributes(pthread_attr_t *ret)
{
    pthread_attr_init(ret);
#ifndef __GLIBC__
    size_t size;

    if (pthread_attr_getstacksize(ret, &size) == 0 && size < STACK_LEAST)
        pthread_attr_setstacksize(ret, STACK_LEAST);
#endif
}

int wf_thread_start(pthread_t *thread, void *(*body)(void *), void *arg)
{
    sigset_t       set, before;
    pthread_attr_t attributes;
    int            r;

    sigfillset(&set);
    for (size_t i = 0; i < sizeof never_blocked / sizeof *never_blocked; i++)
        sigdelset(&set, never_blocked[i]);
    pthread_sigmask(SIG_BLOCK, &set, &before); /* the new thread inherits it */
    make_attributes(&attributes);
    r = pthread_create(thread, &attributes, body, arg);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

void wf_thread_name(const char *format, ...)
{
    char    name[16] = "weft-";
    va_list args;

    va_start(args, format);
    vsnprintf(name + strlen(name), sizeof name - strlen(name), format, args);
    va_end(args);
    prctl(PR_SET_NAME, name);
}

void wf_thread_spread(const wf_thread_host *h)
{
    if (h->has_affinity && CPU_COUNT(&h->cpus) > 0)
        sched_setaffinity(0, sizeof h->cpus, &h->cpus); /* best effort */
}

void wf_thread_run_as_host(const wf_thread_host *h)
{
    wf_thread_spread(h);
    pthread_sigmask(SIG_SETMASK, &h->signals, NULL);
}

/* By system calls, because musl's functions of these names only fail: POSIX means processes where
 * Linux means threads. */
int wf_thread_policy(void)
{
    return (int)syscall(SYS_sched_getscheduler, 0);
}

void wf_thread_set_policy(int policy)
{
    syscall(SYS_sched_setscheduler, 0, policy, &(struct sched_param){0});
}

bool wf_thread_settle(const wf_thread_host *h, uint32_t nth)
{
    cpu_set_t one;
    uint32_t  n = 0;

    if (!h->has_affinity || CPU_COUNT(&h->cpus) == 0)
        return false;
    nth %= (uint32_t)CPU_COUNT(&h->cpus);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &h->cpus) && n++ == nth)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one); /* best effort */
    return true;
}
