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

#include "clock.h"
#include "lock.h"

typedef struct wf_nudge {
    wf_socket       *socket;
    struct wf_nudge *prev, *next; /* armed: in the reactor's list, the soonest first */
    int64_t          deadline;
    bool             armed;
} wf_nudge;

int wf_nudge_have(wf_socket *s)
{
    if (s->nudge)
        return 0;
    s->nudge = wf_alloc(&s->reactor->rt->config.allocator, sizeof *s->nudge);
    if (!s->nudge)
        return -ENOMEM;
    *s->nudge = (wf_nudge){.socket = s};
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

/* ---- the reactor's list, under its lock ---- */

static void unlink_locked(wf_nudges *list, wf_nudge *n)
{
    if (n->next)
        n->next->prev = n->prev;
    else
        list->last = n->prev;
    if (n->prev)
        n->prev->next = n->next;
    else
        list->first = n->next;
}

/* Most wait equally long, so the place is mostly the last. */
static void link_locked(wf_nudges *list, wf_nudge *n)
{
    wf_nudge *before = list->last;

    while (before && before->deadline > n->deadline)
        before = before->prev;
    n->prev = before;
    n->next = before ? before->next : list->first;
    if (n->next)
        n->next->prev = n;
    else
        list->last = n;
    if (before)
        before->next = n;
    else
        list->first = n;
}

void wf_nudges_fire(wf_reactor *r, int64_t now)
{
    wf_nudges *list = &r->nudges;
    wf_nudge  *n;

    if (wf_load(&list->next, RELAXED) > now) /* one that comes just now hints the driver */
        return;
    wf_lock(&list->lock);
    while ((n = list->first) && n->deadline <= now) {
        unlink_locked(list, n);
        wf_socket_nudge_any(n->socket);
        wf_store(&n->armed, false, RELEASE); /* [nudge-1] */
    }
    wf_store(&list->next, n ? n->deadline : WEFT_FOREVER, SEQ_CST); /* [driver-1] */
    wf_unlock(&list->lock);
}

/* ---- the operation's part ---- */

static void arm(wf_socket *s, int64_t deadline)
{
    wf_nudges *list = &s->reactor->nudges;
    wf_nudge  *n = s->nudge;
    bool       soonest;

    wf_lock(&list->lock);
    n->deadline = deadline;
    n->armed = true;
    link_locked(list, n);
    soonest = list->first == n;
    if (soonest)
        wf_store(&list->next, deadline, SEQ_CST); /* [driver-1] */
    wf_unlock(&list->lock);
    if (soonest)
        wf_driver_hint(&s->reactor->driver, deadline);
}

static void disarm(wf_socket *s)
{
    wf_nudges *list = &s->reactor->nudges;

    if (!s->nudge || !wf_load(&s->nudge->armed, ACQUIRE)) /* [nudge-1] */
        return;
    wf_lock(&list->lock);
    if (s->nudge->armed) {
        unlink_locked(list, s->nudge); /* `next` may stay early: U5 */
        s->nudge->armed = false;
    }
    wf_unlock(&list->lock);
}

void wf_nudge_waits(weft_io *io, wf_socket *s, weft_context *cx)
{
    (void)io, (void)cx;
    disarm(s);
    if (s->nap_ms == 0)
        return;
    arm(s, wf_now() + WEFT_MS(s->nap_ms));
    s->nap_ms = 0;
}

int64_t wf_nudge_end(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (io->target_)
        disarm(io->target_);
    return result;
}
