/*
 * greet.h - an async function that other files call
 */
#ifndef GREET_H
#define GREET_H

#include <weft.h>

/* The frame stands in the header: callers have it in theirs. */
struct greet {
    WEFT_FRAME;
    struct {
        const char *name;
    } in;
    char text[32];
};
WEFT_DECLARE_EXTERN(greet);

#endif
