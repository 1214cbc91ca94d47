/* retry_timer.c - see retry_timer.h */
#include "retry_timer.h"

#include "clock.h"
#include "invariant.h"
#include "lock.h"

typedef struct wf_retry_timer {
    wf_socket             *socket;
    struct wf_retry_timer *prev, *next; /* in the reactor's list, the earliest first, if armed */
    int64_t                deadline;
    bool                   armed;
} wf_retry_timer;

int wf_retry_timer_have(wf_socket *s)
{
    if (s->retry_timer)
        return 0;
    s->retry_timer = wf_alloc(&s->reactor->rt->config.allocator, sizeof *s->retry_timer);
    if (!s->retry_timer)
        return -ENOMEM;
    *s->retry_timer = (wf_retry_timer){.socket = s};
    return 0;
}

void wf_retry_timer_free(wf_socket *s)
{
    WF_ASSERT(!s->retry_timer || !wf_peek(&s->retry_timer->armed)); /* U2 */
    if (s->retry_timer)
        wf_release(&s->reactor->rt->config.allocator, s->retry_timer, sizeof *s->retry_timer);
    s->retry_timer = NULL;
}

int wf_retry_timer_again(wf_socket *s, uint8_t ms)
{
    int r = wf_retry_timer_have(s);

    if (r < 0)
        return r;
    s->nap_ms = ms;
    return -EAGAIN;
}

/* ---- the reactor's list, under its lock ---- */

static void unlink_locked(wf_retry_timers *list, wf_retry_timer *n)
{
    WF_ASSERT(wf_peek(&n->armed) && (n->prev ? n->prev->next == n : list->first == n)); /* U2 */
    if (n->next)
        n->next->prev = n->prev;
    else
        list->last = n->prev;
    if (n->prev)
        n->prev->next = n->next;
    else
        list->first = n->next;
}

/* Most retry timers have the same delay, so the right place is usually at the end. */
static void link_locked(wf_retry_timers *list, wf_retry_timer *n)
{
    wf_retry_timer *before = list->last;

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

void wf_retry_timers_fire(wf_reactor *r, int64_t now)
{
    wf_retry_timers *list = &r->retry_timers;
    wf_retry_timer  *n;

    /* RELAXED: a thread that adds an earlier one now hints the driver. */
    if (wf_load(&list->next, RELAXED) > now)
        return;
    wf_lock(&list->lock);
    while ((n = list->first) && n->deadline <= now) {
        unlink_locked(list, n);
        wf_socket_nudge_any(n->socket);
        wf_store(&n->armed, false, RELEASE); /* [retry_timer-1] */
    }
    wf_store(&list->next, n ? n->deadline : WEFT_FOREVER, SEQ_CST); /* [driver-1] */
    wf_unlock(&list->lock);
}

/* ---- the operation's part ---- */

static void arm(wf_socket *s, int64_t deadline)
{
    wf_retry_timers *list = &s->reactor->retry_timers;
    wf_retry_timer  *n = s->retry_timer;
    bool             soonest;

    wf_lock(&list->lock);
    WF_ASSERT(!wf_peek(&n->armed)); /* U2 */
    n->deadline = deadline;
    n->armed = true;
    link_locked(list, n);
    soonest = list->first == n;
    if (soonest)
        wf_store(&list->next, deadline, SEQ_CST);             /* [driver-1] */
    WF_ASSERT(wf_peek(&list->next) <= list->first->deadline); /* U5 */
    wf_unlock(&list->lock);
    if (soonest)
        wf_driver_hint(&s->reactor->driver, deadline);
}

static void disarm(wf_socket *s)
{
    wf_retry_timers *list = &s->reactor->retry_timers;

    if (!s->retry_timer || !wf_load(&s->retry_timer->armed, ACQUIRE)) /* [retry_timer-1] */
        return;
    wf_lock(&list->lock);
    if (s->retry_timer->armed) {
        unlink_locked(list, s->retry_timer); /* U5 allows `next` to stay early */
        s->retry_timer->armed = false;
    }
    wf_unlock(&list->lock);
}

void wf_retry_timer_waits(weft_io *io, wf_socket *s, weft_context *cx)
{
    (void)io, (void)cx;
    disarm(s);
    if (s->nap_ms == 0)
        return;
    WF_ASSERT(s->retry_timer); /* U1 */
    arm(s, wf_now() + WEFT_MS(s->nap_ms));
    s->nap_ms = 0;
}

int64_t wf_retry_timer_end(weft_io *io, int64_t result, bool cancelled)
{
    (void)cancelled;
    if (io->target_)
        disarm(io->target_);
    return result;
}
