/*
 * idle.c - which workers sleep, and how many look for work
 *
 * Purpose     See idle.h.
 * Threads     Any.
 * Invariants  See idle.h.
 * Ordering    See idle.h.
 * Failure     None.
 */
#include "idle.h"

int wf_idle_pick(wf_idle *idle)
{
    if (wf_load(&idle->n_searching, SEQ_CST) != 0) /* [idle-1] */
        return -1;
    for (uint32_t word = 0; word * 64 < idle->n_workers; word++) {
        uint64_t mask;

        while ((mask = wf_load(&idle->sleeping[word], SEQ_CST)) != 0) { /* [idle-1] */
            uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(mask);

            if (wf_idle_take(idle, i)) {
                wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */
                return (int)i;
            }
        }
    }
    return -1;
}
