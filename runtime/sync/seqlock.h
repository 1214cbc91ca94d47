/*
 * seqlock.h - a small value that is read without a lock, and a version that tells a torn copy
 *
 * Purpose     Many threads read a value that seldom changes. A lock would let one of them read at a
 *             time, and costs two locked instructions. These readers write nothing.
 * Threads     write: the thread that holds the lock of the value. read: any thread.
 * Invariants  Q1 The version is odd while the value is being written. Each write adds 2.
 *             Q2 A reader that has found the same even version before and after its copy has copied
 *             the value of that version.
 * Ordering    [seqlock-1] A reader that has read a word of a later value has acquired that word.
 *             So it also sees the odd version that was stored before it, or a later one. The even
 *             version releases all words, and readers acquire it before they read them.
 *             Both words and version are atomic, and there is no fence: TSan and the explorer see
 *             all of it.
 * Failure     read returns false if a write came in between. Then *ret_value has bytes of both.
 */
#ifndef WF_SEQLOCK_H
#define WF_SEQLOCK_H

#include "invariant.h"
#include "order.h"

#include <stddef.h>
#include <string.h>

/* Larger values are not worth it: a copy of single words is slower than memcpy, and a reader that
 * meets a writer copies all of it again. */
#define WF_SEQLOCK_MOST 128

/* How many bytes a value of `size` bytes takes as words. */
static inline size_t wf_seqlock_room(size_t size)
{
    return (size + 7) / 8 * 8;
}

static inline void wf_seqlock_write(uint64_t *version, uint64_t *words, const void *value,
                                    size_t size)
{
    const char *from = value;
    uint64_t    before = *version, word;
    size_t      n = size / sizeof word;

    WF_ASSERT(before % 2 == 0);             /* Q1 */
    wf_store(version, before + 1, RELAXED); /* before each word, which releases it */
    for (size_t i = 0; i < n; i++) {
        memcpy(&word, from + i * sizeof word, sizeof word);
        wf_store(&words[i], word, RELEASE); /* [seqlock-1] */
    }
    if (size % sizeof word != 0) {
        word = 0;
        memcpy(&word, from + n * sizeof word, size % sizeof word);
        wf_store(&words[n], word, RELEASE); /* [seqlock-1] */
    }
    wf_store(version, before + 2, RELEASE); /* [seqlock-1] */
}

static inline bool wf_seqlock_read(const uint64_t *version, const uint64_t *words, size_t size,
                                   void *ret_value, uint64_t *ret_version)
{
    char    *to = ret_value;
    uint64_t before = wf_load(version, ACQUIRE), word; /* [seqlock-1] */
    size_t   n = size / sizeof word;

    if (before % 2 != 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        word = wf_load(&words[i], ACQUIRE); /* [seqlock-1] */
        memcpy(to + i * sizeof word, &word, sizeof word);
    }
    if (size % sizeof word != 0) {
        word = wf_load(&words[n], ACQUIRE); /* [seqlock-1] the last one, a part of it */
        memcpy(to + n * sizeof word, &word, size % sizeof word);
    }
    *ret_version = before;
    return wf_load(version, RELAXED) == before; /* not before the words, which acquire */
}

#endif
