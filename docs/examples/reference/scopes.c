/*
 * scopes.c - child tasks that borrow the frame around their scope
 */
#include "expect.h"

#define PARTS 4

/* A part of the work. Its task writes into the frame of `whole`, which can't end before it. */
struct part {
    weft_member member;
    int64_t     sum;
};

struct adds_up {
    WEFT_FRAME;
    struct {
        struct part *part;
        int          from;
        bool         fails;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(adds_up)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.fails)
        WEFT_RETURN(-EIO);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1))); /* stands for the work */
    if (n < 0)
        WEFT_RETURN(n);
    for (int i = self->in.from; i < self->in.from + 10; i++)
        self->in.part->sum += i;
    WEFT_END(0);
}

/* The body: it spawns the parts, and may do work of its own meanwhile. */
struct spawns_parts {
    WEFT_FRAME;
    struct {
        struct weft_scope *scope;
        struct part       *parts;
        bool               last_fails;
    } in;
};
WEFT_ASYNC(spawns_parts)
{
    struct part *parts;
    int64_t      n;

    WEFT_BEGIN();
    parts = self->in.parts;
    n = 0;
    for (int i = 0; i < PARTS && n == 0; i++)
        n = weft_scope_spawn(self->in.scope, &parts[i].member, adds_up, .part = &parts[i],
                             .from = 10 * i, .fails = self->in.last_fails && i == PARTS - 1);
    WEFT_END(n); /* a spawn that fails ends the scope, too */
}

struct whole {
    WEFT_FRAME;
    struct {
        bool last_fails;
    } in;
    struct weft_scope   scope;
    struct spawns_parts body;
    struct part         parts[PARTS];
};
WEFT_ASYNC(whole)
{
    weft_future *body;
    int64_t      n;

    WEFT_BEGIN();
    memset(self->parts, 0, sizeof self->parts);
    body = weft_async(spawns_parts, &self->body, .scope = &self->scope, .parts = self->parts,
                      .last_fails = self->in.last_fails);
    WEFT_AWAIT(n, weft_scope(&self->scope, WEFT_SCOPE_FAIL_FAST, body));
    if (n < 0) {
        EXPECT(weft_scope_decisive(&self->scope) == &self->parts[PARTS - 1].member);
        WEFT_RETURN(n);
    }
    for (int i = 0; i < PARTS; i++)
        n += self->parts[i].sum;
    WEFT_END(n);
}

/* ---- the same by fibers, which use a variable of the fiber that awaits them ---- */

struct shared {
    struct weft_scope scope;
    struct part       parts[PARTS];
};

static int64_t adds_one(void *argument)
{
    struct part *part = argument;
    int64_t      n = weft_fiber_sleep(WEFT_MS(1));

    part->sum++;
    return n;
}

static int64_t spawns(void *argument)
{
    static const weft_fiber_options small = {.stack_size = 16 << 10};

    struct shared *shared = argument;
    struct part   *part = shared->parts;
    int64_t        n = 0;

    for (int i = 0; i < PARTS - 1 && n == 0; i++, part++)
        n = weft_scope_fiber(&shared->scope, &part->member, adds_one, part);
    return n < 0 ? n
                 : weft_scope_fiber_with(&shared->scope, &part->member, "last", &small, adds_one,
                                         part);
}

static int64_t whole_by_fibers(void *unused)
{
    struct shared          shared = {.parts = {{.sum = 0}}};
    struct weft_fiber_call body;
    int64_t                n;

    (void)unused;
    n = weft_await(
        weft_scope(&shared.scope, WEFT_SCOPE_FAIL_FAST, weft_fiber_call(&body, spawns, &shared)));
    for (int i = 0; i < PARTS; i++)
        n += shared.parts[i].sum;
    EXPECT(n == PARTS);
    return 0;
}

struct tour {
    WEFT_FRAME;
    struct {
    } in;
    struct whole whole;
};
WEFT_ASYNC(tour)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, whole, &self->whole, .last_fails = false);
    EXPECT(n == 39 * 40 / 2);
    WEFT_CALL(n, whole, &self->whole, .last_fails = true);
    EXPECT(n == -EIO);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(tour) || weft_main_fiber(whole_by_fibers, NULL);
}
