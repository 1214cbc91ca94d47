/*
 * wait_rows.h - every kind of wait on a lock or a channel, a row each
 *
 * A row makes an object and a wait on it that is PENDING, ends that wait, and closes the object. So
 * a test can ask for a property that all waits have. There is one object of each kind, so a row is
 * used by one test at a time.
 */
#ifndef WAIT_ROWS_H
#define WAIT_ROWS_H

#include "../helpers.h"

static weft_mutex               mutex;
static weft_semaphore           semaphore;
static weft_rwlock              rwlock;
static weft_event               set;
static weft_notify              notify;
static weft_condition           condition;
static weft_barrier             barrier;
static weft_once                once;
static weft_tracker             tracker;
static weft_token               token;
static weft_oneshot_sender     *oneshot_sender;
static weft_oneshot_receiver   *oneshot_receiver;
static weft_mpsc_sender        *mpsc_sender;
static weft_mpsc_receiver      *mpsc_receiver;
static weft_mpsc_permit        *permit;
static weft_mpmc_sender        *mpmc_sender;
static weft_mpmc_receiver      *mpmc_receiver;
static weft_broadcast_sender   *broadcast_sender;
static weft_broadcast_receiver *broadcast_receiver;
static weft_watch_sender       *watch_sender;
static weft_watch_receiver     *watch_receiver;
static weft_wait                wait;
static int                      message, got[4];

/* ---- what a row has ---- */

struct row {
    const char *name;
    weft_future *(*begin)(void);
    void (*trigger)(void); /* ends the wait, with `result` */
    int64_t result;
    void (*end)(void);       /* after that; NULL: there is nothing to do */
    void (*cancelled)(void); /* instead, if the wait was cancelled and not triggered */
    void (*use)(void);       /* uses the object and changes nothing; NULL: there is no such call */
};

/* ---- locks ---- */

static weft_future *lock_mutex(void)
{
    mutex = (weft_mutex){0};
    check_eq(weft_mutex_try_lock(&mutex), 0);
    return weft_mutex_lock(&wait, &mutex);
}

static void unlock_mutex(void)
{
    weft_mutex_unlock(&mutex);
}

static void try_mutex(void)
{
    if (weft_mutex_try_lock(&mutex) == 0)
        weft_mutex_unlock(&mutex);
}

static weft_future *acquire(void)
{
    weft_semaphore_init(&semaphore, 1);
    return weft_semaphore_acquire(&wait, &semaphore, 2);
}

static void release(void)
{
    weft_semaphore_release(&semaphore, 1);
}

static void close_semaphore(void)
{
    weft_semaphore_close(&semaphore);
}

static void count_permits(void)
{
    (void)weft_semaphore_available(&semaphore);
}

static weft_future *read_behind_a_writer(void)
{
    rwlock = (weft_rwlock){0};
    check_eq(weft_rwlock_try_write(&rwlock), 0);
    return weft_rwlock_read(&wait, &rwlock);
}

static weft_future *write_behind_a_writer(void)
{
    rwlock = (weft_rwlock){0};
    check_eq(weft_rwlock_try_write(&rwlock), 0);
    return weft_rwlock_write(&wait, &rwlock);
}

static void unlock_write(void)
{
    weft_rwlock_unlock_write(&rwlock);
}

static void downgrade(void)
{
    weft_rwlock_downgrade(&rwlock);
}

static void try_rwlock(void)
{
    if (weft_rwlock_try_read(&rwlock) == 0)
        weft_rwlock_unlock_read(&rwlock);
}

static weft_future *await_event(void)
{
    set = (weft_event){0};
    return weft_event_wait(&wait, &set);
}

static void set_event(void)
{
    weft_event_set(&set);
    weft_event_reset(&set);
}

static void reset_event(void)
{
    weft_event_reset(&set);
}

static weft_future *await_notify(void)
{
    notify = (weft_notify){0};
    return weft_notify_wait(&wait, &notify);
}

static void notify_one(void)
{
    weft_notify_one(&notify);
}

