/* dump.c - see dump.h */
#include "dump.h"

#include "awaits.h"
#include "driver.h"
#include "fiber.h"
#include "owner.h"
#include "task.h"
#include "tasks.h"
#include "wait_graph.h"

#include <stdio.h>
#include <weft/net.h>

#define NAMED_MOST   20 /* open handles named at stop */
#define REPORT_SLACK 64 /* room for tasks that are spawned meanwhile */

#define BRANCHES_NAMED 4
#define AWAITED_TEXT   768

/* What is awaited in the end. It is read while the tasks can't be freed, and has only constants. */
typedef struct awaited {
    const char    *name;
    const char    *within;   /* the outermost timeout or the like around it, or NULL */
    bool           has_peer; /* of the stream that it awaits */
    wf_driver_peer peer;
    bool           has_holder; /* it waits for what one task holds: the next two */
    wf_held_by     by;
    const char    *holder; /* the name of the task, or NULL if that is not known */
} awaited;

/* A line for the log. The log is called later, without a lock. */
typedef struct line {
    const char *name;
    awaited     awaits; /* without a name: the task is queued or being polled */
    awaited     branches[BRANCHES_NAMED];
    uint32_t    n_branches;             /* of the group that it awaits; no more is counted than
                                         * BRANCHES_NAMED + 1 */
    size_t      stack_used, stack_size; /* of a fiber, else 0 */
} line;

typedef struct report {
    const wf_driver *driver;
    const wf_memory *memory;
    line            *lines;
    uint64_t         n, most;
    wf_wakes         wakes;
    bool             has_graph; /* to find circles in; false if out of memory */
    wf_wait_graph    graph;
} report;

/* Names the owner of what the future waits for. The task may have ended, or may be one of another
 * runtime. */
static void look_at_holder(const report *r, const weft_future *f, awaited *ret)
{
    const wf_task *owner;

    ret->has_holder = wf_awaits_find_holder(f, &ret->by);
    if (!ret->has_holder || (ret->by.owner & WF_OWNER_THREAD))
        return;
    owner = wf_memory_find_locked(r->memory, ret->by.owner);
    ret->holder = owner && !wf_task_is_complete(owner) ? wf_task_name(owner) : NULL;
}

/* Returns the innermost future. */
static const weft_future *look_through(const report *r, const weft_future *f, awaited *ret)
{
    const weft_future *inner;

    *ret = (awaited){0};
    for (; (inner = wf_awaits_inner(f)); f = inner)
        if (!ret->within && !wf_awaits_is_frame(f))
            ret->within = f->ops->name;
    ret->name = f->ops->name;
    ret->has_peer = r->driver && weft_future_is_pending(f) && r->driver->find_peer(f, &ret->peer);
    look_at_holder(r, f, ret);
    return f;
}

/* Looks at the branches that are named, and whether there are more. A group finds a branch by going
 * through those before it, so all branches of a large one would take a while. */
static void look_at_branches(const report *r, const weft_future *group, line *l)
{
    const wf_outer_ops *outer = wf_awaits_group(group);
    const weft_future  *branch;

    if (!outer)
        return;
    for (; l->n_branches <= BRANCHES_NAMED && (branch = outer->inner(group, l->n_branches));
         l->n_branches++)
        if (l->n_branches < BRANCHES_NAMED)
            look_through(r, branch, &l->branches[l->n_branches]);
}

/* How much of a fiber's stack has been used so far, by it or by an earlier fiber. */
static void look_at_stack(const wf_task *t, line *l)
{
    const wf_fiber *fiber = wf_fiber_of(&t->frame.future);

    if (!fiber || !fiber->in.stack)
        return;
    l->stack_used = wf_stack_used(fiber->in.stack);
    l->stack_size = fiber->in.stack->size;
}

