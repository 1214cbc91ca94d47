/* idle.c - see idle.h */
#include "idle.h"

/* Returns the first sleeper that went to sleep on that CPU, or else the first sleeper, or -1. */
static int best_sleeper(const wf_idle *idle, int cpu)
{
    int best = -1;

    for (uint32_t word = 0; word * 64 < idle->n_slots; word++) {
        uint64_t mask = wf_load(&idle->sleeping[word], SEQ_CST); /* [idle-1] */

        for (; mask; mask &= mask - 1) {
            int i = (int)(word * 64) + __builtin_ctzll(mask);

            if (cpu < 0 || wf_load(&idle->cpu[i], RELAXED) == cpu + 1) /* a hint */
                return i;
            best = best < 0 ? i : best;
        }
    }
    return best;
}

bool wf_idle_any(const wf_idle *idle)
{
    return best_sleeper(idle, -1) >= 0;
}

int wf_idle_pick(wf_idle *idle, int cpu)
{
    int i;

    while (wf_load(&idle->n_searching, SEQ_CST) == 0 &&
           (i = best_sleeper(idle, cpu)) >= 0) { /* [idle-1] */
        wf_add(&idle->n_searching, 1, SEQ_CST);  /* [idle-1] before the bit goes: I1 */
        if (wf_idle_claim_sleeper(idle, (uint32_t)i))
            return i;
        /* Another thread has woken it. For a moment n_searching counted a search that did not
         * happen, and other pushers may have relied on it. So look again. */
        wf_sub(&idle->n_searching, 1, SEQ_CST); /* [idle-1] */
    }
    return -1;
}
