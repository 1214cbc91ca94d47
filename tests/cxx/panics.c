/* panics.c - what C++ has no macro for: a function of a fiber, and a future, that panic */
#include "panics.h"

int64_t panics(void *argument)
{
    (void)argument;
    weft_panic("on purpose");
}

static weft_poll panics_poll(weft_future *future, weft_context *cx)
{
    (void)future;
    (void)cx;
    weft_panic("on purpose");
}

weft_future *panicking(weft_future *future)
{
    static const weft_future_ops ops = {
        .size = sizeof(weft_future), .name = "panicking", .poll = panics_poll};

    weft_future_init(future, &ops);
    return future;
}
