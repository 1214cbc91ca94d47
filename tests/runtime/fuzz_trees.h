/*
 * fuzz_trees.h - the trees of futures that the fuzzer makes, and the results that they may have
 */
#ifndef FUZZ_TREES_H
#define FUZZ_TREES_H

#include "fuzz_nodes.h"

#define CHILDREN 4

enum kind { LEAF, SELECT, BIASED, JOIN, TRY, LIMIT, SHIELD, CALLS, KEEPS, ONCE, ADOPT, KINDS };

/* A future around a future of weft, `inner`. At READY it frees `inner` and all nodes below it. A
 * raw node is not polled itself: its owner polls `inner`. */
typedef struct node {
    weft_future  future;
    enum kind    kind;
    weft_future *inner; /* memory of its own; NULL: none yet, or freed */
    weft_branch *array;
    struct node *child[CHILDREN];
    uint32_t     n;
    int          how; /* it polls the inner one */
    int          polls_left, n_polls;
    int64_t      hour;
    bool         raw, asked, flagged;
    uint64_t     cancelled_at;
    weft_waker   wraps;
} node;

static node *node_make(int depth);

/* The future that the owner of the node polls. */
static weft_future *future_of(node *c)
{
    return c->raw ? c->inner : &c->future;
}

static void node_free(node *c)
{
    if (!c)
        return;
    for (uint32_t i = 0; i < c->n; i++)
        node_free(c->child[i]);
    if (c->array)
        give(c->array);
    if (c->inner)
        give(c->inner);
    give(c);
}

static bool is_group(const node *c)
{
    return c->kind == SELECT || c->kind == BIASED || c->kind == JOIN || c->kind == TRY;
}

static bool is_unpolled(const weft_future *f)
{
    return !weft_future_is_ready(f) && !weft_future_is_pending(f);
}

/* ---- the model: what the result may be, given those of the children ---- */

static void check_select(const node *c, int64_t result)
{
    const struct weft_select *g = (const struct weft_select *)(const void *)c->inner;
    bool                      completed = false;

    for (uint32_t i = 0; i < c->n; i++) {
        int64_t got = weft_future_result(future_of(c->child[i]));
        bool    undone = weft_select_undone(g) >> i & 1;

        expect(undone == (got != -ECANCELED && i != result),
               "select: undone names a branch that completed");
        completed |= got != -ECANCELED;
    }
    if (result < 0)
        expect(result == -ECANCELED && c->asked && !completed,
               "select: cancelled and nothing completed");
    else
        expect(result < c->n, "select: the index of a branch");
}

static void check_join(const node *c, int64_t result)
{
    bool cancelled = false, failed = false, is_one = false;

    for (uint32_t i = 0; i < c->n; i++) {
        int64_t got = weft_future_result(future_of(c->child[i]));

        cancelled |= got == -ECANCELED;
        failed |= got < 0 && got != -ECANCELED;
        is_one |= got < 0 && got == result;
    }
    if (c->kind == JOIN) {
        expect(result == (c->asked && cancelled ? -ECANCELED : 0), "join_all: 0, or cancelled");
        return;
    }
    expect((result == 0) == (!failed && !cancelled), "try_join: 0 if all succeeded");
    expect(result == 0 || is_one, "try_join: the error of a branch");
    expect(result != -ECANCELED || !failed || c->flagged, "try_join: no error is lost");
}

static void check_limit(const node *c, int64_t result)
{
    int64_t got = weft_future_result(future_of(c->child[0]));

    if (result == -ETIMEDOUT && got != -ETIMEDOUT)
        expect(got == -ECANCELED && fuzz.hour >= c->hour,
               "timeout: not early, and the future was cancelled");
    else
        expect(result == got, "timeout: the future's own result");
}

static bool has_children_of_its_own(const node *c)
{
    return c->kind != LEAF && c->kind != ADOPT && c->kind != KEEPS && c->kind != CALLS &&
           c->kind != ONCE;
}

/* The inner future is READY. Children that are raw are checked here, too. */
static void check_result(const node *c)
{
    int64_t result = weft_future_result(c->inner);

    for (uint32_t i = 0; has_children_of_its_own(c) && i < c->n; i++) {
        node *child = c->child[i];

        if (child->raw) {
            child->asked |= weft_future_result(child->inner) < 0;
            child->flagged = true;
            check_result(child);
        }
    }
    if (c->kind == SELECT || c->kind == BIASED)
        check_select(c, result);
    else if (c->kind == JOIN || c->kind == TRY)
        check_join(c, result);
    else if (c->kind == LIMIT)
        check_limit(c, result);
    else if (c->kind == SHIELD)
        expect(result == weft_future_result(future_of(c->child[0])),
               "shield: the future's own result");
}

/* ---- a node's future ---- */

/* A waker of another executor. Its clones are clones of the task's waker. It lives for one poll. */
static weft_waker wrap_clone(void *data)
{
    return weft_waker_clone(&((node *)data)->wraps);
}

