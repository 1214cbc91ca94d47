/*
 * An argument that the async function does not have.
 *
 *   gcc      has no member named 'depth'
 *   clang    does not refer to any field
 *   g++      has no non-static data member named 'depth'
 *   clang++  does not refer to any field
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

int spawn_one(weft_runtime *rt);
int spawn_one(weft_runtime *rt)
{
#ifdef MISUSE
    return weft_spawn_on(rt, NULL, child, .depth = 3);
#else
    return weft_spawn_on(rt, NULL, child, .width = 3);
#endif
}
