/*
 * An async function whose struct does not start with WEFT_FRAME.
 *
 *   gcc      no member named 'weft_frame_'
 *   clang    no member named 'weft_frame_'
 *   g++      no member named 'weft_frame_'
 *   clang++  no member named 'weft_frame_'
 */
#include <weft.h>

struct child {
#ifndef MISUSE
    WEFT_FRAME;
#endif
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
