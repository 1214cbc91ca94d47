/* load.c - see load.h */
#include "load.h"

#include "clock.h"
#include "executor.h"

void wf_load_init(wf_load_stats *l)
{
    *l = (wf_load_stats){.poll_ns = WF_GUESS_FIRST_POLL_NS};
}

/* Another thread may suspect at the same moment. Then one of the two suspicions is lost. */
static void suspect_long_poll(wf_load_stats *l, int64_t now)
{
    wf_suspicion series = {wf_load(&l->suspected_since, RELAXED), /* estimates */
                           wf_load(&l->n_suspected, RELAXED)};

    series = wf_guess_suspect(series, now);
    wf_store(&l->suspected_since, series.since, RELAXED);
    wf_store(&l->n_suspected, series.n, RELAXED);
    if (series.n >= WF_GUESS_BELIEVED)
        wf_load_note_long_poll(l, now);
}

WF_SELDOM int64_t wf_load_measure_owner(wf_worker *w)
{
    wf_load_stats *l = &w->executor->load;
    int64_t        now = wf_now(), stretch, each;
    uint32_t       mean = wf_load(&l->poll_ns, RELAXED); /* an estimate */

    if (w->busy_polls > 0) {
        stretch = now - w->busy_since;
        if (wf_guess_is_suspect(stretch, w->busy_polls, mean))
            suspect_long_poll(l, now);
        each = stretch / w->busy_polls;
        mean = wf_guess_mean(mean, each < UINT32_MAX ? (uint32_t)each : UINT32_MAX);
        wf_store(&l->poll_ns, mean, RELAXED); /* an estimate */
    }
    w->busy_since = now;
    w->busy_polls = 0;
    return now;
}

void wf_load_adjust_backoff_owner(wf_worker *w, int64_t now)
{
    wf_load_stats *l = &w->executor->load;
    uint32_t       before = wf_load(&l->wake_backoff, RELAXED); /* an estimate */
    uint32_t       after = wf_guess_backoff(before, now - w->woke);

    if (after != before)                            /* all workers read the cache line */
        wf_store(&l->wake_backoff, after, RELAXED); /* an estimate */
}

/* If a worker keeps tasks for itself by mistake, the monitor notices it. Every WF_GUESS_TRY_AGAIN
 * tasks the level is lowered by one, to try again. */
bool wf_load_is_worth_a_thief_owner(wf_worker *w)
{
    wf_load_stats *l = &w->executor->load;
    uint32_t       backoff = wf_load(&l->wake_backoff, RELAXED); /* an estimate */

    if (backoff == 0 || wf_guess_worth_a_thief(backoff, wf_worker_length_any(w)))
        return true;
    if (++w->n_kept % WF_GUESS_TRY_AGAIN == 0)
        wf_store(&l->wake_backoff, backoff - 1, RELAXED); /* an estimate */
    return false;
}

static uint64_t worth_waking_us(const wf_executor *s)
{
    return wf_guess_worth_waking((uint64_t)s->rt->config.wake_us,
                                 !wf_load_no_long_polls(&s->load, wf_now()));
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
