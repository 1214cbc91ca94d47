/*
 * A body without WEFT_END.
 *
 *   gcc      expected declaration or statement at end of input
 *   clang    expected '}'
 *   g++      expected '}' at end of input
 *   clang++  expected '}'
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
#ifdef MISUSE
    WEFT_RETURN(n);
#else
    WEFT_END(n);
#endif
}

weft_future *call(struct child *frame, weft_future *what);
weft_future *call(struct child *frame, weft_future *what)
{
    return weft_async(child, frame, .what = what);
}
