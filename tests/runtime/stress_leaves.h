/*
 * stress_leaves.h - the small parts of a storm: a future for foreign threads, tasks that wait for
 * no other task
 */
#ifndef STRESS_LEAVES_H
#define STRESS_LEAVES_H

#include "stress.h"

/* ---- a future that a foreign thread completes ---- */

/* Held by the task and by the thread, or the box between them. */
struct parcel {
    pthread_mutex_t mutex;
    int64_t         n_holders;
    bool            done;
    weft_waker      waker; /* of the task; no vtable: none, or taken */
};

struct delivery {
    weft_future    future;
    struct parcel *parcel;
};

static void parcel_drop(struct parcel *p)
{
    if (add(&p->n_holders, -1) > 0)
        return;
    if (p->waker.vtable)
        weft_waker_drop(p->waker);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* False: the box is full. */
static bool parcel_post(struct parcel *p)
{
    bool room;

    pthread_mutex_lock(&storm.mutex);
    room = storm.n_parcels < PARCELS;
    if (room) {
        add(&p->n_holders, 1);
        storm.parcel[storm.n_parcels++] = p;
    }
    pthread_mutex_unlock(&storm.mutex);
    return room;
}

static struct parcel *parcel_collect(void)
{
    struct parcel *p = NULL;

    pthread_mutex_lock(&storm.mutex);
    if (storm.n_parcels > 0)
        p = storm.parcel[--storm.n_parcels];
    pthread_mutex_unlock(&storm.mutex);
    return p;
}

static weft_poll delivery_end(struct delivery *self, int64_t result)
{
    parcel_drop(self->parcel);
    self->parcel = NULL;
    return weft_ready(&self->future, result);
}

static weft_poll delivery_poll(weft_future *future, weft_context *cx)
{
    struct delivery *self = weft_container(future, struct delivery, future);
    struct parcel   *p = self->parcel;
    bool             first = !p, done;

    if (first) {
        p = self->parcel = calloc(1, sizeof *p);
        p->n_holders = 1;
        pthread_mutex_init(&p->mutex, NULL);
    }
    pthread_mutex_lock(&p->mutex);
    done = p->done;
    if (!done) {
        if (p->waker.vtable)
            weft_waker_drop(p->waker);
        p->waker = weft_waker_clone(weft_context_waker(cx));
    }
    pthread_mutex_unlock(&p->mutex);
    if (done)
        return delivery_end(self, 0);
    if (weft_future_is_cancelled(future))
        return delivery_end(self, -ECANCELED);
    if (first && !parcel_post(p))
        return delivery_end(self, -EAGAIN);
    return WEFT_PENDING;
}

static void delivery_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *delivery(struct delivery *self)
{
    static const weft_future_ops ops = {.size = sizeof *self,
                                        .flags = WEFT_FUTURE_WITHDRAWS,
                                        .name = "delivery",
                                        .poll = delivery_poll,
                                        .cancel = delivery_cancel};

    weft_future_init(&self->future, &ops);
    self->parcel = NULL;
    return &self->future;
}

/* ---- small tasks, which wait for no task that waits itself ---- */

struct tiny { /* the smallest task that notes what happens to it */
    WEFT_FRAME;
    struct {
        int64_t id;
    } in;
    weft_deferred end;
};
WEFT_ASYNC(tiny)
{
    WEFT_BEGIN();
    begins(self->in.id);
    add(&storm.n_defers, 1);
    weft_defer(&self->end, ends, (void *)(intptr_t)self->in.id);
    if (self->in.id % 3 == 0)
        WEFT_YIELD();
    WEFT_END(answers(self->in.id, WEFT_CANCELLED() ? -ECANCELED : self->in.id));
}

struct tells_one {
    WEFT_FRAME;
    struct {
        int64_t              id;
        weft_oneshot_sender *to; /* gets the id, or nothing if that is a multiple of 4 */
    } in;
    weft_deferred end;
};
WEFT_ASYNC(tells_one)
{
    WEFT_BEGIN();
    begins(self->in.id);
    add(&storm.n_defers, 1);
    weft_defer(&self->end, ends, (void *)(intptr_t)self->in.id);
    if (self->in.id % 2)
        WEFT_YIELD();
    if (self->in.id % 4 == 0)
        weft_oneshot_sender_close(self->in.to);
    else
        weft_oneshot_send(self->in.to, &self->in.id);
    WEFT_END(answers(self->in.id, 0));
}

struct tells_many {
    WEFT_FRAME;
    struct {
        int64_t           id;
        weft_mpsc_sender *to;
        int64_t           n; /* messages: n, n-1 ... 1 */
    } in;
    weft_deferred end;
    weft_wait     message;
};
WEFT_ASYNC(tells_many)
{
    int64_t n;

    WEFT_BEGIN();
    begins(self->in.id);
    add(&storm.n_defers, 1);
    weft_defer(&self->end, ends, (void *)(intptr_t)self->in.id);
    for (; self->in.n > 0; self->in.n--) {
        WEFT_AWAIT(n, weft_mpsc_send(&self->message, self->in.to, &self->in.n));
        check(n == 0 || n == -EPIPE || (n == -ECANCELED && get(&storm.stopping)));
        if (n < 0)
            break;
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(answers(self->in.id, 0));
}

#endif
