/*
 * A local that is initialised before an await and used after it: resuming jumps past the
 * initialiser.
 *
 *   gcc   -DWEFT_STRICT            switch jumps into scope|switch jumps over variable
 *   clang -DWEFT_STRICT            uninitialized
 *   g++                            crosses initialization
 *   clang++                        cannot jump from switch statement to this case label
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

    WEFT_BEGIN();
#ifdef MISUSE
    int64_t before = weft_now();
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
