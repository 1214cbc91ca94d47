/*
 * An await outside an async function.
 *
 *   gcc      'self' undeclared
 *   clang    use of undeclared identifier 'self'
 *   g++      'self' was not declared
 *   clang++  use of undeclared identifier 'self'
 */
#include <weft.h>

int64_t wait_for(weft_runtime *rt, weft_future *what);
int64_t wait_for(weft_runtime *rt, weft_future *what)
{
#ifdef MISUSE
    int64_t n;

    (void)rt;
    WEFT_AWAIT(n, what);
    return n;
#else
    return weft_block_on(rt, what);
#endif
}
