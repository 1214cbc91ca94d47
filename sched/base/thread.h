/*
 * thread.h - the threads of a runtime: creating and naming them, their CPUs and signals
 *
 * Purpose     Workers, the monitor, the reactor and the pools create their threads here.
 * Threads     Any. Functions about the calling thread are called by that thread itself.
 * Invariants  H1 a thread of the runtime begins with all signals blocked, except for SIGPROF and
 *             the signals that it raises itself by a fault. A thread that runs the host's code has
 *             the host's mask and CPUs from wf_thread_run_as_host on. H2 each worker may have
 *             affinity to one CPU. Threads that a worker creates inherit it, until they run as the
 *             host or spread.
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

/* CPUs and signal mask of the thread that started the runtime. */
typedef struct wf_thread_host {
    cpu_set_t cpus;         /* where it may run; empty: unknown */
    sigset_t  signals;      /* what it blocks */
    bool      has_affinity; /* workers get a CPU each */
} wf_thread_host;

/* Stores the CPUs and the signal mask of the calling thread. */
void wf_thread_host_init(wf_thread_host *h, bool has_affinity);

/* Creates a thread with the mask of H1. Returns 0 or -errno. The reactor and the monitor keep that
 * mask. They run none of the host's code that could expect a signal, and a write by the ring raises
 * SIGPIPE in the reactor's thread. */
int wf_thread_start(pthread_t *thread, void *(*body)(void *), void *arg);
/* Names the calling thread "weft-...", of which the kernel keeps 15 characters. A thread names
 * itself, because naming another takes a descriptor and the other may have ended. */
__attribute__((format(printf, 1, 2))) void wf_thread_name(const char *format, ...);
/* The calling thread gets the CPUs and the signal mask of the thread that started the runtime,
 * because it runs the host's code: signals and children must be there as elsewhere in the process.
 * Async-signal-safe. */
void wf_thread_run_as_host(const wf_thread_host *h);
/* The calling thread may run on any CPU of the host from now on. A worker with affinity may have
 * created it. */
void wf_thread_spread(const wf_thread_host *h);
/* The scheduling policy of the calling thread: SCHED_OTHER, SCHED_BATCH, ... or -1. */
int wf_thread_policy(void);
/* The calling thread gets SCHED_OTHER or SCHED_BATCH. Best effort. */
void wf_thread_set_policy(int policy);
/* The calling thread gets affinity to the nth of the host's CPUs, modulo their number. Returns
 * false if workers get none or the CPUs are unknown. */
bool wf_thread_settle(const wf_thread_host *h, uint32_t nth);

#endif
