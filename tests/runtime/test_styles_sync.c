/* test_styles_sync.c - every lock, as async functions and as fibers use it */
#include "../styles.h"

struct scene {
    weft_runtime  *rt;
    style          style;
    weft_mutex     mutex; /* held */
    weft_semaphore semaphore;
    weft_rwlock    read, written; /* held so */
    weft_event     event;
    weft_notify    notify;
    weft_barrier   barrier; /* of two tasks */
    weft_once      once;    /* being made */
    weft_promise   promise;
    weft_token     root, token; /* its child */
    weft_tracker   tracker;     /* closed, with one task */
    weft_handle    other;       /* the second task at the barrier */
};

struct state {
    weft_wait             wait;
    struct weft_token_run run;
};

#include "style_rows.h"

static void set_up(struct scene *s, weft_runtime *rt, style style)
{
    weft_wait wait;

    s->rt = rt;
    s->style = style;
    check_eq(weft_mutex_try_lock(&s->mutex), 0);
    check_eq(weft_rwlock_try_read(&s->read), 0);
    check_eq(weft_rwlock_try_write(&s->written), 0);
    weft_barrier_init(&s->barrier, 2);
    check_eq(weft_block_on(NULL, weft_once_begin(&wait, &s->once)), 1);
    weft_token_begin(&s->token, &s->root);
    weft_tracker_enter(&s->tracker);
    weft_tracker_close(&s->tracker);
}

static void tear_down(struct scene *s)
{
    weft_token_end(&s->token);
    if (!weft_handle_is_empty(&s->other))
        check_eq(join(s->rt, &s->other) & ~1, 0);
}

/* ---- a row for each of them ---- */

BEGIN(mutex_lock, weft_mutex_lock(&state->wait, &s->mutex))
DO(unlock, weft_mutex_unlock(&s->mutex))

BEGIN(semaphore_acquire, weft_semaphore_acquire(&state->wait, &s->semaphore, 2))
DO(release, weft_semaphore_release(&s->semaphore, 2))
DO(close_semaphore, weft_semaphore_close(&s->semaphore))

BEGIN(rwlock_read, weft_rwlock_read(&state->wait, &s->written))
DO(unlock_write, weft_rwlock_unlock_write(&s->written))
DO(downgrade, weft_rwlock_downgrade(&s->written))
BEGIN(rwlock_write, weft_rwlock_write(&state->wait, &s->read))
DO(unlock_read, weft_rwlock_unlock_read(&s->read))

BEGIN(event_wait, weft_event_wait(&state->wait, &s->event))
DO(set, weft_event_set(&s->event))
BEGIN(notify_wait, weft_notify_wait(&state->wait, &s->notify))
DO(notify_one, weft_notify_one(&s->notify))
DO(notify_all, weft_notify_all(&s->notify))

BEGIN(once_begin, weft_once_begin(&state->wait, &s->once))
DO(give_up, weft_once_end(&s->once, false))
DO(make, weft_once_end(&s->once, true))

BEGIN(promise_get, weft_promise_get(&state->wait, &s->promise))
DO(complete, check_eq(weft_promise_complete(&s->promise, 7), 0))
DO(fail, check_eq(weft_promise_complete(&s->promise, -EIO), 0))

BEGIN(token_cancelled, weft_token_cancelled(&state->wait, &s->token))
DO(cancel_root, weft_token_cancel(&s->root))
BEGIN(token_run, weft_token_run(&state->run, &s->token, begin_event_wait(s, state)))

BEGIN(tracker_wait, weft_tracker_wait(&state->wait, &s->tracker))
DO(leave, weft_tracker_leave(&s->tracker))

/* The barrier's other task. */
struct arrives {
    WEFT_FRAME;
    struct {
        weft_barrier *barrier;
    } in;
    weft_wait wait;
};
BODY(arrives)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_barrier_wait(&self->wait, self->in.barrier));
    WEFT_END(n);
}

BEGIN(barrier_wait, weft_barrier_wait(&state->wait, &s->barrier))
DO(arrive, check_eq(SPAWN_STYLE(s->style, s->rt, &s->other, arrives, .barrier = &s->barrier), 0))

/* Either of the two may be the leader, with the result 1. */
TAKE(take_any, 0)