static void notify_all(void)
{
    weft_notify_all(&notify);
}

/* Begins a wait that is cancelled at once. */
static void begin_and_leave(weft_wait *other, weft_future *future)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    weft_context_init(&cx, &noop, NULL);
    if (!weft_poll_is_ready(weft_future_poll(future, &cx)) &&
        !weft_poll_is_ready(weft_future_cancel(future)))
        check(weft_poll_is_ready(weft_future_poll(&other->future, &cx)));
}

static void wait_for_notify_too(void)
{
    weft_wait other;

    begin_and_leave(&other, weft_notify_wait(&other, &notify));
}

static weft_future *await_condition(void)
{
    mutex = (weft_mutex){0};
    condition = (weft_condition){0};
    check_eq(weft_mutex_try_lock(&mutex), 0);
    return weft_condition_wait(&wait, &condition, &mutex);
}

static void signal_condition(void)
{
    weft_condition_signal(&condition);
}

static weft_future *await_barrier(void)
{
    weft_barrier_init(&barrier, 2);
    return weft_barrier_wait(&wait, &barrier);
}

static void pass_barrier(void)
{
    struct hand hand;
    weft_wait   last;

    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_barrier_wait(&last, &barrier)), 1);
}

static weft_future *await_once(void)
{
    struct hand hand;
    weft_wait   first;

    once = (weft_once){0};
    hand_init(&hand, NULL);
    check_eq(hand_run(&hand, weft_once_begin(&first, &once)), 1);
    return weft_once_begin(&wait, &once);
}

static void end_once(void)
{
    weft_once_end(&once, true);
}

static void ask_once(void)
{
    (void)weft_once_is_made(&once);
}

static weft_future *await_tracker(void)
{
    tracker = (weft_tracker){0};
    weft_tracker_enter(&tracker);
    weft_tracker_close(&tracker);
    return weft_tracker_wait(&wait, &tracker);
}

static void leave_tracker(void)
{
    weft_tracker_leave(&tracker);
}

static void track_one_more(void)
{
    weft_tracker_enter(&tracker);
    weft_tracker_leave(&tracker);
}

static weft_future *await_token(void)
{
    token = (weft_token){0};
    return weft_token_cancelled(&wait, &token);
}

static void cancel_token(void)
{
    weft_token_cancel(&token);
}

static void end_token(void)
{
    weft_token_end(&token);
}

static void wait_for_token_too(void)
{
    weft_wait other;

    begin_and_leave(&other, weft_token_cancelled(&other, &token));
}

/* ---- channels ---- */

static weft_future *receive_oneshot(void)
{
    check_eq(weft_oneshot_open(sizeof(int), &oneshot_sender, &oneshot_receiver), 0);
    return weft_oneshot_receive(&wait, oneshot_receiver, got);
}

static void send_oneshot(void)
{
    check_eq(weft_oneshot_send(oneshot_sender, &message), 0);
}

static void close_oneshot(void)
{
    weft_oneshot_receiver_close(oneshot_receiver);
}

static void close_both_of_oneshot(void)
{
    weft_oneshot_sender_close(oneshot_sender);
    close_oneshot();
}

static weft_future *await_the_oneshot_receivers_end(void)
{
    check_eq(weft_oneshot_open(sizeof(int), &oneshot_sender, &oneshot_receiver), 0);
    return weft_oneshot_closed(&wait, oneshot_sender);
}

static void send_to_the_closed(void)
{
    check_eq(weft_oneshot_send(oneshot_sender, &message), -EPIPE);
}

static void open_mpsc(void)
{
    check_eq(weft_mpsc_open(sizeof(int), 1, &mpsc_sender, &mpsc_receiver), 0);
}

static weft_future *receive_mpsc(void)
{
    open_mpsc();
    return weft_mpsc_receive(&wait, mpsc_receiver, got);
}

static weft_future *receive_many(void)
{
    open_mpsc();
    return weft_mpsc_receive_many(&wait, mpsc_receiver, got, 4);
}

static void send_mpsc(void)
{
    check_eq(weft_mpsc_try_send(mpsc_sender, &message), 0);
}

