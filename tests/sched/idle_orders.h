/*
 * idle_orders.h - the real search, park and notify of the workers, and the monitor's look, under
 * the explorer
 */
#ifndef IDLE_ORDERS_H
#define IDLE_ORDERS_H

#include "explore.h"

static int tell_time(struct timespec *at);

#include <time.h>
#define clock_gettime(clock, at) tell_time(at)
#include "deque.c"
#include "idle.c"
#include "inject.c"
/* those first: what follows uses them */
#include "dispatch.c"
#include "executor.c"
#include "load.c"
#include "monitor.c"
#include "pick.c"
#include "run.c"
#include "tasks.c"
#include "visit.c"
#include "worker.c"

#define TASKS 3

static weft_runtime rt;
static wf_driver    driver;
static wf_executor  executor;
static wf_worker    worker[2];
static wf_worker   *workers[2] = {&worker[0], &worker[1]};
static wf_task      task[TASKS];
static int          n_taken[TASKS], taken_by[TASKS];
static int64_t      now;    /* the monitor's */
static int64_t      passes; /* of the workers' time, whenever one looks */

static struct wf_deque_buffer *buffer[2][2];
static wf_task                *ring[2]; /* a third goes to the list */

static inline wf_deque deque(struct wf_deque_buffer **b)
{
    if (!*b)
        *b = buffer_new(&explore_allocator, 4);
    return (wf_deque){.alloc = &explore_allocator, .buffer = *b};
}

static int tell_time(struct timespec *at)
{
    explorer.now += passes;
    *at = (struct timespec){explorer.now / 1000000000, explorer.now % 1000000000};
    return 0;
}

static inline void set_up(uint32_t n_workers)
{
    driver = (wf_driver){0};
    rt = (weft_runtime){.executor = &executor,
                        .driver = &driver,
                        .config = {.inject_interval = 61, .watchdog_ms = 1 << 20}};
    for (uint32_t i = 0; i < 2; i++) {
        worker[i] = (wf_worker){.executor = &executor, .index = i, .random = i + 1};
        worker[i].woken = deque(&buffer[i][0]);
        worker[i].children = deque(&buffer[i][1]);
    }
    executor = (wf_executor){.rt = &rt,
                             .workers = workers,
                             .idle.n_workers = n_workers,
                             .idle.n_slots = n_workers,
                             .inject = {.ring = ring, .ring_size = 2},
                             .monitor.awake = 1,
                             .is_parent = "yes"};
    wf_monitor_init(&executor.monitor, &executor);
    memset(n_taken, 0, sizeof n_taken);
    memset(task, 0, sizeof task);
    now = passes = 0;
    explorer.now = WEFT_S(1);
}

static inline void set_up_one(void)
{
    set_up(1);
}

static inline void took(const wf_worker *w, const wf_task *t)
{
    n_taken[t - task]++;
    taken_by[t - task] = (int)w->index;
}

/* A worker's loop, but that it takes tasks without polling them, and never ends. */
static inline void work(wf_worker *w)
{
    for (int idle_rounds = 0;; idle_rounds++) {
        wf_task *t = NULL;

        if (w->index >= executor.idle.n_workers && may_stand_by(w)) {
            stand_by(w);
        } else if ((t = wf_pick_task_owner(w))) {
            took(w, t);
            idle_rounds = 0;
        } else if (!yield_once(w)) {
            park(w, INT64_MAX);
        }
        if (idle_rounds == 2) { /* it goes round while another is at the work */
            explore_wait();
            idle_rounds = 0;
        }
    }
}

static inline void work_0(void)
{
    work(&worker[0]);
}

static inline void inject_0(void)
{
    wf_dispatch_inject_any(&executor, &task[0], &task[0], 1);
}

/* A worker whose first task never comes back from its poll. */
static inline void work_once(wf_worker *w)
{
    wf_task *t;

    for (int idle_rounds = 0; !(t = wf_pick_task_owner(w));) {
        park(w, INT64_MAX);
        if (++idle_rounds == 3) {
            explore_wait();
            idle_rounds = 0;
        }
    }
    took(w, t);
    w->polling = true;
}

static inline void work_once_and_hang(void)
{
    work_once(&worker[0]);
}

#endif
