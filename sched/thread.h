/*
 * thread.h - the threads of a runtime: creating and naming them, their CPUs and signals
 *
 * Purpose     Workers, the monitor, the reactor and pools all create their threads here.
 * Threads     Any. What speaks of the calling thread is for that thread itself.
 * Invariants  H1 a thread of the runtime begins with all signals blocked but SIGPROF and those that
 *             it raises itself by a fault. One that runs the host's code has the host's mask and
 *             CPUs from wf_thread_run_as_host on. H2 workers may have affinity to one CPU each;
 *             threads that they create inherit it, until they run as the host or spread.
 * Ordering    Thread creation publishes the host.
 * Failure     Creating fails as pthread_create does. Affinity is best effort.
 */
#ifndef WF_THREAD_H
#define WF_THREAD_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* What the thread that started the runtime had. */
typedef struct wf_thread_host {
    cpu_set_t cpus;         /* where it may run; none: unknown */
    sigset_t  signals;      /* what it blocks */
    bool      has_affinity; /* workers get a CPU each */
} wf_thread_host;

/* Notes what the calling thread has. */
void wf_thread_host_init(wf_thread_host *h, bool has_affinity);

/* Creates a thread: see H1. The reactor and the monitor keep that mask: they run none of the host's
 * code that could expect a signal, and a write by the ring raises SIGPIPE in the reactor's thread.
 * 0 or -errno. */
int wf_thread_start(pthread_t *thread, void *(*body)(void *), void *arg);
/* What to do when that fails. */
#define WF_THREADS_REMEDY                                                                          \
    "raise RLIMIT_NPROC (ulimit -u) or pids.max of the cgroup, or lower WEFT_WORKERS"
/* Names the calling thread "weft-...", of which the kernel keeps 15 characters. By the thread
 * itself: to name another takes a descriptor, and that other may have ended. */
__attribute__((format(printf, 1, 2))) void wf_thread_name(const char *format, ...);
/* The calling thread gets the CPUs and the signal mask of the thread that started the runtime: it
 * runs the host's code, whose signals and children must be as elsewhere in the process.
 * Async-signal-safe. */
void wf_thread_run_as_host(const wf_thread_host *h);
/* The calling thread, which a worker with affinity may have created, runs on any CPU of the
 * host. */
void wf_thread_spread(const wf_thread_host *h);
/* The calling thread gets affinity to one of the host's CPUs, counted around. False: workers get
 * none, or the CPUs are unknown. */
bool wf_thread_settle(const wf_thread_host *h, uint32_t nth);

#endif
