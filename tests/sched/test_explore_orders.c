/*
 * test_explore_orders.c - the explorer's memory model: what it lets happen, and what never
 */
#include "explore.h"

static int  x, y, r[3];
static bool happened[3][3]; /* r[0] and r[1], in some schedule */

static void set_up(void)
{
    x = y = 0;
    memset(r, 0, sizeof r);
}

static void note(void)
{
    happened[r[0]][r[1]] = true;
}

static void run(void (*a)(void), void (*b)(void), void (*c)(void))
{
    memset(happened, 0, sizeof happened);
    explore(4, 2, set_up, note, c ? 3 : 2, (void (*const[])(void)){a, b, c});
}

/* ---- each writes, then reads what the other writes: both may miss it ---- */

#define BODY(name, write, read)                                                                    \
    static void name(void)                                                                         \
    {                                                                                              \
        write;                                                                                     \
        read;                                                                                      \
    }

BODY(release_x_read_y, wf_store(&x, 1, RELEASE), r[0] = wf_load(&y, SEQ_CST))
BODY(release_y_read_x, wf_store(&y, 1, RELEASE), r[1] = wf_load(&x, SEQ_CST))
BODY(store_x_read_y, wf_store(&x, 1, SEQ_CST), r[0] = wf_load(&y, SEQ_CST))
BODY(store_y_read_x, wf_store(&y, 1, SEQ_CST), r[1] = wf_load(&x, SEQ_CST))
BODY(add_x_read_y, wf_add(&x, 1, ACQ_REL), r[0] = wf_load(&y, SEQ_CST))
BODY(add_y_read_x, wf_add(&y, 1, ACQ_REL), r[1] = wf_load(&x, SEQ_CST))

Test(explore_orders, only_seq_cst_writes_are_seen_before_later_reads)
{
    run(release_x_read_y, release_y_read_x, NULL);
    check(happened[0][0] && happened[0][1] && happened[1][0] && happened[1][1]);
    run(add_x_read_y, add_y_read_x, NULL);
    check(happened[0][0]);
    run(store_x_read_y, release_y_read_x, NULL);
    check(happened[0][0]);
    run(store_x_read_y, store_y_read_x, NULL);
    check(!happened[0][0] && happened[0][1] && happened[1][0] && happened[1][1]);
}

/* ---- one writes data and then a flag ---- */

BODY(relaxed_flag, wf_store(&x, 1, RELAXED), wf_store(&y, 1, RELAXED))
BODY(relaxed_rmw_flag, wf_store(&x, 1, RELAXED), wf_or(&y, 1, RELAXED))
BODY(release_flag, wf_store(&x, 1, RELAXED), wf_store(&y, 1, RELEASE))
BODY(release_rmw_flag, wf_store(&x, 1, RELAXED), wf_or(&y, 1, ACQ_REL))
BODY(read_flag_then_data, r[0] = wf_load(&y, ACQUIRE) & 1, r[1] = wf_load(&x, RELAXED))
BODY(other_rmw_of_flag, , wf_or(&y, 2, RELAXED))

Test(explore_orders, who_sees_a_release_sees_what_was_before_it)
{
    run(relaxed_flag, read_flag_then_data, NULL);
    check(happened[1][0]);
    run(relaxed_rmw_flag, read_flag_then_data, NULL);
    check(happened[1][0]);
    run(release_flag, read_flag_then_data, NULL);
    check(!happened[1][0] && happened[1][1] && happened[0][1]);
    run(release_rmw_flag, read_flag_then_data, NULL);
    check(!happened[1][0] && happened[1][1]);
    run(release_rmw_flag, read_flag_then_data, other_rmw_of_flag);
    check(!happened[1][0] && happened[1][1]);
}

/* ---- one address ---- */

BODY(write_1_then_2, wf_store(&x, 1, RELAXED), wf_store(&x, 2, RELAXED))
BODY(read_twice, r[0] = wf_load(&x, RELAXED), r[1] = wf_load(&x, RELAXED))
BODY(write_and_read, wf_store(&x, 1, RELAXED), r[0] = r[1] = wf_load(&x, RELAXED))
BODY(nothing, , )
BODY(add_twice, wf_add(&x, 1, RELAXED), wf_add(&x, 1, RELAXED))

static void sum_is_4(void)
{
    check_eq(x, 4);
}

BODY(add_4, wf_add(&x, 4, RELAXED), )

/* The addition comes before both, between them or after both. */
static void it_is_2_or_6(void)
{
    check(x == 2 || x == 6);
}

Test(explore_orders, one_address_has_one_order)
{
    run(write_1_then_2, read_twice, NULL);
    check(happened[0][0] && happened[0][1] && happened[0][2] && happened[1][2]);
    check(!happened[1][0] && !happened[2][0] && !happened[2][1]);
    run(write_and_read, nothing, NULL);
    check(!happened[0][0]); /* its own writes at the least */
    explore(4, 3, set_up, sum_is_4, 2, (void (*const[])(void)){add_twice, add_twice});
    explore(4, 3, set_up, it_is_2_or_6, 3,
            (void (*const[])(void)){write_1_then_2, add_4, read_twice});
}

/* ---- reads that may be late are bounded, and sleepers are not ---- */

static uint32_t word;

static void set_up_word(void)
{
    word = 0;
}

static void wake(void)
{
    wf_store(&word, 1, RELAXED);
    wf_futex_wake(&word, 1);
}

static void sleep_on_it(void)
{
    while (wf_load(&word, RELAXED) == 0)
        wf_futex_wait(&word, 0, INT64_MAX);
}

static void both_ended(void)
{
    check(explorer.thread[0].ended && explorer.thread[1].ended);
}

Test(explore_orders, a_futex_call_empties_the_buffer)
{
    explore(4, 4, set_up_word, both_ended, 2, (void (*const[])(void)){wake, sleep_on_it});
}
