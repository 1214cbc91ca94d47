/*
 * in_place.c - a task that computes for long on its own stack, and holds up no other
 *
 *     in_place     how far a counting task got while another one was busy
 *
 * A job of the blocking pool (weft_spawn_blocking) has a thread of its own and a copy of its
 * arguments. A function called by weft_block_in_place stays where it is, with all that its caller
 * has. It may even wait for the runtime by weft_block_on.
 */
#include <stdio.h>
#include <weft.h>

/* Counts until it is cancelled. */
struct counts {
    WEFT_FRAME;
    struct {
        int64_t *ticks;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(counts)
{
    int64_t n;

    WEFT_BEGIN();
    do {
        __atomic_add_fetch(self->in.ticks, 1, __ATOMIC_RELAXED);
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    } while (n == 0);
    WEFT_END(0);
}

/* Blocks its thread until the other task has counted to ten. */
static int64_t waits_for_ten(void *ticks)
{
    struct weft_sleep nap;

    while (__atomic_load_n((int64_t *)ticks, __ATOMIC_RELAXED) < 10)
        if (weft_block_on(NULL, weft_sleep(&nap, WEFT_MS(1))) < 0)
            return -1;
    return 10;
}

struct program {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_handle counter;
    int64_t     ticks, seen;
};
WEFT_ASYNC(program)
{
    int64_t n;

    WEFT_BEGIN();
    self->ticks = 0;
    n = weft_spawn(&self->counter, counts, .ticks = &self->ticks);
    if (n < 0)
        WEFT_RETURN(n);
    self->seen = weft_block_in_place(waits_for_ten, &self->ticks);
    weft_cancel(&self->counter);
    WEFT_AWAIT(n, weft_join(&self->counter));
    printf("the other task had counted to %d\n", (int)self->seen);
    WEFT_END(n);
}

int main(void)
{
    weft_runtime *rt;
    weft_handle   task;
    int64_t       n;

    if (weft_runtime_start(&(weft_config){.workers = 1}, &rt) < 0)
        return 1;
    n = weft_spawn_on(rt, &task, program, 0);
    if (n == 0)
        n = weft_block_on(rt, weft_join(&task));
    return weft_runtime_stop(rt, WEFT_S(5)) < 0 || n < 0;
}
