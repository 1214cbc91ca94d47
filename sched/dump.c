/* dump.c - see dump.h */
#include "dump.h"

#include "driver.h"
#include "group.h"
#include "task.h"
#include "tasks.h"

#include <stdio.h>
#include <weft/net.h>

#define NAMED_MOST   20 /* open handles named at stop */
#define REPORT_SLACK 64 /* room for tasks that are spawned meanwhile */

#define BRANCHES_NAMED 4
#define AWAITED_TEXT   384

/* The future that the task's innermost async function awaits. */
static const weft_future *awaited(const wf_task *t)
{
    const weft_future *f = &t->frame.future;

    while (f && f->ops->cancel == weft_frame_cancel_ &&
           ((const weft_frame *)(const void *)f)->awaiting_)
        f = ((const weft_frame *)(const void *)f)->awaiting_;
    return f;
}

/* A line for the log. It is gathered while the tasks can't be freed, and has only constants. The
 * log is called later, without a lock. */
typedef struct line {
    const char    *name, *awaits; /* NULL: the task is queued or being polled */
    const char    *branches[BRANCHES_NAMED];
    uint32_t       n_branches; /* of the group that it awaits */
    bool           has_peer;   /* of the stream that it awaits */
    wf_driver_peer peer;
} line;

typedef struct report {
    const wf_driver *driver;
    line            *lines;
    uint64_t         n, most;
    wf_wakes         wakes;
} report;

static void report_visited(wf_task *t, void *arg)
{
    report *r = arg;
    line    l = {.name = wf_task_name(t)};

    if (wf_task_is_complete(t) || r->n++ >= r->most)
        return;
    /* Marking an idle task as woken keeps workers from polling it while this thread reads what it
     * awaits. It is queued later, and so polled once more. */
    if (wf_task_to_notified_visitor(t, false) == WF_TASK_WAKE_QUEUE) {
        const weft_future *f = awaited(t);

        l.awaits = f->ops->name;
        l.n_branches = wf_group_waits_for(f, l.branches, BRANCHES_NAMED);
        l.has_peer = r->driver && r->driver->find_peer(f, &l.peer);
        wf_wakes_add(&r->wakes, t);
    }
    r->lines[r->n - 1] = l;
}

static void handle_visited(wf_task *t, void *arg)
{
    report *r = arg;

    if ((wf_load(&t->state, RELAXED) & WF_TASK_HANDLE) && r->n++ < r->most) /* any time will do */
        r->lines[r->n - 1] = (line){.name = wf_task_name(t)};
}

/* ", awaiting weft_select (weft_read, weft_sleep)", or ", awaiting weft_read of [::1]:80" */
static const char *state_text(const report *r, char text[AWAITED_TEXT], const line *l)
{
    char   peer[WEFT_ADDRESS_TEXT];
    size_t used;

    if (!l->awaits)
        return ", queued or being polled";
    used = (size_t)snprintf(text, AWAITED_TEXT, ", awaiting %s", l->awaits);
    for (uint32_t i = 0; i < l->n_branches && i < BRANCHES_NAMED && used < AWAITED_TEXT; i++)
        used += (size_t)snprintf(text + used, AWAITED_TEXT - used, "%s%s", i == 0 ? " (" : ", ",
                                 l->branches[i]);
    if (l->n_branches > 0 && used < AWAITED_TEXT)
        snprintf(text + used, AWAITED_TEXT - used, "%s",
                 l->n_branches > BRANCHES_NAMED ? ", ...)" : ")");
    if (l->has_peer)
        snprintf(text + used, AWAITED_TEXT - used, " of %s", r->driver->peer_text(&l->peer, peer));
    return text;
}

void wf_dump_tasks(wf_executor *s, weft_log_level level, const char *what)
{
    const weft_config *config = &s->rt->config;
    char               text[WF_TASK_TEXT], state[AWAITED_TEXT];
    report             r = {.driver = s->rt->driver, .most = wf_tasks_alive(s) + REPORT_SLACK};

    if (wf_executor_is_child(s))
        return;
    r.lines = wf_alloc(&config->allocator, r.most * sizeof *r.lines);
    if (!r.lines)
        r.most = 0;
    wf_memory_visit(&s->memory, report_visited, &r);
    wf_wakes_flush(&r.wakes);
    for (uint64_t i = 0; i < r.n && i < r.most; i++)
        wf_log(config, level, "%s%s%s", what, wf_task_text(text, r.lines[i].name),
               state_text(&r, state, &r.lines[i]));
    if (r.n > r.most)
        wf_log(config, level, "%s%llu more tasks", what, (unsigned long long)(r.n - r.most));
    if (r.lines)
        wf_release(&config->allocator, r.lines, r.most * sizeof *r.lines);
}

void wf_dump_open_handles(wf_executor *s)
{
    char   text[WF_TASK_TEXT];
    line   lines[NAMED_MOST];
    report r = {.lines = lines, .most = NAMED_MOST};

    wf_memory_visit(&s->memory, handle_visited, &r);
    for (uint64_t i = 0; i < r.n && i < r.most; i++)
        wf_log(&s->rt->config, WEFT_LOG_WARNING, "stop: the handle of %s is still open",
               wf_task_text(text, lines[i].name));
    if (r.n > r.most)
        wf_log(&s->rt->config, WEFT_LOG_WARNING, "stop: and %llu more handles",
               (unsigned long long)(r.n - r.most));
}
