/*
 * fiber_parts.h - the numbers that fibers and their twins share, and the benchmarks by file
 *
 * Purpose     Each benchmark of fibers but the switch has a twin whose tasks are async functions:
 *             `fiber` and `sched` do the same work, and what can be the same code is in
 *             fiber_shared.c.
 * Threads     The benchmarks are called by the main thread, as bench.h says.
 * Invariants  None.
 * Ordering    None.
 * Failure     See bench.h.
 */
#ifndef FIBER_PARTS_H
#define FIBER_PARTS_H

#include "bench.h"

enum {
    FIBER_AWAITS = 10000,
    FIBER_JOINS = 1000,
    FIBER_YIELDS = 10000, /* of each of two tasks */
    FIBER_TRIPS = 1000,   /* there and back */
    FIBER_MANY = 100000,
    FIBER_MOST = 1000000,
};

/* A sleep that only a cancel ends. */
#define FIBER_NAP WEFT_S(3600)

/* A task that yields to the other one of its pair. */
struct fiber_pair {
    struct countdown ended;
    int64_t          each;
    _Atomic int64_t  done;
};

/* Two tasks send a number to and fro through a channel of one place each, and increment it. */
struct fiber_table {
    weft_mpsc_sender   *to[2];
    weft_mpsc_receiver *at[2];
    int64_t             each;
    struct countdown    ended;
};

/* A future that is READY with 1 at its first poll. */
weft_future *fiber_ready(weft_future *future);

void fiber_pair_begin(struct fiber_pair *pair, const struct bench_run *run);
void fiber_pair_end(struct fiber_pair *pair, struct bench_run *run);

void fiber_table_begin(struct fiber_table *table, const struct bench_run *run);
/* `number` is what the player got last that sent the first number. */
void fiber_table_end(struct fiber_table *table, struct bench_run *run, int64_t number);

/* All sleepers have ended: the time ends, and the memory is read once the workers sleep and have
 * given back what they need no more. The main thread. */
void fiber_sleep_end(struct bench_run *run);

/* fiber_switch.c */
void bench_fiber_switch(struct bench_run *run, int argument);

/* fiber_sleep.c: the argument is the number of fibers. With SMALL they have the least stacks. */
enum { SMALL = 1 << 30 };
void bench_fiber_sleep(struct bench_run *run, int number);

#endif
