/* test_scope_storm.c - nested scopes that fail, succeed and are cancelled at random, seeded */
#include "storm_runtimes.h"

#define ROUNDS 150
#define WIDE   4

/* A node runs a scope of its own in its frame. Its children borrow `inside`, which must be 0 when
 * the scope has ended. */
struct node {
    WEFT_FRAME;
    struct {
        int64_t *inside; /* of the node above */
        int64_t *total;
        uint32_t seed;
        int      depth;
    } in;
    struct weft_scope   scope;
    struct weft_timeout limit;
    struct weft_select  sel;
    struct weft_sleep   nap;
    struct counter      few;
    struct spawns {
        WEFT_FRAME;
        struct {
            struct node *node;
        } in;
        struct weft_sleep nap;
        int               i;
    } body;
    weft_member  member[WIDE];
    int64_t      inside;
    weft_future *future;
};
WEFT_DECLARE(node);

WEFT_ASYNC(spawns)
{
    struct node *node = self->in.node;

    WEFT_BEGIN();
    for (self->i = 0; self->i < WIDE; self->i++) {
        if (rnd(&node->in.seed) % 4 == 0)
            WEFT_YIELD();
        node = self->in.node;
        add(&node->inside, 1);
        if (weft_scope_spawn(&node->scope, &node->member[self->i], node, .inside = &node->inside,
                             .total = node->in.total, .seed = rnd(&node->in.seed),
                             .depth = node->in.depth - 1) < 0)
            add(&node->inside, -1);
    }
    node = self->in.node;
    if (rnd(&node->in.seed) % 8 == 0)
        WEFT_WAIT(weft_sleep(&self->nap, WEFT_FOREVER));
    node = self->in.node;
    WEFT_END(rnd(&node->in.seed) % 8 == 0 ? -EIO : 0);
}

/* Some scopes have a limit, and some lose a select. */
static weft_future *limited(struct node *self)
{
    weft_future *scope = weft_scope(&self->scope, (weft_scope_policy)(rnd(&self->in.seed) % 3),
                                    weft_async(spawns, &self->body, .node = self));

    switch (rnd(&self->in.seed) % 4) {
    case 0:
        return weft_select(&self->sel, scope, counter(&self->few, (int)(rnd(&self->in.seed) % 20)));
    case 1:
        return weft_timeout(&self->limit, scope, WEFT_US(rnd(&self->in.seed) % 300));
    default:
        /* A body may sleep for ever. */
        return weft_timeout(&self->limit, scope, WEFT_MS(2));
    }
}

static void leaves(struct node *self)
{
    add(self->in.total, 1);
    add(self->in.inside, -1); /* the last touch of what is borrowed */
}

WEFT_ASYNC(node)
{
    int64_t n;

    WEFT_BEGIN();
    self->inside = 0;
    if (self->in.depth > 0) {
        WEFT_AWAIT(n, limited(self));
        check_eq(get(&self->inside), 0);
    } else if (rnd(&self->in.seed) % 2) {
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_US(rnd(&self->in.seed) % 100)));
    } else {
        n = 0;
    }
    leaves(self);
    WEFT_END(rnd(&self->in.seed) % 4 == 0 ? -EIO : n);
}

static void storm(weft_runtime *const *rt, int n_rt)
{
    int64_t total = 0;

    for (uint32_t seed = 1; seed <= ROUNDS; seed++) {
        int64_t     inside = n_rt;
        weft_handle handle[2];

        for (int i = 0; i < n_rt; i++)
            check_eq(weft_spawn_on(rt[i], &handle[i], node, .inside = &inside, .total = &total,
                                   .seed = seed * 2 + (uint32_t)i, .depth = 3),
                     0);
        if (seed % 3 == 0)
            weft_cancel(&handle[0]);
        for (int i = 0; i < n_rt; i++)
            (void)join(rt[i], &handle[i]);
        check_eq(inside, 0);
    }
    check(total > 10 * ROUNDS);
}

STORM_CASES(scope_storm, storm)

/* A stop cancels the tasks while their scopes run. */
Test(scope_storm, at_stop, .timeout = 120)
{
    for (uint32_t seed = 1; seed <= 40; seed++) {
        weft_runtime *rt = start(2);
        int64_t       inside = 4, total = 0;

        for (uint32_t i = 0; i < 4; i++)
            check_eq(weft_spawn_on(rt, NULL, node, .inside = &inside, .total = &total,
                                   .seed = seed * 4 + i, .depth = 3),
                     0);
        spin_until(&total, seed % 8);
        stop(rt);
        check_eq(inside, 0);
    }
}
