/*
 * test_kept.c - a branch that a select keeps and its task does not poll is granted nothing
 *
 * tokio#6450 and what Oxide calls a futurelock: a lock is passed to a wait that its task has put
 * aside, and the task waits for another task, or for another wait, that needs the lock. weft passes
 * such a wait over. It keeps its place in the queue.
 */
#include "crew.h"

/* ---- everything that can be granted ---- */

enum kind { MUTEX, WRITER, READER, PERMIT, TURN, NOTIFY, MESSAGE, ROOM, ROOMS, KINDS };

static weft_mutex          mutex;
static weft_rwlock         rwlock;
static weft_semaphore      semaphore;
static weft_once           once;
static weft_notify         notify;
static weft_mpmc_sender   *mpmc_sender;
static weft_mpmc_receiver *mpmc_receiver;
static weft_mpsc_sender   *mpsc_sender;
static weft_mpsc_receiver *mpsc_receiver;

static int message; /* the same for all */

/* A wait, and where it writes. */
struct want {
    weft_wait         wait;
    int               message;
    weft_mpsc_permit *permit[2];
};

/* Nothing can be had now. */
static void begin(enum kind kind)
{
    struct hand hand;
    weft_wait   wait;

    mutex = (weft_mutex){0};
    rwlock = (weft_rwlock){0};
    semaphore = (weft_semaphore){0};
    once = (weft_once){0};
    notify = (weft_notify){0};
    check_eq(weft_mpmc_open(sizeof message, 2, &mpmc_sender, &mpmc_receiver), 0);
    check_eq(weft_mpsc_open(sizeof message, kind == ROOMS ? 2 : 1, &mpsc_sender, &mpsc_receiver),
             0);
    check_eq(weft_mutex_try_lock(&mutex), 0);
    check_eq(weft_rwlock_try_write(&rwlock), 0);
    check_eq(weft_mpsc_try_send(mpsc_sender, &message), 0);
    if (kind == ROOMS)
        check_eq(weft_mpsc_try_send(mpsc_sender, &message), 0);
    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_once_begin(&wait, &once)), 1);
}

static weft_future *want(enum kind kind, struct want *w)
{
    switch (kind) {
    case MUTEX:
        return weft_mutex_lock(&w->wait, &mutex);
    case WRITER:
        return weft_rwlock_write(&w->wait, &rwlock);
    case READER:
        return weft_rwlock_read(&w->wait, &rwlock);
    case PERMIT:
        return weft_semaphore_acquire(&w->wait, &semaphore, 1);
    case TURN:
        return weft_once_begin(&w->wait, &once);
    case NOTIFY:
        return weft_notify_wait(&w->wait, &notify);
    case MESSAGE:
        return weft_mpmc_receive(&w->wait, mpmc_receiver, &w->message);
    case ROOM:
        return weft_mpsc_reserve(&w->wait, mpsc_sender, &w->permit[0]);
    default:
        return weft_mpsc_reserve_many(&w->wait, mpsc_sender, 2, w->permit);
    }
}

/* Gives what one wait wants. */
static void give(enum kind kind)
{
    int got;

    switch (kind) {
    case MUTEX:
        weft_mutex_unlock(&mutex);
        break;
    case WRITER:
    case READER:
        weft_rwlock_unlock_write(&rwlock);
        break;
    case PERMIT:
        weft_semaphore_release(&semaphore, 1);
        break;
    case TURN:
        weft_once_end(&once, false);
        break;
    case NOTIFY:
        weft_notify_one(&notify);
        break;
    case MESSAGE:
        check_eq(weft_mpmc_try_send(mpmc_sender, &message), 0);
        break;
    case ROOMS:
        check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0);
        /* fallthrough */
    default:
        check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0);
    }
}

/* The wait has ended. What it was given can be had again. */
static void give_back(enum kind kind, struct want *w)
{
    check_eq(w->wait.future.result, kind == TURN);
    switch (kind) {
    case READER:
        weft_rwlock_unlock_read(&rwlock);
        break;
    case ROOMS:
        weft_mpsc_permit_close(w->permit[1]);
        /* fallthrough */
    case ROOM:
        weft_mpsc_permit_close(w->permit[0]);
        break;
    default:
        give(kind);
    }
}