static void fill_mpsc(void)
{
    open_mpsc();
    send_mpsc();
}

static weft_future *send_to_a_full_mpsc(void)
{
    fill_mpsc();
    return weft_mpsc_send(&wait, mpsc_sender, &message);
}

static void receive_one(void)
{
    check_eq(weft_mpsc_try_receive(mpsc_receiver, got), 0);
}

static void close_mpsc(void)
{
    weft_mpsc_sender_close(mpsc_sender);
    weft_mpsc_receiver_close(mpsc_receiver);
}

static void clone_mpsc(void)
{
    weft_mpsc_sender_close(weft_mpsc_sender_clone(mpsc_sender));
}

static weft_future *reserve(void)
{
    fill_mpsc();
    permit = NULL;
    return weft_mpsc_reserve(&wait, mpsc_sender, &permit);
}

static weft_future *reserve_many(void)
{
    fill_mpsc();
    permit = NULL;
    return weft_mpsc_reserve_many(&wait, mpsc_sender, 1, &permit);
}

static void close_permit(void)
{
    weft_mpsc_permit_close(permit);
    close_mpsc();
}

static weft_future *await_the_receivers_end(void)
{
    open_mpsc();
    return weft_mpsc_closed(&wait, mpsc_sender);
}

static void stop_mpsc(void)
{
    weft_mpsc_receiver_stop(mpsc_receiver);
}

static weft_future *receive_mpmc(void)
{
    check_eq(weft_mpmc_open(sizeof(int), 1, &mpmc_sender, &mpmc_receiver), 0);
    return weft_mpmc_receive(&wait, mpmc_receiver, got);
}

static void send_mpmc(void)
{
    check_eq(weft_mpmc_try_send(mpmc_sender, &message), 0);
}

static weft_future *send_to_a_full_mpmc(void)
{
    check_eq(weft_mpmc_open(sizeof(int), 1, &mpmc_sender, &mpmc_receiver), 0);
    send_mpmc();
    return weft_mpmc_send(&wait, mpmc_sender, &message);
}

static void receive_one_of_mpmc(void)
{
    check_eq(weft_mpmc_try_receive(mpmc_receiver, got), 0);
}

static void close_mpmc(void)
{
    weft_mpmc_sender_close(mpmc_sender);
    weft_mpmc_receiver_close(mpmc_receiver);
}

static void clone_mpmc(void)
{
    weft_mpmc_sender_close(weft_mpmc_sender_clone(mpmc_sender));
    weft_mpmc_receiver_close(weft_mpmc_receiver_clone(mpmc_receiver));
}

static void open_broadcast(void)
{
    check_eq(weft_broadcast_open(sizeof(int), 1, &broadcast_sender, &broadcast_receiver), 0);
}

static weft_future *receive_broadcast(void)
{
    open_broadcast();
    return weft_broadcast_receive(&wait, broadcast_receiver, got);
}

static void send_broadcast(void)
{
    check_eq(weft_broadcast_send(broadcast_sender, &message), 0);
}

static void close_broadcast(void)
{
    weft_broadcast_sender_close(broadcast_sender);
    weft_broadcast_receiver_close(broadcast_receiver);
}

static void count_broadcast(void)
{
    weft_broadcast_sender_close(weft_broadcast_sender_clone(broadcast_sender));
    (void)!weft_broadcast_receiver_count(broadcast_sender);
}

static weft_future *await_the_last_of_broadcast(void)
{
    open_broadcast();
    return weft_broadcast_closed(&wait, broadcast_sender);
}

static void close_broadcast_receiver(void)
{
    weft_broadcast_receiver_close(broadcast_receiver);
    broadcast_receiver = NULL;
}

static void open_watch(void)
{
    check_eq(weft_watch_open(sizeof(int), &message, &watch_sender, &watch_receiver), 0);
}

static weft_future *await_a_change(void)
{
    open_watch();
    return weft_watch_changed(&wait, watch_receiver);
}

