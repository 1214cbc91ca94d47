/* fibers.h - what several test files of fibers need */
#ifndef FIBERS_H
#define FIBERS_H

#include "../actors.h"

/* Runs a function as a fiber, and returns its result. */
#define RUN_FIBER(rt, function, argument)                                                          \
    __extension__({                                                                                \
        weft_handle fiber_;                                                                        \
        check_eq(weft_fiber_on(rt, &fiber_, function, argument), 0);                               \
        join(rt, &fiber_);                                                                         \
    })

static inline int64_t adds_ten(void *argument)
{
    return *(int64_t *)argument + 10;
}

#endif
