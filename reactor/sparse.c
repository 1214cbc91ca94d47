/* sparse.c - see sparse.h */
#include "sparse.h"

#include "timer.h"

static bool all_sleep(const wf_executor *e)
{
    for (uint32_t i = 0; i < e->idle.n_workers; i++)
        if (!wf_idle_is_sleeping(&e->idle, i))
            return false;
    return true;
}

bool wf_sparse_hand_over(wf_sparse *p, wf_executor *e, bool alone)
{
    const weft_runtime *rt = e->rt;
    uint32_t            after = (uint32_t)rt->config.leader_after;

    p->n_alone = alone ? p->n_alone + 1 : 0;
    if (after == 0 || p->n_alone < after)
        return false;
    p->n_alone = 0;
    if (rt->config.current_thread || wf_clock_jumps(&rt->timers->clock) || !all_sleep(e) ||
        !wf_load_no_long_polls(&e->load, wf_now()))
        return false;
    /* The caller wakes a worker after this, and that worker leads when it runs dry. */
    wf_store(&rt->driver->sparse, 1, SEQ_CST); /* [driver-4] */
    return true;
}

void wf_sparse_note(wf_leads *l, wf_driver *driver, int n)
{
    wf_count(&l->n_waits, 1);
    wf_count(&l->n_found, (uint64_t)n);
    l->crowd = wf_guess_crowd(l->crowd, n);
    if (l->crowd < WF_GUESS_CROWD_MOST)
        return;
    l->crowd = 0;
    wf_driver_end_sparse(driver);
}
