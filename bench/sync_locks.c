/*
 * sync_locks.c - benchmarks of mutex, rwlock and semaphore
 *
 * Purpose     One task, or eight, take the lock and give it back, EACH times. With HELD each of
 *             them yields while it holds the lock, so that the others queue for it.
 * Threads     Any worker.
 * Invariants  `value` belongs to the holder of the mutex, and to a writer of the rwlock. At most
 *             PERMITS tasks hold the semaphore.
 * Ordering    The lock's own. `holders` is relaxed: it is a number that is looked at alone.
 * Failure     See bench.h.
 */
#include "sync_parts.h"

enum { EACH = 10000, PERMITS = 4, WRITE_EVERY = 16 };

struct locks {
    struct round    round;
    int64_t         each;
    bool            held;
    weft_mutex      mutex;
    weft_rwlock     rwlock;
    weft_semaphore  semaphore;
    int64_t         value;
    _Atomic int64_t holders, done;
};

static struct locks locks_of(struct bench_run *run, int tasks, void (*begin)(struct round *round),
                             void (*end)(struct round *round))
{
    return (struct locks){
        .round = {.run = run, .n_tasks = tasks & ~HELD, .begin = begin, .end = end},
        .each = bench_scaled(run, EACH),
        .held = tasks & HELD,
    };
}

/* ---- mutex ---- */

struct lock_mutex {
    WEFT_FRAME;
    struct {
        struct locks *locks;
    } in;
    weft_wait wait;
    int64_t   k, before;
};

WEFT_ASYNC(lock_mutex)
{
    struct locks *l = self->in.locks;
    int64_t       n;

    WEFT_BEGIN();
    for (self->k = l->each; self->k > 0; self->k--) {
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &l->mutex));
        must(n);
        self->before = l->value;
        if (l->held)
            WEFT_YIELD();
        l->value = self->before + 1;
        weft_mutex_unlock(&l->mutex);
    }
    countdown_down(&l->round.ended);
    WEFT_END(0);
}

static void mutex_begin(struct round *round)
{
    struct locks *l = weft_container(round, struct locks, round);

    l->value = 0;
    for (int64_t k = 0; k < round->n_tasks; k++)
        must(weft_spawn(NULL, lock_mutex, .locks = l));
}

static void mutex_end(struct round *round)
{
    const struct locks *l = weft_container(round, struct locks, round);

    expect("what the holders of the mutex counted", l->value, l->each * round->n_tasks);
    round->run->ops += l->value;
}

void bench_mutex(struct bench_run *run, int tasks)
{
    struct locks locks = locks_of(run, tasks, mutex_begin, mutex_end);

    round_repeat(&locks.round);
}

/* ---- rwlock: one of 16 locks is for writing ---- */

struct lock_rwlock {
    WEFT_FRAME;
    struct {
        struct locks *locks;
    } in;
    weft_wait wait;
    int64_t   k, before;
};

WEFT_ASYNC(lock_rwlock)
{
    struct locks *l = self->in.locks;
    int64_t       n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < l->each; self->k++) {
        if (self->k % WRITE_EVERY == 0) {
            WEFT_AWAIT(n, weft_rwlock_write(&self->wait, &l->rwlock));
            must(n);
            self->before = l->value;
            if (l->held)
                WEFT_YIELD();
            l->value = self->before + 1;
            weft_rwlock_unlock_write(&l->rwlock);
        } else {
            WEFT_AWAIT(n, weft_rwlock_read(&self->wait, &l->rwlock));
            must(n);
            self->before = l->value;
            if (l->held)
                WEFT_YIELD();
            expect("what a reader sees", l->value, self->before);
            weft_rwlock_unlock_read(&l->rwlock);
        }
    }
    atomic_fetch_add_explicit(&l->done, self->k, memory_order_relaxed);
    countdown_down(&l->round.ended);
    WEFT_END(0);
}

static void rwlock_begin(struct round *round)
{
    struct locks *l = weft_container(round, struct locks, round);

    l->value = 0;
    for (int64_t k = 0; k < round->n_tasks; k++)
        must(weft_spawn(NULL, lock_rwlock, .locks = l));
}

static void rwlock_end(struct round *round)
{
    struct locks *l = weft_container(round, struct locks, round);
    int64_t       writes = (l->each + WRITE_EVERY - 1) / WRITE_EVERY;

    expect("what the writers counted", l->value, writes * round->n_tasks);
    round->run->ops += atomic_exchange(&l->done, 0);
}

void bench_rwlock(struct bench_run *run, int tasks)
{
    struct locks locks = locks_of(run, tasks, rwlock_begin, rwlock_end);

    round_repeat(&locks.round);
}

/* ---- semaphore ---- */

struct lock_semaphore {
    WEFT_FRAME;
    struct {
        struct locks *locks;
    } in;
    weft_wait wait;
    int64_t   k;
};

WEFT_ASYNC(lock_semaphore)
{
    struct locks *l = self->in.locks;
    int64_t       n;

    WEFT_BEGIN();
    for (self->k = 0; self->k < l->each; self->k++) {
        WEFT_AWAIT(n, weft_semaphore_acquire(&self->wait, &l->semaphore, 1));
        must(n);
        if (l->held) {
            n = atomic_fetch_add_explicit(&l->holders, 1, memory_order_relaxed);
            expect("whether a permit was left", n < PERMITS, true);
            WEFT_YIELD();
            atomic_fetch_sub_explicit(&l->holders, 1, memory_order_relaxed);
        }
        weft_semaphore_release(&l->semaphore, 1);
    }
    atomic_fetch_add_explicit(&l->done, self->k, memory_order_relaxed);
    countdown_down(&l->round.ended);
    WEFT_END(0);
}

static void semaphore_begin(struct round *round)
{
    struct locks *l = weft_container(round, struct locks, round);

    weft_semaphore_init(&l->semaphore, PERMITS);
    for (int64_t k = 0; k < round->n_tasks; k++)
        must(weft_spawn(NULL, lock_semaphore, .locks = l));
}

static void semaphore_end(struct round *round)
{
    struct locks *l = weft_container(round, struct locks, round);

    expect("permits that came back", (int64_t)weft_semaphore_available(&l->semaphore), PERMITS);
    round->run->ops += atomic_exchange(&l->done, 0);
}

void bench_semaphore(struct bench_run *run, int tasks)
{
    struct locks locks = locks_of(run, tasks, semaphore_begin, semaphore_end);

    round_repeat(&locks.round);
}
