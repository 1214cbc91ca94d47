/*
 * Two awaits on one line: they would share a resume point.
 *
 *   gcc      duplicate case value
 *   clang    duplicate case value
 *   g++      duplicate case value
 *   clang++  duplicate case value
 */
#include <weft.h>

struct both {
    WEFT_FRAME;
    struct { weft_future *a, *b; } in;
};
WEFT_ASYNC(both)
{
    int64_t n;

    WEFT_BEGIN();
#ifdef MISUSE
    WEFT_AWAIT(n, self->in.a); WEFT_AWAIT(n, self->in.b);
#else
    WEFT_AWAIT(n, self->in.a);
    WEFT_AWAIT(n, self->in.b);
#endif
    WEFT_END(n);
}

weft_future *call(struct both *frame, weft_future *a, weft_future *b);
weft_future *call(struct both *frame, weft_future *a, weft_future *b)
{
    return weft_async(both, frame, .a = a, .b = b);
}
