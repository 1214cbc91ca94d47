/*
 * An await in a switch over an int: its resume point would belong to that switch.
 *
 *   gcc   -DWEFT_STRICT  overflow
 *   clang -DWEFT_STRICT  overflow converting case value
 *   g++                  narrowing conversion
 *   clang++              case value evaluates to .* which cannot be narrowed
 */
#include <weft.h>

enum colour { RED, GREEN };

struct child {
    WEFT_FRAME;
    struct { int key; weft_future *what; } in;
};
WEFT_ASYNC(child)
{
    int64_t n;

    WEFT_BEGIN();
#ifdef MISUSE
    switch (self->in.key) {
    case 1:
        WEFT_AWAIT(n, self->in.what);
        break;
    default:
        n = 0;
    }
#else
    if (self->in.key == 1)
        WEFT_AWAIT(n, self->in.what);
    else
        n = 0;
#endif
    WEFT_END(n);
}

weft_future *call(struct child *frame, weft_future *what);
weft_future *call(struct child *frame, weft_future *what)
{
    return weft_async(child, frame, .key = 1, .what = what);
}
