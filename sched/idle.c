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

static int first_sleeper(const wf_idle *idle)
{
    for (uint32_t word = 0; word * 64 < idle->n_slots; word++) {
        uint64_t mask = wf_load(&idle->sleeping[word], SEQ_CST); /* [idle-1] */

        if (mask)
            return (int)(word * 64) + __builtin_ctzll(mask);
    }
    return -1;
}

bool wf_idle_any(const wf_idle *idle)
{
    return first_sleeper(idle) >= 0;
}

int wf_idle_pick(wf_idle *idle)
{
    int i;

    while (wf_load(&idle->n_searching, SEQ_CST) == 0 &&
           (i = first_sleeper(idle)) >= 0) {    /* [idle-1] */
        wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] before the bit goes: I1 */
        if (wf_idle_take(idle, (uint32_t)i))
            return i;
        /* Somebody else has woken it. Others may have counted on us: look again. */
        wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */
    }
    return -1;
}
