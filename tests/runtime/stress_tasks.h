/*
 * stress_tasks.h - the actions of the tasks of a storm
 */
#ifndef STRESS_TASKS_H
#define STRESS_TASKS_H

#include "stress_leaves.h"

/* ---- what a big task does, one act after the other ---- */

struct pauses {
    WEFT_FRAME;
    struct {
        uint64_t random;
    } in;
    struct counter    counter;
    struct delivery   delivery;
    struct weft_sleep nap;
    int               n;
};
WEFT_ASYNC(pauses)
{
    int64_t n;

    WEFT_BEGIN();
    if (one_in(&self->in.random, 3)) {
        for (self->n = (int)(chance(&self->in.random) % 4); self->n > 0; self->n--)
            WEFT_YIELD();
    } else if (one_in(&self->in.random, 4)) {
        WEFT_AWAIT(n, weft_sleep(&self->nap, (int64_t)(chance(&self->in.random) % WEFT_MS(2))));
        check(n == 0 || WEFT_CANCELLED());
    } else if (one_in(&self->in.random, 2)) {
        WEFT_AWAIT(n, counter(&self->counter, (int)(chance(&self->in.random) % 4)));
        check(n >= 0 || WEFT_CANCELLED());
    } else {
        WEFT_AWAIT(n, delivery(&self->delivery));
        check(n == 0 || n == -EAGAIN || WEFT_CANCELLED());
    }
    WEFT_END(0);
}

static void counts_deferred(void *arg)
{
    (void)arg;
    add(&storm.n_deferred, 1);
}

/* Calls itself down the array, and may panic at the bottom. */
struct nests {
    WEFT_FRAME;
    struct {
        int64_t       depth, panics; /* the number of the task that is to panic, or -1 */
        struct nests *rest;
    } in;
    weft_deferred  deferred;
    struct counter counter;
};
WEFT_ASYNC(nests)
{
    int64_t n;

    WEFT_BEGIN();
    add(&storm.n_defers, 1);
    weft_defer(&self->deferred, counts_deferred, NULL);
    WEFT_AWAIT(n, counter(&self->counter, (int)self->in.depth % 2));
    if (self->in.depth > 0) {
        WEFT_CALL(n, nests, self->in.rest, self->in.depth - 1, self->in.panics, self->in.rest + 1);
    } else if (self->in.panics >= 0 && !WEFT_CANCELLED()) {
        answers(self->in.panics, -EOWNERDEAD);
        weft_panic("at the bottom");
    }
    WEFT_END(n);
}

struct hears_one {
    WEFT_FRAME;
    struct {
        uint64_t random;
    } in;
    weft_oneshot_receiver *from;
    weft_wait              message;
    int64_t                id, got;
};
WEFT_ASYNC(hears_one)
{
    weft_oneshot_sender *to;
    int64_t              n;

    WEFT_BEGIN();
    if ((self->id = new_id()) < 0)
        WEFT_RETURN(0);
    check_eq(weft_oneshot_open(sizeof(int64_t), &to, &self->from), 0);
    if (!spawned(self->id, weft_spawn(NULL, tells_one, self->id, to)))
        weft_oneshot_sender_close(to);
    WEFT_AWAIT(n, weft_oneshot_receive(&self->message, self->from, &self->got));
    if (n == 0)
        check_eq(self->got, self->id);
    else
        check(n == WEFT_EOF ? self->id % 4 == 0 || get(&storm.stopping) : WEFT_CANCELLED());
    weft_oneshot_receiver_close(self->from);
    WEFT_END(0);
}

struct hears_many {
    WEFT_FRAME;
    struct {
        uint64_t random;
    } in;
    weft_mpsc_receiver *from;
    weft_wait           message;
    int64_t             sum, got;
};
WEFT_ASYNC(hears_many)
{
    weft_mpsc_sender *to, *own;
    int64_t           n, id;

    WEFT_BEGIN();
    self->sum = 0;
    check_eq(weft_mpsc_open(sizeof(int64_t), 1 + chance(&self->in.random) % 4, &to, &self->from),
             0);
    for (uint64_t i = 0; i < 1 + self->in.random % 3 && (id = new_id()) >= 0; i++) {
        n = 1 + (int64_t)(chance(&self->in.random) % 30);
        own = weft_mpsc_sender_clone(to);
        if (spawned(id, weft_spawn(NULL, tells_many, id, own, n)))
            self->sum += n * (n + 1) / 2;
        else
            weft_mpsc_sender_close(own);
    }
    weft_mpsc_sender_close(to);
    do {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->message, self->from, &self->got));
        self->sum -= n == 0 ? self->got : 0;
    } while (n == 0);
    check(n == WEFT_EOF ? self->sum == 0 || get(&storm.stopping) : WEFT_CANCELLED());
    weft_mpsc_receiver_close(self->from);
    WEFT_END(0);
}