static void wrap_wake(void *data)
{
    weft_waker_wake_by_ref(&((node *)data)->wraps);
}

static const weft_waker_vtable wrap_vtable = {wrap_clone, wrap_wake, wrap_wake, wrap_wake, NULL};

static weft_poll poll_somehow(node *c, weft_future *future, weft_context *cx)
{
    const weft_waker *outer = cx->waker;
    weft_waker        wrapped = {&wrap_vtable, c};
    weft_poll         poll;

    if (c->how == 0)
        return weft_future_poll(future, cx);
    if (c->how == 1)
        return weft_future_poll_inner(future, cx);
    c->wraps = weft_waker_clone(outer);
    cx->waker = &wrapped;
    poll = weft_future_poll(future, cx);
    cx->waker = outer;
    weft_waker_drop(c->wraps);
    return poll;
}

static weft_poll node_ready(node *c)
{
    int64_t result = weft_future_result(c->inner);

    check_result(c);
    for (uint32_t i = 0; i < c->n; i++)
        node_free(c->child[i]);
    c->n = 0;
    if (c->array)
        give(c->array);
    give(c->inner);
    c->array = NULL;
    c->inner = NULL;
    return weft_ready(&c->future, result);
}

static weft_poll node_poll(weft_future *future, weft_context *cx)
{
    node *c = weft_container(future, node, future);

    c->flagged |= (cx->flags & WEFT_CONTEXT_CANCELLED_) != 0;
    c->n_polls++;
    if (c->cancelled_at > 0)
        expect(c->cancelled_at == fuzz.turn, "what is cancelled is polled at once");
    c->cancelled_at = 0;
    for (uint32_t i = 0; is_group(c) && i < c->n; i++)
        expect(c->n_polls < REFUSALS || !is_unpolled(future_of(c->child[i])),
               "a branch starves: it was never polled");
    if (weft_future_is_cancelled(future)) {
        c->asked = true;
        if (weft_poll_is_ready(weft_future_cancel(c->inner)))
            return node_ready(c);
    }
    return weft_poll_is_ready(poll_somehow(c, c->inner, cx)) ? node_ready(c) : WEFT_PENDING;
}

static void node_cancel(weft_future *future)
{
    weft_container(future, node, future)->cancelled_at = fuzz.turn; /* the next poll passes it on */
}

/* Gives its child up after some polls, pending, to be found by another owner. */
static weft_poll once_poll(weft_future *future, weft_context *cx)
{
    node *c = weft_container(future, node, future), *child = c->child[0];
    bool  ready;

    if (weft_future_is_cancelled(future) &&
        weft_poll_is_ready(weft_future_cancel(future_of(child))))
        return weft_ready(future, weft_future_result(future_of(child)));
    ready = weft_poll_is_ready(weft_future_poll(&child->future, cx));
    if (ready)
        return weft_ready(future, weft_future_result(&child->future));
    if (weft_future_is_cancelled(future) || c->polls_left-- > 0 || fuzz.n_orphans == TASKS)
        return WEFT_PENDING;
    fuzz.orphan[fuzz.n_orphans++] = child;
    fuzz.has_orphans = true;
    c->n = 0;
    return weft_ready(future, 77);
}

static weft_poll adopt_poll(weft_future *future, weft_context *cx)
{
    node *c = weft_container(future, node, future);

    if (c->n == 0) {
        if (fuzz.n_orphans == 0)
            return weft_ready(future, 78);
        c->n = 1;
        c->child[0] = fuzz.orphan[--fuzz.n_orphans];
    }
    if ((weft_future_is_cancelled(future) &&
         weft_poll_is_ready(weft_future_cancel(&c->child[0]->future))) ||
        weft_poll_is_ready(poll_somehow(c, &c->child[0]->future, cx)))
        return weft_ready(future, weft_future_result(&c->child[0]->future));
    return WEFT_PENDING;
}

static const weft_future_ops node_ops = {sizeof(node), WEFT_FUTURE_DRAINS, "node", node_poll,
                                         node_cancel};
static const weft_future_ops once_ops = {sizeof(node), WEFT_FUTURE_DRAINS, "once", once_poll,
                                         node_cancel};
static const weft_future_ops adopt_ops = {sizeof(node), WEFT_FUTURE_DRAINS, "adopt", adopt_poll,
                                          node_cancel};

/* ---- async functions ---- */

struct calls {
    WEFT_FRAME;
    struct {
        node *me;
    } in;
    uint32_t i;
};
WEFT_ASYNC(calls)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i + 1 < self->in.me->n; self->i++) {
        WEFT_WAIT(future_of(self->in.me->child[self->i]));
        if (dice(4) == 0)
            WEFT_YIELD();
    }
    WEFT_AWAIT(n, future_of(self->in.me->child[self->i]));
    expect(weft_future_is_ready(future_of(self->in.me->child[self->i])),
           "an await ends when its future has");
    WEFT_END(n);
}

/* Keeps child 0 in rounds of selects, below up to two other groups; the groups are freed after each
 * round. */
