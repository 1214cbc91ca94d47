/* wait_graph.c - see wait_graph.h */
#include "wait_graph.h"

#include "awaits.h"
#include "owner.h"
#include "task.h"
#include "tasks.h"

#include <stdarg.h>
#include <stdio.h>

#define TASKS_MOST    65536 /* that wait for an owner */
#define EDGES_MOST    4     /* of a task */
#define BRANCHES_MOST 16    /* of a group */
#define DEPTH_MOST    8     /* of groups within groups */
#define TOLD_MOST     6     /* tasks of a circle that are named */
#define NOWHERE       UINT32_MAX

/* One wait of a task for an owner. */
typedef struct edge {
    const weft_future *future;
    const char        *name;   /* of the future */
    const char        *within; /* the outermost timeout or group around it, or NULL */
    wf_held_by         by;
} edge;

/* A task that waits for owners and for nothing else (C1). */
typedef struct wf_wait_node {
    const wf_task *task; /* only its address is used */
    const char    *name;
    edge           edges[EDGES_MOST];
    uint32_t       n_edges;
    bool           may_run; /* it waits for a task that may run */
    uint32_t       walk;    /* the first walk that has met it, or 0 */
} node;

typedef wf_wait_graph graph;

bool wf_wait_graph_new(graph *g, wf_executor *s)
{
    const weft_allocator *alloc = &s->rt->config.allocator;
    uint64_t              alive = wf_tasks_alive(s) + 1;

    *g = (graph){.executor = s, .most = (uint32_t)(alive < TASKS_MOST ? alive : TASKS_MOST)};
    for (g->n_places = 4; g->n_places < 2 * g->most;)
        g->n_places *= 2;
    g->nodes = wf_alloc(alloc, g->most * sizeof *g->nodes);
    g->places = wf_alloc(alloc, g->n_places * sizeof *g->places);
    if (g->nodes && g->places)
        return true;
    wf_wait_graph_free(g);
    return false;
}

void wf_wait_graph_free(graph *g)
{
    const weft_allocator *alloc = &g->executor->rt->config.allocator;

    if (g->nodes)
        wf_release(alloc, g->nodes, g->most * sizeof *g->nodes);
    if (g->places)
        wf_release(alloc, g->places, g->n_places * sizeof *g->places);
}

/* ---- reading what tasks wait for ---- */

/* Reads what the future waits for. `branch`: it is a branch of a group. */
static void read_future(node *to, const weft_future *f, const char *within, bool branch, int depth)
{
    const wf_outer_ops *group;
    const weft_future  *inner;
    bool                own_code = false;
    edge                e = {0};

    for (; (inner = wf_awaits_inner(f)); f = inner) {
        own_code |= wf_awaits_is_frame(f);
        if (!within && !wf_awaits_is_frame(f))
            within = f->ops->name;
    }
    if ((group = wf_awaits_group(f))) {
        for (uint32_t i = 0; (inner = group->inner(f, i)); i++)
            if (i == BRANCHES_MOST || depth == DEPTH_MOST) {
                to->may_run = true;
                return;
            } else {
                read_future(to, inner, within ? within : f->ops->name, true, depth + 1);
            }
    } else if (!wf_awaits_find_holder(f, &e.by)) {
        to->may_run |= branch && own_code; /* C1 */
    } else if (e.by.owner == 0 || to->n_edges == EDGES_MOST) {
        to->may_run = true;
    } else {
        e.future = f;
        e.name = f->ops->name;
        e.within = within;
        to->edges[to->n_edges++] = e;
    }
}

void wf_wait_graph_read(graph *g, const wf_task *t)
{
    node n = {.task = t, .name = wf_task_name(t)};

    read_future(&n, &t->frame.future, NULL, false, 0);
    if (n.n_edges == 0 || n.may_run)
        return;
    if (g->n == g->most)
        g->missed = true;
    else
        g->nodes[g->n++] = n;
}

/* Tasks were read one after the other, and while one was read, another one may have let go of a
 * lock. Now none of those that were read can run, so what is still so is so for all at once. */
void wf_wait_graph_read_again(graph *g)
{
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_edges; k++) {
            const edge *e = &g->nodes[i].edges[k];
            wf_held_by  now;

            if (!wf_awaits_find_holder(e->future, &now) || now.object != e->by.object ||
                now.owner != e->by.owner)
                g->nodes[i].may_run = true;
        }
}

/* ---- finding circles ---- */

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

