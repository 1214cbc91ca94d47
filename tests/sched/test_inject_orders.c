/*
 * test_inject_orders.c - the real injection queue, sleepers and event count: no task waits for ever
 *
 * Two workers take injected tasks, one at a time, and sleep as sched/idle.h says.
 */
#include "explore.h"

#include "idle.c"
#include "inject.c"
#include "park.h"

#define TASKS 3
#define RING  1 /* the remaining tasks go to the list */

static wf_inject inject;
static wf_task  *ring[RING];
static wf_idle   idle;
static wf_park   park[2];
static wf_task   task[TASKS];
static int       n_taken[TASKS];
static uint32_t  n_pushed; /* so far, or about to be */

static void set_up(void)
{
    inject = (wf_inject){.ring = ring, .ring_size = RING};
    idle = (wf_idle){.n_workers = 2, .n_slots = 2};
    memset(park, 0, sizeof park);
    memset(n_taken, 0, sizeof n_taken);
    n_pushed = 0;
}

static void notify(void)
{
    int i = wf_idle_pick(&idle, -1);

    if (i >= 0)
        wf_park_wake(&park[i]);
}

static void push(int first, int last)
{
    n_pushed += (uint32_t)(last - first + 1);
    for (int i = first; i < last; i++)
        task[i].next = &task[i + 1];
    wf_inject_push_any(&inject, &task[first], &task[last], (uint32_t)(last - first + 1));
    notify();
}

static void push_two(void)
{
    push(0, 1);
}

static void push_one_and_one(void)
{
    push(0, 0);
    push(1, 1);
}

static void push_third(void)
{
    push(2, 2);
}

static bool take(void)
{
    wf_task *t;

    if (wf_inject_take_any(&inject, &t, 1) == 0)
        return false;
    n_taken[t - task]++;
    wf_inject_taken_any(&inject, 1);
    return true;
}

/* Sleeps. Returns true if it was woken: then the worker counts as searching. */
static bool sleep_as(uint32_t i, bool searching)
{
    uint32_t key = wf_park_prepare(&park[i]), n;

    wf_idle_announce_sleep(&idle, i);
    if (searching)
        wf_idle_stop_searching(&idle);
    n = wf_inject_length_any(&inject);
    check_cmp(n, <=, n_pushed);
    while (n == 0 && wf_idle_is_sleeping(&idle, i)) {
        wf_park_commit(&park[i], key, INT64_MAX);
        key = wf_park_prepare(&park[i]);
    }
    return !wf_idle_claim_sleeper(&idle, i);
}

static void work(uint32_t i)
{
    bool searching = false;

    for (int idle_rounds = 0;; idle_rounds++) {
        if (idle_rounds == 2) { /* another is between take and taken */
            explore_wait();
            idle_rounds = 0;
        }
        while (take()) {
            if (searching && wf_idle_stop_searching(&idle) && wf_inject_length_any(&inject) > 0)
                notify();
            searching = false;
        }
        searching = sleep_as(i, searching);
    }
}

static void work_0(void)
{
    work(0);
}

static void work_1(void)
{
    work(1);
}

/* What must hold when every thread sleeps. */
static void all_taken(void)
{
    for (uint32_t i = 0; i < TASKS; i++)
        check_eq(n_taken[i], i < n_pushed);
    check_eq(inject.n, 0);
    check_eq(idle.n_searching, 0);
}

Test(inject_orders, one_worker_takes_what_two_threads_push)
{
    explore(3, 1, set_up, all_taken, 3, (void (*const[])(void)){work_0, push_two, push_third});
}

Test(inject_orders, two_workers_take_a_batch_each_task_once)
{
    explore(3, 1, set_up, all_taken, 3, (void (*const[])(void)){work_0, work_1, push_two});
}

Test(inject_orders, two_workers_take_one_after_the_other)
{
    explore(2, 1, set_up, all_taken, 3, (void (*const[])(void)){work_0, work_1, push_one_and_one});
}
