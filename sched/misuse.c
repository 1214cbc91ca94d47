/*
 * misuse.c - the last line before an abort
 *
 * Purpose     Says which rule the program has broken, where, and in which task.
 * Threads     Any.
 * Invariants  None.
 * Ordering    None: a worker reads what it has written itself.
 * Failure     A line that is too long is cut.
 */
#include "rt.h"
#include "stderr.h"
#include "task.h"
#include "worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <weft/time.h>

/* A process that aborts waits for a slow reader of its last line, but not for one that has
 * stopped. */
#define LAST_TRIES 100

/* The name of the task that the calling thread polls, or NULL. */
static const char *polled_task(void)
{
    const wf_worker *w =
        wf_current_thread.worker ? wf_current_thread.worker : wf_current_thread.lent;

    return w && w->polling ? wf_load(&w->polls_site, RELAXED) : NULL; /* the thread's own */
}

WEFT_API void weft_misuse_(const char *function, const char *rule, const char *where)
{
    const char *task = polled_task();
    char        line[1024];
    int         n;

    if (task)
        n = snprintf(line, sizeof line, "weft: %s: %s (%s; in task %s, spawned at %s)\n", function,
                     rule, where, task, wf_task_where(task));
    else
        n = snprintf(line, sizeof line, "weft: %s: %s (%s)\n", function, rule, where);
    if (n >= (int)sizeof line)
        n = sizeof line - 1;
    for (int i = 0; i < LAST_TRIES && !wf_stderr_write(line, (size_t)n); i++)
        nanosleep(&(struct timespec){.tv_nsec = WEFT_MS(1)}, NULL);
    abort();
}

weft_runtime *wf_rt_needed(const char *function, const weft_runtime *rt)
{
    char name[16] = "";

    if (!rt)
        rt = wf_current_thread.rt;
    if (!rt) {
        pthread_getname_np(pthread_self(), name, sizeof name);
        weft_misuse_(function, "the runtime is NULL, and the calling thread has none", name);
    }
    return (weft_runtime *)(uintptr_t)rt;
}
