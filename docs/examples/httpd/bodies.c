/*
 * bodies.c - see bodies.h
 *
 * glibc's malloc(3) keeps freed memory for later: after a thousand bodies at once, hundreds of
 * megabytes stayed resident. Two things help. A block of 64 KiB or more gets a mapping of its own,
 * which free(3) returns at once. (By default glibc raises that bound as soon as a larger block is
 * freed.) And when the last of many bodies is gone, a job asks glibc to give back the rest.
 */
#include "bodies.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <weft.h>

#define OWN_MAPPING (64 * 1024)
#define WORTH_IT    (4u * 1024 * 1024) /* bytes at the peak from which on memory is given back */

void bodies_init(struct bodies *bodies, size_t max)
{
    bodies->max = max;
    atomic_init(&bodies->held, 0);
    atomic_init(&bodies->peak, 0);
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
#endif
}

struct trim_job {
    char unused;
};
WEFT_BLOCKING(trim_job)
{
    (void)self;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    return 0;
}

struct give_back {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(give_back)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, trim_job, .unused = 0));
    WEFT_END(n);
}

bool bodies_resize(struct bodies *bodies, size_t before, size_t after)
{
    size_t held = atomic_fetch_add(&bodies->held, after - before) + (after - before);
    size_t peak = atomic_load_explicit(&bodies->peak, memory_order_relaxed);

    while (held > peak && !atomic_compare_exchange_weak(&bodies->peak, &peak, held))
        continue;
    if (held == 0 && atomic_exchange(&bodies->peak, 0) >= WORTH_IT) {
        int r = weft_spawn(NULL, give_back);

        (void)r; /* another time, then */
    }
    return held <= bodies->max;
}
