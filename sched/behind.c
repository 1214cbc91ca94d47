/* behind.c - see behind.h */
#include "behind.h"

#include "task.h"

#include <stdio.h>

#define NAMED_MOST 4

typedef struct behind {
    const wf_worker *stuck;
    uint64_t         n;
    const char      *names[NAMED_MOST]; /* constants */
} behind;

/* Whether the task is in the worker's queue of bound tasks: T1 in task.h. */
static bool waits_for(const wf_worker *w, const wf_task *t)
{
    uint64_t state = wf_load(&t->state, RELAXED); /* a hint */

    return wf_task_bound_to(t) == w->index + 1 && !(state & WF_TASK_COMPLETE) &&
           (state & (WF_TASK_NOTIFIED | WF_TASK_RUNNING)) &&
           wf_load(&w->polled, RELAXED) != t; /* a hint */
}

static void visit(wf_task *t, void *arg)
{
    behind *b = arg;

    if (waits_for(b->stuck, t) && b->n++ < NAMED_MOST)
        b->names[b->n - 1] = wf_task_name(t);
}

void wf_behind_log(wf_executor *s, const wf_worker *stuck)
{
    behind b = {.stuck = stuck};
    char   text[NAMED_MOST * (WF_TASK_TEXT + 2)], name[WF_TASK_TEXT];
    size_t used = 0;

    wf_memory_visit(&s->memory, visit, &b);
    if (b.n == 0)
        return;
    for (uint64_t i = 0; i < b.n && i < NAMED_MOST; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? ", " : "",
                                 wf_task_text(name, b.names[i]));
    wf_log(&s->rt->config, WEFT_LOG_WARNING,
           "%llu task%s that only worker %u may run wait%s meanwhile: %s%s",
           (unsigned long long)b.n, b.n == 1 ? "" : "s", stuck->index, b.n == 1 ? "s" : "", text,
           b.n > NAMED_MOST ? ", ..." : "");
}
