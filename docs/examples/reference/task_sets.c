/*
 * task_sets.c - tasks whose results come in the order in which they end
 */
#include "expect.h"

/* Stands for a request that takes some time. A cancel ends it with -ECANCELED. */
struct fetch {
    WEFT_FRAME;
    struct {
        int ms;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(fetch)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(self->in.ms)));
    WEFT_END(n < 0 ? n : self->in.ms);
}

struct panics {
    WEFT_FRAME;
    struct {
    } in;
};
WEFT_ASYNC(panics)
{
    WEFT_BEGIN();
    weft_panic("out of luck");
    WEFT_END(0);
}

/* The same by a fiber. */
static int64_t fetches(void *ms)
{
    int64_t n = weft_fiber_sleep(WEFT_MS(*(int *)ms));

    return n < 0 ? n : *(int *)ms;
}

/* A member is part of what the program knows of its task. */
struct order {
    weft_member member;
    int         number;
};

struct tour {
    WEFT_FRAME;
    struct {
    } in;
    weft_task_set set;
    struct order  order[3];
    weft_member  *m;
    weft_wait     wait;
};
WEFT_ASYNC(tour)
{
    static const weft_fiber_options small = {.stack_size = 16 << 10};
    static int                      ms[3] = {1, 100000, 200000};

    int64_t n;

    WEFT_BEGIN();
    self->set = (weft_task_set){0};
    for (int i = 0; i < 3; i++) {
        self->order[i].number = i;
        EXPECT(weft_task_set_spawn(&self->set, &self->order[i].member, fetch, .ms = ms[i]) == 0);
    }
    EXPECT(weft_task_set_count(&self->set) == 3);
    EXPECT(weft_task_set_try_next(&self->set, &self->m) == -EAGAIN);
    WEFT_AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->m)); /* the fastest */
    EXPECT(n == 0 && self->m->result == 1);
    EXPECT(weft_container(self->m, struct order, member)->number == 0);

    weft_member_cancel(&self->order[2].member); /* one of them */
    WEFT_AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->m));
    EXPECT(n == 0 && self->m == &self->order[2].member && self->m->result == -ECANCELED);

    EXPECT(weft_task_set_spawn(&self->set, self->m, panics) == 0); /* the member is free again */
    WEFT_AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->m));
    EXPECT(self->m->result == -EOWNERDEAD && strstr(weft_member_panic(self->m), "out of luck"));

    weft_task_set_cancel_all(&self->set);
    WEFT_AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->m));
    EXPECT(n == 0 && self->m->result == -ECANCELED);
    WEFT_AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->m));
    EXPECT(n == WEFT_EOF); /* the set is empty */

    EXPECT(weft_task_set_spawn_on(weft_runtime_current(), &self->set, self->m, fetch,
                                  .ms = 100000) == 0);
    n = weft_task_set_fiber(&self->set, &self->order[0].member, fetches, &ms[0]);
    EXPECT(n == 0);
    n = weft_task_set_fiber_with(NULL, &self->set, &self->order[2].member, "slow", &small, fetches,
                                 &ms[2]);
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_task_set_next(&self->wait, &self->set, &self->m));
    EXPECT(n == 0 && self->m->result == 1);
    WEFT_WAIT(weft_task_set_close(&self->wait, &self->set)); /* cancels them, and waits for them */
    WEFT_END(0);
}

int main(void)
{
    return weft_main(tour);
}
