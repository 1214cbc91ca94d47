/*
 * locks.c - what tasks share: mutex, rwlock, semaphore, event, notify, condition, barrier, once
 */
#include "expect.h"

/* A table that several tasks use. Its locks are in its memory: zero is a valid start. */
struct table {
    weft_once      made;
    weft_rwlock    lock;
    int            value;
    weft_mutex     mutex; /* guards `queued` */
    weft_condition some;
    int            queued;
    weft_semaphore slots;
    weft_event     ready;
    weft_notify    changed;
    weft_barrier   all;
};

/* ---- made by the first task that needs it ---- */

struct prepare {
    WEFT_FRAME;
    struct {
        struct table *table;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
};
WEFT_ASYNC(prepare)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_once_begin(&self->wait, &self->in.table->made));
    if (n == 1) { /* it is ours to make; the others wait meanwhile */
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
        self->in.table->value = 1;
        weft_once_end(&self->in.table->made, n >= 0); /* after a failure another one tries */
    }
    WEFT_END(n);
}

/* ---- readers and a writer ---- */

struct reader {
    WEFT_FRAME;
    struct {
        struct table *table;
    } in;
    weft_wait      wait;
    struct prepare prepare;
};
WEFT_ASYNC(reader)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, prepare, &self->prepare, .table = self->in.table);
    EXPECT(n == 0 && weft_once_is_made(&self->in.table->made));
    WEFT_AWAIT(n, weft_rwlock_read(&self->wait, &self->in.table->lock));
    if (n < 0)
        WEFT_RETURN(n);
    n = self->in.table->value;
    WEFT_YIELD(); /* a lock may be held across an await */
    EXPECT(self->in.table->value >= 1);
    weft_rwlock_unlock_read(&self->in.table->lock);
    WEFT_END(0);
}

struct writer {
    WEFT_FRAME;
    struct {
        struct table *table;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(writer)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_rwlock_write(&self->wait, &self->in.table->lock));
    if (n < 0)
        WEFT_RETURN(n);
    self->in.table->value++;
    weft_rwlock_downgrade(&self->in.table->lock); /* reads on; other readers may come */
    EXPECT(self->in.table->value >= 1);
    weft_rwlock_unlock_read(&self->in.table->lock);

    /* Without waiting. */
    if (weft_rwlock_try_write(&self->in.table->lock) == 0)
        weft_rwlock_unlock_write(&self->in.table->lock);
    if (weft_rwlock_try_read(&self->in.table->lock) == 0)
        weft_rwlock_unlock_read(&self->in.table->lock);
    WEFT_END(0);
}

/* ---- a queue: a mutex and a condition ---- */

struct consumer {
    WEFT_FRAME;
    struct {
        struct table *table;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(consumer)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &self->in.table->mutex));
    /* In a loop: another task may have been faster. A cancelled wait holds the mutex, too. */
    while (n == 0 && self->in.table->queued == 0)
        WEFT_AWAIT(n,
                   weft_condition_wait(&self->wait, &self->in.table->some, &self->in.table->mutex));
    if (n == 0)
        self->in.table->queued--;
    weft_mutex_unlock(&self->in.table->mutex);
    WEFT_END(n);
}

struct producer {
    WEFT_FRAME;
    struct {
        struct table *table;
    } in;
};
WEFT_ASYNC(producer)
{
    WEFT_BEGIN();
    while (weft_mutex_try_lock(&self->in.table->mutex) == -EBUSY)
        WEFT_YIELD();
    self->in.table->queued += 2;
    weft_condition_signal(&self->in.table->some);    /* one waiter looks */
    weft_condition_broadcast(&self->in.table->some); /* or all do */
    weft_mutex_unlock(&self->in.table->mutex);
    WEFT_END(0);
}

/* ---- limits, signals, meeting points ---- */

struct limited {
    WEFT_FRAME;
    struct {
        struct table *table;
    } in;
    weft_wait wait;
    int64_t   leads;
};
WEFT_ASYNC(limited)
{
    int64_t n;

    WEFT_BEGIN();
    /* At most two tasks at once are between acquire and release. */
    WEFT_AWAIT(n, weft_semaphore_acquire(&self->wait, &self->in.table->slots, 1));
    if (n < 0)
        WEFT_RETURN(n); /* -EPIPE: closed, -ECANCELED */
    WEFT_YIELD();
    weft_semaphore_release(&self->in.table->slots, 1);

    /* All tasks meet here. One of them is told that it leads. */
    WEFT_AWAIT(n, weft_barrier_wait(&self->wait, &self->in.table->all));
    self->leads = n;
    if (self->leads == 1) {
        weft_event_set(&self->in.table->ready);
        /* The notification is stored where no task waits. */
        weft_notify_one(&self->in.table->changed);
    }
    WEFT_AWAIT(n, weft_event_wait(&self->wait, &self->in.table->ready));
    EXPECT(n == 0 && weft_event_is_set(&self->in.table->ready));
    WEFT_END(self->leads);
}

struct locks {
    WEFT_FRAME;
    struct {
    } in;
    struct table table;
    weft_handle  handle[9];
    weft_wait    wait;
    int          i;
    int64_t      leaders;
};
WEFT_ASYNC(locks)
{
    struct table *table;
    int64_t       n;

    WEFT_BEGIN();
    table = &self->table; /* good until the next await */
    memset(table, 0, sizeof *table);
    self->leaders = 0;
    weft_semaphore_init(&table->slots, 2);
    weft_barrier_init(&table->all, 3);
    EXPECT(weft_spawn(&self->handle[0], reader, .table = table) == 0);
    EXPECT(weft_spawn(&self->handle[1], reader, .table = table) == 0);
    EXPECT(weft_spawn(&self->handle[2], writer, .table = table) == 0);
    EXPECT(weft_spawn(&self->handle[3], consumer, .table = table) == 0);
    EXPECT(weft_spawn(&self->handle[4], consumer, .table = table) == 0);
    EXPECT(weft_spawn(&self->handle[5], producer, .table = table) == 0);
    for (int i = 6; i < 9; i++)
        EXPECT(weft_spawn(&self->handle[i], limited, .table = table) == 0);
    for (self->i = 0; self->i < 9; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->handle[self->i]));
        EXPECT(n >= 0);
        self->leaders += n;
    }
    EXPECT(self->leaders == 1 && self->table.queued == 0);

    /* The leader's notification has been stored for us. */
    WEFT_AWAIT(n, weft_notify_wait(&self->wait, &self->table.changed));
    EXPECT(n == 0);
    weft_notify_all(&self->table.changed); /* for those that wait; none does */
    weft_event_reset(&self->table.ready);

    EXPECT(weft_semaphore_available(&self->table.slots) == 2);
    EXPECT(weft_semaphore_try_acquire(&self->table.slots, 1) == 0);
    weft_semaphore_close(&self->table.slots);
    EXPECT(weft_semaphore_try_acquire(&self->table.slots, 1) == -EPIPE);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(locks);
}
