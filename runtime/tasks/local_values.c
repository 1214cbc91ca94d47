/* local_values.c - see local_values.h */
#include "local_values.h"

_Thread_local struct weft_fiber_local_ *wf_local_values_of_thread WF_TLS_MODEL;

weft_future *wf_local_values_wrap(struct weft_fiber_local_ *newest, weft_future *future)
{
    for (struct weft_fiber_local_ *l = newest; l; l = l->older_)
        future = weft_task_local_scope(&l->scope_, l->scope_.key_, l->scope_.value_, future);
    return future;
}

static void end(void *node)
{
    struct weft_fiber_local_ *l = node;

    *wf_local_values() = l->older_;
}

WEFT_API void weft_fiber_begin_local_(struct weft_fiber_local_ *node, const weft_task_local *key,
                                      void *value)
{
    struct weft_fiber_local_ **newest = wf_local_values();

    if (wf_current_thread.catch)
        weft_misuse_("weft_fiber_set_local",
                     "called in a poll or a job, where weft_task_local_scope belongs",
                     "is this no fiber?");
    node->end_ = (weft_deferred){end, node, NULL};
    node->older_ = *newest;
    node->scope_.key_ = key;
    node->scope_.value_ = value;
    node->scope_.outer_ = *newest ? &(*newest)->scope_ : NULL; /* Z5 */
    *newest = node;
    weft_fiber_defer_(&node->end_);
}

WEFT_API void weft_fiber_end_local_(struct weft_fiber_local_ *node)
{
    weft_fiber_run_deferred_(&node->end_);
}
