/* test_catch.c - a call that a panic can end early: what comes back, and what is left as it was */
#include "../helpers.h"

#include "catch.h"

#include <execinfo.h>

static const char MESSAGE[] = "it hurts";

static int64_t sum(void *a, void *b)
{
    return *(int64_t *)a + *(int64_t *)b;
}

/* Uses all callee-saved registers, so that the catch must restore them. */
static void use_registers(void)
{
#if defined(__x86_64__)
    __asm__ volatile(
        "xor %%ebx, %%ebx\n xor %%r12d, %%r12d\n xor %%r13d, %%r13d\n"
        "xor %%r14d, %%r14d\n xor %%r15d, %%r15d" ::
            : "rbx", "r12", "r13", "r14", "r15", "cc");
#endif
}

static int64_t end_deep(void *depth, void *room)
{
    volatile char more[256];

    more[0] = 1;
    use_registers();
    if ((intptr_t)depth > 0)
        return end_deep((void *)((intptr_t)depth - 1), room) + more[0];
    if (!room)
        wf_catch_end(MESSAGE);
    return 0;
}

Test(catch, answers_what_the_function_returned)
{
    int64_t   a = INT64_MIN / 3, b = -7;
    wf_caught caught = wf_catch_call(&a, &b, sum);

    check_eq(caught.result, a + b);
    check(!caught.message);
    check(!wf_current_thread.catch);
}

Test(catch, answers_the_message_that_ended_the_function_however_deep)
{
    for (intptr_t depth = 0; depth < 200; depth += 40) {
        check(wf_catch_call((void *)depth, NULL, end_deep).message == MESSAGE);
        check(!wf_current_thread.catch);
    }
}

static int64_t nest(void *ends, void *level)
{
    struct wf_catch *here = wf_current_thread.catch;
    wf_caught        inner = {0};

    check(here != NULL);
    if (*(int *)level == 0)
        return ends ? end_deep(NULL, NULL) : 1;
    --*(int *)level;
    inner = wf_catch_call(ends, level, nest);
    check(wf_current_thread.catch == here);
    return inner.message ? 100 : inner.result + 1;
}

Test(catch, ends_the_innermost_of_nested_calls)
{
    int level = 5;

    check_eq(wf_catch_call(NULL, &level, nest).result, 6);
    level = 5;
    check_eq(wf_catch_call(&level, &level, nest).result, 104);
    check(!wf_current_thread.catch);
}

/* More values than there are registers that survive a call, all of them in use before and after it.
 */
__attribute__((noinline)) static int64_t keep_values(int64_t v, bool ends)
{
    int64_t   a = v * 3, b = v ^ 5, c = v - 7, d = v << 3, e = v * v, f = ~v, g = v + 11;
    wf_caught caught;

    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c));
    __asm__ volatile("" : "+r"(d), "+r"(e), "+r"(f), "+r"(g));
    caught = ends ? wf_catch_call((void *)(intptr_t)v, NULL, end_deep) : wf_catch_call(&v, &v, sum);
    check_eq(caught.message == MESSAGE, ends);
    __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c));
    __asm__ volatile("" : "+r"(d), "+r"(e), "+r"(f), "+r"(g));
    return a == v * 3 && b == (v ^ 5) && c == v - 7 && d == v << 3 && e == v * v && f == ~v &&
           g == v + 11;
}

Test(catch, leaves_the_values_of_its_caller_alone)
{
    for (int64_t v = 0; v < 50; v++) {
        check(keep_values(v, false));
        check(keep_values(v, true));
    }
}

#if defined(__x86_64__)
/* An odd number of saved words would break functions that use aligned SSE stores. */
static int64_t look_at_stack(void *at, void *b)
{
    (void)b;
    *(uintptr_t *)at = (uintptr_t)__builtin_frame_address(0);
    return 0;
}

Test(catch, calls_the_function_with_an_aligned_stack)
{
    uintptr_t frame = 1;

    wf_catch_call(&frame, NULL, look_at_stack);
    check_eq(frame % 16, 0);
}
#endif

/* ---- what unwinders see ---- */

static int64_t look_for(void *outer, void *found)
{
    void *frames[64];
    int   n = backtrace(frames, 64);

    for (int i = 0; i < n; i++)
        if (frames[i] == *(void **)outer)
            *(bool *)found = true;
    return n;
}

Test(catch, an_unwinder_looks_through_it_to_its_callers)
{
    void *outer = __builtin_return_address(0);
    bool  found = false;

    check(wf_catch_call(&outer, &found, look_for).result > 2);
    check(found);
}
