/*
 * mixture_steps.h - one step of an actor: an operation, and the ways in which it is awaited
 *
 * An operation is awaited as it is, or cancelled after some polls or some time, by a token, or
 * because another one was faster. It is awaited by a fiber of its own, or kept by a select. Or it
 * is polled and then left pending, to be found by an actor of another runtime.
 */
#ifndef MIXTURE_STEPS_H
#define MIXTURE_STEPS_H

#include "mixture_operations.h"

/* Polls an operation `n_left` times. If it is pending then, it is left so. */
struct relay {
    weft_future future;
    operation  *o;
    uint32_t    n_left;
};

static weft_poll relay_poll(weft_future *future, weft_context *cx)
{
    struct relay *self = weft_container(future, struct relay, future);

    if (weft_poll_is_ready(weft_future_poll(self->o->future, cx)) || self->n_left-- == 0 ||
        weft_future_is_cancelled(future))
        return weft_ready(future, 0);
    weft_waker_wake_by_ref(weft_context_waker(cx));
    return WEFT_PENDING;
}

static void relay_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *relay(struct relay *self, operation *o, uint32_t n)
{
    static const weft_future_ops ops = {sizeof *self, WEFT_FUTURE_WITHDRAWS, "relay", relay_poll,
                                        relay_cancel};

    *self = (struct relay){.o = o, .n_left = n};
    weft_future_init(&self->future, &ops);
    return &self->future;
}

/* Lets a future lose selects that keep it, and ends it. */
struct keeper {
    WEFT_FRAME;
    struct {
        weft_future *future;
        uint32_t     r;
        bool         resolves;
    } in;
    struct weft_select select;
    struct counter     turns;
    struct weft_sleep  nap;
    weft_future       *other;
};
WEFT_ASYNC(keeper)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.r % 8 != 0; self->in.r /= 3) {
        self->other = self->in.r & 1 ? counter(&self->turns, (int)(self->in.r % 5))
                                     : weft_sleep(&self->nap, self->in.r % WEFT_US(200));
        WEFT_AWAIT(n, weft_select(&self->select, weft_keep(self->in.future), self->other));
        if (n <= 0)
            break;
        WEFT_YIELD();
    }
    if (self->in.resolves && weft_future_is_pending(self->in.future))
        WEFT_WAIT(self->in.future);
    WEFT_CANCEL(self->in.future);
    WEFT_END(0);
}

static int64_t awaits(void *future)
{
    return weft_await(future);
}

typedef enum way {
    PLAIN,
    LIMIT_0,
    LIMIT_1,
    TURNS,
    TURNS_FIRST,
    NAP,
    TOKEN,
    RACE,
    BOTH,
    LOCAL,
    SHIELD,
    KEEP,
    FIBER,
    HAND_ON,
    WAYS
} way;

/* The styles of actors. A plain thread may have no runtime, and then has no time limits. */
enum { TASK, FIBER_STYLE, THREAD, BARE_THREAD };

typedef struct step {
    operation                   *o, *other;
    way                          way;
    bool                         resolves, is_orphan;
    weft_token                   token;
    struct weft_token_run        run;
    struct weft_timeout          limit, second_limit;
    struct weft_select           select;
    struct weft_join_all         all;
    struct weft_sleep            nap;
    struct counter               turns;
    struct weft_task_local_scope local;
    struct weft_shield           shield;
    struct weft_fiber_call       call;
    struct keeper                keeper;
    struct relay                 relay;
} step;

static weft_task_local mixture_key;

/* Where a way is not possible, the operation has a limit of 1 ms. */
static way choose_way(const step *s, const actor *a, uint32_t r)
{
    way  w = (way)(r % WAYS);
    bool stays = s->is_orphan || a->only || s->o->kind == &condition_kind;

    if (a->style == BARE_THREAD)
        return s->resolves ? PLAIN : r & 1 ? TURNS : TURNS_FIRST;
    if ((w == PLAIN && !s->resolves) || ((w == RACE || w == BOTH) && !s->other) ||
        ((w == FIBER || w == KEEP || w == HAND_ON) && stays) ||
        (w == FIBER && a->style == THREAD) || (w == HAND_ON && a->n_holds > 0))
        return LIMIT_1;
    return w;
}

