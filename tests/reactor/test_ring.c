/*
 * test_ring.c - the ring itself
 */
#include "../test.h"

#include "driver.h"
#include "ring.h"
#include "timer.h"

#include <unistd.h>

static weft_config config(int64_t mask)
{
    return (weft_config){.ring_entries = 8, .ring_mask = mask, .log = weft_log_none};
}

static unsigned collect(wf_ring *ring, uint64_t *ret_sum)
{
    struct io_uring_cqe *cqe;
    unsigned             head, n = 0;

    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        *ret_sum += cqe->user_data;
        n++;
    }
    io_uring_cq_advance(&ring->uring, n);
    return n;
}

Test(ring, opens_without_the_features_that_are_masked)
{
    for (int64_t mask = 0; mask < 16; mask++) {
        weft_config c = config(mask);
        wf_ring     ring;

        check_eq(wf_ring_open(&ring, &c), 0);
        check_eq(ring.features & (uint32_t)mask, 0);
        wf_ring_close(&ring);
    }
}

Test(ring, takes_more_entries_than_its_queue_is_long)
{
    for (int64_t mask = 0; mask < 16; mask++) {
        weft_config c = config(mask);
        wf_ring     ring;
        uint64_t    sum = 0;
        unsigned    n = 0;

        check_eq(wf_ring_open(&ring, &c), 0);
        for (uint64_t i = 1; i <= 500; i++) { /* 8 submissions, 64 completions fit */
            struct io_uring_sqe *sqe = wf_ring_sqe(&ring);

            io_uring_prep_nop(sqe);
            sqe->user_data = i;
        }
        while (n < 500) {
            wf_ring_enter(&ring, wf_now() + WEFT_S(5));
            n += collect(&ring, &sum);
        }
        check_eq(n, 500);
        check_eq(sum, 500 * 501 / 2);
        wf_ring_close(&ring);
    }
}

Test(ring, waits_until_the_instant_and_not_without_one)
{
    weft_config c = config(0);
    wf_ring     ring;
    int64_t     begin;

    check_eq(wf_ring_open(&ring, &c), 0);
    begin = wf_now();
    wf_ring_enter(&ring, WF_DRIVER_NO_WAIT);
    wf_ring_enter(&ring, begin - WEFT_S(1)); /* a time limit in the past */
    check_cmp(wf_now() - begin, <, WEFT_S(5));
    begin = wf_now();
    wf_ring_enter(&ring, begin + WEFT_MS(30));
    check_cmp(wf_now() - begin, >=, WEFT_MS(30));
    wf_ring_close(&ring);
}
