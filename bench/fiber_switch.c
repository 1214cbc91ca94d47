/*
 * fiber_switch.c - what it costs to leave one stack for another
 *
 * Purpose     The switch beneath every await of a fiber, without a task around it: the thread goes
 *             to a second stack and comes back. One operation is one switch.
 * Threads     The main thread.
 * Invariants  The second stack counts each time that the thread came.
 * Ordering    None.
 * Failure     See bench.h.
 */
#include "fiber_parts.h"

#include "switch.h"

enum { SWITCHES = 100000, STACK = 64 << 10 };

struct stacks {
    void   *main, *second;
    int64_t n_came;
    bool    ends;
};

static void *second(void *argument)
{
    struct stacks *stacks = argument;

    while (!stacks->ends) {
        stacks->n_came++;
        wf_switch_leave(&stacks->second, stacks->main);
    }
    return stacks->main;
}

void bench_fiber_switch(struct bench_run *run, int argument)
{
    static _Alignas(16) char stack[STACK];

    struct stacks stacks = {.n_came = 0};
    int64_t       n = bench_scaled(run, SWITCHES), went = 0;

    (void)argument;
    wf_switch_start(&stacks.main, stack + sizeof stack, second, &stacks);
    do {
        for (int64_t k = 0; k < n; k++)
            wf_switch_enter(&stacks.main, stacks.second);
        went += n;
    } while (bench_more(run));
    stacks.ends = true;
    wf_switch_enter(&stacks.main, stacks.second);
    expect("the number of switches to the second stack", stacks.n_came, went + 1);
    run->ops = 2 * went;
}
