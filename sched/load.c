/* load.c - see load.h */
#include "load.h"

#include "clock.h"
#include "executor.h"

#define FIRST_POLL_NS   2000        /* until the first measurement */
#define SUSPICIONS      3           /* so many within WF_LOAD_FORGOTTEN are believed */
#define WORTH_WAKING    WEFT_US(50) /* of work */
#define BACKOFF_MOST    4           /* at this level 16 tasks must wait before a worker is woken */
#define TRY_AGAIN_AFTER 1024 /* tasks kept without a wake, after which the level is lowered */
#define LONG_POLL_HASTE 4    /* so many times less must wait where polls are long */

void wf_load_init(wf_load_stats *l)
{
    *l = (wf_load_stats){.poll_ns = FIRST_POLL_NS};
}

/* A stretch of polls took longer than it should have. Either one of them was long, or other
 * processes had the CPU, as happens now and then. It counts as a long poll when it happens
 * often. */
static void suspect_long_poll(wf_load_stats *l, int64_t now)
{
    if (now - wf_load(&l->suspected_since, RELAXED) >= WF_LOAD_FORGOTTEN) { /* estimates */
        wf_store(&l->suspected_since, now, RELAXED);
        wf_store(&l->n_suspected, 1, RELAXED);
    } else if (wf_add(&l->n_suspected, 1, RELAXED) + 1 >= SUSPICIONS) {
        wf_load_note_long_poll(l, now);
    }
}

WF_SELDOM int64_t wf_load_measure_owner(wf_worker *w)
{
    wf_load_stats *l = &w->executor->load;
    int64_t        now = wf_now(), stretch;
    uint32_t       mean, before = wf_load(&l->poll_ns, RELAXED); /* an estimate */

    if (w->busy_polls > 0) {
        stretch = now - w->busy_since;
        mean = (uint32_t)(stretch / w->busy_polls);
        if (stretch - (int64_t)before * w->busy_polls >= WF_LOAD_LONG_POLL ||
            mean >= WF_LOAD_LONG_POLL)
            suspect_long_poll(l, now);
        wf_store(&l->poll_ns, before - before / 8 + mean / 8, RELAXED); /* an estimate */
    }
    w->busy_since = now;
    w->busy_polls = 0;
    return now;
}

void wf_load_adjust_backoff_owner(wf_worker *w, int64_t now)
{
    wf_load_stats *l = &w->executor->load;
    uint32_t       backoff = wf_load(&l->wake_backoff, RELAXED); /* an estimate */

    if (now - w->woke >= WORTH_WAKING)
        wf_store(&l->wake_backoff, 0, RELAXED); /* an estimate */
    else if (backoff < BACKOFF_MOST)
        wf_store(&l->wake_backoff, backoff + 1, RELAXED); /* an estimate */
}

/* If a worker keeps tasks for itself by mistake, the monitor notices it. Every TRY_AGAIN_AFTER
 * tasks the level is lowered by one, to try again. */
bool wf_load_is_worth_a_thief_owner(wf_worker *w)
{
    wf_load_stats *l = &w->executor->load;
    uint32_t       backoff = wf_load(&l->wake_backoff, RELAXED); /* an estimate */

    if (backoff == 0 || wf_worker_length_any(w) >> backoff)
        return true;
    if (++w->n_kept % TRY_AGAIN_AFTER == 0)
        wf_store(&l->wake_backoff, backoff - 1, RELAXED); /* an estimate */
    return false;
}

/* How much work must wait, in us, before another worker is woken. It is less where polls are long,
 * since a task may have to wait behind one of them. */
static uint64_t worth_waking_us(const wf_executor *s)
{
    uint64_t us = (uint64_t)s->rt->config.wake_us;

    return wf_load_no_long_polls(&s->load, wf_now()) ? us : us / LONG_POLL_HASTE;
}

bool wf_load_wants_help(const wf_executor *s)
{
    uint64_t n = wf_inject_length_any(&s->inject);

    for (uint32_t i = 0; i < s->idle.n_slots; i++) {
        if (wf_worker_children_any(s->workers[i]) > 0)
            return true; /* children may take any time: the normal rule decides */
        n += (uint64_t)wf_deque_length_any(&s->workers[i]->woken);
    }
    return n * wf_load(&s->load.poll_ns, RELAXED) / 1000 > worth_waking_us(s); /* an estimate */
}
