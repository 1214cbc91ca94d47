/* greet.c - see greet.h */
#include "greet.h"
#include <stdio.h>

WEFT_ASYNC_EXTERN(greet)
{
    WEFT_BEGIN();
    WEFT_YIELD();
    WEFT_END(snprintf(self->text, sizeof self->text, "hello, %s", self->in.name));
}
