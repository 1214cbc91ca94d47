/*
 * weft_spawn may fail, and the caller does not look.
 *
 *   gcc     -Werror=unused-result  ignoring return value of 'weft_spawn_'
 *   clang   -Werror=unused-result  ignoring return value of function
 *   g++     -Werror=unused-result  ignoring return value of 'int weft_spawn_
 *   clang++ -Werror=unused-result  ignoring return value of function
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
    weft_spawn_on(rt, NULL, child, .width = 3);
    return 0;
#else
    return weft_spawn_on(rt, NULL, child, .width = 3);
#endif
}
