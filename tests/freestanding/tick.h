/*
 * tick.h - the hardware of scenario.c: a timer that interrupts when it was asked to
 *
 * A `tick` is a future of our own that ends after so many interrupts. The ticks that wait stand in
 * a list, which is touched with interrupts masked.
 */
#ifndef TICK_H
#define TICK_H

#include "platform.h"

#define expect(condition)                                                                          \
    ((condition) ? (void)0 : platform_fail(__FILE__, __LINE__, #condition, 0, 1))
#define expect_eq(a, b)                                                                            \
    do {                                                                                           \
        int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                                              \
        if (a_ != b_)                                                                              \
            platform_fail(__FILE__, __LINE__, #a " == " #b, a_, b_);                               \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct tick {
    weft_future  future;
    uint32_t     n, until; /* how many interrupts; after which one */
    uint32_t     n_polls;
    weft_waker   waker;
    struct tick *next;
    bool         waits; /* stands in the list */
};

static struct tick     *waiting;
static uint32_t         n_ticks; /* written masked */
static uint32_t         random_state = 1;
static weft_local_task *cancelled_by_interrupt;

static uint32_t now(void)
{
    return __atomic_load_n(&n_ticks, __ATOMIC_RELAXED); /* what it stands for is read masked */
}

static void mask(void)
{
    if (platform_port.mask)
        platform_port.mask(platform_port.arg);
}

static void unmask(void)
{
    if (platform_port.unmask)
        platform_port.unmask(platform_port.arg);
}

/* So that interrupts come at every place of the code, sooner or later. */
static uint32_t random_delay(void)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 16) % 700 + 1;
}

static void tick_leave(struct tick *self)
{
    struct tick **at = &waiting;

    if (!self->waits)
        return;
    while (*at != self)
        at = &(*at)->next;
    *at = self->next;
    self->waits = false;
    if (!waiting)
        platform_arm(0);
}

void scenario_interrupt(void)
{
    uint32_t      tick = now() + 1;
    struct tick **at = &waiting, *t;

    __atomic_store_n(&n_ticks, tick, __ATOMIC_RELAXED);
    while ((t = *at) != NULL) {
        if (t->until == tick) {
            weft_waker waker = t->waker;
            *at = t->next;
            t->waits = false;
            weft_waker_wake(waker);
        } else {
            at = &t->next;
        }
    }
    if (cancelled_by_interrupt)
        weft_local_cancel(cancelled_by_interrupt);
    cancelled_by_interrupt = NULL;
    if (waiting)
        platform_arm(random_delay());
}

/* Masked: stands in the list, with the newest waker, until the interrupt. */
static void tick_wait(struct tick *self, const weft_waker *waker)
{
    if (self->n_polls == 1)
        self->until = now() + self->n;
    if (self->until == now() || (self->n_polls > 1 && !self->waits))
        return;
    tick_leave(self);
    if (!waiting)
        platform_arm(random_delay());
    self->waker = weft_waker_clone(waker); /* a local task's counts nothing: nothing to drop */
    self->next = waiting;
    waiting = self;
    self->waits = true;
}

static weft_poll tick_poll(weft_future *future, weft_context *cx)
{
    struct tick *self = weft_container(future, struct tick, future);
    bool         waits;

    self->n_polls++;
    mask();
    if (weft_future_is_cancelled(future))
        tick_leave(self);
    else
        tick_wait(self, weft_context_waker(cx));
    waits = self->waits;
    unmask();
    if (waits)
        return WEFT_PENDING;
    return weft_ready(future, weft_future_is_cancelled(future) ? -ECANCELED : (int64_t)self->until);
}

static void tick_cancel(weft_future *future)
{
    (void)future; /* the next poll leaves the list */
}

/* Ends after n interrupts with the number of the last. */
static weft_future *tick(struct tick *self, uint32_t n)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "tick",
                                        .poll = tick_poll,
                                        .cancel = tick_cancel};

    weft_future_init(&self->future, &ops);
    self->n = n;
    self->n_polls = 0;
    self->waits = false;
    return &self->future;
}

#endif
