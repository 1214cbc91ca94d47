/*
 * sched_parts.h - the scheduler benchmarks that have files of their own
 *
 * Purpose     What sched.c puts into its table.
 * Threads     Called by the main thread, as bench.h says.
 * Invariants  None.
 * Ordering    None.
 * Failure     See bench.h.
 */
#ifndef SCHED_PARTS_H
#define SCHED_PARTS_H

#include "bench.h"

/* sched_tree.c */
void bench_skynet(struct bench_run *run, int argument);
void bench_fib(struct bench_run *run, int argument);

/* sched_foreign.c */
void bench_foreign_spawn(struct bench_run *run, int threads);
void bench_foreign_wake(struct bench_run *run, int pause_us);

/* sched_blocking.c */
void bench_blocking_round_trip(struct bench_run *run, int argument);
void bench_blocking_at_once(struct bench_run *run, int argument);
void bench_blocking_in_place(struct bench_run *run, int argument);

/* sched_file.c */
void bench_file(struct bench_run *run, int size);
void bench_cold_file(struct bench_run *run, int size);

/* sched_tasks.c */
void bench_tasks_1m(struct bench_run *run, int argument);

/* sched_stackless.c */
void bench_stackless_await_ready(struct bench_run *run, int argument);
void bench_stackless_yield_pair(struct bench_run *run, int argument);
void bench_stackless_ping_pong(struct bench_run *run, int argument);
void bench_stackless_sleep(struct bench_run *run, int number);

/* sched_time.c */
void bench_sleep_1m(struct bench_run *run, int argument);
void bench_timers_1m(struct bench_run *run, int argument);

#endif
