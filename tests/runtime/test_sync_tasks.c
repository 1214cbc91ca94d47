/* test_sync_tasks.c - locks between tasks and threads, cancelled at any point */
#include "../helpers.h"

#define TASKS  16
#define ROUNDS 400

/* The data that the locks guard. A holder writes it in two steps with an await between, so that two
 * holders at once are noticed. */
struct guarded {
    weft_mutex     mutex;
    weft_rwlock    rwlock;
    weft_semaphore semaphore;
    weft_condition condition;
    weft_notify    notify;
    int64_t        inside, sum;           /* under the mutex */
    int64_t        readers, writers, bad; /* of the rwlock; atomic */
    int64_t        out, out_most;         /* permits that are out; atomic */
    int64_t        items;                 /* under the mutex, told by the condition */
};

/* Awaits a future, but gives it up where the other branch is faster. */
#define IMPATIENTLY(result_, future_)                                                              \
    WEFT_AWAIT(result_, weft_select(&self->sel, (future_), counter(&self->few, self->i % 3)))

struct locks {
    WEFT_FRAME;
    struct {
        struct guarded *g;
    } in;
    weft_wait          wait;
    struct weft_select sel;
    struct counter     few;
    int                i;
    int64_t            seen;
};
WEFT_ASYNC(locks)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        IMPATIENTLY(n, weft_mutex_lock(&self->wait, &self->in.g->mutex));
        if (self->wait.future.result < 0) {
            WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &self->in.g->mutex));
            if (n < 0)
                break;
        }
        if (++self->in.g->inside != 1)
            add(&self->in.g->bad, 1);
        self->seen = self->in.g->sum;
        WEFT_YIELD(); /* the lock is held across an await */
        self->in.g->sum = self->seen + 1;
        self->in.g->inside--;
        weft_mutex_unlock(&self->in.g->mutex);
    }
    WEFT_END(0);
}

struct reads {
    WEFT_FRAME;
    struct {
        struct guarded *g;
        bool            writes;
    } in;
    weft_wait          wait;
    struct weft_select sel;
    struct counter     few;
    int                i;
};
WEFT_ASYNC(reads)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        IMPATIENTLY(n, self->in.writes ? weft_rwlock_write(&self->wait, &self->in.g->rwlock)
                                       : weft_rwlock_read(&self->wait, &self->in.g->rwlock));
        if (n < 0 || self->wait.future.result < 0)
            continue;
        if (self->in.writes) {
            if (add(&self->in.g->writers, 1) != 1 || get(&self->in.g->readers) != 0)
                add(&self->in.g->bad, 1);
        } else if (add(&self->in.g->readers, 1) < 1 || get(&self->in.g->writers) != 0) {
            add(&self->in.g->bad, 1);
        }
        WEFT_YIELD();
        if (self->in.writes) {
            add(&self->in.g->writers, -1);
            weft_rwlock_unlock_write(&self->in.g->rwlock);
        } else {
            add(&self->in.g->readers, -1);
            weft_rwlock_unlock_read(&self->in.g->rwlock);
        }
    }
    WEFT_END(0);
}

struct permits {
    WEFT_FRAME;
    struct {
        struct guarded *g;
        uint32_t        n;
    } in;
    weft_wait          wait;
    struct weft_select sel;
    struct counter     few;
    int                i;
};
WEFT_ASYNC(permits)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        IMPATIENTLY(n, weft_semaphore_acquire(&self->wait, &self->in.g->semaphore, self->in.n));
        if (n < 0 || self->wait.future.result < 0)
            continue;
        if (add(&self->in.g->out, self->in.n) > 4)
            add(&self->in.g->bad, 1);
        WEFT_YIELD();
        add(&self->in.g->out, -(int64_t)self->in.n);
        weft_semaphore_release(&self->in.g->semaphore, self->in.n);
    }
    WEFT_END(0);
}

struct takes {
    WEFT_FRAME;
    struct {
        struct guarded *g;
        bool            gives;
    } in;
    weft_wait wait;
    int       i;
};
WEFT_ASYNC(takes)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &self->in.g->mutex));
        if (n < 0)
            break;
        if (self->in.gives) {
            self->in.g->items++;
            weft_condition_signal(&self->in.g->condition);
        } else {
            while (self->in.g->items == 0)
                WEFT_AWAIT(n, weft_condition_wait(&self->wait, &self->in.g->condition,
                                                  &self->in.g->mutex));
            self->in.g->items--;
        }
        weft_mutex_unlock(&self->in.g->mutex);
    }
    WEFT_END(self->i == ROUNDS ? 0 : -ECANCELED);
}

static void storm(weft_runtime *rt)
{
    struct guarded g = {0};
    weft_handle    h[4][TASKS];

    weft_semaphore_init(&g.semaphore, 4);
    for (int i = 0; i < TASKS; i++) {
        check_eq(weft_spawn_on(rt, &h[0][i], locks, .g = &g), 0);
        check_eq(weft_spawn_on(rt, &h[1][i], reads, .g = &g, .writes = i % 4 == 0), 0);
        check_eq(weft_spawn_on(rt, &h[2][i], permits, .g = &g, .n = 1 + (uint32_t)i % 4), 0);
        check_eq(weft_spawn_on(rt, &h[3][i], takes, .g = &g, .gives = i % 2), 0);
    }
    for (int i = 0; i < TASKS; i++)
        for (int kind = 0; kind < 4; kind++)
            check_eq(weft_block_on(rt, weft_join(&h[kind][i])), 0);
    check_eq(g.bad, 0);
    check_eq(g.sum, TASKS * ROUNDS);
    check_eq(g.items, 0);
    check_eq(weft_semaphore_available(&g.semaphore), 4);
    check_eq(weft_mutex_try_lock(&g.mutex), 0);
    check_eq(weft_rwlock_try_write(&g.rwlock), 0);
}

Test(sync_tasks, nothing_is_lost_by_one_worker)
{
    weft_runtime *rt = start(1);

    storm(rt);
    stop(rt);
}

Test(sync_tasks, nothing_is_lost_by_four_workers)
{
    weft_runtime *rt = start(4);

    storm(rt);
    stop(rt);
}

/* ---- with threads, and at stop ---- */

static void *unlocks_later(void *arg)
{
    sched_yield();
    weft_mutex_unlock(arg);
    return NULL;
}

Test(sync_tasks, another_thread_may_unlock)
{
    weft_runtime *rt = start(1);
    weft_mutex    m = {0};
    weft_wait     wait;
    pthread_t     thread;

    for (int i = 0; i < 100; i++) {
        check_eq(weft_mutex_try_lock(&m), 0);
        check_eq(pthread_create(&thread, NULL, unlocks_later, &m), 0);
        check_eq(weft_block_on(rt, weft_mutex_lock(&wait, &m)), 0);
        pthread_join(thread, NULL);
        weft_mutex_unlock(&m);
    }
    stop(rt);
}

struct waits {
    WEFT_FRAME;
    struct {
        weft_mutex *m;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(waits)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, self->in.m));
    WEFT_END(n);
}

Test(sync_tasks, stopping_ends_the_waits)
{
    weft_runtime *rt = start(2);
    weft_mutex    m = {0};
    weft_handle   h[8];

    check_eq(weft_mutex_try_lock(&m), 0);
    for (int i = 0; i < 8; i++)
        check_eq(weft_spawn_on(rt, &h[i], waits, .m = &m), 0);
    stop(rt);
    for (int i = 0; i < 8; i++)
        weft_detach(&h[i]);
    weft_mutex_unlock(&m);
    check_eq(weft_mutex_try_lock(&m), 0);
}
