/* test_invariant.c - what an assertion says, and that a release does not even evaluate it */
#include "../helpers.h"

#undef WF_ASSERTIONS
#define WF_ASSERTIONS
#include "invariant.h"

static void overfill(int n)
{
    WF_ASSERT(n <= 3);
}

Test(invariant, a_rule_that_holds_says_nothing)
{
    overfill(3);
}

TEST_ABORTS(invariant, a_rule_that_does_not_hold_is_named_with_function_and_place,
            "weft: overfill: a rule of weft's own does not hold: n <= 3 (")
{
    overfill(4);
}

/* As WF_ASSERT is where assertions are off. */
#undef WF_ASSERTIONS
#undef WF_ASSERT
#undef WF_INVARIANT_H
#undef WF_INVARIANT_TEXT_
#undef WF_INVARIANT_WHERE_
#include "invariant.h"

Test(invariant, a_release_does_not_evaluate_the_condition)
{
    int n = 0;

    WF_ASSERT(++n > 3);
    check_eq(n, 0);
}
