/*
 * kept.h - everything that a wait can be granted, for tests that go through all of it
 *
 * There is one object of each kind, which all cases of a file use in turn.
 */
#ifndef KEPT_H
#define KEPT_H

#include "crew.h"

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

static inline weft_future *want(enum kind kind, struct want *w)
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

#endif
