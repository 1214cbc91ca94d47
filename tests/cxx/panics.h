/* panics.h - see panics.c */
#ifndef PANICS_H
#define PANICS_H

#include <weft.h>

WEFT_BEGIN_DECLS

int64_t      panics(void *argument);
weft_future *panicking(weft_future *future);

WEFT_END_DECLS

#endif