static const row rows[] = {
    {"weft_mutex_lock", begin_mutex_lock, unlock, .result = 0},
    {"weft_semaphore_acquire", begin_semaphore_acquire, release, .result = 0,
     .or_else = close_semaphore, .other = -EPIPE},
    {"weft_rwlock_read", begin_rwlock_read, unlock_write, .result = 0, .or_else = downgrade},
    {"weft_rwlock_write", begin_rwlock_write, unlock_read, .result = 0},
    {"weft_event_wait", begin_event_wait, set, .result = 0},
    {"weft_notify_wait", begin_notify_wait, notify_one, .result = 0, .or_else = notify_all},
    {"weft_barrier_wait", begin_barrier_wait, arrive, .result = 0, .take = take_any},
    {"weft_once_begin", begin_once_begin, give_up, .result = 1, .or_else = make},
    {"weft_promise_get", begin_promise_get, complete, .result = 7, .or_else = fail, .other = -EIO},
    {"weft_token_cancelled", begin_token_cancelled, cancel_root, .result = 0},
    {"weft_token_run", begin_token_run, set, .result = 0, .or_else = cancel_root,
     .other = -ECANCELED},
    {"weft_tracker_wait", begin_tracker_wait, leave, .result = 0},
};

ROW_CASES(styles_sync)

/* ---- several tasks at once ---- */

#define MEMBERS 4
#define ROUNDS  50

/* What the members of a crew share. */
struct crew {
    weft_mutex     mutex;
    weft_condition turned;
    weft_rwlock    lock;
    weft_semaphore semaphore; /* two permits */
    weft_barrier   barrier;
    weft_once      once;
    int64_t        sum, twin; /* under the mutex, or the lock */
    int64_t        turn;      /* under the mutex */
    int64_t        n_inside;  /* atomic */
    int64_t        n_made, n_failed;
};

#define MEMBER(name)                                                                               \
    struct name {                                                                                  \
        WEFT_FRAME;                                                                                \
        struct {                                                                                   \
            struct crew *crew;                                                                     \
            int          number;                                                                   \
        } in;                                                                                      \
        weft_wait wait;                                                                            \
        int       i;                                                                               \
        int64_t   n_own;                                                                           \
    };                                                                                             \
    BODY(name)

/* Runs the crew, and returns the sum of the results. */
#define RUN_CREW(crew_, name)                                                                      \
    __extension__({                                                                                \
        weft_handle member_[MEMBERS];                                                              \
        int64_t     results_ = 0;                                                                  \
        for (int i_ = 0; i_ < MEMBERS; i_++)                                                       \
            check_eq(SPAWN_STYLE(style, rt, &member_[i_], name, .crew = (crew_), .number = i_),    \
                     0);                                                                           \
        for (int i_ = 0; i_ < MEMBERS; i_++)                                                       \
            results_ += join(rt, &member_[i_]);                                                    \
        results_;                                                                                  \
    })

MEMBER(counts_locked)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        AWAIT(n, weft_mutex_lock(&self->wait, &self->in.crew->mutex));
        check_eq(n, 0);
        self->n_own = self->in.crew->sum;
        if (self->i % 5 == 0)
            YIELD();
        self->in.crew->sum = self->n_own + 1;
        weft_mutex_unlock(&self->in.crew->mutex);
    }
    WEFT_END(0);
}

TEST_STYLES(styles_sync, a_mutex_is_held_across_awaits)
{
    struct crew crew = {0};

    check_eq(RUN_CREW(&crew, counts_locked), 0);
    check_eq(crew.sum, MEMBERS * ROUNDS);
}

/* The members take turns. Each looks for its own in a loop. */
MEMBER(takes_turns)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_mutex_lock(&self->wait, &self->in.crew->mutex));
    check_eq(n, 0);
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        while (self->in.crew->turn % MEMBERS != self->in.number)
            AWAIT(n,
                  weft_condition_wait(&self->wait, &self->in.crew->turned, &self->in.crew->mutex));
        self->in.crew->turn++;
        weft_condition_broadcast(&self->in.crew->turned);
    }
    weft_mutex_unlock(&self->in.crew->mutex);
    WEFT_END(0);
}

TEST_STYLES(styles_sync, a_condition_passes_the_turn_on)
{
    struct crew crew = {0};

    check_eq(RUN_CREW(&crew, takes_turns), 0);
    check_eq(crew.turn, MEMBERS * ROUNDS);
    check_eq(weft_mutex_try_lock(&crew.mutex), 0);
}

