/* runtimes.c - see runtimes.h */
#include "runtimes.h"

#include "order.h"

#define MOST 64

__attribute__((used)) static weft_runtime *wf_runtimes[MOST];

void wf_runtimes_add(weft_runtime *rt)
{
    for (int i = 0; i < MOST; i++) {
        weft_runtime *none = NULL;

        if (wf_cas(&wf_runtimes[i], &none, rt, ACQUIRE)) /* for debuggers: any order will do */
            return;
    }
}

void wf_runtimes_remove(const weft_runtime *rt)
{
    for (int i = 0; i < MOST; i++)
        if (wf_load(&wf_runtimes[i], RELAXED) == rt)  /* the caller's own */
            wf_store(&wf_runtimes[i], NULL, RELAXED); /* only debuggers read it */
}
