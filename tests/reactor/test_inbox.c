/*
 * test_inbox.c - what other threads hand to the reactor
 */
#include "../test.h"

#include "inbox.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define N_PRODUCERS 4

typedef struct item {
    wf_submission submission;
    int           producer;
    int64_t       number;
} item;

static wf_inbox inbox;
static int64_t  n_each;

Test(inbox, is_empty_until_something_is_pushed)
{
    item i;

    check(wf_inbox_is_empty(&inbox));
    check(wf_inbox_take(&inbox) == NULL);
    wf_inbox_push_any(&inbox, &i.submission);
    check(!wf_inbox_is_empty(&inbox));
    check(wf_inbox_take(&inbox) == &i.submission);
    check(wf_inbox_is_empty(&inbox));
}

Test(inbox, gives_the_oldest_first_and_all_at_once)
{
    item           items[10];
    wf_submission *s;
    int            n = 0;

    for (int i = 0; i < 10; i++)
        wf_inbox_push_any(&inbox, &items[i].submission);
    for (s = wf_inbox_take(&inbox); s; s = s->next)
        check_eq((char *)s, (char *)&items[n++].submission);
    check_eq(n, 10);
    check(wf_inbox_is_empty(&inbox));
}

static void *produce(void *arg)
{
    item *items = arg;

    for (int64_t i = 0; i < n_each; i++)
        wf_inbox_push_any(&inbox, &items[i].submission);
    return NULL;
}

Test(inbox, takes_each_push_once_and_in_its_producers_order)
{
    pthread_t thread[N_PRODUCERS];
    item     *items[N_PRODUCERS];
    int64_t   seen[N_PRODUCERS] = {0}, total = 0;

    n_each = test_scaled(200000);
    for (int p = 0; p < N_PRODUCERS; p++) {
        items[p] = calloc((size_t)n_each, sizeof *items[p]);
        for (int64_t i = 0; i < n_each; i++)
            items[p][i] = (item){.producer = p, .number = i};
    }
    for (int p = 0; p < N_PRODUCERS; p++)
        check_eq(pthread_create(&thread[p], NULL, produce, items[p]), 0);
    while (total < n_each * N_PRODUCERS) {
        wf_submission *s = wf_inbox_take(&inbox), *next;

        if (!s)
            sched_yield();
        for (; s; s = next, total++) {
            item *i = (item *)s;

            next = s->next;
            check_eq(i->number, seen[i->producer]);
            seen[i->producer]++;
        }
    }
    check(wf_inbox_is_empty(&inbox));
    for (int p = 0; p < N_PRODUCERS; p++) {
        pthread_join(thread[p], NULL);
        free(items[p]);
    }
}
