/*
 * WEFT_FRAME is there, but not first: a future is found by its address.
 *
 *   gcc      WEFT_FRAME must come first
 *   clang    WEFT_FRAME must come first
 *   g++      WEFT_FRAME must come first
 *   clang++  WEFT_FRAME must come first
 */
#include <weft.h>

struct child {
#ifdef MISUSE
    int before;
#endif
    WEFT_FRAME;
    struct { int width; } in;
};
WEFT_ASYNC(child)
{
    WEFT_BEGIN();
    WEFT_END(self->in.width);
}

weft_future *call(struct child *frame);
weft_future *call(struct child *frame)
{
    return weft_async(child, frame, .width = 1);
}
