/*
 * counts.h - what the counted programs share: marks around an operation, and proofs
 *
 * tests/tools/counts.py runs the programs under callgrind. A row brackets TIMES operations between
 * counts_begin and counts_end. Each row runs twice, and the second run is the one that is written
 * down: the first has taken the memory and filled the caches of the allocators.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdio.h>
#include <stdlib.h>
#include <valgrind/callgrind.h>
#include <weft.h>

/* How many operations a row has, unless the row says otherwise. */
#define TIMES 2000

static inline void must(bool right, const char *what)
{
    if (__builtin_expect(right, 1))
        return;
    fprintf(stderr, "counts: %s\n", what);
    exit(1);
}

/* One row: its name, the call that spawns its tasks, and how many those are. */
struct counts_row {
    const char *name;
    void (*start)(void);
    unsigned tasks;
};

/* By how much the runtime's own counters must grow during a row. */
struct counts_proof {
    uint64_t polls;
    uint64_t tasks; /* spawned, and as many ended */
    uint64_t in_place_joins;
    uint64_t timers; /* armed, and as many cancelled */
};

/* Ends the setting up and begins to count. */
void counts_begin(void);
/* Ends the counting of `times` operations. A proof that does not hold ends the process. */
void counts_end(int64_t times, struct counts_proof proof);
/* A task of the row ends. The row has ended when each of its tasks has. */
void counts_task_ends(void);

/* The tables of tasks.c, waits.c, locks.c, futures.c and fibers.c; a row without a name is their
 * end. The tasks are detached, so that the worker polls each from its queue. */
extern const struct counts_row counts_task_rows[], counts_wait_rows[], counts_lock_rows[],
    counts_future_rows[], counts_fiber_rows[];

/* A future that is ready with `value` at its first poll. */
weft_future *counts_ready(weft_future *future);
/* A future that never ends by itself, and at once when it is cancelled. */
weft_future *counts_never(weft_future *future);

/* Defines start_NAME, which spawns the async function of that name. */
#define COUNTS_START(name)                                                                         \
    static void start_##name(void)                                                                 \
    {                                                                                              \
        must(weft_spawn(NULL, name) == 0, "spawn failed");                                         \
    }

#endif
