/*
 * floor.c - what two threads can do at best where tasks are as short as those of spawn_many
 *
 * Purpose     The floor beneath sched/spawn_many with two workers: no scheduler at all. One thread
 *             writes slots of 128 bytes and counts them down itself, or hands every second batch of
 *             64 to another thread, which reads them and counts down the same counter.
 * Threads     Two.
 * Invariants  Each slot is counted down once.
 * Ordering    A batch is published by a release store and taken by an acquire load.
 * Failure     None.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SLOTS = 10000, BATCH = 64, ROUNDS = 2000 };

struct slot {
    _Alignas(128) int64_t word[16];
};

static struct slot     slot[SLOTS];
static _Atomic int64_t left;
static _Atomic int64_t handed; /* slots below, over all rounds: every second batch is the other's */
static _Atomic int     ended;
static _Atomic uint64_t sink;

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void run(const struct slot *s)
{
    atomic_store_explicit(&sink, (uint64_t)s->word[3], memory_order_relaxed);
    atomic_fetch_sub_explicit(&left, 1, memory_order_acq_rel);
}

static bool is_theirs(int64_t i)
{
    return i / BATCH % 2;
}

static void *other(void *arg)
{
    int64_t mine = 0;

    (void)arg;
    while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
        int64_t to = atomic_load_explicit(&handed, memory_order_acquire);

        for (; mine < to; mine++)
            if (is_theirs(mine % SLOTS))
                run(&slot[mine % SLOTS]);
    }
    return NULL;
}

static double ns_per_slot(bool two)
{
    int64_t begin = now();

    for (int round = 0; round < ROUNDS; round++) {
        int64_t before = (int64_t)round * SLOTS;

        atomic_store(&left, SLOTS);
        for (int64_t i = 0; i < SLOTS; i++) {
            memset(&slot[i], (int)i, sizeof slot[i]);
            if (two && (i + 1) % BATCH == 0)
                atomic_store_explicit(&handed, before + i + 1, memory_order_release);
            if (!two || !is_theirs(i))
                run(&slot[i]);
        }
        if (two)
            atomic_store_explicit(&handed, before + SLOTS, memory_order_release);
        while (atomic_load_explicit(&left, memory_order_acquire) > 0)
            ;
    }
    return (double)(now() - begin) / ((double)SLOTS * ROUNDS);
}

int main(void)
{
    pthread_t thread;
    double    one = ns_per_slot(false), two;

    if (pthread_create(&thread, NULL, other, NULL) != 0)
        return 1;
    two = ns_per_slot(true);
    atomic_store(&ended, 1);
    pthread_join(thread, NULL);
    printf("ns per slot: %.1f on one thread, %.1f shared with another\n", one, two);
    return 0;
}
