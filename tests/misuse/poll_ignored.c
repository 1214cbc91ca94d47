/*
 * A hand-written poll function polls another future and does not look at the answer.
 *
 *   gcc     -Werror=unused-result  ignoring return value of 'weft_future_poll'
 *   clang   -Werror=unused-result  ignoring return value of function
 *   g++     -Werror=unused-result  ignoring return.* value
 *   clang++ -Werror=unused-result  ignoring return value of function
 */
#include <weft.h>

weft_poll forward(weft_future *inner, weft_context *cx);
weft_poll forward(weft_future *inner, weft_context *cx)
{
#ifdef MISUSE
    weft_future_poll(inner, cx);
    return WEFT_PENDING;
#else
    return weft_future_poll(inner, cx);
#endif
}
