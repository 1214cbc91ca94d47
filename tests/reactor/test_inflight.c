/*
 * test_inflight.c - a slot for each request that the kernel has
 */
#include "../test.h"

#include "inflight.h"

#include <stdlib.h>

#define N 1000

static int64_t n_allowed = INT64_MAX, n_live;

static void *allocate(void *arg, size_t size)
{
    (void)arg;
    if (n_allowed-- <= 0)
        return NULL;
    n_live += (int64_t)size;
    return malloc(size);
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg;
    n_live -= (int64_t)size;
    free(memory);
}

static const weft_allocator hooks = {allocate, release, NULL};

/* User data as the reactor uses it: even and never 0. */
static uint64_t data(uint64_t i)
{
    return (i + 1) << 4 | (i & 3);
}

Test(inflight, each_request_is_found_until_it_is_removed)
{
    wf_inflight h = {0};
    uint32_t    slot[N], n = 0;

    for (uint64_t i = 0; i < N; i++) {
        check(wf_inflight_reserve(&h, &hooks));
        slot[i] = wf_inflight_add(&h, data(i));
    }
    for (uint64_t i = 0; i < N; i += 2)
        wf_inflight_remove(&h, slot[i]);
    for (uint64_t i = 0; i < N; i++)
        check_eq(wf_inflight_at(&h, slot[i]), i % 2 ? data(i) : 0);
    for (uint32_t i = 0; i < h.n_used; i++)
        n += wf_inflight_at(&h, i) != 0;
    check_eq(n, N / 2);
    wf_inflight_free(&h, &hooks);
    check_eq(n_live, 0);
}

Test(inflight, free_slots_are_used_before_there_are_more)
{
    wf_inflight h = {0};
    uint32_t    slot[8];

    for (int round = 0; round < N; round++) {
        for (int i = 0; i < 8; i++) {
            check(wf_inflight_reserve(&h, &hooks));
            slot[i] = wf_inflight_add(&h, data((uint64_t)i));
        }
        for (int i = 0; i < 8; i++)
            wf_inflight_remove(&h, slot[(i + round) % 8]);
    }
    check_eq(h.n_used, 8);
    wf_inflight_free(&h, &hooks);
}

Test(inflight, without_memory_what_is_there_stays)
{
    wf_inflight h = {0};
    uint32_t    n = 0;

    n_allowed = 0;
    check(!wf_inflight_reserve(&h, &hooks));
    n_allowed = 1;
    for (; wf_inflight_reserve(&h, &hooks); n++)
        check_eq(wf_inflight_add(&h, data(n)), n);
    check_cmp(n, >, 0);
    for (uint32_t i = 0; i < n; i++)
        check_eq(wf_inflight_at(&h, i), data(i));
    wf_inflight_free(&h, &hooks);
    check_eq(n_live, 0);
}
