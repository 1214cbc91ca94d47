/*
 * counter.c - a future written by hand
 *
 * An async function is one way to make a future. This is the other one, which all of weft's own
 * futures use: a struct that starts with a weft_future, and a poll function. The counter answers
 * PENDING until it has been polled `max` times. It shows the rules of weft/future.h at work:
 *
 *   lazy       making one does nothing; it is data, and may be copied and moved
 *   pinned     from its first poll on it stays where it is until it is READY
 *   the waker  a future that answers PENDING makes sure that the context's waker is called
 *              later; a counter waits for nothing, so it calls the waker itself
 *
 * Any executor can poll it: here a loop of our own, weft_block_on, and a task that awaits it.
 */
#include <stdio.h>
#include <weft.h>

struct counter {
    weft_future future; /* first, so that a pointer to one is a pointer to the other */
    int         count, max;
};

static weft_poll counter_poll(weft_future *future, weft_context *cx)
{
    struct counter *self = weft_container(future, struct counter, future);

    if (self->count == self->max)
        return weft_ready(future, self->count);
    self->count++;
    weft_waker_wake_by_ref(weft_context_waker(cx)); /* asks to be polled again */
    return WEFT_PENDING;
}

/* No other code refers to a counter, and it keeps no waker. So a cancel has nothing to undo. */
static const weft_future_ops counter_ops = {
    .size = sizeof(struct counter),
    .flags = WEFT_FUTURE_WITHDRAWS,
    .name = "counter",
    .poll = counter_poll,
};

static weft_future *counter(struct counter *self, int max)
{
    weft_future_init(&self->future, &counter_ops);
    self->count = 0;
    self->max = max;
    return &self->future;
}

/* The shortest executor there is: poll until READY. It never sleeps, so its waker does nothing. */
static int poll_by_hand(weft_future *future)
{
    weft_waker   waker = weft_waker_noop();
    weft_context cx;
    int          n_polls = 1;

    weft_context_init(&cx, &waker, NULL);
    while (!weft_poll_is_ready(weft_future_poll(future, &cx)))
        n_polls++;
    return n_polls;
}

/* An async function awaits a counter as it awaits anything. */
struct count_twice {
    WEFT_FRAME;
    struct {
        int max;
    } in;
    struct counter counter; /* one slot, used by one await after the other */
    int64_t        sum;
};
WEFT_ASYNC(count_twice)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, counter(&self->counter, self->in.max));
    self->sum = n;
    WEFT_AWAIT(n, counter(&self->counter, self->in.max));
    WEFT_END(self->sum + n);
}

int main(void)
{
    weft_runtime  *rt;
    weft_handle    handle;
    struct counter first, moved;
    int            error;

    counter(&first, 3);
    moved = first; /* not polled yet: free to move */
    printf("by hand:  %d polls\n", poll_by_hand(&moved.future));

    error = weft_runtime_start(NULL, &rt);
    if (error < 0)
        return 1; /* the log has said why */
    printf("block_on: %lld\n", (long long)weft_block_on(rt, counter(&first, 5)));

    error = weft_spawn_on(rt, &handle, count_twice, .max = 10);
    if (error == 0)
        printf("a task:   %lld\n", (long long)weft_block_on(rt, weft_join(&handle)));
    return weft_runtime_stop(rt, WEFT_S(5)) < 0 || error < 0;
}