/* A cancelled wait ends with the mutex, so the same code unlocks it. */
MEMBER(waits_for_ever)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_mutex_lock(&self->wait, &self->in.crew->mutex));
    add(&self->in.crew->n_inside, 1);
    AWAIT(n, weft_condition_wait(&self->wait, &self->in.crew->turned, &self->in.crew->mutex));
    self->in.crew->sum++;
    weft_mutex_unlock(&self->in.crew->mutex);
    WEFT_END(n);
}

TEST_STYLES(styles_sync, a_condition_that_is_cancelled_gives_the_mutex_back)
{
    struct crew crew = {0};
    weft_handle handle;
    weft_wait   wait;

    check_eq(SPAWN_STYLE(style, rt, &handle, waits_for_ever, .crew = &crew), 0);
    EVENTUALLY(get(&crew.n_inside) == 1);
    check_eq(weft_block_on(NULL, weft_mutex_lock(&wait, &crew.mutex)), 0); /* so it waits */
    weft_cancel(&handle);
    check_eq(crew.sum, 0);
    weft_mutex_unlock(&crew.mutex);
    check_eq(join(rt, &handle), -ECANCELED);
    check_eq(crew.sum, 1);
    check_eq(weft_mutex_try_lock(&crew.mutex), 0);
}

/* Readers see equal numbers, and the writer stays a reader for a moment. */
MEMBER(reads_or_writes)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        if (self->in.number < 2) {
            AWAIT(n, weft_rwlock_write(&self->wait, &self->in.crew->lock));
            check_eq(n, 0);
            self->in.crew->sum++;
            YIELD();
            self->in.crew->twin++;
            weft_rwlock_downgrade(&self->in.crew->lock);
        } else {
            AWAIT(n, weft_rwlock_read(&self->wait, &self->in.crew->lock));
            check_eq(n, 0);
        }
        check_eq(self->in.crew->sum, self->in.crew->twin);
        weft_rwlock_unlock_read(&self->in.crew->lock);
    }
    WEFT_END(0);
}

TEST_STYLES(styles_sync, a_rwlock_keeps_writers_apart_from_readers)
{
    struct crew crew = {0};

    check_eq(RUN_CREW(&crew, reads_or_writes), 0);
    check_eq(crew.sum, 2 * ROUNDS);
    check_eq(weft_rwlock_try_write(&crew.lock), 0);
}

MEMBER(takes_a_permit)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        AWAIT(n, weft_semaphore_acquire(&self->wait, &self->in.crew->semaphore, 1));
        check_eq(n, 0);
        check_cmp(add(&self->in.crew->n_inside, 1), <=, 2);
        YIELD();
        add(&self->in.crew->n_inside, -1);
        weft_semaphore_release(&self->in.crew->semaphore, 1);
    }
    WEFT_END(0);
}

TEST_STYLES(styles_sync, a_semaphore_limits_how_many_are_inside)
{
    struct crew crew = {0};

    weft_semaphore_init(&crew.semaphore, 2);
    check_eq(RUN_CREW(&crew, takes_a_permit), 0);
    check_eq(weft_semaphore_available(&crew.semaphore), 2);
}

/* Returns how many times it was the leader. */
MEMBER(passes_barriers)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_own = 0;
    for (self->i = 0; self->i < ROUNDS; self->i++) {
        add(&self->in.crew->sum, 1);
        AWAIT(n, weft_barrier_wait(&self->wait, &self->in.crew->barrier));
        check_cmp(get(&self->in.crew->sum), >=, (self->i + 1) * MEMBERS);
        self->n_own += n;
    }
    WEFT_END(self->n_own);
}

TEST_STYLES(styles_sync, a_barrier_has_one_leader_each_time)
{
    struct crew crew = {0};

    weft_barrier_init(&crew.barrier, MEMBERS);
    check_eq(RUN_CREW(&crew, passes_barriers), ROUNDS);
}

/* The first that makes it fails. */
MEMBER(makes_once)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_once_begin(&self->wait, &self->in.crew->once));
    if (n == 1) {
        YIELD();
        if (self->in.crew->n_failed == 0) {
            self->in.crew->n_failed++;
            weft_once_end(&self->in.crew->once, false);
            WEFT_RETURN(0);
        }
        self->in.crew->n_made++;
        weft_once_end(&self->in.crew->once, true);
    }
    check(weft_once_is_made(&self->in.crew->once));
    WEFT_END(0);
}

TEST_STYLES(styles_sync, a_once_is_tried_again_after_a_failure)
{
    struct crew crew = {0};

    check_eq(RUN_CREW(&crew, makes_once), 0);
    check_eq(crew.n_failed, 1);
    check_eq(crew.n_made, 1);
}