/* It can be had again, and no wait is left. */
static void end(enum kind kind)
{
    struct want last;
    struct hand hand;

    hand_init(&hand, NULL);
    (void)hand_run(&hand, want(kind, &last));
    give_back(kind, &last);
    weft_mpmc_sender_close(mpmc_sender);
    weft_mpmc_receiver_close(mpmc_receiver);
    weft_mpsc_sender_close(mpsc_sender);
    weft_mpsc_receiver_close(mpsc_receiver);
}

/* ---- tasks that would wait for ever ---- */

/* Two waits lose a select and stay. Then only the second one is awaited. */
struct keeps_two {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want        want[2];
    struct event       ready;
    struct weft_select sel;
};
WEFT_ASYNC(keeps_two)
{
    int64_t n;

    WEFT_BEGIN();
    begin(self->in.kind);
    weft_keep(want(self->in.kind, &self->want[0]));
    weft_keep(want(self->in.kind, &self->want[1]));
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &self->want[0].wait.future,
                                     &self->want[1].wait.future, at_once(&self->ready, 0)));
    check_eq(n, 2);
    check(weft_future_is_pending(&self->want[0].wait.future));
    give(self->in.kind);
    WEFT_AWAIT(n, &self->want[1].wait.future);
    give_back(self->in.kind, &self->want[1]);
    WEFT_CANCEL(&self->want[0].wait.future);
    check_eq(self->want[0].wait.future.result, -ECANCELED);
    end(self->in.kind);
    WEFT_END(0);
}

struct needs {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want want;
};
WEFT_ASYNC(needs)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, want(self->in.kind, &self->want));
    give_back(self->in.kind, &self->want);
    WEFT_END(n);
}

/* A wait loses a select and stays. Then its task waits for a task that needs the same. */
struct keeps_one {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want        want;
    struct event       ready;
    struct weft_select sel;
    struct counter     turns;
    weft_handle        other;
};
WEFT_ASYNC(keeps_one)
{
    int64_t n;

    WEFT_BEGIN();
    begin(self->in.kind);
    WEFT_AWAIT(n, weft_select_biased(&self->sel, weft_keep(want(self->in.kind, &self->want)),
                                     at_once(&self->ready, 0)));
    check_eq(n, 1);
    check_eq(weft_spawn(&self->other, needs, self->in.kind), 0);
    WEFT_AWAIT(n, counter(&self->turns, 5)); /* mostly the other one waits now */
    give(self->in.kind);
    WEFT_AWAIT(n, weft_join(&self->other));
    check(n >= 0);
    WEFT_AWAIT(n, &self->want.wait.future);
    give_back(self->in.kind, &self->want);
    end(self->in.kind);
    WEFT_END(0);
}

/* The same, and the wait is in an async function that is kept, in a join under a limit. */
struct locks {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct want          want;
    struct counter       turns;
    struct weft_join_all join;
    struct weft_timeout  limit;
};
WEFT_ASYNC(locks)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit,
                               weft_join_all(&self->join, counter(&self->turns, 0),
                                             want(self->in.kind, &self->want)),
                               WEFT_S(3600)));
    check_eq(n, 0);
    give_back(self->in.kind, &self->want);
    WEFT_END(0);
}

struct keeps_a_call {
    WEFT_FRAME;
    struct {
        enum kind kind;
    } in;
    struct locks       locks;
    struct event       ready;
    struct weft_select sel;
    struct want        want;
};
WEFT_ASYNC(keeps_a_call)
{
    int64_t n;

    WEFT_BEGIN();
    begin(self->in.kind);
    weft_keep(weft_async(locks, &self->locks, self->in.kind));
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &self->locks.weft_frame_.future,
                                     at_once(&self->ready, 0)));
    check_eq(n, 1);
    give(self->in.kind);
    WEFT_AWAIT(n, want(self->in.kind, &self->want));
    give_back(self->in.kind, &self->want);
    WEFT_AWAIT(n, &self->locks.weft_frame_.future);
    check_eq(n, 0);
    end(self->in.kind);
    WEFT_END(0);
}

static void keepers(weft_runtime *rt)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        check_eq(RUN(rt, keeps_two, kind), 0);
        check_eq(RUN(rt, keeps_one, kind), 0);
        check_eq(RUN(rt, keeps_a_call, kind), 0);
    }
}

Test(kept, wait_that_is_not_polled_holds_up_neither_its_task_nor_others)
{
    on_current_thread(keepers);
    on_workers(1, keepers);
    on_workers(2, keepers);
    on_workers(8, keepers);
}

Test(kept, wait_that_is_not_polled_holds_up_none_with_a_budget_of_one)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .budget = 1});

    keepers(rt);
    stop(rt);
}

