/* test_task.c - the task's state word, one transition after the other */
#include "../helpers.h"

#include "join.h"
#include "task.h"

static weft_runtime rt;
static wf_memory    memory = {.rt = &rt};
static wf_heap      heap;

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

/* With a handle if there are 2 references. */
static wf_task *task(unsigned n_refs)
{
    typedef __typeof__(((struct nothing *)NULL)->in) args;
    wf_task_origin                                   from = {.ops = weft_ops_nothing(),
                                                             .args = &(args){3, 4},
                                                             .size = sizeof(args),
                                                             .at = offsetof(struct nothing, in),
                                                             .site = "some name\0here"};

    rt.config.allocator = wf_alloc_default;
    wf_heap_init(&heap, &memory);
    wf_current_thread.heap = &heap;
    return wf_task_new_owner(&heap, &from, n_refs == 2);
}

static bool is_free(const wf_task *t)
{
    return wf_load(&t->state, RELAXED) == 0; /* one thread */
}

/* Takes the task from its queue. Returns whether it was cancelled. */
static bool taken_cancelled(wf_task *t)
{
    return wf_task_to_running(t) & WF_TASK_CANCEL;
}

static void end(void)
{
    wf_memory_close(&memory);
    wf_current_thread.heap = NULL;
}

/* A task that was taken from its queue and polled to PENDING. */
static wf_task *idle_task(unsigned n_refs)
{
    wf_task *t = task(n_refs);

    check(!taken_cancelled(t));
    check_eq(wf_task_to_idle(t), WF_TASK_IDLE_DONE);
    return t;
}

Test(task, costs_its_frame_and_at_most_64_bytes)
{
    wf_task *t = task(1), *next = task(1);

    check_cmp(offsetof(wf_task, frame), <=, 64);
    wf_task_discard(next);
    wf_task_discard(t);
    end();
}

Test(task, has_the_name_it_was_given_and_where_it_was_spawned)
{
    wf_task *t = task(1);

    check_str_eq(wf_task_name(t), "some name");
    check_str_eq(wf_task_where(wf_task_name(t)), "here");
    wf_task_discard(t);
    end();
}

Test(task, copies_its_arguments)
{
    wf_task              *t = task(1);
    const struct nothing *frame = (const struct nothing *)(void *)&t->frame;

    check_eq(frame->in.a, 3);
    check_eq(frame->in.b, 4);
    wf_task_discard(t);
    end();
}

Test(task, that_is_new_is_queued_already_and_a_wake_adds_nothing)
{
    wf_task *t = task(1);

    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_NOTHING);
    wf_task_discard(t);
    end();
}

Test(task, that_is_idle_is_queued_by_the_first_wake_only)
{
    wf_task *t = idle_task(1);

    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_QUEUE);
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_NOTHING);
    wf_task_discard(t);
    end();
}

Test(task, that_is_woken_while_it_runs_is_queued_again_by_its_worker)
{
    wf_task *t = task(1);

    check(!taken_cancelled(t));
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_idle(t), WF_TASK_IDLE_REQUEUE);
    check(!taken_cancelled(t));
    check_eq(wf_task_to_idle(t), WF_TASK_IDLE_DONE);
    wf_task_discard(t);
    end();
}

Test(task, that_is_cancelled_learns_of_it_at_every_run_from_then_on)
{
    wf_task *t = idle_task(1);

    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_QUEUE);
    for (int i = 0; i < 3; i++) {
        check(taken_cancelled(t));
        check_eq(wf_task_to_idle(t), WF_TASK_IDLE_DONE);
        check_eq(wf_task_to_notified(t), WF_TASK_WAKE_QUEUE);
    }
    wf_task_discard(t);
    end();
}

Test(task, that_is_complete_is_not_queued_by_wakes_and_cancels)
{
    wf_task *t = task(2);

    check(!taken_cancelled(t));
    wf_task_to_complete(t);
    check(wf_task_is_complete(t));
    check_eq(wf_task_to_notified(t), WF_TASK_WAKE_NOTHING);
    check_eq(wf_task_to_cancelled(t), WF_TASK_WAKE_NOTHING);
    check(wf_task_is_complete(t));
    wf_task_unref_handle(t);
    check(is_free(t));
    end();
}

Test(task, is_freed_by_whoever_drops_the_last_reference)
{
    wf_task   *t = task(2);
    weft_waker waker = {&wf_task_vtable, t}, clone = weft_waker_clone(&waker);

    check(!taken_cancelled(t));
    wf_task_to_complete(t);
    wf_task_unref_handle(t);
    check(!is_free(t));
    weft_waker_wake(clone);
    check(is_free(t));
    end();
}

Test(task, wakes_its_joiner_when_it_completes_and_drops_nothing_twice)
{
    struct hand hand;
    weft_handle handle = {.task_ = NULL};
    wf_task    *t = task(2);

    hand_init(&hand, NULL);
    check(!wf_join_await(t, &handle, &hand.waker));
    check_eq(hand.n_wakers, 1);
    check(!taken_cancelled(t));
    wf_task_to_complete(t);
    check_eq(hand.n_wakes, 1);
    check_eq(hand.n_wakers, 0);
    check(wf_join_await(t, &handle, &hand.waker));
    wf_task_unref_handle(t);
    check(is_free(t));
    end();
}

Test(task, that_nobody_joins_any_more_wakes_nobody)
{
    struct hand hand;
    weft_handle handle = {.task_ = NULL};
    wf_task    *t = task(2);

    hand_init(&hand, NULL);
    check(!wf_join_await(t, &handle, &hand.waker));
    wf_join_withdraw(t);
    check_eq(hand.n_wakers, 0);
    check(!taken_cancelled(t));
    wf_task_to_complete(t);
    check_eq(hand.n_wakes, 0);
    wf_task_unref_handle(t);
    check(is_free(t));
    end();
}
