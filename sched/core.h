/*
 * core.h - the core of a current-thread runtime
 *
 * Purpose     The right to poll the tasks of a current-thread runtime. One thread has it at a time,
 *             and is worker 0 meanwhile. Threads in weft_block_on pass it on. The stopping thread
 *             takes it.
 * Threads     Any thread that is in no poll.
 * Invariants  S5 only the thread that has the core enters worker 0.
 * Ordering    [core-1] the core is released to the thread that takes it next, and `done` to the
 *             thread that waits for it.
 * Failure     None.
 */
#ifndef WF_CORE_H
#define WF_CORE_H

#include <stdbool.h>
#include <stdint.h>

struct wf_executor;

typedef struct wf_core {
    uint32_t taken;   /* 1 while some thread has it */
    uint32_t n_given; /* grows when the core is given up, and when a `done` is set */
} wf_core;

/* Polls tasks on the calling thread until *done. While another thread has the core, sleeps until
 * *done or until that thread gives it up. */
void wf_core_run(struct wf_executor *s, uint32_t *done);
/* Sets *done and wakes the thread that waits for it. */
void wf_core_done(struct wf_executor *s, uint32_t *done);
/* For the stopping thread: polls tasks until none is alive. Returns false if the instant comes
 * first, or if another thread has the core. */
bool wf_core_run_until_gone(struct wf_executor *s, int64_t until);

#endif
