/* test_semaphore_storm.c - permits between tasks and plain threads, whose waits are given up by
 * chance */
#include "crew.h"

#define HOLDERS 8 /* half of them tasks */
#define PERMITS 4

static int64_t rounds(void)
{
    return test_scaled(4000);
}

static weft_semaphore semaphore;
static int64_t        out; /* permits that are held, by their holders' count; atomic */

struct holds {
    WEFT_FRAME;
    struct {
        int number;
    } in;
    uint32_t        random;
    weft_wait       wait;
    struct patience patience;
    uint32_t        n;
    int64_t         i, got;
};

WEFT_ASYNC(holds)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    self->got = 0;
    for (self->i = 0; self->i < rounds(); self->i++) {
        self->n = one_of(&self->random, 4) ? 3 : 1;
        if (one_of(&self->random, 4)) {
            if (weft_semaphore_try_acquire(&semaphore, self->n) < 0)
                continue;
        } else {
            PATIENTLY(weft_semaphore_acquire(&self->wait, &semaphore, self->n));
            if (self->wait.future.result == -ECANCELED)
                continue;
            check_eq(self->wait.future.result, 0);
        }
        /* There are never more permits out than there are. */
        check_cmp(add(&out, self->n), <=, PERMITS);
        if (one_of(&self->random, 2))
            WEFT_YIELD();
        add(&out, -(int64_t)self->n);
        weft_semaphore_release(&semaphore, self->n);
        self->got++;
    }
    WEFT_END(self->got);
}

static void no_permit_is_lost(weft_runtime *rt)
{
    weft_handle  handles[HOLDERS];
    struct holds frames[HOLDERS];
    pthread_t    threads[HOLDERS];

    weft_semaphore_init(&semaphore, PERMITS);
    out = 0;
    for (int i = 0; i < HOLDERS; i++) {
        if (i % 2)
            check_eq(weft_spawn_on(rt, &handles[i], holds, i), 0);
        else
            threads[i] = thread(run_parked, weft_async(holds, &frames[i], i));
    }
    /* The tasks first: nothing else polls those of a current-thread runtime. */
    for (int i = 1; i < HOLDERS; i += 2)
        check_cmp(join(rt, &handles[i]), >, 0);
    for (int i = 0; i < HOLDERS; i += 2) {
        pthread_join(threads[i], NULL);
        check_cmp(weft_future_result(&frames[i].weft_frame_.future), >, 0);
    }
    check_eq(weft_semaphore_available(&semaphore), PERMITS);
    check(!semaphore.waits_.first_);
    check_eq(weft_semaphore_try_acquire(&semaphore, PERMITS), 0);
}

Test(semaphore_storm, no_permit_is_lost_on_a_current_thread, .timeout = 120)
{
    on_current_thread(no_permit_is_lost);
}

Test(semaphore_storm, no_permit_is_lost_on_one_worker, .timeout = 120)
{
    on_workers(1, no_permit_is_lost);
}

Test(semaphore_storm, no_permit_is_lost_on_two_workers, .timeout = 120)
{
    on_workers(2, no_permit_is_lost);
}

Test(semaphore_storm, no_permit_is_lost_on_eight_workers, .timeout = 120)
{
    on_workers(8, no_permit_is_lost);
}
