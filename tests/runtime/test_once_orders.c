/* test_once_orders.c - the real once cell in every order of its steps */
#include "channel_orders.h"

#include "once.c"
#include "waits.c"
#include "waker.c"

static weft_once once;
static int       made;   /* written by the thread that makes it */
static int       n_made; /* how often that was done */
static bool      fails;  /* the first attempt */

static void set_up(void)
{
    set_up_executors();
    once = (weft_once){0};
    made = n_made = 0;
    fails = false;
}

static void set_up_failing(void)
{
    set_up();
    fails = true;
}

/* ---- the threads ---- */

static void make(void)
{
    bool works = !fails;

    fails = false;
    if (works) {
        n_made++;
        wf_store(&made, 1, RELAXED); /* [once-1] */
    }
    weft_once_end(&once, works);
}

static void use(void)
{
    check_eq(wf_load(&made, RELAXED), 1); /* [once-1], or ordered by the lock */
}

static void make_or_use(int i)
{
    int64_t r;

    do {
        weft_once_begin(&of[i].wait, &once);
        r = run(i);
        if (r == 1)
            make();
    } while (r == 1 && !weft_once_is_made(&once));
    use();
}

static void make_or_use_0(void)
{
    make_or_use(0);
}

static void make_or_use_1(void)
{
    make_or_use(1);
}

static void make_or_use_2(void)
{
    make_or_use(2);
}

static void give_up_1(void)
{
    int64_t r;

    weft_once_begin(&of[1].wait, &once);
    r = run_or_give_up(1);
    if (r == 1)
        make();
    else if (r == 0)
        use();
}

static void keep_1(void)
{
    weft_once_begin(&of[1].wait, &once);
    if (run_kept(1) == 1)
        make();
    if (weft_once_is_made(&once))
        use();
}

static void make_or_use_and_tell_2(void)
{
    make_or_use(2);
    tell_passed();
}

static void look_1(void)
{
    if (weft_once_is_made(&once))
        use();
}

/* ---- the claim ---- */

static void it_was_made_once(void)
{
    check_nothing_is_left();
    check(!once.waits_.first_ && weft_once_is_made(&once));
    check_eq(n_made, 1);
}

static void explore_three(void (*set_up)(void), void (*a)(void), void (*b)(void), void (*c)(void))
{
    explore(2, 1, set_up, it_was_made_once, 3, (void (*const[])(void)){a, b, c});
}

Test(once_orders, the_first_makes_it_and_the_others_use_it)
{
    explore_three(set_up, make_or_use_0, make_or_use_1, make_or_use_2);
}

Test(once_orders, after_a_failure_another_makes_it)
{
    explore_three(set_up_failing, make_or_use_0, make_or_use_1, make_or_use_2);
}

Test(once_orders, one_that_gives_up_passes_its_turn_on)
{
    explore_three(set_up_failing, make_or_use_0, give_up_1, make_or_use_2);
}

Test(once_orders, a_look_sees_what_was_made)
{
    explore_three(set_up, make_or_use_0, look_1, look_1);
}

Test(once_orders, one_that_is_kept_is_passed_over)
{
    explore_three(set_up_failing, make_or_use_0, keep_1, make_or_use_and_tell_2);
}
