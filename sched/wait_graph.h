/*
 * wait_graph.h - tasks that wait for each other in a circle
 *
 * Purpose     Reads which task waits for what which task holds, finds circles, and logs them: task,
 *             lock, task, lock. A join is such a wait, too.
 *
 *                 task a --awaits--> mutex 1 --held by--> task b --awaits--> mutex 2 --+
 *                   ^                                                                  |
 *                   +-------------------------------- held by -------------------------+
 *
 * Threads     Any, one graph each. read: the thread that keeps the task from being polled, until
 *             after read_again.
 * Invariants  C1 a task that could go on by itself is in no circle. Such a task awaits something
 *             without an owner, or a group with a branch of its own code, which may let go of a
 *             lock. A timeout, or a branch without code such as a token, does not count: a program
 *             whose tasks let go of their locks by time-outs is in need of the log line, too.
 *             C2 a circle is told only if all of it was so at one moment: read_again. Nothing of a
 *             task or a lock is read after that.
 * Ordering    None: the locks of what is read order it.
 * Failure     Out of memory: new returns false. Of more tasks than TASKS_MOST, some are not looked
 *             at. A task with more waits than EDGES_MOST or BRANCHES_MOST counts as one that may
 *             run. A circle through readers, permits, a thread or another runtime is not seen:
 *             their owners are not known, or what they wait for.
 */
#ifndef WF_WAIT_GRAPH_H
#define WF_WAIT_GRAPH_H

#include "executor.h"

struct wf_wait_node;

typedef struct wf_wait_graph {
    const wf_executor   *executor;
    struct wf_wait_node *nodes;
    uint32_t            *places; /* a hash table of indices into nodes */
    uint32_t             n, most, n_places;
    bool                 missed; /* there was no room for a task */
} wf_wait_graph;

/* Returns false if out of memory. */
bool wf_wait_graph_new(wf_wait_graph *g, wf_executor *s);
/* Reads what the task waits for. */
void wf_wait_graph_read(wf_wait_graph *g, const struct wf_task *t);
/* Forgets what is not so any more. No task that was read has been polled meanwhile. */
void wf_wait_graph_read_again(wf_wait_graph *g);
/* Logs each circle once. With `told`, those that were logged with it before are left out. */
void wf_wait_graph_tell(wf_wait_graph *g, wf_told *told);
void wf_wait_graph_free(wf_wait_graph *g);

#endif
