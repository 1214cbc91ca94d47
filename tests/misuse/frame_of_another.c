/*
 * The child's frame is memory of another type.
 *
 *   gcc            the frame of an async function is a pointer to its struct
 *   clang          the frame of an async function is a pointer to its struct
 *   g++            conditional expression between distinct pointer types
 *   clang++        conditional expression between distinct pointer types|incompatible operand
 *   types|pointer type mismatch
 */
#include <weft.h>

struct child {
    WEFT_FRAME;
    struct { int width; } in;
};
WEFT_ASYNC(child)
{
    WEFT_BEGIN();
    WEFT_END(self->in.width);
}

struct other {
    WEFT_FRAME;
};

weft_future *call(struct child *frame, struct other *other);
weft_future *call(struct child *frame, struct other *other)
{
    (void)other;
#ifdef MISUSE
    frame = 0;
    return weft_async(child, other, .width = 1);
#else
    return weft_async(child, frame, .width = 1);
#endif
}
