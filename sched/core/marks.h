/*
 * marks.h - the marks of woken branches in a group of many
 *
 * Purpose     A group that has many branches finds the woken ones without a look at all of them.
 *             Each block of 64 branches has a mark, and each 64 blocks have one. A poll skips what
 *             is not marked: of 100,000 branches it looks at some 150 marks for a wake.
 * Threads     wf_mark: any. All else: the owner of the group.
 * Invariants  X1 A wake sets the marks from the branch upwards, a poll takes them from the top
 *             downwards. So whenever a branch is marked and its wake is over, the marks above it
 *             are set, or the poll that took them has yet to look at it. X2 A poll that has taken
 *             a mark looks at all that is below it, or sets the mark again.
 * Ordering    [combine-1] each mark is released by the wake and acquired by the poll.
 * Failure     None.
 */
#ifndef WF_MARKS_H
#define WF_MARKS_H

#include <weft/combine.h>

#include "order.h"

#ifndef WF_MARKS_BLOCK
#define WF_MARKS_BLOCK 64u
#endif

/* The marks of a block are in its first branch, and those of 64 blocks in the first branch of
 * these. Bare metal has no room for so many branches, nor for the code. */
static inline bool wf_marks_are_used(const weft_group *g)
{
    return __STDC_HOSTED__ && __builtin_expect(g->n_ > WF_MARKS_BLOCK, 0);
}

static inline void wf_mark_above(weft_group *g, uint32_t i)
{
    i -= i % WF_MARKS_BLOCK;
    wf_flag_raise(&g->branch_[i].block_); /* [combine-1] */
    i -= i % (WF_MARKS_BLOCK * WF_MARKS_BLOCK);
    wf_flag_raise(&g->branch_[i].blocks_); /* [combine-1] */
}

/* Marks a branch as woken. */
static inline void wf_mark(weft_branch *b)
{
    wf_flag_raise(&b->woken_); /* [combine-1] */
    if (wf_marks_are_used(b->group_))
        wf_mark_above(b->group_, (uint32_t)(b - b->group_->branch_)); /* X1 */
}

/* Takes a mark. Most are not set, and a load is cheaper than a swap. */
static inline bool wf_mark_take(uint8_t *mark)
{
    /* RELAXED: a wake sets the marks before it wakes the task, and this poll has acquired the task.
     * A mark that the load does not see yet is of a wake that causes another poll. */
    return wf_load(mark, RELAXED) != 0 && wf_flag_take(mark); /* [combine-1] */
}

/* Looks at a branch. False ends the walk. */
typedef bool wf_marks_visit(weft_group *g, uint32_t i, void *arg);

/* Visits the branches from `from` to `end`, beginning with `start`, which is one of them. */
static inline bool wf_marks_walk_block(weft_group *g, uint32_t from, uint32_t end, uint32_t start,
                                       wf_marks_visit *visit, void *arg)
{
    uint32_t i = start;

    if (!wf_mark_take(&g->branch_[from].block_))
        return true;
    do {
        if (!visit(g, i, arg)) {
            wf_mark_above(g, i); /* X2 */
            return false;
        }
        i = i + 1 < end ? i + 1 : from;
    } while (i != start);
    return true;
}

/* Visits the marked blocks from `from` to `end`, beginning with that of `start`. */
static inline bool wf_marks_walk_blocks(weft_group *g, uint32_t from, uint32_t end, uint32_t start,
                                        wf_marks_visit *visit, void *arg)
{
    uint32_t first = start - start % WF_MARKS_BLOCK, block = first;

    if (!wf_mark_take(&g->branch_[from].blocks_))
        return true;
    do {
        uint32_t behind = end - block > WF_MARKS_BLOCK ? block + WF_MARKS_BLOCK : end;

        if (!wf_marks_walk_block(g, block, behind, block == first ? start : block, visit, arg)) {
            wf_mark_above(g, block); /* X2: of what was not looked at */
            return false;
        }
        block = behind < end ? behind : from;
    } while (block != first);
    return true;
}

/* Visits all branches that may be marked, in turn, beginning with `start`. */
static inline void wf_marks_walk(weft_group *g, uint32_t start, wf_marks_visit *visit, void *arg)
{
    const uint32_t many = WF_MARKS_BLOCK * WF_MARKS_BLOCK;
    uint32_t       first = start - start % many, from = first;

    do {
        uint32_t end = g->n_ - from > many ? from + many : g->n_;

        if (!wf_marks_walk_blocks(g, from, end, from == first ? start : from, visit, arg))
            return;
        from = end < g->n_ ? end : 0;
    } while (from != first);
}

#endif
