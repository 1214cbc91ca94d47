/*
 * mixture_locks.h - the operations of a mixture on locks, semaphores and onces
 */
#ifndef MIXTURE_LOCKS_H
#define MIXTURE_LOCKS_H

#include "mixture_kind.h"

static void release_mutex(hold *h, uint32_t r)
{
    (void)r;
    leave(&world.in_mutex[h->i]);
    weft_mutex_unlock(&world.mutex[h->i]);
}

static bool begin_mutex(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->i = (int)(r % LOCKS);
    o->future = weft_mutex_lock(&o->wait, &world.mutex[o->i]);
    return true;
}

static void end_mutex(operation *o, actor *a, int64_t n, uint32_t r)
{
    check_granted(n);
    if (n == 0) {
        enter(&world.in_mutex[o->i]);
        hold_for(a, (hold){release_mutex, o->i, o->kind->rank + o->i, 0, NULL}, r);
    }
}

static void release_reader(hold *h, uint32_t r)
{
    (void)r;
    MCHECK(world.writers[h->i] == 0);
    world.readers[h->i]--;
    weft_rwlock_unlock_read(&world.rwlock[h->i]);
}

static void release_writer(hold *h, uint32_t r)
{
    MCHECK(world.readers[h->i] == 0);
    leave(&world.writers[h->i]);
    if (r % 3 != 0) {
        weft_rwlock_unlock_write(&world.rwlock[h->i]);
        return;
    }
    world.readers[h->i]++;
    weft_rwlock_downgrade(&world.rwlock[h->i]);
    release_reader(h, r);
}

static bool begin_read(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->i = (int)(r % LOCKS);
    o->future = weft_rwlock_read(&o->wait, &world.rwlock[o->i]);
    return true;
}

static void end_read(operation *o, actor *a, int64_t n, uint32_t r)
{
    check_granted(n);
    if (n == 0) {
        world.readers[o->i]++;
        MCHECK(world.writers[o->i] == 0);
        hold_for(a, (hold){release_reader, o->i, o->kind->rank + o->i, 0, NULL}, r);
    }
}

static bool begin_write(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->i = (int)(r % LOCKS);
    o->future = weft_rwlock_write(&o->wait, &world.rwlock[o->i]);
    return true;
}

static void end_write(operation *o, actor *a, int64_t n, uint32_t r)
{
    check_granted(n);
    if (n == 0) {
        enter(&world.writers[o->i]);
        MCHECK(world.readers[o->i] == 0);
        hold_for(a, (hold){release_writer, o->i, o->kind->rank + o->i, 0, NULL}, r);
    }
}

static void release_permits(hold *h, uint32_t r)
{
    (void)r;
    world.permits_out[h->i] -= (int)h->n;
    weft_semaphore_release(&world.semaphore[h->i], h->n);
}

static bool begin_permits(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->i = (int)(r % LOCKS);
    o->n = 1 + r / 8 % (PERMITS - 1);
    o->future = weft_semaphore_acquire(&o->wait, &world.semaphore[o->i], o->n);
    return true;
}

static void end_permits(operation *o, actor *a, int64_t n, uint32_t r)
{
    check_granted(n);
    if (n == 0) {
        MCHECK(atomic_fetch_add(&world.permits_out[o->i], (int)o->n) + (int)o->n <= PERMITS);
        hold_for(a, (hold){release_permits, o->i, o->kind->rank + o->i, o->n, NULL}, r);
    }
}

static void release_once(hold *h, uint32_t r)
{
    bool made = r % 4 != 0;

    leave(&world.n_makers[h->i]);
    if (made)
        world.n_made[h->i]++;
    weft_once_end(&world.once[h->i], made);
}

static bool begin_once(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->i = (int)(r % ONCES);
    o->future = weft_once_begin(&o->wait, &world.once[o->i]);
    return true;
}

static void end_once(operation *o, actor *a, int64_t n, uint32_t r)
{
    MCHECK(n == 0 || n == 1 || n == -ECANCELED);
    if (n == -ECANCELED)
        return;
    MCHECK(world.n_made[o->i] == (n == 0));
    if (n == 1) {
        enter(&world.n_makers[o->i]);
        hold_for(a, (hold){release_once, o->i, o->kind->rank, 0, NULL}, r);
    }
}

#endif
