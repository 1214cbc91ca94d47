/* ends.c - see ends.h */
#include "ends.h"

static int64_t take_closed(void *object, weft_wait *wait)
{
    const wf_ends *ends = object;

    (void)wait;
    return wf_ends_are_closed(ends) ? 0 : -EAGAIN;
}

static bool give_back_closed(void *object, weft_wait *wait)
{
    (void)object;
    (void)wait;
    return true; /* nothing was taken */
}

static const wf_wait_kind closing = {.take = take_closed, .give_back = give_back_closed};

void wf_ends_add_sender(wf_ends *ends)
{
    wf_add(&ends->n_senders, 1, RELAXED); /* the caller's own sender keeps the channel */
    wf_add(&ends->n_ends, 1, RELAXED);    /* likewise */
}

bool wf_ends_try_add_sender(wf_ends *ends)
{
    size_t n = wf_load(&ends->n_senders, RELAXED); /* the CAS checks it */

    while (n > 0)
        if (wf_cas(&ends->n_senders, &n, n + 1, ACQUIRE)) { /* [ends-1], and more than is needed */
            wf_add(&ends->n_ends, 1, RELAXED); /* the end that the caller has keeps the channel */
            return true;
        }
    return false;
}

void wf_ends_add_weak(wf_ends *ends)
{
    wf_add(&ends->n_ends, 1, RELAXED); /* the caller's own sender keeps the channel */
}

bool wf_ends_close_sender(wf_ends *ends)
{
    size_t was = wf_sub(&ends->n_senders, 1, ACQ_REL); /* [ends-1] */

    WF_ASSERT(was > 0); /* E1 */
    return was == 1;
}

void wf_ends_add_receiver(wf_ends *ends)
{
    wf_lock(&ends->closing.lock_);
    wf_store(&ends->n_receivers, ends->n_receivers + 1, RELAXED); /* under the lock */
    wf_unlock(&ends->closing.lock_);
    wf_add(&ends->n_ends, 1, RELAXED); /* the end that the caller has keeps the channel */
}

bool wf_ends_close_receiver(wf_ends *ends)
{
    size_t left;

    wf_lock(&ends->closing.lock_);
    WF_ASSERT(ends->n_receivers > 0); /* E1 */
    left = ends->n_receivers - 1;
    wf_store(&ends->n_receivers, left, RELAXED); /* under the lock */
    wf_wait_settle_unlock(&ends->closing, &closing, ends);
    return left == 0;
}

void wf_ends_stop(wf_ends *ends)
{
    wf_lock(&ends->closing.lock_);
    wf_store(&ends->stopped, true, RELAXED); /* under the lock */
    wf_wait_settle_unlock(&ends->closing, &closing, ends);
}

bool wf_ends_leave(wf_ends *ends)
{
    size_t was = wf_sub(&ends->n_ends, 1, ACQ_REL); /* [ends-1] */

    WF_ASSERT(was > 0); /* E1 */
    return was == 1;
}

weft_poll wf_ends_closed_poll(weft_future *future, weft_context *cx)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    wf_ends   *ends = wait->object_;

    return wf_wait_poll_future(future, cx, &ends->closing, &closing);
}

/* ---- fan-outs ---- */

static void leave_fanout(wf_fanout *c)
{
    weft_allocator alloc = c->alloc;

    if (wf_ends_leave(&c->ends))
        wf_release(&alloc, c, c->bytes);
}

/* Makes a receiver, which is not counted yet. */
static wf_fanout_receiver *receiver_new(wf_fanout *c, uint64_t place)
{
    wf_fanout_receiver *r = wf_alloc(&c->alloc, sizeof *r);

    if (r)
        *r = (wf_fanout_receiver){.channel = c, .place = place};
    return r;
}

wf_fanout *wf_fanout_new(size_t bytes, wf_fanout_receiver **ret_receiver)
{
    const weft_allocator *alloc = wf_alloc_current();
    wf_fanout            *c = wf_alloc(alloc, bytes);
    wf_fanout_receiver   *r;

    if (!c)
        return NULL;
    *c = (wf_fanout){.ends = wf_ends_of(1), .bytes = bytes, .alloc = *alloc};
    r = receiver_new(c, 0);
    if (!r) {
        wf_release(alloc, c, bytes);
        return NULL;
    }
    *ret_receiver = r;
    return c;
}

int wf_fanout_subscribe(wf_fanout *c, uint64_t place, wf_fanout_receiver **ret_receiver)
{
    wf_fanout_receiver *r = receiver_new(c, place);

    if (!r)
        return -ENOMEM;
    wf_ends_add_receiver(&c->ends);
    *ret_receiver = r;
    return 0;
}

void wf_fanout_close_sender(wf_fanout *c, const wf_wait_kind *receiving)
{
    if (!c)
        return;
    if (wf_ends_close_sender(&c->ends)) {
        wf_lock(&c->news.lock_);
        wf_wait_settle_unlock(&c->news, receiving, c);
    }
    leave_fanout(c);
}

void wf_fanout_close_receiver(wf_fanout_receiver *r, const char *function, const char *what)
{
    wf_fanout *c;

    if (!r)
        return;
    c = r->channel;
    if (r->n_waits > 0) /* it would use the memory of the receiver after its end */
        wf_sync_misuse(function, "a wait on this receiver is pending", what, c);
    wf_ends_close_receiver(&c->ends);
    wf_release(&c->alloc, r, sizeof *r);
    leave_fanout(c);
}

void wf_fanout_close_weak(wf_fanout *c)
{
    if (c)
        leave_fanout(c);
}
