/*
 * test_guess.c - weft's estimates: each function at its limits, and after a long run of one
 * kind
 */
#include "../test.h"
#include "guess.h"

#define START WEFT_S(1)

Test(guess, the_mean_follows_the_last_stretches)
{
    uint32_t mean = WF_GUESS_FIRST_POLL_NS;

    for (int i = 0; i < 100; i++)
        mean = wf_guess_mean(mean, 100000);
    check_cmp(mean, >, 99000);
    check_cmp(mean, <=, 100000);
    for (int i = 0; i < 100; i++)
        mean = wf_guess_mean(mean, 0);
    check_cmp(mean, <, 8);
}

Test(guess, the_mean_has_no_overflow)
{
    check_cmp(wf_guess_mean(UINT32_MAX, UINT32_MAX), >=, UINT32_MAX - 8);
}

Test(guess, a_stretch_is_suspect_if_it_took_longer_than_the_mean_by_a_long_poll)
{
    int64_t usual = 256 * 2000;

    check(!wf_guess_is_suspect(usual, 256, 2000));
    check(!wf_guess_is_suspect(usual + WF_GUESS_LONG_POLL - 1, 256, 2000));
    check(wf_guess_is_suspect(usual + WF_GUESS_LONG_POLL, 256, 2000));
    check(wf_guess_is_suspect(2 * WF_GUESS_LONG_POLL, 2, WF_GUESS_LONG_POLL)); /* as always */
}

Test(guess, suspicions_count_while_they_come_together)
{
    wf_suspicion s = {0};

    s = wf_guess_suspect(s, START);
    check_eq(s.n, 1);
    s = wf_guess_suspect(s, START + WF_GUESS_FORGOTTEN - 1);
    check_eq(s.n, 2);
    s = wf_guess_suspect(s, START + WF_GUESS_FORGOTTEN);
    check_eq(s.n, 1);
    check_eq(s.since, START + WF_GUESS_FORGOTTEN);
}

Test(guess, long_polls_are_forgotten)
{
    check(!wf_guess_polls_are_long(0, 1)); /* none ever was */
    check(wf_guess_polls_are_long(START, START));
    check(wf_guess_polls_are_long(START, START + WF_GUESS_FORGOTTEN - 1));
    check(!wf_guess_polls_are_long(START, START + WF_GUESS_FORGOTTEN));
}

Test(guess, the_back_off_rises_to_its_limit_and_falls_at_once)
{
    uint32_t backoff = 0;

    for (int i = 0; i < 10; i++) {
        check(wf_guess_worth_a_thief(backoff, UINT64_C(1) << backoff));
        check(!wf_guess_worth_a_thief(backoff, (UINT64_C(1) << backoff) - 1));
        backoff = wf_guess_backoff(backoff, WF_GUESS_WORTH_WAKING - 1);
    }
    check_eq(backoff, WF_GUESS_BACKOFF_MOST);
    check_eq(wf_guess_backoff(backoff, WF_GUESS_WORTH_WAKING), 0);
}

Test(guess, less_must_wait_where_polls_are_long)
{
    check_eq(wf_guess_worth_waking(250, false), 250);
    check_cmp(wf_guess_worth_waking(250, true), <, 250);
}

Test(guess, credit_is_used_up_and_given_back)
{
    uint32_t credit = wf_guess_credit(0, true);

    for (int i = 0; i < WF_GUESS_CREDIT; i++) {
        check_cmp(credit, >, 0);
        credit = wf_guess_credit(credit, false);
    }
    check_eq(credit, 0);
    check_eq(wf_guess_credit(credit, false), 0);
}

Test(guess, patience_is_twice_the_work_within_limits)
{
    check_eq(wf_guess_patience(0, 2000, 2), WF_GUESS_PATIENCE_LEAST);
    check_eq(wf_guess_patience(200, 2000, 2), WEFT_US(400));
    check_eq(wf_guess_patience(200, 2000, 0), WEFT_US(800)); /* no worker is there */
    check_eq(wf_guess_patience(1000000, UINT32_MAX, 1), WF_GUESS_PATIENCE_MOST);
}

Test(guess, a_crowd_grows_with_events_that_come_together)
{
    uint32_t crowd = 0;
    int      looks = 0;

    for (; crowd < WF_GUESS_CROWD_MOST; looks++)
        crowd = wf_guess_crowd(crowd, 2);
    check_eq(looks, WF_GUESS_CROWD_MOST / WF_GUESS_CROWD_GROWS);
    for (; crowd > 0; looks--)
        crowd = wf_guess_crowd(crowd, 1);
    check_eq(wf_guess_crowd(0, 0), 0);
    check_eq(wf_guess_crowd(0, -1), 0);
}

Test(guess, pauses_between_looks_double_up_to_a_limit)
{
    uint32_t pause = 1;

    for (int i = 0; i < 10; i++)
        pause = wf_guess_pause(pause);
    check_eq(pause, WF_GUESS_PAUSE_MOST);
}
