/*
 * nudge.c - trying again after a while, where no event will tell
 *
 * Purpose     See nudge.h.
 * Threads     See nudge.h.
 * Invariants  See nudge.h.
 * Ordering    See nudge.h.
 * Failure     See nudge.h.
 */
#include "nudge.h"

#include "timer.h"

typedef struct wf_nudge {
    weft_nap nap;
    bool     armed;
} wf_nudge;

int wf_nudge_have(wf_socket *s)
{
    if (s->nudge)
        return 0;
    s->nudge = wf_alloc(&s->reactor->rt->config.allocator, sizeof *s->nudge);
    if (!s->nudge)
        return -ENOMEM;
    *s->nudge = (wf_nudge){.armed = false};
    return 0;
}

void wf_nudge_free(wf_socket *s)
{
    if (s->nudge)
        wf_release(&s->reactor->rt->config.allocator, s->nudge, sizeof *s->nudge);
    s->nudge = NULL;
}

int wf_nudge_again(wf_socket *s, uint8_t ms)
{
    int r = wf_nudge_have(s);

    if (r < 0)
        return r;
    s->nap_ms = ms;
    return -EAGAIN;
}

/* ---- the waker that the timer has ---- */

static weft_waker nudge_clone(void *data);

static void *nudge_notify(void *data)
{
    wf_socket_nudge_any(data);
    return NULL; /* no task to be queued */
}

static void nudge_unused(void *data)
{
    (void)data;
}

static const weft_waker_vtable nudge_vtable = {nudge_clone, nudge_unused, nudge_unused,
                                               nudge_unused, nudge_notify};

static weft_waker nudge_clone(void *data)
{
    return (weft_waker){&nudge_vtable, data};
}

static void disarm(wf_socket *s)
{
    if (s->nudge && s->nudge->armed) {
        wf_timer_disarm(&s->nudge->nap);
        s->nudge->armed = false;
    }
}

void wf_nudge_waits(weft_io *io, wf_socket *s, weft_context *cx)
{
    wf_timers *timers = s->reactor->rt->timers;
    weft_waker waker = {&nudge_vtable, s};
    int64_t    now;

    (void)io, (void)cx;
    disarm(s);
    if (s->nap_ms == 0)
        return;
    now = wf_clock_now(&timers->clock);
    s->nudge->nap.deadline_ = now + WEFT_MS(s->nap_ms);
    s->nudge->armed = wf_timer_arm(timers, &s->nudge->nap, now, &waker);
    s->nap_ms = 0;
}

int64_t wf_nudge_end(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (io->object_)
        disarm(io->object_);
    return result;
}
