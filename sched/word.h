/*
 * word.h - the state word of a task: its bits, and how they change
 *
 * Purpose     One helper changes the word. Its arguments are the bits to clear, the bits to set and
 *             the number of references to add or drop. task.h and join.h say what the bits mean and
 *             which thread may change them when.
 * Threads     Any.
 * Invariants  T5 before a change, the bits that it clears are set, the bits that it sets are clear,
 *             and there is a reference. So one addition makes the whole change. T6 RUNNING and
 *             COMPLETE are never both set.
 * Ordering    The caller names it.
 * Failure     None.
 */
#ifndef WF_WORD_H
#define WF_WORD_H

#include "invariant.h"
#include "order.h"

enum {
    WF_TASK_RUNNING = 1 << 0,
    WF_TASK_NOTIFIED = 1 << 1,
    WF_TASK_COMPLETE = 1 << 2,
    WF_TASK_CANCEL = 1 << 3,
    WF_TASK_PANIC = 1 << 4,
    WF_TASK_JOINER = 1 << 5,
    WF_TASK_JLOCK = 1 << 6,
    WF_TASK_HANDLE = 1 << 7,
    WF_TASK_REF = 1 << 8,
};

#define WF_TASK_BOUND_SHIFT 48
#define WF_TASK_REFS_MASK   ((UINT64_C(1) << WF_TASK_BOUND_SHIFT) - WF_TASK_REF)

static inline bool wf_word_is_only_ref(uint64_t word)
{
    return (word & WF_TASK_REFS_MASK) == WF_TASK_REF;
}

static inline uint64_t wf_word_difference(uint64_t clear, uint64_t set, int refs)
{
    return set - clear + (uint64_t)refs * WF_TASK_REF;
}

/* Returns the word as it was, after a check that T5 and T6 allow the change. */
static inline uint64_t wf_word_before(uint64_t was, uint64_t clear, uint64_t set, int refs)
{
    WF_ASSERT((was & clear) == clear);                                         /* T5 */
    WF_ASSERT((was & set) == 0);                                               /* T5 */
    WF_ASSERT((was & WF_TASK_REFS_MASK) > 0);                                  /* T5 */
    WF_ASSERT(!(was & ~clear & WF_TASK_RUNNING) || !(set & WF_TASK_COMPLETE)); /* T6 */
    WF_ASSERT(!(was & WF_TASK_COMPLETE) || !(set & WF_TASK_RUNNING));          /* T6 */
    WF_ASSERT(refs >= 0 || refs == -1);                                        /* T5 */
    return was;
}

/* Clears and sets bits and adds `refs` references, in one step. Returns the word as it was. */
#define wf_word_change(word, clear, set, refs, order)                                              \
    wf_word_before(wf_add((word), wf_word_difference((clear), (set), (refs)), order), (clear),     \
                   (set), (refs))

/* Returns the word after such a change, for a word that no other thread sees yet and for a
 * compare-and-swap. */
static inline uint64_t wf_word_changed(uint64_t word, uint64_t clear, uint64_t set, int refs)
{
    return wf_word_before(word, clear, set, refs) + wf_word_difference(clear, set, refs);
}

#endif
