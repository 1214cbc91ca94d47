/* test_inject.c - the injection queue: its order, within the ring and beyond */
#include "../helpers.h"

#include "inject.h"
#include "task.h"

enum { RING = 8, TASKS = 100 };

static wf_task  *ring[RING];
static wf_task   task[TASKS];
static wf_inject q;
static uint32_t  n_pushed, n_taken;

static void set_up(uint32_t ring_size)
{
    q = (wf_inject){.ring = ring, .ring_size = ring_size};
    n_pushed = n_taken = 0;
}

static void push(uint32_t n)
{
    wf_task *first = &task[n_pushed];

    for (uint32_t i = 0; i + 1 < n; i++)
        first[i].next = &first[i + 1];
    first[n - 1].next = first; /* any value: the push must overwrite it */
    wf_inject_push_any(&q, first, &first[n - 1], n);
    n_pushed += n;
}

static void take(uint32_t n, uint32_t expected)
{
    wf_task *got[TASKS];

    check_eq(wf_inject_take_any(&q, got, n), expected);
    for (uint32_t i = 0; i < expected; i++)
        check_eq(got[i] - task, n_taken++);
    check_eq(wf_inject_length_any(&q), n_pushed - n_taken + expected);
    wf_inject_taken_any(&q, expected);
    check_eq(wf_inject_length_any(&q), n_pushed - n_taken);
}

Test(inject, takes_what_is_oldest_whatever_the_ring_holds)
{
    for (uint32_t size = 0; size <= RING; size += RING) {
        set_up(size);
        take(3, 0);
        push(1);
        push(5);
        take(4, 4);
        push(10); /* more than the ring has room for */
        push(1);
        take(3, 3); /* now the ring has room, but tasks wait in the list behind it */
        push(2);
        take(7, 7);
        push(3);
        take(TASKS, 8);
        take(1, 0);
        push(RING); /* the list is empty: the ring is filled again, over its end */
        take(1, 1);
        push(1);
        take(TASKS, RING);
        check(!q.first && !q.last);
        check_eq(q.n_total, n_taken);
    }
}
