/* stand_in.c - see stand_in.h */
#include "stand_in.h"

#include "clock.h"
#include "dispatch.h"
#include "driver.h"
#include "invariant.h"

void wf_stand_in_begin(wf_worker *w, wf_stand_in *ret)
{
    wf_executor *s = w->executor;

    WF_ASSERT(w->polling && !wf_peek(&w->in_place));
    *ret = (wf_stand_in){wf_current_thread, wf_now()};
    wf_current_thread =
        (wf_current){.rt = ret->before.rt, .catch = ret->before.catch, .lent = w}; /* I1 */
    wf_store(&w->in_place, true, RELAXED); /* the call publishes it: [monitor-2] */
    wf_monitor_move_tasks(w, true);
    wf_load_note_long_poll(&s->load, ret->since);
    wf_driver_open(s->rt->driver);       /* it may wait for this worker */
    wf_driver_end_sparse(s->rt->driver); /* this worker may have been about to lead */
    if (!wf_idle_any(&s->idle))
        wf_monitor_call_stand_in(&s->monitor);
    else if (wf_dispatch_backlog(s) > 0)
        wf_dispatch_notify_any(s);
}

/* The time says nothing about how long polls take, and nothing about the load. */
void wf_stand_in_end(wf_worker *w, const wf_stand_in *stand_in)
{
    wf_current_thread = stand_in->before;
    wf_store(&w->in_place, false, RELAXED); /* a hint: the monitor may keep the spare worker */
    w->busy_since += wf_now() - stand_in->since;
}
