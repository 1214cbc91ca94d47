/* handed.c - see handed.h */
#include "handed.h"

#include "dispatch.h"
#include "task.h"

/* Mails each worker its tasks together, for one lock and at most one wake. */
static wf_handed mail_all(wf_executor *s, wf_task *t)
{
    wf_handed handed = {0};

    while (t) {
        wf_wakes same = {0}, rest = {0};
        uint32_t n = 0, pin = wf_task_bound_to(t);

        for (wf_task *next; t; t = next) {
            next = t->next;
            wf_wakes_add(wf_task_bound_to(t) == pin ? &same : &rest, t);
            n += wf_task_bound_to(t) == pin;
        }
        handed.n_bound += n;
        handed.n_woken += wf_dispatch_mail_any(s, same.first, same.last, n);
        t = rest.first;
    }
    return handed;
}

wf_handed wf_handed_queue(wf_executor *s, wf_wakes *wakes)
{
    wf_wakes  others = {0}, ours = {0}, bound = {0};
    wf_handed handed;
    uint32_t  n = 0;

    for (wf_task *t = wakes->first, *next; t; t = next) {
        wf_wakes *to = wf_task_rt(t) != s->rt ? &others : wf_task_bound_to(t) ? &bound : &ours;

        next = t->next;
        wf_wakes_add(to, t);
        n += to == &ours;
    }
    wakes->first = wakes->last = NULL;
    if (n > 0)
        wf_inject_push_any(&s->inject, ours.first, ours.last, n);
    handed = mail_all(s, bound.first);
    handed.n_free = n;
    wf_wakes_flush(&others);
    return handed;
}
