/*
 * circle.c - two tasks that lock two mutexes in opposite order wait for each other
 *
 *     circle       the watchdog's line about them, and a dump
 *
 * Each of them can go on only when the other one lets go. The cure is one order for all: whatever
 * needs both locks the first one first. docs/sharing.md explains the lines.
 */
#include <errno.h>
#include <stdio.h>
#include <weft.h>

static weft_mutex   account[2];
static weft_barrier both_hold;

/* Moves something from one account to the other. */
struct moves {
    WEFT_FRAME;
    struct {
        int from, to;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(moves)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &account[self->in.from]));
    WEFT_AWAIT(n, weft_barrier_wait(&self->wait, &both_hold));
    /* Wrong: another task may hold that one, and want the first. */
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &account[self->in.to]));
    if (n == 0)
        weft_mutex_unlock(&account[self->in.to]);
    weft_mutex_unlock(&account[self->in.from]);
    WEFT_END(n);
}

/* Cancels the first task after a while, so that the example ends. */
static int64_t end_circle(weft_runtime *rt)
{
    struct weft_sleep nap;
    weft_handle       first, second;

    weft_barrier_init(&both_hold, 2);
    if (weft_spawn_named(rt, &first, "there", moves, 0, 1) < 0)
        return -1;
    if (weft_spawn_named(rt, &second, "back", moves, 1, 0) < 0) {
        weft_cancel(&first);
        return weft_block_on(rt, weft_join(&first));
    }
    weft_block_on(rt, weft_sleep(&nap, WEFT_MS(500)));
    weft_runtime_dump(rt);
    weft_cancel(&first);
    printf("there: %s\n", weft_block_on(rt, weft_join(&first)) == -ECANCELED ? "cancelled" : "?");
    printf("back: %s\n", weft_block_on(rt, weft_join(&second)) == 0 ? "done" : "?");
    return 0;
}

int main(void)
{
    weft_runtime *rt;
    int64_t       n;

    if (weft_runtime_start(&(weft_config){.workers = 2, .watchdog_ms = 100}, &rt) < 0)
        return 1;
    n = end_circle(rt);
    return weft_runtime_stop(rt, WEFT_S(5)) < 0 || n < 0;
}