static void send_watch(void)
{
    check_eq(weft_watch_send(watch_sender, &message), 0);
}

static void close_watch(void)
{
    weft_watch_sender_close(watch_sender);
    weft_watch_receiver_close(watch_receiver);
}

static void peek_watch(void)
{
    int value;

    weft_watch_sender_peek(watch_sender, &value);
    (void)!weft_watch_receiver_count(watch_sender);
}

static weft_future *await_the_last_of_watch(void)
{
    open_watch();
    return weft_watch_closed(&wait, watch_sender);
}

static void close_watch_receiver(void)
{
    weft_watch_receiver_close(watch_receiver);
    watch_receiver = NULL;
}

/* ---- the rows ---- */

static const struct row rows[] = {
    {"mutex", lock_mutex, unlock_mutex, 0, unlock_mutex, unlock_mutex, try_mutex},
    {"semaphore", acquire, release, 0, NULL, NULL, count_permits},
    {"semaphore that closes", acquire, close_semaphore, -EPIPE, NULL, NULL, count_permits},
    {"reader", read_behind_a_writer, unlock_write, 0, NULL, NULL, try_rwlock},
    {"reader of a downgraded lock", read_behind_a_writer, downgrade, 0, NULL, NULL, try_rwlock},
    {"writer", write_behind_a_writer, unlock_write, 0, NULL, NULL, try_rwlock},
    {"event", await_event, set_event, 0, NULL, NULL, reset_event},
    {"notify one", await_notify, notify_one, 0, NULL, NULL, wait_for_notify_too},
    {"notify all", await_notify, notify_all, 0, NULL, NULL, wait_for_notify_too},
    {"condition", await_condition, signal_condition, 0, unlock_mutex, unlock_mutex, NULL},
    {"barrier", await_barrier, pass_barrier, 0, NULL, NULL, NULL},
    {"once", await_once, end_once, 0, NULL, NULL, ask_once},
    {"tracker", await_tracker, leave_tracker, 0, NULL, NULL, track_one_more},
    {"token", await_token, cancel_token, 0, end_token, end_token, wait_for_token_too},
    {"oneshot", receive_oneshot, send_oneshot, 0, close_oneshot, close_both_of_oneshot, NULL},
    {"oneshot, closed", await_the_oneshot_receivers_end, close_oneshot, 0, send_to_the_closed,
     close_both_of_oneshot, NULL},
    {"mpsc, receive", receive_mpsc, send_mpsc, 0, close_mpsc, close_mpsc, clone_mpsc},
    {"mpsc, receive many", receive_many, send_mpsc, 1, close_mpsc, close_mpsc, clone_mpsc},
    {"mpsc, send", send_to_a_full_mpsc, receive_one, 0, close_mpsc, close_mpsc, clone_mpsc},
    {"mpsc, reserve", reserve, receive_one, 0, close_permit, close_permit, clone_mpsc},
    {"mpsc, reserve many", reserve_many, receive_one, 0, close_permit, close_permit, clone_mpsc},
    {"mpsc, closed", await_the_receivers_end, stop_mpsc, 0, close_mpsc, close_mpsc, clone_mpsc},
    {"mpmc, receive", receive_mpmc, send_mpmc, 0, close_mpmc, close_mpmc, clone_mpmc},
    {"mpmc, send", send_to_a_full_mpmc, receive_one_of_mpmc, 0, close_mpmc, close_mpmc, clone_mpmc},
    {"broadcast, receive", receive_broadcast, send_broadcast, 0, close_broadcast, close_broadcast,
     count_broadcast},
    {"broadcast, closed", await_the_last_of_broadcast, close_broadcast_receiver, 0, close_broadcast,
     close_broadcast, count_broadcast},
    {"watch, changed", await_a_change, send_watch, 0, close_watch, close_watch, peek_watch},
    {"watch, closed", await_the_last_of_watch, close_watch_receiver, 0, close_watch, close_watch,
     peek_watch},
};
#define ROWS (sizeof rows / sizeof *rows)

static inline void call(void (*function)(void))
{
    if (function)
        function();
}

#endif
