/*
 * The child's frame itself instead of a pointer to it.
 *
 *   gcc      the frame of an async function is a pointer to its struct
 *   clang    the frame of an async function is a pointer to its struct
 *   g++      operands to|no match|different types
 *   clang++  incompatible operand types|no viable
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

struct parent {
    WEFT_FRAME;
    struct {
        int width;
    } in;
    struct child child, children[2];
};
WEFT_ASYNC(parent)
{
    int64_t n;

    WEFT_BEGIN();
#ifdef MISUSE
    WEFT_CALL(n, child, self->child, .width = 1);
#else
    WEFT_CALL(n, child, &self->child, .width = 1);
    WEFT_CALL(n, child, self->children, .width = 1);
    WEFT_CALL(n, child, &self->children[n], .width = self->in.width);
#endif
    WEFT_END(n);
}

int run(void);
int run(void)
{
    return weft_main(parent, .width = 1);
}
