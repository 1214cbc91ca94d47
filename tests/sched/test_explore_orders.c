/*
 * test_explore_orders.c - the explorer's memory model: the outcomes that it allows and forbids
 */
#include "explore.h"

static int      x, y, z, r[4];
static uint32_t word;
static bool     happened[3][3]; /* r[0] and r[1], in some schedule */

static void set_up(void)
{
    x = y = z = 0;
    word = 0;
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

#define BODY(name, ...)                                                                            \
    static void name(void)                                                                         \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

/* ---- each thread writes, then reads what the other one writes: both may miss it ---- */

BODY(release_x_read_y, wf_store(&x, 1, RELEASE); r[0] = wf_load(&y, SEQ_CST))
BODY(release_y_read_x, wf_store(&y, 1, RELEASE); r[1] = wf_load(&x, SEQ_CST))
BODY(store_x_read_y, wf_store(&x, 1, SEQ_CST); r[0] = wf_load(&y, SEQ_CST))
BODY(store_y_read_x, wf_store(&y, 1, SEQ_CST); r[1] = wf_load(&x, SEQ_CST))
BODY(add_x_read_y, wf_add(&x, 1, ACQ_REL); r[0] = wf_load(&y, SEQ_CST))
BODY(add_y_read_x, wf_add(&y, 1, ACQ_REL); r[1] = wf_load(&x, SEQ_CST))
BODY(store_x_glance_at_y, wf_store(&x, 1, SEQ_CST); r[0] = wf_load(&y, ACQUIRE))
BODY(add_x_glance_at_y, wf_add(&x, 1, SEQ_CST); r[0] = wf_load(&y, RELAXED))
BODY(store_x_add_z_glance_at_y, wf_store(&x, 1, SEQ_CST); wf_add(&z, 1, ACQUIRE);
     r[0] = wf_load(&y, RELAXED))
BODY(release_y_add_z_read_x, wf_store(&y, 1, RELEASE); wf_add(&z, 1, SEQ_CST);
     r[1] = wf_load(&x, SEQ_CST))

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

Test(explore_orders, a_read_that_is_not_seq_cst_passes_an_older_seq_cst_write)
{
    run(store_x_glance_at_y, store_y_read_x, NULL);
    check(happened[0][0]);
    run(add_x_glance_at_y, store_y_read_x, NULL);
    check(happened[0][0]);
}

Test(explore_orders, a_lock_that_is_taken_behind_a_seq_cst_write_orders_all_later_reads)
{
    run(store_x_add_z_glance_at_y, store_y_read_x, NULL);
    check(!happened[0][0] && happened[1][1]);
    run(store_x_add_z_glance_at_y, release_y_add_z_read_x, NULL);
    check(!happened[0][0] && happened[1][1]);
}

/* ---- one thread writes data and then a flag ---- */

BODY(relaxed_flag, wf_store(&x, 1, RELAXED); wf_store(&y, 1, RELAXED))
BODY(relaxed_rmw_flag, wf_store(&x, 1, RELAXED); wf_or(&y, 1, RELAXED))
BODY(release_flag, wf_store(&x, 1, RELAXED); wf_store(&y, 1, RELEASE))
BODY(release_rmw_flag, wf_store(&x, 1, RELAXED); wf_or(&y, 1, ACQ_REL))
BODY(read_flag_then_data, r[0] = wf_load(&y, ACQUIRE) & 1; r[1] = wf_load(&x, RELAXED))
BODY(glance_at_flag_then_data, r[0] = wf_load(&y, RELAXED) & 1; r[1] = wf_load(&x, RELAXED))
BODY(take_flag_then_data, r[0] = wf_swap(&y, 0, ACQUIRE) & 1; r[1] = wf_load(&x, RELAXED))
BODY(take_relaxed_flag_then_data, r[0] = wf_swap(&y, 0, RELAXED) & 1; r[1] = wf_load(&x, RELAXED))
BODY(cas_flag_then_data, int seen = 1; r[0] = wf_cas(&y, &seen, 0, ACQUIRE);
     r[1] = wf_load(&x, RELAXED))
BODY(cas_relaxed_flag_then_data, int seen = 1; r[0] = wf_cas(&y, &seen, 0, RELAXED);
     r[1] = wf_load(&x, RELAXED))
BODY(other_rmw_of_flag, wf_or(&y, 2, RELAXED))
BODY(other_store_of_flag, if (wf_load(&y, RELAXED) == 1) wf_store(&y, 3, RELAXED))

Test(explore_orders, an_acquire_that_reads_a_release_sees_what_was_before_it)
{
    run(relaxed_flag, read_flag_then_data, NULL);
    check(happened[1][0]);
    run(relaxed_rmw_flag, read_flag_then_data, NULL);
    check(happened[1][0]);
    run(release_flag, read_flag_then_data, NULL);
    check(!happened[1][0] && happened[1][1] && happened[0][1]);
    run(release_rmw_flag, read_flag_then_data, NULL);
    check(!happened[1][0] && happened[1][1]);
    run(release_flag, take_flag_then_data, NULL);
    check(!happened[1][0] && happened[1][1]);
    run(release_flag, cas_flag_then_data, NULL);
    check(!happened[1][0] && happened[1][1]);
}

Test(explore_orders, a_lost_acquire_is_found)
{
    run(release_flag, glance_at_flag_then_data, NULL);
    check(happened[1][0]);
    run(release_rmw_flag, glance_at_flag_then_data, NULL);
    check(happened[1][0]);
    run(release_flag, take_relaxed_flag_then_data, NULL);
    check(happened[1][0]);
    run(release_flag, cas_relaxed_flag_then_data, NULL);
    check(happened[1][0]);
}

Test(explore_orders, a_release_reaches_through_read_modify_writes_and_not_through_stores)
{
    run(release_rmw_flag, read_flag_then_data, other_rmw_of_flag);
    check(!happened[1][0] && happened[1][1]);
    run(release_flag, read_flag_then_data, other_store_of_flag);
    check(happened[1][0] && happened[1][1]);
}

BODY(wrap_word_then_flag, wf_sub(&word, 1, RELAXED); wf_store(&y, 1, RELAXED))
BODY(glance_at_flag_then_word, r[0] = wf_load(&y, RELAXED); r[1] = wf_load(&word, RELAXED) == 0)

Test(explore_orders, a_number_that_wraps_round_is_read_late_like_any_other)
{
    run(wrap_word_then_flag, glance_at_flag_then_word, NULL);
    check(happened[1][0] && happened[1][1]);
}

/* ---- one thread reads in turn what another one changes in turn ---- */

BODY(store_y_then_x, wf_store(&y, 1, SEQ_CST); wf_store(&x, 1, SEQ_CST))
BODY(glance_at_x_then_read_y, r[0] = wf_load(&x, RELAXED); r[1] = wf_load(&y, SEQ_CST))
BODY(acquire_x_then_read_y, r[0] = wf_load(&x, ACQUIRE); r[1] = wf_load(&y, SEQ_CST))

Test(explore_orders, a_seq_cst_read_passes_an_older_relaxed_one)
{
    run(store_y_then_x, glance_at_x_then_read_y, NULL);
    check(happened[1][0]);
    run(store_y_then_x, acquire_x_then_read_y, NULL);
    check(!happened[1][0] && happened[1][1] && happened[0][1]);
}

/* ---- what one thread read, another one sees ---- */

BODY(write_x, wf_store(&x, 1, RELAXED))
BODY(write_y, wf_store(&y, 1, RELAXED))
BODY(pass_x_on, if (wf_load(&x, RELAXED)) wf_store(&y, 1, RELEASE))

Test(explore_orders, a_release_passes_on_what_its_thread_has_read)
{
    run(write_x, pass_x_on, read_flag_then_data);
    check(!happened[1][0] && happened[1][1]);
}

BODY(store_x, wf_store(&x, 1, SEQ_CST))
BODY(store_y, wf_store(&y, 1, SEQ_CST))
BODY(acquire_x_then_y, r[0] = wf_load(&x, ACQUIRE); r[1] = wf_load(&y, ACQUIRE))
BODY(acquire_y_then_x, r[2] = wf_load(&y, ACQUIRE); r[3] = wf_load(&x, ACQUIRE))
BODY(read_x_then_y, r[0] = wf_load(&x, SEQ_CST); r[1] = wf_load(&y, SEQ_CST))
BODY(read_y_then_x, r[2] = wf_load(&y, SEQ_CST); r[3] = wf_load(&x, SEQ_CST))

static bool disagreed;

static void note_whether_readers_disagree(void)
{
    disagreed |= r[0] == 1 && r[1] == 0 && r[2] == 1 && r[3] == 0;
}

/* Hardware has this order for acquires, too, but C11 does not promise it. */
Test(explore_orders, readers_agree_on_the_order_of_two_writes_if_all_are_seq_cst)
{
    disagreed = false;
    explore(4, 2, set_up, note_whether_readers_disagree, 4,
            (void (*const[])(void)){store_x, store_y, read_x_then_y, read_y_then_x});
    check(!disagreed);
    explore(4, 2, set_up, note_whether_readers_disagree, 4,
            (void (*const[])(void)){write_x, write_y, acquire_x_then_y, acquire_y_then_x});
    check(disagreed);
}

/* ---- a read and then a write ---- */

BODY(read_y_then_write_x, r[0] = wf_load(&y, RELAXED); wf_store(&x, 1, RELAXED))
BODY(read_x_then_write_y, r[1] = wf_load(&x, RELAXED); wf_store(&y, 1, RELAXED))

/* ARM allows it: models.md says what that leaves out. */
Test(explore_orders, a_write_does_not_pass_an_older_read)
{
    run(read_y_then_write_x, read_x_then_write_y, NULL);
    check(!happened[1][1] && happened[0][1] && happened[1][0] && happened[0][0]);
}

/* ---- one address ---- */

BODY(write_1_then_2, wf_store(&x, 1, RELAXED); wf_store(&x, 2, RELAXED))
BODY(read_twice, r[0] = wf_load(&x, RELAXED); r[1] = wf_load(&x, RELAXED))
BODY(write_and_read, wf_store(&x, 1, RELAXED); r[0] = r[1] = wf_load(&x, RELAXED))
BODY(nothing, )
BODY(add_twice, wf_add(&x, 1, RELAXED); wf_add(&x, 1, RELAXED))

static void sum_is_4(void)
{
    check_eq(x, 4);
}

BODY(add_4, wf_add(&x, 4, RELAXED))

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

BODY(write_x_1_then_y_2, wf_store(&x, 1, RELAXED); wf_store(&y, 2, RELAXED))
BODY(write_y_1_then_x_2, wf_store(&y, 1, RELAXED); wf_store(&x, 2, RELAXED))

static void note_the_last(void)
{
    happened[x][y] = true;
}

Test(explore_orders, two_threads_that_overwrite_each_other_may_both_come_first)
{
    memset(happened, 0, sizeof happened);
    explore(4, 2, set_up, note_the_last, 2,
            (void (*const[])(void)){write_x_1_then_y_2, write_y_1_then_x_2});
    check(happened[1][1] && happened[2][2] && happened[1][2] && happened[2][1]);
}

/* ---- a compare-and-swap that fails is a read ---- */

static void replace_1(void)
{
    int seen = 1;

    r[0] = wf_cas(&x, &seen, 2, SEQ_CST);
    r[1] = seen;
}

static void replace_1_once_it_is_there(void)
{
    while (wf_load(&x, RELAXED) != 1)
        explore_wait();
    replace_1();
}

Test(explore_orders, a_compare_and_swap_fails_for_what_is_there_or_was)
{
    run(write_1_then_2, replace_1, NULL);
    check(happened[1][1] && happened[0][0] && happened[0][2]);
    check(!happened[0][1]);
    run(write_x, replace_1_once_it_is_there, NULL);
    check(happened[1][1] && !happened[0][0]);
}

/* ---- reads that may be late are bounded, and sleepers are not ---- */

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

/* The wake needs no SEQ_CST, because the kernel has the barriers. */
Test(explore_orders, a_futex_call_is_a_full_barrier)
{
    explore(4, 4, set_up_word, both_ended, 2, (void (*const[])(void)){wake, sleep_on_it});
}
