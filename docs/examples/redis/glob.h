/* glob.h - patterns of KEYS, SCAN and PSUBSCRIBE */
#ifndef REDISD_GLOB_H
#define REDISD_GLOB_H

#include "bytes.h"

/*
 * Whether the text matches the pattern: * any bytes, ? one byte, [a-z] and [^a-z] one byte of a
 * set, \ takes the next byte as it is. Takes time of at most the product of the two sizes.
 */
bool glob_match(struct slice pattern, struct slice text);

#endif