/* The place in the table where the task is, or where it would be. */
static uint32_t *place_of(const graph *g, uint64_t task)
{
    uint32_t at = (uint32_t)(mixed(task) & (g->n_places - 1));

    while (g->places[at] != NOWHERE && (uintptr_t)g->nodes[g->places[at]].task != task)
        at = (at + 1) & (g->n_places - 1);
    return &g->places[at];
}

/* The task that the edge leads to. NULL: it waits for no owner, or is not known. */
static node *target_of(const graph *g, const edge *e)
{
    uint32_t at = *place_of(g, e->by.owner);

    return at == NOWHERE ? NULL : &g->nodes[at];
}

/* Marks the tasks that wait for one that may run, until there are no more of them. */
static void mark_those_that_may_run(graph *g)
{
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < g->n; i++)
            for (uint32_t k = 0; k < g->nodes[i].n_edges && !g->nodes[i].may_run; k++) {
                const node *to = target_of(g, &g->nodes[i].edges[k]);

                g->nodes[i].may_run = !to || to->may_run;
                again |= g->nodes[i].may_run;
            }
    }
}

static node *next_of(const graph *g, const node *n)
{
    return target_of(g, &n->edges[0]);
}

/* From a task that can't run every way ends in a circle. Returns the task where the walk from n
 * came back to itself, or NULL if it met an earlier walk, which has found the circle. `walk` is not
 * 0. */
static node *find_circle(const graph *g, node *n, uint32_t walk)
{
    for (; n->walk == 0; n = next_of(g, n))
        n->walk = walk;
    return n->walk == walk ? n : NULL;
}

/* The same for a circle wherever its walk begins. */
static uint64_t id_of(const graph *g, const node *n)
{
    const node *at = n;
    uint64_t    id = 0;

    do {
        id += mixed((uintptr_t)at->task ^ mixed((uintptr_t)at->edges[0].by.object));
        at = next_of(g, at);
    } while (at != n);
    return id;
}

/* ---- telling them ---- */

typedef struct text {
    char   bytes[900]; /* the rest of a line of the log is for the remedy */
    size_t used;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...)
{
    size_t  room = sizeof t->bytes - t->used;
    va_list args;
    int     n;

    va_start(args, format);
    n = vsnprintf(t->bytes + t->used, room, format, args);
    va_end(args);
    t->used += n > 0 && (size_t)n < room ? (size_t)n : room - 1;
}

/* "weft_mutex_lock of 0x7f..., held by " */
static void add_edge(text *t, const edge *e)
{
    add(t, "awaits %s", e->name);
    if (e->within)
        add(t, " in %s", e->within);
    if (e->by.object)
        add(t, " of %p, held by ", e->by.object);
    else
        add(t, " of ");
}

static void tell(const graph *g, const node *n)
{
    char        name[WF_TASK_TEXT];
    text        t = {.used = 0};
    const node *at = n;
    uint32_t    told = 0;
    bool        has_lock = false;

    do {
        if (told++ < TOLD_MOST) {
            add(&t, at == n ? "%s " : "%s, which ", wf_task_text(name, at->name));
            add_edge(&t, &at->edges[0]);
        }
        has_lock |= at->edges[0].by.object != NULL;
        at = next_of(g, at);
    } while (at != n);
    if (told > TOLD_MOST)
        add(&t, "... (%u tasks in all) ... ", told);
    wf_log(&g->executor->rt->config, WEFT_LOG_WARNING,
           "deadlock: %s%s; no task of the circle can go on by itself%s", t.bytes,
           next_of(g, n) == n ? "the same task" : wf_task_text(name, n->name),
           has_lock ? ": take locks in one order everywhere" : "");
}

/* Whether the circle was logged before. Notes that it is now. */
static bool was_told(wf_told *told, uint64_t id)
{
    for (uint32_t i = 0; i < WF_TOLD_MOST && i < told->n; i++)
        if (told->ids[i] == id)
            return true;
    told->ids[told->n++ % WF_TOLD_MOST] = id;
    return false;
}

void wf_wait_graph_tell(graph *g, wf_told *told)
{
    for (uint32_t i = 0; i < g->n_places; i++)
        g->places[i] = NOWHERE;
    for (uint32_t i = 0; i < g->n; i++)
        *place_of(g, (uintptr_t)g->nodes[i].task) = i;
    mark_those_that_may_run(g);
    for (uint32_t i = 0; i < g->n; i++) {
        const node *n = g->nodes[i].may_run ? NULL : find_circle(g, &g->nodes[i], i + 1);

        if (n && !(told && was_told(told, id_of(g, n))))
            tell(g, n);
    }
}
