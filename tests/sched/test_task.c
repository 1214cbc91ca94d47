/* test_task.c - the task's state word, one transition after the other */
#include "../helpers.h"

#include "task.h"

static weft_runtime  rt;
static struct memory memory;

struct nothing {
    WEFT_FRAME;
    struct {
        int64_t a, b;
    } in;
};
WEFT_ASYNC(nothing)
{
    WEFT_BEGIN();
    WEFT_END(self->in.a + self->in.b);
}

static wf_task *task(unsigned n_refs)
{
    typedef __typeof__(((struct nothing *)NULL)->in) args;

    rt.config.allocator = memory_hooks(&memory);
    return wf_task_new(&rt, weft_ops_nothing(), offsetof(struct nothing, in), &(args){3, 4},
                       sizeof(args), "here", n_refs);
}

/* Taken from its queue, polled to PENDING. */
static wf_task *idle_task(unsigned n_refs)
{
    wf_task *t = task(n_refs);

    check(!wf_task_to_running(t));
    check_eq(wf_task_to_idle(t), WF_TASK_IDLE_DONE);
    return t;
}

static void complete(wf_task *t)
{
    t->memory.release = rt.config.allocator.release;
    t->memory.arg = rt.config.allocator.arg;
    wf_task_to_complete(t);
}

Test(task, costs_its_frame_and_at_most_64_bytes)
{
    wf_task *t = task(1);

    check_eq(memory.n, 1);
    check_cmp(memory.live, <=, (int64_t)sizeof(struct nothing) + 64);
    wf_task_discard(t);
    check_eq(memory.live, 0);
}

Test(task, copies_its_arguments)
{
    wf_task              *t = task(1);
    const struct nothing *frame = (const struct nothing *)(void *)&t->frame;

    check_eq(frame->in.a, 3);
    check_eq(frame->in.b, 4);
    wf_task_discard(t);
}

Test(task, that_is_new_is_queued_already_and_a_wake_adds_nothing)
{
    wf_task *t = task(1);

    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_NOTHING);
    wf_task_discard(t);
}

Test(task, that_is_idle_is_queued_by_the_first_wake_only)
{
    wf_task *t = idle_task(1);

    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_QUEUE);
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_NOTHING);
    wf_task_discard(t);
}

Test(task, that_is_woken_while_it_runs_is_queued_again_by_its_worker)
{
    wf_task *t = task(1);

    check(!wf_task_to_running(t));
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_idle(t), WF_TASK_IDLE_REQUEUE);
    check(!wf_task_to_running(t));
    check_eq(wf_task_to_idle(t), WF_TASK_IDLE_DONE);
    wf_task_discard(t);
}

Test(task, that_is_cancelled_learns_of_it_at_every_run_from_then_on)
{
    wf_task *t = idle_task(1);

    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_QUEUE);
    for (int i = 0; i < 3; i++) {
        check(wf_task_to_running(t));
        check_eq(wf_task_to_idle(t), WF_TASK_IDLE_DONE);
        check_eq(wf_task_to_notified(t), WF_TASK_WAKE_QUEUE);
    }
    wf_task_discard(t);
}

Test(task, that_is_complete_is_not_queued_by_wakes_and_cancels)
{
    wf_task *t = task(2);

    check(!wf_task_to_running(t));
    complete(t);
    check(wf_task_is_complete(t));
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_NOTHING);
    check(wf_task_is_complete(t));
    wf_task_unref(t);
    wf_task_unref(t);
    check_eq(memory.live, 0);
}

Test(task, is_freed_by_whoever_drops_the_last_reference)
{
    wf_task   *t = task(2);
    weft_waker waker = {&wf_task_vtable, t}, clone = weft_waker_clone(&waker);

    check(!wf_task_to_running(t));
    complete(t);
    wf_task_unref(t);
    wf_task_unref(t);
    check(memory.live > 0);
    weft_waker_wake(clone);
    check_eq(memory.live, 0);
}

Test(task, wakes_its_joiner_when_it_completes_and_drops_nothing_twice)
{
    struct hand hand;
    wf_task    *t = task(2);

    hand_init(&hand, NULL);
    check(!wf_task_join(t, &hand.waker));
    check_eq(hand.n_wakers, 1);
    check(!wf_task_to_running(t));
    complete(t);
    check_eq(hand.n_wakes, 1);
    check_eq(hand.n_wakers, 0);
    check(wf_task_join(t, &hand.waker));
    wf_task_unref(t);
    wf_task_unref(t);
}

Test(task, that_nobody_joins_any_more_wakes_nobody)
{
    struct hand hand;
    wf_task    *t = task(2);

    hand_init(&hand, NULL);
    check(!wf_task_join(t, &hand.waker));
    wf_task_unjoin(t);
    check_eq(hand.n_wakers, 0);
    check(!wf_task_to_running(t));
    complete(t);
    check_eq(hand.n_wakes, 0);
    wf_task_unref(t);
    wf_task_unref(t);
}