struct keeps {
    WEFT_FRAME;
    struct {
        node *me;
        int   depth;
    } in;
    union any_group *group[3];
    int              n_groups;
    uint32_t         i;
};

static weft_future *keeps_begin(struct keeps *self)
{
    node        *me = self->in.me;
    weft_future *f;

    self->n_groups = 1 + (int)dice(3);
    for (int i = 0; i < 3; i++)
        self->group[i] = take(sizeof(union any_group));
    f = dice(2) ? weft_select(&self->group[0]->select, weft_keep(&me->child[0]->future),
                              &me->child[self->i]->future)
                : weft_select_biased(&self->group[0]->select, &me->child[self->i]->future,
                                     weft_keep(&me->child[0]->future));
    for (int i = 1; i < self->n_groups; i++)
        f = dice(2) ? weft_join_all(&self->group[i]->join_all, f)
                    : weft_try_join(&self->group[i]->try_join, f);
    return f;
}

static void keeps_end(struct keeps *self)
{
    for (int i = 0; i < 3; i++)
        give(self->group[i]);
}

WEFT_ASYNC(keeps)
{
    WEFT_BEGIN();
    for (self->i = 1; self->i < self->in.me->n; self->i++) {
        WEFT_WAIT(keeps_begin(self));
        keeps_end(self);
        if (weft_future_is_ready(&self->in.me->child[0]->future))
            WEFT_RETURN(1);
        if (dice(4) == 0)
            WEFT_YIELD();
    }
    if (dice(2) || !weft_future_is_pending(&self->in.me->child[0]->future))
        WEFT_CANCEL(&self->in.me->child[0]->future);
    else
        WEFT_WAIT(&self->in.me->child[0]->future);
    WEFT_END(2);
}

/* ---- making trees ---- */

static weft_future *group_of_array(int kind, union any_group *g, weft_branch *branch, uint32_t n)
{
    switch (kind) {
    case SELECT:
        return weft_select_array(&g->select, branch, n);
    case BIASED:
        return weft_select_biased_array(&g->select, branch, n);
    case JOIN:
        return weft_join_all_array(&g->join_all, branch, n);
    default:
        return weft_try_join_array(&g->try_join, branch, n);
    }
}

static void make_group(node *c)
{
    c->inner = take(sizeof(union any_group));
    c->array = take(c->n * sizeof *c->array);
    for (uint32_t i = 0; i < c->n; i++)
        c->array[i].future = future_of(c->child[i]);
    group_of_array(c->kind, (union any_group *)(void *)c->inner, c->array, c->n);
}

static void make_inner(node *c)
{
    switch (c->kind) {
    case LEAF:
        c->inner = take(sizeof(struct leaf));
        leaf_make((struct leaf *)(void *)c->inner);
        break;
    case LIMIT:
        c->inner = take(sizeof(struct weft_timeout));
        c->hour = fuzz.hour + (int64_t)dice(12) - 1;
        weft_timeout_at((struct weft_timeout *)(void *)c->inner, future_of(c->child[0]),
                        fuzz.base + c->hour * HOUR);
        break;
    case SHIELD:
        c->inner = take(sizeof(struct weft_shield));
        weft_shield((struct weft_shield *)(void *)c->inner, future_of(c->child[0]),
                    (int64_t)dice(4) * HOUR);
        break;
    case CALLS:
        c->inner = take(sizeof(struct calls));
        weft_async(calls, (struct calls *)(void *)c->inner, .me = c);
        break;
    case KEEPS:
        c->inner = take(sizeof(struct keeps));
        weft_async(keeps, (struct keeps *)(void *)c->inner, .me = c);
        break;
    default:
        make_group(c);
    }
}

static uint32_t n_children(enum kind kind)
{
    if (kind == LEAF || kind == ADOPT)
        return 0;
    if (kind == LIMIT || kind == SHIELD || kind == ONCE)
        return 1;
    return kind == KEEPS ? 2 + dice(3) : 1 + dice(CHILDREN);
}

static node *node_make(int depth)
{
    node *c = take(sizeof *c);

    *c = (node){.kind = depth == 0 || dice(4) == 0 ? LEAF : (enum kind)dice(KINDS)};
    c->n = n_children(c->kind);
    c->how = (int)dice(4) - 1;
    if (c->how < 0)
        c->how = 1;
    for (uint32_t i = 0; i < c->n; i++) {
        c->child[i] = node_make(depth - 1);
        if (c->kind == KEEPS || c->kind == ONCE || c->child[i]->kind == ONCE ||
            c->child[i]->kind == ADOPT)
            c->child[i]->raw = false;
    }
    weft_future_init(&c->future, c->kind == ONCE    ? &once_ops
                                 : c->kind == ADOPT ? &adopt_ops
                                                    : &node_ops);
    c->polls_left = (int)dice(3);
    if (c->kind != ONCE && c->kind != ADOPT)
        make_inner(c);
    c->raw = c->inner && c->kind != LEAF && dice(3) == 0;
    return c;
}

#endif
