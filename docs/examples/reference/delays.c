/*
 * delays.c - a delay queue: sessions that end if nothing is heard of them
 */
#include "expect.h"

struct session {
    weft_delay idle; /* until when something must be heard of it */
    int        number;
};

struct tour {
    WEFT_FRAME;
    struct {
    } in;
    weft_delay_queue   queue;
    struct session     session[4];
    weft_delay        *idle;
    struct weft_select sel;
    struct weft_sleep  nap;
};
WEFT_ASYNC(tour)
{
    int64_t n;

    WEFT_BEGIN();
    self->queue = (weft_delay_queue){0};
    for (int i = 0; i < 4; i++) {
        self->session[i].number = i;
        weft_delay_queue_insert(&self->queue, &self->session[i].idle, WEFT_MS(50 + i));
    }
    EXPECT(weft_delay_queue_count(&self->queue) == 4);

    /* The wait is kept in a select, beside what else the task waits for. */
    weft_keep(weft_delay_queue_next(&self->queue, &self->idle));
    weft_sleep(&self->nap, WEFT_MS(1));
    WEFT_AWAIT(n, weft_select(&self->sel, &self->queue.future, &self->nap.future));
    if (n == 1) { /* something was heard of session 0, and session 1 has ended */
        weft_delay_queue_reset(&self->queue, &self->session[0].idle, WEFT_MS(100));
        weft_delay_queue_remove(&self->queue, &self->session[1].idle);
        weft_delay_queue_reset_at(&self->queue, &self->session[3].idle, weft_now());
        WEFT_AWAIT(n, &self->queue.future);
        EXPECT(n == 0 && weft_container(self->idle, struct session, idle)->number == 3);
    }
    weft_delay_queue_insert_at(&self->queue, self->idle, weft_now() + WEFT_MS(1));
    EXPECT(weft_delay_queue_instant(&self->queue) < WEFT_FOREVER);
    for (;;) {
        WEFT_AWAIT(n, weft_delay_queue_next(&self->queue, &self->idle));
        if (n < 0)
            break;
    }
    EXPECT(n == WEFT_EOF); /* the queue is empty */
    WEFT_END(0);
}

int main(void)
{
    return weft_main(tour);
}