static void report_visited(wf_task *t, void *arg)
{
    report *r = arg;
    line    l = {.name = wf_task_name(t)};

    if (wf_task_is_complete(t) || r->n++ >= r->most)
        return;
    /* Marking an idle task as woken keeps workers from polling it while this thread reads what it
     * awaits. It is queued later, and so polled once more. */
    if (wf_task_to_notified_visitor(t, false) == WF_TASK_WAKE_QUEUE) {
        look_at_branches(r, look_through(r, &t->frame.future, &l.awaits), &l);
        look_at_stack(t, &l);
        if (r->has_graph)
            wf_wait_graph_read(&r->graph, t);
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

/* A text that is put together. What has no room is left out. */
typedef struct text {
    char   bytes[AWAITED_TEXT];
    size_t used;
} text;

static void add(text *t, const char *before, const char *word)
{
    size_t room = sizeof t->bytes - t->used;
    int    n = snprintf(t->bytes + t->used, room, "%s%s", before, word);

    t->used += n > 0 && (size_t)n < room ? (size_t)n : room - 1;
}

static void add_peer(text *t, const report *r, const awaited *a)
{
    char peer[WEFT_ADDRESS_TEXT];

    if (a->has_peer)
        add(t, " of ", r->driver->peer_text(&a->peer, peer));
}

/* " of 0x7f..., held by task a (spawned at a.c:12)", or " of task a (spawned at a.c:12)" of a
 * join. */
static void add_holder(text *t, const awaited *a)
{
    char name[WF_TASK_TEXT];

    if (!a->has_holder)
        return;
    if (a->by.object) {
        snprintf(name, sizeof name, " of %p", a->by.object);
        add(t, name, a->by.owner ? ", held by " : "");
    } else {
        add(t, " of ", "");
    }
    if (a->by.owner & WF_OWNER_THREAD) {
        snprintf(name, sizeof name, "thread %u", (unsigned)(a->by.owner >> WF_OWNER_THREAD_SHIFT));
        add(t, name, "");
    } else if (a->holder) {
        add(t, wf_task_text(name, a->holder), "");
    } else if (a->by.owner) {
        add(t, "a task that has ended, or of another runtime", "");
    }
}

static void add_stack(text *t, const line *l)
{
    char sizes[64];

    if (l->stack_size == 0)
        return;
    snprintf(sizes, sizeof sizes, "%zu of %zu KiB", l->stack_used >> 10, l->stack_size >> 10);
    add(t, ", stack ", sizes);
}

/* ", awaiting weft_select (weft_read of [::1]:80, weft_sleep) in weft_timeout" */
static const char *state_text(const report *r, text *t, const line *l)
{
    t->used = 0;
    add(t, l->awaits.name ? ", awaiting " : ", queued or being polled",
        l->awaits.name ? l->awaits.name : "");
    add_peer(t, r, &l->awaits);
    add_holder(t, &l->awaits);
    for (uint32_t i = 0; i < l->n_branches && i < BRANCHES_NAMED; i++) {
        const awaited *a = &l->branches[i];

        add(t, i == 0 ? " (" : ", ", a->name);
        add_peer(t, r, a);
        add_holder(t, a);
        if (a->within)
            add(t, " in ", a->within);
    }
    if (l->n_branches > 0)
        add(t, l->n_branches > BRANCHES_NAMED ? ", ..." : "", ")");
    if (l->awaits.within)
        add(t, " in ", l->awaits.within);
    add_stack(t, l);
    return t->bytes;
}

/* Reads all tasks. Then they may run again. */
static void read_all(wf_executor *s, report *r)
{
    r->has_graph = wf_wait_graph_new(&r->graph, s);
    wf_memory_visit(&s->memory, report_visited, r);
    if (r->has_graph)
        wf_wait_graph_read_again(&r->graph);
    wf_wakes_flush(&r->wakes);
}

void wf_dump_tasks(wf_executor *s, weft_log_level level, const char *what, uint64_t most)
{
    const weft_config *config = &s->rt->config;
    char               name[WF_TASK_TEXT];
    text               state;
    uint64_t           alive = wf_tasks_alive(s) + REPORT_SLACK;
    report r = {.driver = s->rt->driver, .memory = &s->memory, .most = alive < most ? alive : most};

    if (wf_executor_is_child(s))
        return;
    r.lines = wf_alloc(&config->allocator, r.most * sizeof *r.lines);
    if (!r.lines)
        r.most = 0;
    read_all(s, &r);
    for (uint64_t i = 0; i < r.n && i < r.most; i++)
        wf_log(config, level, "%s%s%s", what, wf_task_text(name, r.lines[i].name),
               state_text(&r, &state, &r.lines[i]));
    if (r.n > r.most)
        wf_log(config, level, "%s%llu more tasks", what, (unsigned long long)(r.n - r.most));
    if (r.lines)
        wf_release(&config->allocator, r.lines, r.most * sizeof *r.lines);
    if (!r.has_graph)
        return;
    wf_wait_graph_tell(&r.graph, NULL);
    wf_wait_graph_free(&r.graph);
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
