/*
 * unwinding.h - backtraces by the unwinder that C++ and profilers use
 *
 * For tests that link the scheduler's own object files, since it asks for a hidden function.
 */
#ifndef UNWINDING_H
#define UNWINDING_H

#include "switch.h"

#include <unwind.h>

#define FRAMES_MOST 64
#define BEGIN_SIZE  80 /* at most, of wf_switch_begin in bytes */

typedef struct trace {
    uintptr_t at[FRAMES_MOST];
    int       n;
} trace;

static inline _Unwind_Reason_Code trace_add(struct _Unwind_Context *context, void *arg)
{
    trace *t = arg;

    if (t->n == FRAMES_MOST)
        return _URC_NORMAL_STOP;
    t->at[t->n++] = (uintptr_t)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

/* The caller's backtrace. */
static inline trace trace_here(void)
{
    trace t = {.n = 0};

    _Unwind_Backtrace(trace_add, &t);
    return t;
}

static inline bool trace_contains(const trace *t, const void *address)
{
    for (int i = 0; i < t->n; i++)
        if (t->at[i] == (uintptr_t)address)
            return true;
    return false;
}

/* Whether the trace ends where the stack of a fiber begins, and has nothing behind that. An
 * unwinder may report an address of 0 as the last one. */
static inline bool trace_ends_in_begin(const trace *t)
{
    int n = t->n;

    while (n > 0 && t->at[n - 1] == 0)
        n--;
    for (int i = 0; i < n; i++)
        if (t->at[i] - (uintptr_t)wf_switch_begin < BEGIN_SIZE)
            return i == n - 1;
    return false;
}

#endif
