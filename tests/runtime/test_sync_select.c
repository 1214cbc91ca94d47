/*
 * test_sync_select.c - locks in selects and under limits: a wait that lost holds up no other
 *
 * tokio#6450: a lock is passed to a wait that lost a select and is not polled any more, and a later
 * wait of the same task waits for ever. weft cancels a branch that loses, and with it goes its
 * place in the queue. A branch that is kept (weft_keep) is passed over until it is polled again:
 * more of that in test_kept.c. The limits are Tokio's aborted_future_1 and aborted_future_2.
 */
#include "clocks.h"
#include "crew.h"

struct locks {
    weft_mutex     mutex;
    weft_rwlock    rwlock;
    weft_semaphore semaphore;
};

enum kind { MUTEX, WRITER, READER, PERMIT, KINDS };

static weft_future *lock(enum kind kind, weft_wait *wait, struct locks *l)
{
    switch (kind) {
    case MUTEX:
        return weft_mutex_lock(wait, &l->mutex);
    case WRITER:
        return weft_rwlock_write(wait, &l->rwlock);
    case READER:
        return weft_rwlock_read(wait, &l->rwlock);
    default:
        return weft_semaphore_acquire(wait, &l->semaphore, 1);
    }
}

static void unlock(enum kind kind, struct locks *l)
{
    if (kind == MUTEX)
        weft_mutex_unlock(&l->mutex);
    else if (kind == WRITER)
        weft_rwlock_unlock_write(&l->rwlock);
    else if (kind == READER)
        weft_rwlock_unlock_read(&l->rwlock);
    else
        weft_semaphore_release(&l->semaphore, 1);
}

/* Locks all that is there, so that each wait has to wait. */
static void begin(struct locks *l)
{
    *l = (struct locks){.mutex = {.state_ = 0}};
    check_eq(weft_mutex_try_lock(&l->mutex), 0);
    check_eq(weft_rwlock_try_write(&l->rwlock), 0);
}

/* The holder that begin() has been gives the lock up. */
static void hand_over(enum kind kind, struct locks *l)
{
    unlock(kind == READER ? WRITER : kind, l);
}

/* ---- tokio#6450 ---- */

/* Two waits lose a select each. Then the lock is free for a third one. */
struct loses {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct locks       locks;
    weft_wait          wait[3];
    struct event       ready;
    struct weft_select sel;
    int                i;
};
WEFT_ASYNC(loses)
{
    int64_t n;

    WEFT_BEGIN();
    begin(&self->locks);
    for (self->i = 0; self->i < 2; self->i++) {
        WEFT_AWAIT(n, weft_select_biased(&self->sel,
                                         lock(self->in.kind, &self->wait[self->i], &self->locks),
                                         at_once(&self->ready, 0)));
        check_eq(n, 1);
        check_eq(self->wait[self->i].future.result, -ECANCELED);
    }
    hand_over(self->in.kind, &self->locks);
    WEFT_AWAIT(n, lock(self->in.kind, &self->wait[2], &self->locks));
    check_eq(n, 0);
    unlock(self->in.kind, &self->locks);
    WEFT_END(0);
}

/* Both waits are kept, and both are polled on: each gets its turn. The lock is given up while none
 * of the two is polled, so the one that is polled first has it first. */
