/*
 * futures.c - futures and wakers by hand, and the executor without threads
 *
 * A gate is a future that waits until a flag is opened: it stores a waker, and gives it back when
 * it is cancelled. ../counter.c is the gentler start.
 */
#include "expect.h"

struct gate {
    weft_future future;
    bool       *open;
    weft_waker  waker; /* vtable NULL: none is stored */
};

static void gate_forget(struct gate *self)
{
    if (self->waker.vtable)
        weft_waker_drop(self->waker);
    self->waker.vtable = NULL;
}

static weft_poll gate_poll(weft_future *future, weft_context *cx)
{
    struct gate      *self = weft_container(future, struct gate, future);
    const weft_waker *waker = weft_context_waker(cx);

    if (weft_future_is_cancelled(future)) {
        gate_forget(self);
        return weft_ready(future, -ECANCELED);
    }
    if (!weft_context_spend(cx)) /* the poll's budget is used up: woken for the next turn */
        return WEFT_PENDING;
    if (*self->open) {
        gate_forget(self);
        return weft_ready(future, 0);
    }
    /* Cloning costs something, so the waker that is already stored is not cloned again. */
    if (!self->waker.vtable || !weft_waker_will_wake(&self->waker, waker)) {
        gate_forget(self);
        self->waker = weft_waker_clone(waker);
    }
    return WEFT_PENDING;
}

/* The next poll withdraws it. */
static void gate_cancel(weft_future *future)
{
    (void)future;
}

static const weft_future_ops gate_ops = {
    .size = sizeof(struct gate),
    .flags = WEFT_FUTURE_WITHDRAWS,
    .name = "gate",
    .poll = gate_poll,
    .cancel = gate_cancel,
};

static weft_future *gate(struct gate *self, bool *open)
{
    weft_future_init(&self->future, &gate_ops);
    self->open = open;
    self->waker.vtable = NULL;
    return &self->future;
}

static void gate_open(struct gate *self)
{
    weft_waker waker = self->waker;

    *self->open = true;
    self->waker.vtable = NULL;
    if (waker.vtable)
        weft_waker_wake(waker); /* asks for a poll, and consumes the waker */
}

/* ---- a future around another one ---- */

/* Counts the polls of a future until it is READY, and passes cancels on. */
struct counted {
    weft_future  future;
    weft_future *inner;
    int          n_polls;
};

static weft_poll counted_poll(weft_future *future, weft_context *cx)
{
    struct counted *self = weft_container(future, struct counted, future);

    self->n_polls++;
    if (weft_future_is_cancelled(future) && weft_poll_is_ready(weft_future_cancel(self->inner)))
        return weft_ready(future, weft_future_result(self->inner));
    if (!weft_poll_is_ready(weft_future_poll_inner(self->inner, cx)))
        return WEFT_PENDING;
    return weft_ready(future, weft_future_result(self->inner));
}

static const weft_future_ops counted_ops = {
    .size = sizeof(struct counted),
    .flags = WEFT_FUTURE_DRAINS, /* as the inner one may */
    .name = "counted",
    .poll = counted_poll,
    .cancel = gate_cancel,
};

static weft_future *counted(struct counted *self, weft_future *inner)
{
    weft_future_init(&self->future, &counted_ops);
    self->inner = inner;
    self->n_polls = 0;
    return &self->future;
}

/* ---- polled by hand ---- */

static void by_hand(void)
{
    weft_waker     waker = weft_waker_noop();
    weft_context   cx;
    struct counted outer;
    struct gate    self;
    bool           open = false;

    weft_context_init(&cx, &waker, NULL);
    EXPECT(weft_context_deadline(&cx) == WEFT_FOREVER);
    gate(&self, &open);
    EXPECT(!weft_poll_is_ready(weft_future_poll(&self.future, &cx)));
    EXPECT(weft_future_is_pending(&self.future));
    gate_open(&self);
    EXPECT(weft_poll_is_ready(weft_future_poll(&self.future, &cx)));
    EXPECT(weft_future_is_ready(&self.future) && weft_future_result(&self.future) == 0);

    open = false;
    counted(&outer, gate(&self, &open));
    EXPECT(!weft_poll_is_ready(weft_future_poll(&outer.future, &cx)));
    gate_open(&self);
    EXPECT(weft_poll_is_ready(weft_future_poll(&outer.future, &cx)) && outer.n_polls == 2);

    /* A pending future is never just dropped: cancel it, then poll it until it is READY. */
    open = false;
    gate(&self, &open);
    EXPECT(!weft_poll_is_ready(weft_future_poll(&self.future, &cx)));
    if (!weft_poll_is_ready(weft_future_cancel(&self.future)))
        EXPECT(weft_poll_is_ready(weft_future_poll(&self.future, &cx)));
    EXPECT(weft_future_result(&self.future) == -ECANCELED);
}

/* ---- polled by the executor in our own memory ---- */

static void by_local(void)
{
    static weft_local      local;
    static weft_local_task waits, ends;
    static struct gate     first, second;
    static bool            open, never;

    weft_local_init(&local, NULL);
    weft_local_add(&local, &waits, gate(&first, &open));
    weft_local_add(&local, &ends, gate(&second, &never));
    weft_local_turn(&local); /* each task that was woken, once */
    EXPECT(weft_local_count(&local) == 2);
    gate_open(&first);
    weft_local_cancel(&ends);
    weft_local_run(&local); /* until all have ended */
    EXPECT(weft_future_result(&first.future) == 0);
    EXPECT(weft_future_result(&second.future) == -ECANCELED);
}

int main(void)
{
    by_hand();
    by_local();
    return 0;
}
