/* run.c - see run.h */
#include "run.h"

#include "dispatch.h"
#include "executor.h"
#include "panic.h"
#include "pick.h"

#define YOUNGER_MOST 32 /* younger children that run before one that is joined in place */

/* A cancelled task gets CANCELLED at its first poll, too. Its body runs, because it owns its
 * arguments and must release them. */
static uint32_t flags_of(uint64_t state)
{
    if (__builtin_expect(!(state & (WF_TASK_CANCEL | WF_TASK_PANIC)), 1))
        return 0;
    return state & WF_TASK_PANIC ? WEFT_CONTEXT_CANCELLED_ | WEFT_CONTEXT_UNWINDS_
                                 : WEFT_CONTEXT_CANCELLED_;
}

/* The context of a poll of the task that `home` names. */
static inline weft_context context_of(wf_worker *w, struct weft_home_ *home, uint32_t budget,
                                      uint32_t flags)
{
    return (weft_context){.waker = &home->waker,
                          .runtime = w->executor->rt,
                          .deadline = WEFT_FOREVER,
                          .budget = budget,
                          .flags = flags,
                          .random_ = w->random += 2654435761u,
                          .home_ = home};
}

/* From now on the task's frames only pass polls on, until everything that they waited for has
 * ended. The panic may have come from anywhere, so the context is made anew. */
__attribute__((cold, noinline)) static weft_poll unwind(wf_worker *w, wf_task *t, weft_context *cx,
                                                        const char *message)
{
    char text[WF_TASK_TEXT];

    wf_log(&cx->runtime->config, WEFT_LOG_ERROR, "%s panicked: %s", wf_task_text(text, t->site),
           message);
    wf_task_to_panicked(t, message);
    *cx = context_of(w, cx->home_, cx->budget, WEFT_CONTEXT_CANCELLED_ | WEFT_CONTEXT_UNWINDS_);
    return wf_panic_refused(wf_panic_poll_root(&t->frame.future, cx));
}

static inline weft_poll poll_root(wf_worker *w, wf_task *t, weft_context *cx)
{
    bool      unwinds = cx->flags & WEFT_CONTEXT_UNWINDS_;
    wf_caught caught = wf_panic_poll_root(&t->frame.future, cx);

    if (__builtin_expect(caught.message != NULL, 0) && !unwinds)
        return unwind(w, t, cx, caught.message);
    return wf_panic_refused(caught);
}

/* Polls a task. Returns true if it has ended: then the caller makes it COMPLETE. */
static bool poll_task(wf_worker *w, wf_task *t, uint32_t *budget)
{
    uint64_t          state = wf_task_to_running(t);
    struct weft_home_ home = {.waker = {&wf_task_vtable, t}};
    weft_context      cx = context_of(w, &home, *budget, flags_of(state));
    weft_poll         poll;

    wf_store(&w->polls_site, t->site, RELAXED); /* a hint for the monitor */
    wf_store(&w->polled, t, RELAXED);           /* the same */
    w->polling = true;
    poll = poll_root(w, t, &cx);
    *budget = cx.budget;
    wf_count(&w->counters.polls, 1);
    if (__builtin_expect(wf_executor_is_child(w->executor), 0))
        weft_misuse_("fork", "the child must not return from the poll it was forked in", t->site);
    if (++w->busy_polls == WF_LOAD_MEASURE_EVERY)
        wf_load_measure_owner(w);
    if (weft_poll_is_ready(poll)) {
        wf_store(&w->counters.ended, w->counters.ended + 1, RELEASE); /* [tasks-2] */
        return true;
    }
    w->polling = false;
    if (home.yielded || wf_task_to_idle(t) == WF_TASK_IDLE_REQUEUE) {
        wf_dispatch_requeue_owner(w, t);
        if (__builtin_expect(*budget == 0, 0))
            wf_pick_budget_spent_owner(w);
    }
    return false;
}

void wf_run_task_owner(wf_worker *w, wf_task *t, uint32_t *budget)
{
    if (!poll_task(w, t, budget))
        return;
    wf_task_to_complete(t); /* wakes its joiner as if by the task itself */
    w->polling = false;
}

/* ---- in place: within the poll of the task that joins ---- */

/* Takes the child if it is the youngest. Returns whether it was. */
static bool take_youngest(wf_worker *w, wf_task *t)
{
    if (wf_load(&w->first_child, RELAXED) != t) /* only the owner fills it */
        return wf_deque_pop_this_owner(&w->children, t);
    return wf_deque_length_any(&w->children) == 0 && wf_worker_take_slot_any(&w->first_child) == t;
}

/* Polls a child within the current poll. Returns true if it has ended. It is not COMPLETE yet. */
static inline bool poll_within(wf_worker *w, wf_task *t, uint32_t *budget)
{
    const char *site = w->polls_site;
    wf_task    *joiner = w->polled;
    bool        ended;

    wf_count(&w->counters.in_place_joins, 1);
    w->depth++;
    ended = poll_task(w, t, budget);
    w->depth--;
    wf_store(&w->polled, joiner, RELAXED); /* a hint for the monitor */
    w->polling = true;
    wf_store(&w->polls_site, site, RELAXED); /* a hint for the monitor */
    return ended;
}

/* Polls the children that are younger than t, the youngest first, as the worker would do after the
 * current poll. Then it polls t. This is for a task that joins its children in the order in which
 * it spawned them, and so begins with the oldest. Thieves may take t meanwhile. */
WF_FLATTEN WF_SELDOM static bool run_younger(wf_worker *w, wf_task *t, uint32_t *budget)
{
    wf_deque *d = &w->children;
    int64_t   place = wf_load(&w->first_child, RELAXED) == t /* only the owner fills it */
                          ? wf_deque_newest_owner(d) - wf_deque_length_any(d)
                          : wf_deque_place_owner(d, t, YOUNGER_MOST);

    if (place == WF_DEQUE_NOWHERE || wf_deque_newest_owner(d) - place > YOUNGER_MOST)
        return false;
    for (; *budget > 0; --*budget) {
        wf_task *younger = wf_deque_newest_owner(d) > place ? wf_deque_pop_owner(d) : NULL;

        if (!younger)
            return take_youngest(w, t) && poll_within(w, t, budget) &&
                   wf_task_to_complete_in_place(t);
        if (poll_within(w, younger, budget))
            wf_task_to_complete(younger); /* another thread may hold its handle */
    }
    return false;
}

bool wf_run_child_owner(wf_worker *w, wf_task *t, uint32_t *budget)
{
    if (__builtin_expect(w->depth == WF_IN_PLACE_DEPTH, 0))
        return false;
    if (__builtin_expect(!take_youngest(w, t), 0))
        return run_younger(w, t, budget);
    return poll_within(w, t, budget) && wf_task_to_complete_in_place(t);
}
