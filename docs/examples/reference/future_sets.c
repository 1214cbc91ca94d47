/*
 * future_sets.c - three fetches at once in one task, results in the order in which they end
 */
#include "expect.h"

#define AT_ONCE 3
#define PAGES   8

struct fetch {
    WEFT_FRAME;
    struct {
        int page;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(fetch)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1 + self->in.page % 3)));
    WEFT_END(n < 0 ? n : self->in.page);
}

struct future_sets {
    WEFT_FRAME;
    struct {
    } in;
    weft_future_set  set;
    weft_future_slot slot[AT_ONCE];
    weft_branch      branch[AT_ONCE];
    struct fetch     fetch[AT_ONCE];
    int              next, n_fetched, sum;
};

/* Begins the next fetch in a slot that is free. */
static void begin_next(struct future_sets *self, uint32_t slot)
{
    weft_future *f = weft_async(fetch, &self->fetch[slot], .page = self->next++);

    weft_future_set_add(&self->set, slot, f);
}

WEFT_ASYNC(future_sets)
{
    int64_t n;

    WEFT_BEGIN();
    self->next = self->n_fetched = self->sum = 0;
    weft_future_set_init(&self->set, self->slot, self->branch, AT_ONCE);
    for (uint32_t i = 0; i < AT_ONCE; i++)
        begin_next(self, i);
    for (;;) {
        WEFT_AWAIT(n, weft_future_set_next(&self->set));
        if (n < 0)
            break;
        self->sum += (int)weft_future_result(self->slot[n].future);
        self->n_fetched++;
        if (self->next < PAGES)
            begin_next(self, (uint32_t)n);
    }
    EXPECT(n == WEFT_EOF && self->n_fetched == PAGES && self->sum == PAGES * (PAGES - 1) / 2);

    /* A function that has enough ends the set before it returns. */
    self->next = 0;
    for (uint32_t i = 0; i < AT_ONCE; i++)
        begin_next(self, i);
    WEFT_AWAIT(n, weft_future_set_next(&self->set));
    EXPECT(n >= 0 && weft_future_set_count(&self->set) == AT_ONCE - 1);
    WEFT_WAIT(weft_future_set_close(&self->set));
    EXPECT(weft_future_set_count(&self->set) == 0);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(future_sets);
}
