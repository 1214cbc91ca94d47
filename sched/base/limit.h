/*
 * limit.h - the limits of the process, in the words of the log
 *
 * Purpose     An operator who reads that a limit is too low needs its name, the command that raises
 *             it, and its value, which may differ from the shell's.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_LIMIT_H
#define WF_LIMIT_H

#include <stddef.h>
#include <sys/resource.h>

/* Room for a text, provided by the caller. */
typedef struct wf_limit_room {
    char text[256];
} wf_limit_room;

/* The value of RLIMIT_NOFILE or another one: "6" or "unlimited". */
const char *wf_limit_value(rlim_t value, wf_limit_room *room);
/* "no descriptor; raise RLIMIT_NOFILE (ulimit -n), which is 6": what comes `before` and `after` is
 * the caller's. The resource is RLIMIT_NOFILE, _MEMLOCK, _NPROC, _AS or _DATA. */
const char *wf_limit_remedy(const char *before, int resource, const char *after,
                            wf_limit_room *room);
/* For the log when weft can't open a descriptor for itself. */
const char *wf_limit_descriptors(int error, wf_limit_room *room);
/* The size of a thread's stack in bytes, or 0 if libc does not say it. */
size_t wf_limit_stack(void);
/* For the log when wf_thread_start has failed. */
const char *wf_limit_threads(wf_limit_room *room);

#endif
