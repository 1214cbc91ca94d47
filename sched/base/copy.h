/*
 * copy.h - copying a few bytes
 *
 * Purpose     Arguments of tasks and messages of channels are mostly two words. The compiler does
 *             not know their size, and a call of memcpy takes longer than copying them.
 * Threads     Any.
 * Invariants  The two areas do not overlap.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_COPY_H
#define WF_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void wf_copy(void *to, const void *from, size_t size)
{
    uint64_t first, last;

    /* Hides the object from the compiler, which would warn of sizes that never occur. */
    __asm__("" : "+r"(to), "+r"(from));
    /* 8 to 16 bytes are two words, which may overlap. */
    if (__builtin_expect(size - sizeof first <= sizeof first, 1)) {
        memcpy(&first, from, sizeof first);
        memcpy(&last, (const char *)from + size - sizeof last, sizeof last);
        memcpy(to, &first, sizeof first);
        memcpy((char *)to + size - sizeof last, &last, sizeof last);
    } else if (size > 0) {
        memcpy(to, from, size);
    }
}

#endif
