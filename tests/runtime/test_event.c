/* test_event.c - which waits an event ends, and that it may be freed with the last one */
#include "../helpers.h"

Test(event, that_is_set_and_reset_at_once_ends_those_who_waited)
{
    weft_event  e = {0};
    weft_wait   wait[3];
    struct hand hand[3];

    for (int i = 0; i < 3; i++) {
        hand_init(&hand[i], NULL);
        weft_event_wait(&wait[i], &e);
        if (i < 2)
            check(!hand_poll(&hand[i], &wait[i].future));
    }
    weft_event_set(&e);
    check(weft_event_is_set(&e));
    weft_event_reset(&e);
    check(!weft_event_is_set(&e));
    check(hand_poll(&hand[0], &wait[0].future));
    check(hand_poll(&hand[1], &wait[1].future));
    check(!hand_poll(&hand[2], &wait[2].future)); /* it came later */
    weft_event_set(&e);
    check(hand_poll(&hand[2], &wait[2].future));
}

#define N_FREES 40

/* An executor that polls its wait within the wake, as another thread might. The one that is woken
 * last frees the event. */
struct frees {
    weft_waker  waker;
    weft_wait   wait;
    weft_event *event;
    int        *n_left;
};

static weft_waker frees_clone(void *data)
{
    return ((struct frees *)data)->waker;
}

static void frees_drop(void *data)
{
    (void)data;
}

static void frees_wake(void *data)
{
    struct frees *self = data;
    weft_context  cx;

    weft_context_init(&cx, &self->waker, NULL);
    check(weft_poll_is_ready(weft_future_poll(&self->wait.future, &cx)));
    if (--*self->n_left == 0)
        memset(self->event, 0xa5, sizeof *self->event);
}

Test(event, the_owner_of_the_last_wait_may_free_the_object)
{
    static const weft_waker_vtable vtable = {frees_clone, frees_wake, frees_wake, frees_drop, NULL};

    weft_event   e = {0};
    struct frees f[N_FREES];
    int          n_left = N_FREES;
    weft_context cx;

    for (int i = 0; i < N_FREES; i++) {
        f[i] = (struct frees){{&vtable, &f[i]}, .event = &e, .n_left = &n_left};
        weft_context_init(&cx, &f[i].waker, NULL);
        weft_event_wait(&f[i].wait, &e);
        check(!weft_poll_is_ready(weft_future_poll(&f[i].wait.future, &cx)));
    }
    weft_event_set(&e); /* which must not lock it again */
    check_eq(n_left, 0);
    check_eq(e.round_, 0xa5a5a5a5);
}

/* So many wakers of other executors do not fit one step. */
Test(event, all_of_very_many_waits_end)
{
    weft_event         e = {0};
    static weft_wait   wait[300];
    static struct hand hand[300];

    for (int i = 0; i < 300; i++) {
        hand_init(&hand[i], NULL);
        weft_event_wait(&wait[i], &e);
        check(!hand_poll(&hand[i], &wait[i].future));
    }
    weft_event_set(&e);
    for (int i = 0; i < 300; i++) {
        check_eq(hand[i].n_wakes, 1);
        check(hand_poll(&hand[i], &wait[i].future));
        check_eq(hand[i].n_wakers, 0);
    }
}
