/*
 * The state of a select is memory of another type.
 *
 *   gcc      the first argument of a group is a pointer to its struct weft_select
 *   clang    the first argument of a group is a pointer to its struct weft_select
 *   g++      conditional expression between distinct pointer types
 *   clang++  conditional expression between distinct pointer types|incompatible operand
 *   types|pointer type mismatch
 */
#include <weft.h>

weft_future *first(struct weft_select *select, struct weft_join_all *join, weft_future *a);
weft_future *first(struct weft_select *select, struct weft_join_all *join, weft_future *a)
{
#ifdef MISUSE
    (void)select;
    return weft_select(join, a);
#else
    (void)join;
    return weft_select(select, a);
#endif
}