/* ---- poll by poll ---- */

/* Loses a select with a wait that it keeps, and goes on with that wait once the gate is open. */
struct returns {
    WEFT_FRAME;
    struct {
        enum kind     kind;
        struct event *lose, *gate;
        bool          gives_up;
    } in;
    struct want        want;
    struct weft_select sel;
};
WEFT_ASYNC(returns)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &self->in.lose->future,
                                     weft_keep(want(self->in.kind, &self->want))));
    check_eq(n, 0);
    WEFT_AWAIT(n, &self->in.gate->future);
    if (self->in.gives_up) {
        WEFT_CANCEL(&self->want.wait.future);
        check_eq(self->want.wait.future.result, -ECANCELED);
        WEFT_RETURN(0);
    }
    WEFT_AWAIT(n, &self->want.wait.future);
    check_eq(n, self->in.kind == TURN);
    WEFT_END(0);
}

static struct hand    hand, other;
static struct event   lose, gate;
static struct returns keeper;
static struct want    second;

static void init_hands(void)
{
    hand_init(&hand, NULL);
    hand_init(&other, NULL);
    event(&lose);
    event(&gate);
}

/* The keeper waits, and a second wait behind it if `with_second`. */
static void start_keeper(enum kind kind, bool gives_up, bool with_second)
{
    begin(kind);
    init_hands();
    check(!hand_poll(&hand, weft_async(returns, &keeper, kind, &lose, &gate, gives_up)));
    if (with_second)
        check(!hand_poll(&other, want(kind, &second)));
}

static void lose_select(void)
{
    event_set(&lose, 0);
    check(!hand_poll(&hand, &keeper.weft_frame_.future));
    check(weft_future_is_pending(&keeper.want.wait.future));
}

static bool poll_keeper(void)
{
    return hand_poll(&hand, &keeper.weft_frame_.future);
}

static bool poll_second(void)
{
    return hand_poll(&other, &second.wait.future);
}

/* All kinds but readers, who share. */
#define EACH_EXCLUSIVE(kind)                                                                       \
    for (enum kind kind = 0; kind < KINDS; kind += (kind + 1 == READER) ? 2 : 1)

Test(kept, wait_gives_back_what_it_was_granted_before_it_lost)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, true);
        give(kind); /* to the keeper, who has not seen it when it loses */
        check(!poll_second());
        lose_select();
        check(poll_second());
        event_set(&gate, 0);
        check(!poll_keeper());
        give_back(kind, &second);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

/* It could be had at once, but the poll had no budget left. */
Test(kept, wait_that_was_polled_without_budget_has_nothing)
{
    EACH_EXCLUSIVE(kind)
    {
        begin(kind);
        give(kind);
        init_hands();
        check(!hand_poll_budget(
            &hand, weft_async(returns, &keeper, kind, &lose, &gate, .gives_up = false), 0));
        lose_select();
        check(hand_poll(&other, want(kind, &second)));
        event_set(&gate, 0);
        check(!poll_keeper());
        give_back(kind, &second);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

Test(kept, wait_is_passed_over_and_has_the_next_turn_when_it_is_polled_again)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, true);
        lose_select();
        give(kind);
        check(poll_second());
        event_set(&gate, 0);
        check(!poll_keeper());
        give_back(kind, &second);
        check_eq(hand.woken, true);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

Test(kept, wait_has_its_place_again_when_it_is_polled_again)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, true);
        lose_select();
        event_set(&gate, 0);
        check(!poll_keeper());
        give(kind);
        check(!poll_second());
        check(poll_keeper());
        give_back(kind, &keeper.want);
        check(poll_second());
        give_back(kind, &second);
        end(kind);
    }
}

Test(kept, wait_finds_at_once_what_no_other_has_taken)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, false, false);
        lose_select();
        give(kind);
        event_set(&gate, 0);
        check(poll_keeper());
        give_back(kind, &keeper.want);
        end(kind);
    }
}

Test(kept, wait_that_is_given_up_leaves_nothing)
{
    EACH_EXCLUSIVE(kind)
    {
        start_keeper(kind, true, true);
        lose_select();
        event_set(&gate, 0);
        check(poll_keeper());
        give(kind);
        check(poll_second());
        give_back(kind, &second);
        check_eq(hand.n_wakers, 0);
        end(kind);
    }
}

/* ---- what only some kinds have ---- */