/* Makes the future that the actor awaits. */
static weft_future *wrapped(step *s, uint32_t r)
{
    weft_future *f = s->o->future, *limited = f;

    if (!s->resolves && s->way != BOTH && s->way != SHIELD)
        limited = s->way >= TOKEN && s->way != HAND_ON && s->way != KEEP
                      ? weft_timeout(&s->limit, f, WEFT_MS(1))
                      : f;
    switch (s->way) {
    case LIMIT_0:
        return weft_timeout(&s->limit, f, 0);
    case LIMIT_1:
        return weft_timeout(&s->limit, f, WEFT_MS(1));
    case TURNS:
        return weft_select(&s->select, f, counter(&s->turns, (int)(r % 10)));
    case TURNS_FIRST:
        return weft_select_biased(&s->select, counter(&s->turns, (int)(r % 3)), f);
    case NAP:
        return weft_select(&s->select, f, weft_sleep(&s->nap, r % WEFT_US(200)));
    case TOKEN:
        weft_token_begin(&s->token, &world.token[r % TOKENS]);
        return weft_token_run(&s->run, &s->token, limited);
    case RACE:
        return weft_select(&s->select, limited, s->other->future);
    case BOTH:
        return weft_join_all(&s->all, weft_timeout(&s->limit, f, WEFT_MS(r & 1)),
                             weft_timeout(&s->second_limit, s->other->future, r % WEFT_MS(1)));
    case LOCAL:
        return weft_task_local_scope(&s->local, &mixture_key, s, limited);
    case SHIELD:
        f = weft_timeout(&s->limit, f, r % WEFT_MS(1));
        return weft_shield(&s->shield, f, WEFT_MS(r / 1024 % 2));
    case KEEP:
        return weft_async(keeper, &s->keeper, .future = f, .r = r, .resolves = s->resolves);
    case FIBER:
        return weft_fiber_call(&s->call, awaits, limited);
    case HAND_ON:
        return relay(&s->relay, s->o, r % 3);
    default:
        return f;
    }
}

/* ---- what needs no wait ---- */

static bool count_up(void *value, void *arg)
{
    uint32_t *n = value;

    (void)arg;
    n[0]++;
    n[1] = ~n[0];
    return true;
}

static void send_one(channel *c, bool to_mpsc, uint32_t r)
{
    end    *e = bag_get(&c->senders, r);
    message m;
    int     n;

    if (!e)
        return;
    m = offer(e->id, ++e->number);
    n = to_mpsc ? weft_mpsc_try_send(e->of, &m) : weft_mpmc_try_send(e->of, &m);
    MCHECK(n == 0 || n == -EAGAIN);
    settle_send(c, &m, n);
    bag_put(&c->senders, e);
}

static void receive_one(channel *c, bool from_mpsc, uint32_t r)
{
    end    *e = bag_get(&c->receivers, r);
    message m;
    int     n;

    if (!e)
        return;
    n = from_mpsc ? weft_mpsc_try_receive(e->of, &m) : weft_mpmc_try_receive(e->of, &m);
    MCHECK(n == 0 || n == -EAGAIN || n == WEFT_EOF);
    if (n == 0)
        receive(c, e, &m);
    bag_put(&c->receivers, e);
}

/* One sender more, also by way of a weak one, or one less. One is left in any case. */
static void change_senders(uint32_t r)
{
    channel        *c = &world.mpsc[r % CHANNELS];
    end            *e = bag_get(&c->senders, r / 8);
    weft_mpsc_weak *weak;

    if (!e)
        return;
    if (r / 256 % 2) {
        weak = weft_mpsc_downgrade(e->of);
        bag_put(&c->senders, sender_of(weft_mpsc_upgrade(weak)));
        weft_mpsc_weak_close(weak);
    } else {
        bag_drop_one(&c->senders, r / 16);
    }
    bag_put(&c->senders, e);
}

static void change_receivers(uint32_t r)
{
    channel *c = &world.mpmc[r % CHANNELS];
    end     *e = bag_get(&c->receivers, r / 8);

    if (!e)
        return;
    if (r / 256 % 2)
        bag_put(&c->receivers, receiver_of(weft_mpmc_receiver_clone(e->of)));
    else
        bag_drop_one(&c->receivers, r / 16);
    bag_put(&c->receivers, e);
}

static void answer_oneshot(uint32_t r)
{
    end    *e = bag_get(&world.oneshots, r);
    message m;

    if (!e)
        return;
    if (r / 256 % 4 == 0) {
        weft_oneshot_sender_close(e->of);
    } else {
        m = offer(0, 1);
        if (weft_oneshot_send(e->of, &m) < 0)
            refuse(&m);
    }
    end_free(e);
}

static void change_watched(uint32_t r)
{
    end     *e = bag_get(&world.watched, r);
    uint32_t value[2];

    if (!e)
        return;
    MCHECK(weft_watch_send_if_modified(e->of, count_up, NULL, value) == 1);
    world.n_changes++;
    bag_put(&world.watched, e);
}

