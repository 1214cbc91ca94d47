/*
 * mixture_operations.h - all operations of a mixture, one table row a kind
 */
#ifndef MIXTURE_OPERATIONS_H
#define MIXTURE_OPERATIONS_H

#include "mixture_channels.h"
#include "mixture_locks.h"

/* ---- events ---- */

static bool begin_event(operation *o, actor *a, uint32_t r)
{
    (void)a;
    (void)r;
    o->future = weft_event_wait(&o->wait, &world.event);
    return true;
}

static bool begin_notify(operation *o, actor *a, uint32_t r)
{
    (void)a;
    (void)r;
    o->future = weft_notify_wait(&o->wait, &world.notify);
    o->resolves = false;
    return true;
}

static bool begin_token(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->future = weft_token_cancelled(&o->wait, &world.token[r % TOKENS]);
    o->resolves = false;
    return true;
}

static void end_event(operation *o, actor *a, int64_t n, uint32_t r)
{
    (void)o;
    (void)a;
    (void)r;
    check_granted(n);
}

static bool begin_barrier(operation *o, actor *a, uint32_t r)
{
    (void)a;
    (void)r;
    o->future = weft_barrier_wait(&o->wait, &world.barrier);
    o->resolves = false;
    return true;
}

static void end_barrier(operation *o, actor *a, int64_t n, uint32_t r)
{
    (void)o;
    (void)a;
    (void)r;
    MCHECK(n == 0 || n == 1 || n == -ECANCELED);
    world.n_passed += n >= 0;
    world.n_leaders += n == 1;
}

static bool begin_promise(operation *o, actor *a, uint32_t r)
{
    (void)a;
    o->i = (int)(r % PROMISES);
    o->future = weft_promise_get(&o->wait, &world.promise[o->i]);
    return true;
}

static void end_promise(operation *o, actor *a, int64_t n, uint32_t r)
{
    (void)a;
    (void)r;
    MCHECK(n == o->i + 1 || n == -ECANCELED);
}

/* ---- a queue of messages, by a mutex and two conditions ---- */

static void leave_queue(void)
{
    leave(&world.in_queue);
    weft_mutex_unlock(&world.queue_lock);
}

/* Puts a message, or takes one. The caller holds the lock. False: it has to wait for that. */
static bool use_queue(int way)
{
    uint32_t n = world.n_queued - world.n_taken;

    MCHECK(n <= ROOM);
    if (way == 1 && n < ROOM) {
        world.queue[world.n_queued++ % ROOM] = offer(0, 1);
        weft_condition_signal(&world.has_items);
    } else if (way == 2 && n > 0) {
        take(&world.queue[world.n_taken++ % ROOM]);
        weft_condition_signal(&world.has_room);
    } else if (!world.queue_closed) {
        return false;
    }
    return true;
}

static void go_on(actor *a, int way)
{
    enter(&world.in_queue);
    if (use_queue(way) || !a) {
        leave_queue();
    } else {
        leave(&world.in_queue); /* the wait unlocks */
        a->waits = way;
    }
}

static bool begin_queue(operation *o, actor *a, uint32_t r)
{
    o->n = a->way ? (uint32_t)a->way : 1 + r % 2;
    o->future = weft_mutex_lock(&o->wait, &world.queue_lock);
    return true;
}

static void end_queue(operation *o, actor *a, int64_t n, uint32_t r)
{
    (void)r;
    check_granted(n);
    if (n == 0)
        go_on(a, (int)o->n);
}

static bool begin_condition(operation *o, actor *a, uint32_t r)
{
    weft_condition *c = a->waits == 1 ? &world.has_room : &world.has_items;

    (void)r;
    o->n = (uint32_t)a->waits;
    o->future = weft_condition_wait(&o->wait, c, &world.queue_lock);
    o->resolves = a->way == a->waits;
    a->waits = 0;
    return true;
}

/* The mutex is held, whatever the result is. A wait that was cancelled has used up no signal, so
 * its owner need not look at the queue. */
static void end_condition(operation *o, actor *a, int64_t n, uint32_t r)
{
    (void)r;
    check_granted(n);
    if (n == 0) {
        go_on(a, (int)o->n);
    } else {
        enter(&world.in_queue);
        leave_queue();
    }
}

/* ---- all of them ---- */

enum {
    PLACE_RANK = 1,
    MUTEX_RANK = 2,
    RWLOCK_RANK = 4,
    PERMIT_RANK = 6,
    ONCE_RANK = 8,
    QUEUE_RANK
};

static const kind kinds[] = {
    {"mutex", begin_mutex, end_mutex, MUTEX_RANK},
    {"read", begin_read, end_read, RWLOCK_RANK},
    {"write", begin_write, end_write, RWLOCK_RANK},
    {"permits", begin_permits, end_permits, PERMIT_RANK},
    {"once", begin_once, end_once, ONCE_RANK},
    {"mpsc send", begin_mpsc_send, end_send, 0},
    {"mpmc send", begin_mpmc_send, end_send, 0},
    {"reserve", begin_reserve, end_reserve, PLACE_RANK},
    {"mpsc receive", begin_mpsc_receive, end_receive, 0},
    {"mpmc receive", begin_mpmc_receive, end_receive, 0},
    {"oneshot", begin_oneshot, end_oneshot, 0},
    {"change", begin_change, end_change, 0},
    {"event", begin_event, end_event, 0},
    {"notify", begin_notify, end_event, 0},
    {"token", begin_token, end_event, 0},
    {"barrier", begin_barrier, end_barrier, 0},
    {"promise", begin_promise, end_promise, 0},
    {"queue", begin_queue, end_queue, QUEUE_RANK},
};
static const kind condition_kind = {"condition", begin_condition, end_condition, QUEUE_RANK};
#define KINDS ((uint32_t)(sizeof kinds / sizeof *kinds))

static const kind *kind_named(const char *name)
{
    for (uint32_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    test_fail(__FILE__, __LINE__, "no operation %s", name);
}

/* Returns an operation that has not begun, or NULL. */
static operation *operation_of(const kind *k, actor *a, uint32_t r)
{
    operation *o = zeroed(sizeof *o);

    o->kind = k;
    o->resolves = true;
    if (k->begin(o, a, r))
        return o;
    free(o);
    return NULL;
}

/* The operation is READY, or was never polled. */
static void operation_end(operation *o, actor *a, uint32_t r)
{
    bool    began = weft_future_is_ready(o->future);
    int64_t n = began ? weft_future_result(o->future) : -ECANCELED;

    MCHECK(!weft_future_is_pending(o->future));
    o->kind->end(o, a, n, r);
    if (o->bag)
        bag_put(o->bag, o->end);
    free(o);
    world.n_steps++;
}

#endif
