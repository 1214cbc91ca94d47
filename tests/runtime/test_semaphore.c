/*
 * test_semaphore.c - how permits are counted, and a thousand tasks that share five of them
 *
 * The cases are those of Tokio's sync_semaphore.rs, by their behaviour, which test_sync.c does not
 * have. A permit of weft is a number: it is split, merged and forgotten by counting.
 */
#include "crew.h"

Test(semaphore, has_as_many_permits_as_it_is_given_whether_it_is_open_or_closed)
{
    for (uint32_t size = 0; size < 4; size++)
        for (uint32_t more = 0; more < 4; more++)
            for (int closed = 0; closed < 2; closed++) {
                weft_semaphore s;

                weft_semaphore_init(&s, size);
                if (closed)
                    weft_semaphore_close(&s);
                weft_semaphore_release(&s, more);
                check_eq(weft_semaphore_available(&s), size + more);
                check_eq(weft_semaphore_try_acquire(&s, 1), closed            ? -EPIPE
                                                            : size + more > 0 ? 0
                                                                              : -EAGAIN);
            }
}

Test(semaphore, takes_permits_together_and_gives_them_back_in_parts)
{
    weft_semaphore s;

    weft_semaphore_init(&s, 5);
    check_eq(weft_semaphore_try_acquire(&s, 3), 0);
    check_eq(weft_semaphore_try_acquire(&s, 3), -EAGAIN);
    check_eq(weft_semaphore_available(&s), 2);
    weft_semaphore_release(&s, 2);
    check_eq(weft_semaphore_available(&s), 4);
    check_eq(weft_semaphore_try_acquire(&s, 4), 0);
    weft_semaphore_release(&s, 5); /* those of both */
    check_eq(weft_semaphore_available(&s), 5);
    check_eq(weft_semaphore_try_acquire(&s, 0), 0);
    check_eq(weft_semaphore_available(&s), 5);
}

Test(semaphore, counts_beyond_32_bits)
{
    weft_semaphore s = {0};
    weft_wait      wait;
    struct hand    hand;

    hand_init(&hand, NULL);
    for (int i = 0; i < 3; i++)
        weft_semaphore_release(&s, UINT32_MAX);
    check(weft_semaphore_available(&s) == 3 * (uint64_t)UINT32_MAX);
    check_eq(hand_run(&hand, weft_semaphore_acquire(&wait, &s, UINT32_MAX)), 0);
    check(weft_semaphore_available(&s) == 2 * (uint64_t)UINT32_MAX);
}

/* ---- a thousand tasks, five permits ---- */

#define PERMITS 5
#define MANY    1000

struct shared {
    weft_semaphore semaphore;
    int64_t        inside, n_crowded;
};

struct passes {
    WEFT_FRAME;
    struct {
        struct shared *s;
        int            number;
    } in;
    uint32_t        random;
    struct patience patience;
    weft_wait       wait;
};
WEFT_ASYNC(passes)
{
    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    do
        PATIENTLY(weft_semaphore_acquire(&self->wait, &self->in.s->semaphore, 1));
    while (self->wait.future.result == -ECANCELED);
    if (self->wait.future.result < 0)
        WEFT_RETURN(self->wait.future.result);
    add(&self->in.s->n_crowded, add(&self->in.s->inside, 1) > PERMITS);
    WEFT_YIELD();
    add(&self->in.s->inside, -1);
    weft_semaphore_release(&self->in.s->semaphore, 1);
    WEFT_END(0);
}

static void *pass_often(void *arg)
{
    struct shared *s = arg;
    weft_wait      wait;

    for (int i = 0; i < MANY; i++) {
        check_eq(weft_block_on(NULL, weft_semaphore_acquire(&wait, &s->semaphore, 2)), 0);
        add(&s->n_crowded, add(&s->inside, 2) > PERMITS);
        add(&s->inside, -2);
        weft_semaphore_release(&s->semaphore, 2);
    }
    return NULL;
}

static void storm(weft_runtime *rt)
{
    static weft_handle handle[MANY];
    struct shared      s = {.inside = 0};
    pthread_t          t = thread(pass_often, &s); /* which waits for the first permits */

    for (int i = 0; i < MANY; i++)
        check_eq(weft_spawn_on(rt, &handle[i], passes, &s, i), 0);
    weft_semaphore_release(&s.semaphore, PERMITS);
    for (int i = 0; i < MANY; i++)
        check_eq(join(rt, &handle[i]), 0);
    pthread_join(t, NULL);
    check_eq(s.n_crowded, 0);
    check_eq(weft_semaphore_available(&s.semaphore), PERMITS);
    weft_semaphore_close(&s.semaphore);
    check_eq(RUN(rt, passes, &s, 0), -EPIPE);
}

Test(semaphore, of_five_is_shared_on_a_current_thread, .timeout = 120)
{
    on_current_thread(storm);
}

Test(semaphore, of_five_is_shared_on_one_worker, .timeout = 120)
{
    on_workers(1, storm);
}

Test(semaphore, of_five_is_shared_on_two_workers, .timeout = 120)
{
    on_workers(2, storm);
}

Test(semaphore, of_five_is_shared_on_eight_workers, .timeout = 120)
{
    on_workers(8, storm);
}
