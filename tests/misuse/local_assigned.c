/*
 * A local that is assigned before an await and read after it. gcc finds it when it optimises.
 *
 *   gcc     -O2 -DWEFT_STRICT  uninitialized
 *   clang   -DWEFT_STRICT      uninitialized
 *   g++     -O2 -DWEFT_STRICT  uninitialized
 *   clang++ -DWEFT_STRICT      uninitialized
 */
#include <weft.h>

struct child {
    WEFT_FRAME;
    struct { weft_future *what; } in;
    int64_t before;
};
WEFT_ASYNC(child)
{
    int64_t n;
#ifdef MISUSE
    int64_t before;
#endif

    WEFT_BEGIN();
#ifdef MISUSE
    before = weft_now();
    WEFT_AWAIT(n, self->in.what);
    WEFT_RETURN(n < 0 ? n : weft_now() - before);
#else
    self->before = weft_now();
    WEFT_AWAIT(n, self->in.what);
    WEFT_RETURN(n < 0 ? n : weft_now() - self->before);
#endif
    WEFT_END(0);
}

weft_future *call(struct child *frame, weft_future *what);
weft_future *call(struct child *frame, weft_future *what)
{
    return weft_async(child, frame, .what = what);
}