Test(kept, writer_lets_readers_pass)
{
    start_keeper(WRITER, false, false);
    check(!hand_poll(&other, want(READER, &second)));
    weft_rwlock_downgrade(&rwlock); /* the writer waits, and the reader behind it */
    check(!poll_second());
    check_eq(weft_rwlock_try_read(&rwlock), -EBUSY);
    lose_select();
    check(poll_second());
    check_eq(weft_rwlock_try_read(&rwlock), 0);
    event_set(&gate, 0);
    check(!poll_keeper());
    check_eq(weft_rwlock_try_read(&rwlock), -EBUSY); /* it waits again, before them */
    for (int i = 0; i < 3; i++)
        weft_rwlock_unlock_read(&rwlock);
    check(poll_keeper());
    give_back(WRITER, &keeper.want);
    end(WRITER);
}

/* As many notifications are stored as without weft_keep: one for each wait, and one more. */
Test(kept, wait_takes_a_notification_that_came_meanwhile)
{
    start_keeper(NOTIFY, false, false);
    lose_select();
    for (int i = 0; i < 3; i++)
        give(NOTIFY);
    event_set(&gate, 0);
    check(poll_keeper());
    check(hand_poll(&other, want(NOTIFY, &second)));
    check(!hand_poll(&other, want(NOTIFY, &second)));
    give(NOTIFY);
    check(poll_second());
    give(NOTIFY);
    end(NOTIFY);
}

Test(kept, wait_that_is_given_up_leaves_one_notification)
{
    start_keeper(NOTIFY, true, false);
    lose_select();
    give(NOTIFY);
    give(NOTIFY);
    event_set(&gate, 0);
    check(poll_keeper());
    check(hand_poll(&other, want(NOTIFY, &second)));
    check(!hand_poll(&other, want(NOTIFY, &second)));
    give(NOTIFY);
    check(poll_second());
    give(NOTIFY);
    end(NOTIFY);
}

Test(kept, wait_that_all_were_notified_of_ends)
{
    start_keeper(NOTIFY, false, false);
    lose_select();
    give(NOTIFY);
    give(NOTIFY);
    weft_notify_all(&notify);
    event_set(&gate, 0);
    check(poll_keeper());
    check(hand_poll(&other, want(NOTIFY, &second))); /* the one that is stored in any case */
    check(!hand_poll(&other, want(NOTIFY, &second)));
    give(NOTIFY);
    check(poll_second());
    give(NOTIFY);
    end(NOTIFY);
}

/* A condition has its signal, and waits for the mutex. */
struct conditioned {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_condition     condition;
    weft_wait          wait;
    struct weft_select sel;
};
WEFT_ASYNC(conditioned)
{
    int64_t n;

    WEFT_BEGIN();
    self->condition = (weft_condition){0};
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex));
    weft_keep(weft_condition_wait(&self->wait, &self->condition, &mutex));
    WEFT_AWAIT(n, weft_select_biased(&self->sel, &lose.future, &self->wait.future));
    check_eq(n, 0);
    WEFT_AWAIT(n, &gate.future);
    WEFT_AWAIT(n, &self->wait.future);
    check_eq(n, 0);
    weft_mutex_unlock(&mutex);
    WEFT_END(0);
}

Test(kept, condition_that_has_its_signal_holds_up_none_that_wait_for_the_mutex)
{
    struct conditioned c;
    weft_future       *f = weft_async(conditioned, &c, 0);

    mutex = (weft_mutex){0};
    hand_init(&hand, NULL);
    event(&lose);
    event(&gate);
    check(!hand_poll(&hand, f));
    check_eq(weft_mutex_try_lock(&mutex), 0);
    weft_condition_signal(&c.condition);
    check(!hand_poll(&hand, f)); /* now it waits for the mutex */
    event_set(&lose, 0);
    weft_mutex_unlock(&mutex); /* to the condition, which has not seen it when it loses */
    check_eq(weft_mutex_try_lock(&mutex), -EBUSY);
    check(!hand_poll(&hand, f));
    check_eq(weft_mutex_try_lock(&mutex), 0);
    weft_mutex_unlock(&mutex);
    event_set(&gate, 0);
    check(hand_poll(&hand, f));
    check_eq(weft_mutex_try_lock(&mutex), 0);
}

