/*
 * platform.h - what scenario.c needs of the machine it runs on, and the machine of it
 *
 * Three machines: cortex_m.c (an image of its own, under an emulator), host.c (a process in which a
 * signal is the interrupt) and tests/include/test_local.c (a process in which a thread is).
 */
#ifndef PLATFORM_H
#define PLATFORM_H

#include <weft/local.h>

/* ---- the machine provides ---- */

extern const weft_local_port platform_port;

/* One interrupt, about `delay` steps from now, however short a step is, instead of one that was
 * asked for before; 0: none. Called masked. */
void platform_arm(uint32_t delay);
/* How many hand-overs between interrupt and task are a good test here. */
extern const uint32_t platform_rounds;
/* Says it and ends the program as failed. */
void platform_fail(const char *file, int line, const char *text, int64_t a, int64_t b)
    __attribute__((noreturn, cold));

/* ---- the scenario provides ---- */

/* What the interrupt does. */
void scenario_interrupt(void);

#define SCENARIOS(X)                                                                               \
    X(a_task_sleeps_until_an_interrupt_wakes_it)                                                   \
    X(calls_go_on_at_the_await_where_they_waited)                                                  \
    X(deferred_calls_run_when_it_ends)                                                             \
    X(tasks_are_polled_in_order_and_only_when_woken)                                               \
    X(tasks_that_are_always_ready_take_turns)                                                      \
    X(a_task_added_in_a_poll_waits_for_the_next_turn)                                              \
    X(many_wakes_are_one_poll)                                                                     \
    X(select_ends_with_the_first_tick_and_cancels_the_other)                                       \
    X(select_starts_anywhere)                                                                      \
    X(a_kept_branch_goes_on)                                                                       \
    X(join_all_waits_for_all)                                                                      \
    X(try_join_ends_with_the_first_error)                                                          \
    X(cancel_reaches_the_innermost_await)                                                          \
    X(cancel_comes_from_an_interrupt)                                                              \
    X(cancel_before_the_first_poll_starts_nothing)                                                 \
    X(wakers_outlive_their_task)                                                                   \
    X(futures_that_need_a_runtime_find_none)                                                       \
    X(no_wake_is_lost_wherever_the_interrupt_comes)                                                \
    X(no_wake_is_lost_in_a_crowd)

#define SCENARIO_DECLARE_(name) void scenario_##name(void);
SCENARIOS(SCENARIO_DECLARE_)

#endif
