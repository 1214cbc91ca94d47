/*
 * quota.h - the limits of the process's control groups
 *
 * Purpose     A container may run on all CPUs of a machine and yet get the time of two. Reads
 *             control groups of version 1, of version 2, and of both side by side.
 * Threads     Any.
 * Invariants  In each mounted hierarchy, the tightest limit of the process's group and of the
 *             groups above it counts. The limits of other groups never do.
 * Ordering    None.
 * Failure     A file that can't be read limits nothing.
 */
#ifndef WF_QUOTA_H
#define WF_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

/* The limits on CPUs (rounded up), on bytes of memory, and on threads. INT64_MAX: there is none.
 * Tests put a `prefix` before each path. */
int64_t wf_quota_cpus(const char *prefix);
int64_t wf_quota_memory(const char *prefix);
int64_t wf_quota_threads(const char *prefix);
/* Returns false if limits on CPUs can't be read: without /proc, or if the process is in control
 * groups that are mounted nowhere. */
bool wf_quota_is_visible(const char *prefix);

#endif
