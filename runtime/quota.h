/*
 * quota.h - how many CPUs the process's control groups leave it
 *
 * Purpose     A container may run on all CPUs of a machine and yet get the time of two. Control
 *             groups of version 1, of version 2, and both side by side.
 * Threads     Any.
 * Invariants  The tightest quota of the process's group and of those above it counts, in each
 *             hierarchy that is mounted.
 * Ordering    None.
 * Failure     What can't be read limits nothing.
 */
#ifndef WF_QUOTA_H
#define WF_QUOTA_H

#include <stdint.h>

/* CPUs, rounded up; INT64_MAX: no quota. `prefix` is put before each path: "" but in tests. */
int64_t wf_quota_cpus(const char *prefix);

#endif
