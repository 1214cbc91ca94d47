/*
 * A body without WEFT_BEGIN.
 *
 *   gcc      case label not within a switch
 *   clang    'case' statement not in switch
 *   g++      case label .* not within a switch
 *   clang++  'case' statement not in switch
 */
#include <weft.h>

struct child {
    WEFT_FRAME;
    struct { weft_future *what; } in;
};
WEFT_ASYNC(child)
{
    int64_t n;

#ifdef MISUSE
    {
#else
    WEFT_BEGIN();
#endif
    WEFT_AWAIT(n, self->in.what);
    WEFT_END(n);
}

weft_future *call(struct child *frame, weft_future *what);
weft_future *call(struct child *frame, weft_future *what)
{
    return weft_async(child, frame, .what = what);
}