static void try_locks(uint32_t r)
{
    hold h = {.i = (int)(r % LOCKS), .n = 1};

    if (weft_mutex_try_lock(&world.mutex[h.i]) == 0) {
        enter(&world.in_mutex[h.i]);
        release_mutex(&h, r);
    }
    if (weft_rwlock_try_write(&world.rwlock[h.i]) == 0) {
        enter(&world.writers[h.i]);
        release_writer(&h, r);
    }
    if (weft_semaphore_try_acquire(&world.semaphore[h.i], 1) == 0) {
        MCHECK(++world.permits_out[h.i] <= PERMITS);
        release_permits(&h, r);
    }
}

static void do_at_once(uint32_t r)
{
    uint32_t next = r / 16;

    switch (r % 10) {
    case 0:
        send_one(&world.mpsc[next % CHANNELS], true, next / CHANNELS);
        break;
    case 1:
        send_one(&world.mpmc[next % CHANNELS], false, next / CHANNELS);
        break;
    case 2:
        receive_one(&world.mpsc[next % CHANNELS], true, next / CHANNELS);
        break;
    case 3:
        receive_one(&world.mpmc[next % CHANNELS], false, next / CHANNELS);
        break;
    case 4:
        change_senders(next);
        break;
    case 5:
        change_receivers(next);
        break;
    case 6:
        answer_oneshot(next);
        break;
    case 7:
        change_watched(next);
        break;
    case 8:
        try_locks(next);
        break;
    default:
        weft_notify_one(&world.notify);
        if (!world.closing)
            weft_event_reset(&world.event);
        weft_event_set(&world.event);
    }
    world.n_steps++;
}

/* ---- a step ---- */

/* What the actor awaits next, or NULL. */
static operation *next_operation(actor *a, bool *ret_is_orphan)
{
    uint32_t   r = rnd(&a->seed);
    operation *o = NULL;

    if (a->waits)
        return operation_of(&condition_kind, a, r);
    if (a->only)
        return operation_of(a->only, a, r);
    if (r % 8 == 0)
        o = orphan_get(r / 8);
    *ret_is_orphan = o != NULL;
    return o ? o : operation_of(&kinds[r / 8 % KINDS], a, rnd(&a->seed));
}

/* A step that gives up a hold, or does something else that needs no wait. False: it is another. */
static bool does_not_wait(actor *a, uint32_t r)
{
    hold h, *held;

    if (a->n_holds > 0 && r % 4 != 0) {
        held = &a->holds[r / 4 % (uint32_t)a->n_holds];
        h = *held;
        *held = a->holds[--a->n_holds];
        h.release(&h, r / 32);
        return true;
    }
    if (r / 32 % 4 == 0)
        do_at_once(rnd(&a->seed));
    return r / 32 % 4 == 0;
}

/* Begins a step. Returns what the actor is to await, or NULL if the step is over. */
static weft_future *step_begin(actor *a, step **ret_step)
{
    bool       is_orphan = false;
    uint32_t   r = rnd(&a->seed);
    operation *o;
    step      *s;

    if (!a->waits && !a->only && does_not_wait(a, r))
        return NULL;
    o = next_operation(a, &is_orphan);
    if (!o)
        return NULL;
    *ret_step = s = zeroed(sizeof *s);
    s->o = o;
    s->is_orphan = is_orphan;
    s->resolves = o->resolves && !is_orphan && (a->n_holds == 0 || o->kind->rank > rank_of(a));
    if (r / 128 % 8 == 0 && a->n_holds == 0 && !a->only && o->kind != &condition_kind)
        s->other = operation_of(&kinds[r / 1024 % (KINDS - 1)], a, rnd(&a->seed));
    s->way = choose_way(s, a, rnd(&a->seed));
    return wrapped(s, rnd(&a->seed));
}

/* What the step has awaited is READY. */
static void step_end(actor *a, step *s)
{
    if (s->way == TOKEN)
        weft_token_end(&s->token);
    if (s->other)
        operation_end(s->other, a, rnd(&a->seed));
    if (s->way == HAND_ON && weft_future_is_pending(s->o->future))
        while (!orphan_put(s->o))
            sched_yield(); /* the adopters take them */
    else
        operation_end(s->o, a, rnd(&a->seed));
    free(s);
}

static void actor_end(actor *a)
{
    while (a->n_holds > 0) {
        a->n_holds--;
        a->holds[a->n_holds].release(&a->holds[a->n_holds], rnd(&a->seed));
    }
    if (a->waits) { /* it holds the lock */
        enter(&world.in_queue);
        leave_queue();
    }
    if (a->drains) {
        a->drains->receivers.close(a->drain->of);
        end_free(a->drain);
    }
    free(a);
    weft_tracker_leave(&world.actors);
}

/* Whether the actor goes on. Those that others rely on go on until these have ended. */
static bool goes_on(actor *a, bool cancelled)
{
    if (a->drains)
        return !a->ended;
    if (a->only)
        return !world.queue_closed;
    return !world.closing && !cancelled && a->steps-- > 0;
}

#endif
