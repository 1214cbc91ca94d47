/*
 * `return -1` in a body, which should be WEFT_RETURN(-1).
 *
 *   gcc      incompatible types when returning type 'int'
 *   clang    returning 'int' from a function with incompatible result type
 *   g++      could not convert '-1' from 'int' to 'weft_poll'
 *   clang++  no viable conversion from returned value of type 'int'
 */
#include <weft.h>

struct child {
    WEFT_FRAME;
    struct { weft_future *what; } in;
};
WEFT_ASYNC(child)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, self->in.what);
    if (n < 0)
#ifdef MISUSE
        return -1;
#else
        WEFT_RETURN(-1);
#endif
    WEFT_END(n);
}

weft_future *call(struct child *frame, weft_future *what);
weft_future *call(struct child *frame, weft_future *what)
{
    return weft_async(child, frame, .what = what);
}
