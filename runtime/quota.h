/*
 * quota.h - the CPU quota of the process's control groups
 *
 * Purpose     A container may run on all CPUs of a machine and yet get the time of two. Reads
 *             control groups of version 1, of version 2, and of both side by side.
 * Threads     Any.
 * Invariants  In each mounted hierarchy, the tightest quota of the process's group and of the
 *             groups above it counts.
 * Ordering    None.
 * Failure     A file that can't be read limits nothing.
 */
#ifndef WF_QUOTA_H
#define WF_QUOTA_H

#include <stdint.h>

/* The quota in CPUs, rounded up, or INT64_MAX if there is none. Tests put a `prefix` before each
 * path. */
int64_t wf_quota_cpus(const char *prefix);

#endif
