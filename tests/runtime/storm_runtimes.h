/*
 * storm_runtimes.h - a storm on each kind of runtime, and on two of them at once
 *
 * A file defines its storm, and then its cases by STORM_CASES.
 */
#ifndef STORM_RUNTIMES_H
#define STORM_RUNTIMES_H

#include "../helpers.h"

/* Runs the storm on `n_rt` runtimes that are configured alike. */
static inline void storm_on(const weft_config *config, int n_rt,
                            void (*storm)(weft_runtime *const *rt, int n_rt))
{
    weft_runtime *rt[2];

    for (int i = 0; i < n_rt; i++)
        rt[i] = start_with(config);
    storm(rt, n_rt);
    for (int i = 0; i < n_rt; i++)
        stop(rt[i]);
}

#define STORM_CASES(suite, storm)                                                                  \
    Test(suite, storm_with_1_worker, .timeout = 120)                                               \
    {                                                                                              \
        storm_on(&(weft_config){.workers = 1}, 1, storm);                                          \
    }                                                                                              \
    Test(suite, storm_with_the_current_thread, .timeout = 120)                                     \
    {                                                                                              \
        storm_on(&(weft_config){.current_thread = 1}, 1, storm);                                   \
    }                                                                                              \
    Test(suite, storm_with_2_workers, .timeout = 120)                                              \
    {                                                                                              \
        storm_on(&(weft_config){.workers = 2}, 1, storm);                                          \
    }                                                                                              \
    Test(suite, storm_with_8_workers, .timeout = 120)                                              \
    {                                                                                              \
        storm_on(&(weft_config){.workers = 8}, 1, storm);                                          \
    }                                                                                              \
    Test(suite, storm_with_a_budget_of_1, .timeout = 120)                                          \
    {                                                                                              \
        storm_on(&(weft_config){.workers = 2, .budget = 1}, 1, storm);                             \
    }                                                                                              \
    Test(suite, storm_with_two_runtimes, .timeout = 120)                                           \
    {                                                                                              \
        storm_on(&(weft_config){.workers = 2}, 2, storm);                                          \
    }

#endif