struct keeps {
    WEFT_FRAME;
    struct {
        enum kind kind;
        bool      gives_up; /* the first wait */
    } in;
    struct locks       locks;
    weft_wait          wait[2];
    struct event       ready;
    struct weft_select sel;
    int                last; /* the wait that ends last */
};
WEFT_ASYNC(keeps)
{
    int64_t n;

    WEFT_BEGIN();
    begin(&self->locks);
    weft_keep(lock(self->in.kind, &self->wait[0], &self->locks));
    weft_keep(lock(self->in.kind, &self->wait[1], &self->locks));
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &self->wait[0].future, &self->wait[1].future,
                                     at_once(&self->ready, 0)));
    check_eq(n, 2);
    check(weft_future_is_pending(&self->wait[0].future));
    hand_over(self->in.kind, &self->locks);
    self->last = 1;
    if (self->in.gives_up) {
        WEFT_CANCEL(&self->wait[0].future);
        check_eq(self->wait[0].future.result, -ECANCELED);
    } else {
        WEFT_AWAIT(n, weft_select(&self->sel, &self->wait[0].future, &self->wait[1].future));
        check_eq(self->wait[n].future.result, 0);
        unlock(self->in.kind, &self->locks);
        self->last = n == 0;
    }
    if (!weft_future_is_ready(&self->wait[self->last].future))
        WEFT_AWAIT(n, &self->wait[self->last].future);
    check_eq(self->wait[self->last].future.result, 0);
    unlock(self->in.kind, &self->locks);
    WEFT_END(0);
}

static void losers(weft_runtime *rt)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        check_eq(RUN(rt, loses, kind), 0);
        check_eq(RUN(rt, keeps, kind, false), 0);
        check_eq(RUN(rt, keeps, kind, true), 0);
    }
}

Test(sync_select, a_wait_that_lost_or_is_given_up_holds_up_no_other)
{
    on_current_thread(losers);
    on_workers(1, losers);
    on_workers(2, losers);
    on_workers(8, losers);
}

Test(sync_select, a_wait_that_lost_holds_up_no_other_with_a_budget_of_one)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .budget = 1});

    losers(rt);
    stop(rt);
}

/* ---- limits ---- */

static void unlock_held(void *mutex)
{
    weft_mutex_unlock(mutex);
}

/* Holds the mutex for an hour, unless it is cancelled or panics. */
struct holds {
    WEFT_FRAME;
    struct {
        weft_mutex *mutex;
        bool        panics;
    } in;
    weft_wait         wait;
    weft_deferred     unlock;
    struct weft_sleep nap;
};
WEFT_ASYNC(holds)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, self->in.mutex));
    if (n < 0)
        WEFT_RETURN(n);
    weft_defer(&self->unlock, unlock_held, self->in.mutex);
    if (self->in.panics)
        weft_panic("on purpose");
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(3600)));
    WEFT_END(n);
}

struct limits {
    WEFT_FRAME;
    struct {
    } in;
    weft_mutex          mutex;
    weft_wait           wait;
    struct holds        holds;
    weft_handle         handle;
    struct weft_timeout limit;
};
WEFT_ASYNC(limits)
{
    int64_t n;

    WEFT_BEGIN();
    self->mutex = (weft_mutex){0};
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_async(holds, &self->holds, &self->mutex, false),
                               WEFT_MS(1)));
    check_eq(n, -ETIMEDOUT);
    check_eq(weft_spawn(&self->handle, holds, &self->mutex, true), 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    check_eq(n, -EOWNERDEAD);
    check_eq(weft_mutex_try_lock(&self->mutex), 0); /* none of the two has it */
    WEFT_AWAIT(n,
               weft_timeout(&self->limit, weft_mutex_lock(&self->wait, &self->mutex), WEFT_MS(1)));
    check_eq(n, -ETIMEDOUT);
    weft_mutex_unlock(&self->mutex);
    WEFT_AWAIT(n,
               weft_timeout(&self->limit, weft_mutex_lock(&self->wait, &self->mutex), WEFT_MS(1)));
    check_eq(n, 0);
    weft_mutex_unlock(&self->mutex);
    WEFT_END(0);
}

Test(sync_select, a_limit_ends_a_wait_for_a_mutex_and_a_deferred_call_ends_a_hold)
{
    static const int64_t workers[] = {1, 2, 8};

    for (int i = 0; i < 3; i++) {
        weft_runtime *rt = start_jumping(workers[i]);

        check_eq(RUN(rt, limits), 0);
        stop(rt);
    }
}
