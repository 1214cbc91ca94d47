/*
 * load.h - how much there is to do, and whether it is worth a wake
 *
 * Purpose     Waking a worker costs microseconds, on both sides. Here stands what is known of the
 *             load and what follows from it: how long polls take, whether some have been long
 *             lately, how much must wait before a sleeping worker is woken for it.
 *
 *             Wake back-off: when workers that were woken go back to sleep at once, there was too
 *             little for them. Then wake_backoff rises, and the next one is woken when 2 to the
 *             power of that many tasks wait. A worker that was of use sets it to 0.
 *             Long polls: where they are, what waits may wait behind one of them. A stretch of
 *             polls that took too long is only a suspicion, since other processes may have had the
 *             CPU; several within a while are believed.
 * Threads     The suffix says: owner is the worker's own thread. All others: any.
 * Invariants  None: all of it is estimates. What is left for too long by mistake is the monitor's
 *             to notice.
 * Ordering    None: whatever is read may be old.
 * Failure     None.
 */
#ifndef WF_LOAD_H
#define WF_LOAD_H

#include "order.h"

#include <weft/time.h>

#define WF_LOAD_LONG_POLL     WEFT_US(700)
#define WF_LOAD_FORGOTTEN     WEFT_MS(100) /* after that a long poll does not count any more */
#define WF_LOAD_MEASURE_EVERY 256          /* polls between looks at the clock while busy */

struct wf_executor;
struct wf_worker;

/* Of an executor; written by any thread of the runtime. */
typedef struct wf_load_stats {
    uint32_t poll_ns;         /* how long a poll takes, about */
    uint32_t wake_backoff;    /* see above */
    int64_t  long_poll_at;    /* when a poll was last seen to be long; 0: never */
    int64_t  suspected_since; /* when the first of those was that ... */
    uint32_t n_suspected;     /* ... may have been long */
} wf_load_stats;

void wf_load_init(wf_load_stats *l);

/* Keeps the idea of how long a poll takes: an average over the last few dozen stretches of work, of
 * which the worker ends one now. Returns the time. */
int64_t wf_load_measure_owner(struct wf_worker *w);
/* The worker goes to sleep: adjusts the back-off by whether it was worth waking. */
void wf_load_adjust_backoff_owner(struct wf_worker *w, int64_t now);
/* Whether to wake another worker for what waits in this one's queues. */
bool wf_load_is_worth_a_thief_owner(struct wf_worker *w);
/* Whether what waits in all queues would take the workers longer than waking one more takes. */
bool wf_load_wants_help(const struct wf_executor *s);

/* A poll lasts long. */
static inline void wf_load_note_long_poll(wf_load_stats *l, int64_t now)
{
    wf_store(&l->long_poll_at, now, RELAXED); /* an estimate */
}

/* No poll has been long lately: events may wait for the end of those that run. */
static inline bool wf_load_no_long_polls(const wf_load_stats *l, int64_t now)
{
    int64_t at = wf_load(&l->long_poll_at, RELAXED); /* an estimate */

    return at == 0 || now - at >= WF_LOAD_FORGOTTEN;
}

#endif
