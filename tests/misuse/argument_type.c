/*
 * An argument of another type: C only warns by default.
 *
 *   gcc   -Werror=incompatible-pointer-types  from incompatible pointer type
 *   gcc   -Werror=int-conversion              makes pointer from integer
 *   clang -Werror=incompatible-pointer-types  incompatible pointer types
 *   clang -Werror=int-conversion              incompatible integer to pointer conversion
 *   gcc   -DWEFT_STRICT                       from incompatible pointer type
 *   gcc   -DWEFT_STRICT                       makes pointer from integer
 *   clang -DWEFT_STRICT                       incompatible pointer types
 *   clang -DWEFT_STRICT                       incompatible integer to pointer conversion
 *   g++                                       invalid conversion|cannot convert
 *   clang++                                   cannot initialize a member
 */
#include <weft.h>

struct child {
    WEFT_FRAME;
    struct { const char *name, *title; } in;
};
WEFT_ASYNC(child)
{
    WEFT_BEGIN();
    WEFT_END(*self->in.name);
}

int spawn_one(weft_runtime *rt, double *number);
int spawn_one(weft_runtime *rt, double *number)
{
#ifdef MISUSE
    return weft_spawn_on(rt, NULL, child, .name = 7, .title = number);
#else
    return weft_spawn_on(rt, NULL, child, .name = "a", .title = number ? "b" : "c");
#endif
}
