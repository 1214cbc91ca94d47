/* panic.c - see panic.h */
#include "panic.h"

#include "fiber.h"

WEFT_API void weft_panic_(const char *message)
{
    if (!wf_current_thread.catch && wf_current_thread.fiber)
        wf_fiber_panic(wf_current_thread.fiber, message);
    if (!wf_current_thread.catch)
        weft_misuse_("weft_panic", "called outside of any poll or job", message);
    wf_catch_end(message);
}

#if WF_CATCH_SETJMP
int64_t wf_panic_poll_root_(void *future, void *cx)
{
    weft_future *f = future;

    return f->ops->poll(f, cx).ready_;
}
#endif

static int64_t poll_checked(void *future, void *cx)
{
    return weft_future_poll_inner(future, cx).ready_;
}

wf_caught wf_panic_poll(weft_future *future, weft_context *cx)
{
    return wf_catch_call(future, cx, poll_checked);
}

weft_poll wf_panic_refused(wf_caught caught)
{
    if (caught.message)
        weft_misuse_("weft_panic", "called again while the task unwinds", caught.message);
    return WEFT_POLL_(caught.result != 0);
}

static int64_t call_job(void *function, void *arg)
{
    return (*(int64_t(**)(void *))function)(arg);
}

int64_t wf_panic_call(int64_t (*function)(void *arg), void *arg, const char **ret_message)
{
    wf_caught caught = wf_catch_call(&function, arg, call_job);

    if (__builtin_expect(caught.message != NULL, 0))
        *ret_message = caught.message;
    return caught.result;
}
