/* test_rwlock_orders.c - the real rwlock and its queue of waits in every order of their steps */
#include "channel_orders.h"

#include "rwlock.c"
#include "waits.c"
#include "waker.c"

static weft_rwlock lock;
static int64_t     result[EXPLORE_THREADS];
static int         value, n_written;         /* value: written by writers only, one at a time */
static int         reading[EXPLORE_THREADS]; /* each by its thread */

static void set_up(void)
{
    set_up_executors();
    lock = (weft_rwlock){0};
    value = n_written = 0;
    memset(reading, 0, sizeof reading);
    for (int i = 0; i < EXPLORE_THREADS; i++)
        result[i] = 1;
}

static void set_up_without_budget(void)
{
    set_up();
    spend_budgets();
}

/* Thread 0 reads. */
static void set_up_read(void)
{
    set_up();
    check_eq(weft_rwlock_try_read(&lock), 0);
}

/* ---- the threads ---- */

static int look(void)
{
    return wf_load(&value, RELAXED); /* ordered by the lock */
}

/* No reader is there, and what the readers wrote before they unlocked is seen. */
static void change(void)
{
    for (int i = 0; i < explorer.n; i++)
        check_eq(wf_load(&reading[i], RELAXED), 0); /* ordered by the lock */
    wf_store(&value, look() + 1, RELAXED);          /* ordered by the lock */
    n_written++;
}

/* No writer comes between the looks. */
static void read_and_unlock(void)
{
    int me = explorer.current, seen = look();

    wf_store(&reading[me], 1, RELAXED); /* ordered by the lock */
    explore_step();
    check_eq(look(), seen);
    wf_store(&reading[me], 0, RELAXED); /* ordered by the lock */
    weft_rwlock_unlock_read(&lock);
}

static void write_and_unlock(void)
{
    change();
    weft_rwlock_unlock_write(&lock);
}

static void read_as(int i)
{
    weft_rwlock_read(&of[i].wait, &lock);
    result[i] = run(i);
    read_and_unlock();
}

static void write_as(int i)
{
    weft_rwlock_write(&of[i].wait, &lock);
    result[i] = run(i);
    write_and_unlock();
}

static void write_0(void)
{
    write_as(0);
}

static void write_2(void)
{
    write_as(2);
}

static void read_1(void)
{
    read_as(1);
}

static void read_2(void)
{
    read_as(2);
}

static void end_read_0(void)
{
    read_and_unlock();
}

static void downgrade_0(void)
{
    int written;

    weft_rwlock_write(&of[0].wait, &lock);
    result[0] = run(0);
    change();
    written = look();
    weft_rwlock_downgrade(&lock);
    check_eq(look(), written);
    read_and_unlock();
}

static void give_up_writing_1(void)
{
    weft_rwlock_write(&of[1].wait, &lock);
    result[1] = run_or_give_up(1);
    if (result[1] == 0)
        write_and_unlock();
}

static void give_up_reading_1(void)
{
    weft_rwlock_read(&of[1].wait, &lock);
    result[1] = run_or_give_up(1);
    if (result[1] == 0)
        read_and_unlock();
}

static void keep_writing_1(void)
{
    weft_rwlock_write(&of[1].wait, &lock);
    result[1] = run_kept(1);
    write_and_unlock();
}

static void keep_reading_1(void)
{
    weft_rwlock_read(&of[1].wait, &lock);
    result[1] = run_kept(1);
    read_and_unlock();
}

static void read_and_tell_2(void)
{
    read_as(2);
    tell_passed();
}

static void write_and_tell_2(void)
{
    write_as(2);
    tell_passed();
}

static void try_both_1(void)
{
    if (weft_rwlock_try_write(&lock) == 0)
        write_and_unlock();
    else if (weft_rwlock_try_read(&lock) == 0)
        read_and_unlock();
}

/* ---- the claims ---- */

static void it_is_free(void)
{
    check_nothing_is_left();
    check(!lock.waits_.first_);
    check_eq(weft_rwlock_try_write(&lock), 0);
    weft_rwlock_unlock_write(&lock);
    check_eq(value, n_written); /* an update is lost where two write at once */
}

static void explore_three(void (*set_up)(void), void (*a)(void), void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, it_is_free, 3, (void (*const[])(void)){a, b, c});
}

Test(rwlock_orders, no_other_thread_has_it_while_one_writes)
{
    explore_three(set_up, write_0, read_1, write_2);
}

Test(rwlock_orders, a_writer_that_downgrades_lets_readers_in_and_no_writer)
{
    explore_three(set_up, downgrade_0, read_1, write_2);
}

Test(rwlock_orders, a_writer_that_gives_up_lets_readers_pass)
{
    explore_three(set_up_read, end_read_0, give_up_writing_1, read_2);
}

Test(rwlock_orders, a_reader_that_gives_up_lets_the_writer_pass)
{
    explore_three(set_up, write_0, give_up_reading_1, write_2);
}

Test(rwlock_orders, one_that_tries_gets_it_or_not)
{
    explore_three(set_up, write_0, try_both_1, read_2);
}

Test(rwlock_orders, one_that_is_kept_is_passed_over)
{
    explore_three(set_up, write_0, keep_writing_1, read_and_tell_2);
    explore_three(set_up, write_0, keep_writing_1, write_and_tell_2);
    explore_three(set_up, write_0, keep_reading_1, write_and_tell_2);
}

Test(rwlock_orders, without_budget_it_is_left_free_or_waited_for)
{
    explore_three(set_up_without_budget, write_0, give_up_writing_1, read_2);
    explore_three(set_up_without_budget, write_0, give_up_reading_1, write_2);
}