/* ---- joining ---- */

#define CHILDREN 4

/* Joins one child in some way, or all; a handle that is still open afterwards stays in its
 * place. */
struct joins {
    WEFT_FRAME;
    struct {
        uint64_t      random;
        struct child *child; /* CHILDREN of them; the first is meant */
    } in;
    union any_group     group;
    weft_branch         branch[CHILDREN];
    struct child       *joined[CHILDREN];
    struct weft_timeout limit;
    struct weft_sleep   nap;
    uint32_t            n;
};
WEFT_ASYNC(joins)
{
    struct child *c = self->in.child;
    int64_t       n;

    WEFT_BEGIN();
    if (c->id < 0)
        WEFT_RETURN(0);
    if (one_in(&self->in.random, 4))
        ask_to_end(c);
    if (one_in(&self->in.random, 3)) {
        WEFT_AWAIT(n, weft_select(&self->group.select, weft_join(&self->in.child->handle),
                                  weft_sleep(&self->nap, (int64_t)(self->in.random % 300000))));
        n = self->in.child->handle.future_.result;
    } else if (one_in(&self->in.random, 3)) {
        WEFT_AWAIT(n, weft_timeout(&self->limit, weft_join(&self->in.child->handle),
                                   (int64_t)(self->in.random % 300000)));
    } else if (one_in(&self->in.random, 3)) {
        self->n = 0;
        for (int i = 0; i < CHILDREN; i++)
            if (c[i].id >= 0) {
                self->joined[self->n] = &c[i];
                self->branch[self->n++].future = weft_join(&c[i].handle);
            }
        if (self->in.random & 1)
            WEFT_AWAIT(n, weft_join_all_array(&self->group.join_all, self->branch, self->n));
        else
            WEFT_AWAIT(n, weft_try_join_array(&self->group.try_join, self->branch, self->n));
        for (uint32_t i = 1; i < self->n; i++)
            if (weft_handle_is_empty(&self->joined[i]->handle))
                heard(self->joined[i], self->branch[i].future->result);
        n = self->joined[0]->handle.future_.result;
    } else {
        WEFT_AWAIT(n, weft_join(&self->in.child->handle));
    }
    if (weft_handle_is_empty(&self->in.child->handle))
        heard(self->in.child, n);
    else
        check(n == -ECANCELED || n == -ETIMEDOUT || WEFT_CANCELLED());
    WEFT_END(0);
}

/* ---- the big task ---- */

struct works {
    WEFT_FRAME;
    struct {
        int64_t id;
    } in;
    uint64_t      random;
    int64_t       n_steps;
    struct child  child[CHILDREN];
    weft_deferred end, tidy;
    union {
        struct pauses     pauses;
        struct nests      nests[6];
        struct hears_one  hears_one;
        struct hears_many hears_many;
        struct joins      joins;
    } act;
};
WEFT_DECLARE(works);

/* A cancelled task starts, but the functions that it calls don't. */
static void never_began(int64_t id)
{
    if (note(id, 0) & BEGUN)
        return;
    begins(id);
    answers(id, -ECANCELED);
    add(&storm.n_defers, 1);
    ends((void *)(intptr_t)id);
}

/* The same with more bytes in its frame, which must keep their values. */
#define WORKS_OF(name, bytes)                                                                      \
    struct name {                                                                                  \
        WEFT_FRAME;                                                                                \
        struct {                                                                                   \
            int64_t id;                                                                            \
        } in;                                                                                      \
        unsigned char pad[bytes];                                                                  \
        struct works  works;                                                                       \
    };                                                                                             \
    WEFT_ASYNC(name)                                                                               \
    {                                                                                              \
        int64_t n;                                                                                 \
                                                                                                   \
        WEFT_BEGIN();                                                                              \
        memset(self->pad, (int)self->in.id, bytes);                                                \
        WEFT_CALL(n, works, &self->works, self->in.id);                                            \
        if (n == -ECANCELED)                                                                       \
            never_began(self->in.id);                                                              \
        for (size_t i = 0; i < (bytes); i += 97)                                                   \
            check_eq(self->pad[i], (unsigned char)self->in.id);                                    \
        WEFT_END(n);                                                                               \
    }
