/*
 * trackers.c - waiting until all tasks have ended (graceful.c is a server that does so)
 */
#include "expect.h"

static void leave(void *tracker)
{
    weft_tracker_leave(tracker);
}

struct session {
    WEFT_FRAME;
    struct {
        weft_tracker *tracker;
    } in;
    weft_deferred     leave;
    struct weft_sleep nap;
};
WEFT_ASYNC(session)
{
    WEFT_BEGIN();
    weft_defer(&self->leave, leave, self->in.tracker);
    WEFT_WAIT(weft_sleep(&self->nap, WEFT_MS(1)));
    WEFT_END(0);
}

struct tour {
    WEFT_FRAME;
    struct {
    } in;
    weft_tracker tracker;
    weft_wait    wait;
};
WEFT_ASYNC(tour)
{
    int64_t n;

    WEFT_BEGIN();
    self->tracker = (weft_tracker){0};
    for (int i = 0; i < 3; i++) {
        weft_tracker_enter(&self->tracker);
        if (weft_spawn(NULL, session, .tracker = &self->tracker) < 0)
            weft_tracker_leave(&self->tracker);
    }
    EXPECT(weft_tracker_count(&self->tracker) <= 3 && !weft_tracker_is_closed(&self->tracker));
    weft_tracker_close(&self->tracker);
    WEFT_AWAIT(n, weft_tracker_wait(&self->wait, &self->tracker));
    EXPECT(n == 0 && weft_tracker_count(&self->tracker) == 0);
    weft_tracker_reopen(&self->tracker); /* for another three */
    EXPECT(!weft_tracker_is_closed(&self->tracker));
    WEFT_END(0);
}

int main(void)
{
    return weft_main(tour);
}
