/*
 * locks.c - rows of locks that are free, of one that is passed on, and of a notify
 *
 * Purpose     See counts.h.
 * Threads     The main thread.
 * Invariants  The tasks of a row take turns, and check that it is theirs.
 * Ordering    None.
 * Failure     See counts.h.
 */
#include "counts.h"

/* ---- rwlock: locked for reading and unlocked by one task; no writer comes ---- */

struct rwlock {
    WEFT_FRAME;
    struct {
    } in;
    weft_rwlock lock;
    weft_wait   wait;
    int64_t     left;
};
WEFT_ASYNC(rwlock)
{
    int64_t n;

    WEFT_BEGIN();
    self->lock = (weft_rwlock){0};
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_rwlock_read(&self->wait, &self->lock));
        must(n == 0, "a lock failed");
        weft_rwlock_unlock_read(&self->lock);
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(rwlock)

/* ---- semaphore: a permit is taken and released by one task; there is always one ---- */

struct semaphore {
    WEFT_FRAME;
    struct {
    } in;
    weft_semaphore semaphore;
    weft_wait      wait;
    int64_t        left;
};
WEFT_ASYNC(semaphore)
{
    int64_t n;

    WEFT_BEGIN();
    weft_semaphore_init(&self->semaphore, 1);
    counts_begin();
    for (self->left = TIMES; self->left > 0; self->left--) {
        WEFT_AWAIT(n, weft_semaphore_acquire(&self->wait, &self->semaphore, 1));
        must(n == 0, "no permit was given");
        weft_semaphore_release(&self->semaphore, 1);
    }
    counts_end(TIMES, (struct counts_proof){0});
    counts_task_ends();
    WEFT_END(0);
}
COUNTS_START(semaphore)

/* ---- mutex_passed: two tasks, each of which waits for the mutex that the other unlocks ---- */

static weft_mutex passed;
static int64_t    n_passed;
static int        n_begun;

struct passes {
    WEFT_FRAME;
    struct {
    } in;
    weft_wait wait;
    int64_t   before; /* n_passed when this task had the mutex last, or less */
};
WEFT_ASYNC(passes)
{
    int64_t n;

    WEFT_BEGIN();
    self->before = -2;
    n_begun++;
    for (;;) {
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &passed));
        must(n == 0 && n_passed >= self->before + 2, "a task has overtaken");
        self->before = n_passed;
        if (n_passed == 2) /* Both tasks have begun by now. */
            counts_begin();
        if (n_passed >= TIMES + 2)
            break;
        n_passed++;
        while (n_begun < 2) /* The other task comes, and waits. */
            WEFT_YIELD();
        weft_mutex_unlock(&passed);
    }
    if (n_passed == TIMES + 2)
        counts_end(TIMES, (struct counts_proof){.polls = TIMES});
    n_passed++;
    weft_mutex_unlock(&passed);
    counts_task_ends();
    WEFT_END(0);
}

static void start_passes(void)
{
    passed = (weft_mutex){0};
    n_passed = n_begun = 0;
    must(weft_spawn(NULL, passes) == 0, "spawn failed");
    must(weft_spawn(NULL, passes) == 0, "spawn failed");
}

/* ---- notify: two tasks that notify each other ---- */

static weft_notify turn[2];
static int64_t     n_turns;

struct takes_turns {
    WEFT_FRAME;
    struct {
        int64_t me;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(takes_turns)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_notify_wait(&self->wait, &turn[self->in.me]));
        must(n == 0 && n_turns % 2 == self->in.me, "a notification came out of turn");
        if (n_turns == 2) /* Both tasks have begun by now. */
            counts_begin();
        if (n_turns >= TIMES + 2)
            break;
        n_turns++;
        weft_notify_one(&turn[!self->in.me]);
    }
    if (n_turns == TIMES + 2)
        counts_end(TIMES, (struct counts_proof){.polls = TIMES});
    n_turns++;
    weft_notify_one(&turn[!self->in.me]);
    counts_task_ends();
    WEFT_END(0);
}

static void start_turns(void)
{
    turn[0] = turn[1] = (weft_notify){0};
    n_turns = 0;
    weft_notify_one(&turn[0]);
    must(weft_spawn(NULL, takes_turns, .me = 0) == 0, "spawn failed");
    must(weft_spawn(NULL, takes_turns, .me = 1) == 0, "spawn failed");
}

const struct counts_row counts_lock_rows[] = {{"rwlock", start_rwlock, 1},
                                              {"semaphore", start_semaphore, 1},
                                              {"mutex_passed", start_passes, 2},
                                              {"notify", start_turns, 2},
                                              {NULL, NULL, 0}};
