/*
 * test_once.c - something that is made once, by a task or a thread that may fail at it
 *
 * Some cases are those of Tokio's sync_once_cell.rs and sync_set_once.rs, by their behaviour.
 */
#include "crew.h"

struct table {
    weft_once once;
    int64_t   tries, value;
};

static void give_up(void *once)
{
    weft_once_end(once, false);
}

enum how { SUCCEEDS, FAILS, PANICS, NEVER_ENDS };

/* Makes the table if it is the first, and returns its value. The deferred call gives the turn to
 * another task, however this function ends. */
struct makes {
    WEFT_FRAME;
    struct {
        struct table *table;
        enum how      how;
    } in;
    weft_wait         wait;
    weft_deferred     give_up;
    struct weft_sleep nap;
};
WEFT_ASYNC(makes)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_once_begin(&self->wait, &self->in.table->once));
    if (n < 0)
        WEFT_RETURN(n);
    if (n == 0)
        WEFT_RETURN(self->in.table->value);
    add(&self->in.table->tries, 1);
    if (self->in.how == SUCCEEDS) {
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(2)));
        self->in.table->value = 5;
        weft_once_end(&self->in.table->once, true);
        WEFT_RETURN(n < 0 ? n : self->in.table->value);
    }
    weft_defer(&self->give_up, give_up, &self->in.table->once);
    WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.how == NEVER_ENDS ? WEFT_FOREVER : WEFT_MS(2)));
    if (self->in.how == PANICS)
        weft_panic("on purpose");
    WEFT_END(n < 0 ? n : -EIO);
}

/* The first task fails in this way; the next one makes the table, and the third finds it. */
static void expect_another_try(weft_runtime *rt, enum how how, int64_t result)
{
    struct table t = {.value = 0};
    weft_handle  handle[3];

    check_eq(weft_spawn_on(rt, &handle[0], makes, &t, how), 0);
    while (get(&t.tries) == 0) {
        struct weft_sleep nap;

        check_eq(weft_block_on(rt, weft_sleep(&nap, WEFT_US(100))), 0);
    }
    for (int i = 1; i < 3; i++)
        check_eq(weft_spawn_on(rt, &handle[i], makes, &t, SUCCEEDS), 0);
    if (how == NEVER_ENDS)
        weft_cancel(&handle[0]);
    check_eq(join(rt, &handle[0]), result);
    for (int i = 1; i < 3; i++)
        check_eq(join(rt, &handle[i]), 5);
    check_eq(t.tries, 2);
    check(weft_once_is_made(&t.once));
}

static void all_ways(weft_runtime *rt)
{
    expect_another_try(rt, FAILS, -EIO);
    expect_another_try(rt, PANICS, -EOWNERDEAD);
    expect_another_try(rt, NEVER_ENDS, -ECANCELED);
}

Test(once, whose_maker_fails_panics_or_is_cancelled_is_made_by_the_next)
{
    on_current_thread(all_ways);
    on_workers(1, all_ways);
    on_workers(2, all_ways);
    on_workers(8, all_ways);
}

/* Tasks and threads ask at once. One makes the table, and all see what it wrote. */
struct asked {
    struct table *table;
    int64_t       n_made;
};

static void *ask(void *arg)
{
    struct asked *a = arg;
    weft_wait     wait;
    int64_t       n = weft_block_on(NULL, weft_once_begin(&wait, &a->table->once));

    if (n == 1) {
        add(&a->n_made, 1);
        a->table->value = 5;
        weft_once_end(&a->table->once, true);
    }
    check_eq(a->table->value, 5);
    return NULL;
}

static void all_ask(weft_runtime *rt)
{
    for (int64_t round = test_scaled(100); round > 0; round--) {
        struct table t = {.value = 0};
        struct asked a = {&t, 0};
        pthread_t    threads[4];
        weft_handle  handle[4];

        for (int i = 0; i < 4; i++) {
            threads[i] = thread(ask, &a);
            check_eq(weft_spawn_on(rt, &handle[i], makes, &t, SUCCEEDS), 0);
        }
        for (int i = 0; i < 4; i++) {
            check_eq(join(rt, &handle[i]), 5);
            pthread_join(threads[i], NULL);
        }
        check_eq(a.n_made + t.tries, 1);
    }
}

Test(once, is_made_by_one_of_many_tasks_and_threads, .timeout = 120)
{
    on_current_thread(all_ask);
    on_workers(2, all_ask);
    on_workers(8, all_ask);
}
