/*
 * core.h - the core of a current-thread runtime
 *
 * Purpose     The right to poll its tasks, which one thread has at a time: the thread that has it
 *             is worker 0. Threads in weft_block_on pass it on; the stopping thread takes it.
 * Threads     Any that is in no poll.
 * Invariants  S5 worker 0 is entered by the thread that has the core, and by no other.
 * Ordering    [core-1] the core is released to the thread that takes it next, and so is `done` to
 *             the thread that waits for it.
 * Failure     None.
 */
#ifndef WF_CORE_H
#define WF_CORE_H

#include <stdbool.h>
#include <stdint.h>

struct wf_executor;

typedef struct wf_core {
    uint32_t taken;   /* 1 while some thread has it */
    uint32_t n_given; /* grows when that ends, and when a caller's `done` is set */
} wf_core;

/* Polls tasks on the calling thread until *done, or while another thread does that sleeps until
 * *done or until that one has left. */
void wf_core_run(struct wf_executor *s, uint32_t *done);
/* Sets *done, for the thread that waits for it. */
void wf_core_done(struct wf_executor *s, uint32_t *done);
/* For the stopping thread: polls tasks until none is alive. False: at the instant, or because
 * another thread has the core. */
bool wf_core_run_until_gone(struct wf_executor *s, int64_t until);

#endif