/* The second of two waits for several places gets them, although the first one had a part. */
Test(kept, wait_for_many_permits_gives_its_part_back)
{
    weft_mpsc_permit *permit[3];
    weft_wait         wait;
    int               got;

    start_keeper(ROOMS, false, false);
    check(!hand_poll(&other, weft_mpsc_reserve(&wait, mpsc_sender, permit)));
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0); /* the keeper's, and it lacks one */
    check(!hand_poll(&other, &wait.future));
    lose_select();
    check(hand_poll(&other, &wait.future));
    event_set(&gate, 0);
    check(!poll_keeper());
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0);
    check(!poll_keeper());
    weft_mpsc_permit_close(permit[0]);
    check(poll_keeper());
    give_back(ROOMS, &keeper.want);
    end(ROOMS);
}

/* It returns to a place before one that has collected a part meanwhile, and takes that over. */
Test(kept, wait_for_many_permits_does_not_wait_for_the_part_of_one_behind_it)
{
    int got;

    start_keeper(ROOMS, false, true);
    lose_select();
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0); /* to the second, which lacks one */
    check(!poll_second());
    event_set(&gate, 0);
    check(!poll_keeper());
    check_eq(weft_mpsc_try_receive(mpsc_receiver, &got), 0);
    check(!poll_second());
    check(poll_keeper());
    give_back(ROOMS, &keeper.want);
    check(poll_second());
    give_back(ROOMS, &second);
    end(ROOMS);
}

/* ---- by chance ---- */

#define MEMBERS 6

static int64_t inside[2]; /* of the mutex and of the writer: plain, the locks order them */

/* Uses what it has got. Two would be seen. */
static void use(enum kind kind)
{
    int64_t *in = kind == MUTEX ? &inside[0] : &inside[1];

    if (kind == MUTEX || kind == WRITER)
        check_eq((*in)++, 0);
    if (kind == READER)
        check_eq(*in, 0);
}

static void unuse(enum kind kind)
{
    if (kind == MUTEX || kind == WRITER)
        inside[kind == WRITER]--;
}

/* Locks again and again. By chance the wait loses selects, is not polled for a while, and is given
 * up. */
struct member {
    WEFT_FRAME;
    struct {
        int number, rounds;
    } in;
    struct want        want;
    enum kind          kind;
    uint32_t           random;
    int                tries;
    struct patience    patience;
    struct counter     turns;
    struct weft_select sel;
};
WEFT_ASYNC(member)
{
    int64_t n;

    WEFT_BEGIN();
    self->random = crew_seed(self->in.number);
    for (; self->in.rounds > 0; self->in.rounds--) {
        self->kind = (enum kind)(rnd(&self->random) % NOTIFY);
        weft_keep(want(self->kind, &self->want));
        self->tries = (int)(rnd(&self->random) % 4);
        for (; self->tries > 0 && !weft_future_is_ready(&self->want.wait.future); self->tries--) {
            WEFT_AWAIT(n, weft_select(&self->sel, &self->want.wait.future,
                                      patience(&self->patience, &self->random)));
            if (n == 1)
                WEFT_AWAIT(n, counter(&self->turns, (int)(rnd(&self->random) % 4)));
        }
        if (!weft_future_is_ready(&self->want.wait.future)) {
            if (one_of(&self->random, 3))
                WEFT_CANCEL(&self->want.wait.future);
            else
                WEFT_AWAIT(n, &self->want.wait.future);
        }
        if (self->want.wait.future.result < 0)
            continue;
        use(self->kind);
        WEFT_AWAIT(n, counter(&self->turns, (int)(rnd(&self->random) % 2)));
        unuse(self->kind);
        give_back(self->kind, &self->want);
    }
    WEFT_END(0);
}

static void storm(weft_runtime *rt)
{
    weft_handle handle[MEMBERS];
    int         rounds = (int)test_scaled(500);

    begin(MUTEX);
    for (enum kind kind = 0; kind < NOTIFY; kind += (kind + 1 == READER) ? 2 : 1)
        give(kind);
    for (int i = 0; i < MEMBERS; i++)
        check_eq(weft_spawn_on(rt, &handle[i], member, i, rounds), 0);
    for (int i = 0; i < MEMBERS; i++)
        check_eq(join(rt, &handle[i]), 0);
    for (enum kind kind = 0; kind < NOTIFY; kind++) {
        struct want w;
        struct hand h;

        hand_init(&h, NULL);
        (void)hand_run(&h, want(kind, &w));
        give_back(kind, &w);
    }
    end(MUTEX);
}

Test(kept, waits_that_come_and_go_by_chance_share_all_locks)
{
    on_current_thread(storm);
    on_workers(1, storm);
    on_workers(2, storm);
    on_workers(8, storm);
}
