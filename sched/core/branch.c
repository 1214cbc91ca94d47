/* branch.c - see branch.h */
#include "branch.h"

#include "marks.h"
#if __STDC_HOSTED__
#include "task.h"
#endif

/* Only a poll of the branch calls it, so this is the owner's thread. */
static void poll_always(weft_branch *b)
{
    b->flags_ |= WF_BRANCH_ALWAYS;
    b->group_->scans_ = 1;
}

static weft_waker branch_clone(void *data)
{
    weft_branch *b = data;

    poll_always(b);
    return weft_waker_clone(&b->group_->waker_);
}

static void branch_wake(void *data)
{
    weft_branch *b = data;

    wf_mark(b); /* [combine-1] */
    weft_waker_wake_by_ref(&b->group_->waker_);
}

static void branch_drop(void *data)
{
    (void)data; /* borrowed: nothing was counted */
}

static void *branch_notify(void *data)
{
    weft_branch *b = data;

    wf_mark(b); /* [combine-1] */
    return b->group_->waker_.vtable->notify_(b->group_->waker_.data);
}

const weft_waker_vtable wf_branch_vtable = {branch_clone, branch_wake, branch_wake, branch_drop,
                                            branch_notify};

const weft_waker *wf_branch_waker_of_function(const weft_context *cx)
{
    const weft_waker *waker = cx->waker;

    while (waker->vtable == &wf_branch_vtable) {
        weft_branch *b = waker->data;

        if (b->group_->frame_ != cx->frame_)
            break;
        poll_always(b);
        waker = &b->group_->waker_;
    }
    return waker;
}

/* Polls a future that may be handed on to another task. When it is woken, this task and its groups
 * may be gone, so it gets the task's waker, with a reference: C3. */
WEFT_API weft_poll weft_future_poll_counted_(weft_future *future, weft_context *cx)
{
    const weft_waker *outer = cx->waker;
    weft_waker        waker = *outer;
    weft_poll         poll;

    while (waker.vtable == &wf_branch_vtable) {
        weft_branch *b = waker.data;

        poll_always(b);
        waker = b->group_->waker_;
    }
#if __STDC_HOSTED__
    if (waker.vtable == &wf_task_vtable)
        waker.vtable = &wf_task_counted_vtable;
#endif
    cx->waker = &waker;
    poll = weft_future_poll_inner(future, cx);
    cx->waker = outer;
    return poll;
}
