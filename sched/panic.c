/*
 * panic.c - leaving a poll in the middle
 *
 * Purpose     See panic.h.
 * Threads     See panic.h.
 * Invariants  See panic.h.
 * Ordering    None.
 * Failure     See panic.h.
 */
#include "panic.h"

#include "memcheck.h"
#include "order.h"
#include "rt.h"

#include <setjmp.h>

/* The compiler's own is a few instructions, once for each poll. Sanitizers must see the jump. */
#if defined(__x86_64__) && !defined(WF_TSAN_) && !defined(WF_ASAN_)
typedef void *jump_point[5];
#define set_jump(point) __builtin_setjmp(point)
#define jump(point)     __builtin_longjmp((point), 1)
#else
typedef jmp_buf jump_point;
#define set_jump(point) _setjmp(point)
#define jump(point)     _longjmp((point), 1)
#endif

typedef struct wf_catch {
    struct wf_catch *outer;
    const char      *message;
    jump_point       point;
} wf_catch;

WEFT_API void weft_panic_(const char *message)
{
    wf_catch *catch = wf_current_thread.catch;

    if (!catch)
        weft_misuse_("weft_panic", "called outside of any poll or job", message);
    catch->message = message;
    jump(catch->point);
}

/* Nothing but this call may be in the function: what a jump back leaves of locals is undefined. */
__attribute__((noinline)) static weft_poll poll_caught(weft_future *future, weft_context *cx,
                                                       wf_catch *catch)
{
    weft_poll poll;

    if (set_jump(catch->point))
        return WEFT_PENDING;
    poll = weft_future_poll(future, cx);
    __asm__ volatile("" ::: "memory"); /* no tail call: the frame jumped to must be there */
    return poll;
}

weft_poll wf_panic_poll(weft_future *future, weft_context *cx, const char **ret_message)
{
    const weft_waker *waker = cx->waker;
    uint32_t          flags = cx->flags;
    wf_catch catch = {.outer = wf_current_thread.catch, .message = NULL};
    weft_poll poll;

    wf_current_thread.catch = &catch;
    poll = poll_caught(future, cx, &catch);
    wf_current_thread.catch = catch.outer;
    if (__builtin_expect(catch.message != NULL, 0)) {
        cx->waker = waker;
        cx->flags = flags;
        cx->frame_ = NULL;
        cx->deadline = WEFT_FOREVER;
        *ret_message = catch.message;
    }
    return poll;
}

weft_poll wf_panic_poll_again(weft_future *future, weft_context *cx)
{
    const char *message = NULL;
    weft_poll   poll = wf_panic_poll(future, cx, &message);

    if (message)
        weft_misuse_("weft_panic", "called again while the task unwinds", message);
    return poll;
}

/* As poll_caught. */
__attribute__((noinline)) static int64_t call_caught(int64_t (*function)(void *arg), void *arg,
                                                     wf_catch *catch)
{
    int64_t result;

    if (set_jump(catch->point))
        return -EOWNERDEAD;
    result = function(arg);
    __asm__ volatile("" ::: "memory"); /* as above */
    return result;
}

int64_t wf_panic_call(int64_t (*function)(void *arg), void *arg, const char **ret_message)
{
    wf_catch catch = {.outer = wf_current_thread.catch, .message = NULL};
    int64_t result;

    wf_current_thread.catch = &catch;
    result = call_caught(function, arg, &catch);
    wf_current_thread.catch = catch.outer;
    if (__builtin_expect(catch.message != NULL, 0))
        *ret_message = catch.message;
    return result;
}