WORKS_OF(works_300, 300)
WORKS_OF(works_5k, 5000)
WORKS_OF(works_12k, 12000)
WORKS_OF(works_100k, 100000)

/* One more task, in some way; `rt` NULL: on the caller's. */
static bool spawn_one(weft_runtime *rt, weft_handle *handle, int64_t id)
{
    uint64_t random = seed_of(id) ^ 0x5555555555555555;
    uint32_t worker = (uint32_t)chance(&random) % weft_runtime_workers(storm.rt);
    int      r;

    switch (chance(&random) % 64) {
    case 0:
        r = weft_spawn_on(rt, handle, works_100k, id);
        break;
    case 1:
        r = weft_spawn_on(rt, handle, works_12k, id);
        break;
    case 2 ... 5:
        r = weft_spawn_on(rt, handle, works_5k, id);
        break;
    case 6 ... 10:
        r = weft_spawn_bound(rt, handle, worker, works, id);
        break;
    case 11 ... 15:
        r = weft_spawn_named(rt, handle, "a name of its own", works_300, id);
        break;
    case 16 ... 40:
        r = weft_spawn_on(rt, handle, tiny, id);
        break;
    default:
        r = weft_spawn_on(rt, handle, works, id);
    }
    return spawned(id, r);
}

static void gives_up_children(void *arg)
{
    struct child *c = arg;

    for (int i = 0; i < CHILDREN; i++)
        give_up(&c[i]);
    add(&storm.n_deferred, 1);
}

/* A handle may move while no task joins it. */
static void to_front(struct works *self, struct child *c)
{
    struct child first = self->child[0];

    self->child[0] = *c;
    *c = first;
}

/* A new child, another's, or away with one. */
static void handles(struct works *self, struct child *c)
{
    if (c->id < 0 && one_in(&self->random, 6)) {
        market_take(c, self->in.id);
    } else if (c->id < 0) {
        if ((c->id = new_id()) >= 0 && !spawn_one(NULL, &c->handle, c->id))
            c->id = -1;
    } else if (one_in(&self->random, 3)) {
        market_put(c);
    } else if (one_in(&self->random, 3)) {
        ask_to_end(c);
    } else if (one_in(&self->random, 3)) {
        give_up(c);
    }
}

WEFT_ASYNC(works)
{
    struct child *c;
    int64_t       n, id;

    WEFT_BEGIN();
    begins(self->in.id);
    self->random = seed_of(self->in.id);
    for (int i = 0; i < CHILDREN; i++)
        self->child[i].id = -1;
    add(&storm.n_defers, 2);
    weft_defer(&self->end, ends, (void *)(intptr_t)self->in.id);
    weft_defer(&self->tidy, gives_up_children, self->child);
    for (self->n_steps = 1 + (int64_t)(chance(&self->random) % 8); self->n_steps > 0;
         self->n_steps--) {
        add(&storm.n_steps, 1);
        c = &self->child[chance(&self->random) % CHILDREN];
        if (one_in(&self->random, 3)) {
            handles(self, c);
        } else if (one_in(&self->random, 3)) {
            to_front(self, c);
            WEFT_CALL(n, joins, &self->act.joins, chance(&self->random), self->child);
        } else if (one_in(&self->random, 3)) {
            WEFT_CALL(n, pauses, &self->act.pauses, chance(&self->random));
        } else if (one_in(&self->random, 3)) {
            WEFT_CALL(n, hears_one, &self->act.hears_one, chance(&self->random));
        } else if (one_in(&self->random, 3)) {
            WEFT_CALL(n, hears_many, &self->act.hears_many, chance(&self->random));
        } else if (one_in(&self->random, 2)) {
            id = one_in(&self->random, 8) ? self->in.id : -1;
            WEFT_CALL(n, nests, self->act.nests, (int64_t)(chance(&self->random) % 5), id,
                      self->act.nests + 1);
        } else if ((id = new_id()) >= 0) {
            spawn_one(NULL, NULL, id);
        }
        (void)n;
    }
    WEFT_END(answers(self->in.id, WEFT_CANCELLED() ? -ECANCELED : self->in.id));
}

#endif
