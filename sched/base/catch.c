/* catch.c - see catch.h */
#include "catch.h"

#if WF_CATCH_SETJMP
#include <setjmp.h>

struct wf_catch {
    struct wf_catch *outer;
    const char      *message;
    jmp_buf          point;
};

void wf_catch_end_setjmp(const char *message, struct wf_catch **innermost)
{
    struct wf_catch *catch = *innermost;

    catch->message = message;
    _longjmp(catch->point, 1);
}

/* This function does nothing else, because a jump leaves locals undefined that have changed. */
__attribute__((noinline)) static int64_t call(void *a, void *b, wf_catch_function function,
                                              struct wf_catch *catch)
{
    int64_t result;

    if (_setjmp(catch->point))
        return 0;
    result = function(a, b);
    /* Prevents a tail call: the frame that the jump returns to must still exist. */
    __asm__ volatile("" ::: "memory");
    return result;
}

wf_caught wf_catch_call_setjmp(void *a, void *b, wf_catch_function function,
                               struct wf_catch **innermost)
{
    struct wf_catch catch = {.outer = *innermost, .message = NULL};
    int64_t result;

    *innermost = &catch;
    result = call(a, b, function, &catch);
    *innermost = catch.outer;
    return (wf_caught){result, catch.message};
}
#else
typedef int wf_catch_is_in_assembly; /* ISO C wants a declaration in every file */
#endif
