/* test_styles_combine.c - combinators, joins and sets, as async functions and as fibers use them */
#include "../styles.h"

/* Two promises. What a row waits for ends with one of them, or with both. */
struct scene {
    weft_runtime   *rt;
    weft_promise    a, b;
    weft_handle     child; /* waits for `b` */
    weft_task_set   set;   /* with one task, which waits for `b` */
    weft_member     member;
    weft_task_local key;
};

/* Waits for a promise. */
struct obeys {
    WEFT_FRAME;
    struct {
        weft_promise *promise;
    } in;
    weft_wait wait;
};

/* Spawns a child, which waits for one promise, and waits for the other. */
struct scope_body {
    WEFT_FRAME;
    struct {
        struct weft_scope *scope;
        weft_promise      *own, *childs;
    } in;
    weft_wait   wait;
    weft_member member;
};

struct state {
    weft_wait                    wait[2];
    weft_branch                  branch[2];
    struct weft_select           select;
    struct weft_join_all         all;
    struct weft_try_join         try_join;
    struct weft_scope            scope;
    struct scope_body            body;
    struct weft_fiber_call       call;
    struct weft_task_local_scope local;
    weft_member                 *member;
};

#include "style_rows.h"

BODY(obeys)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, weft_promise_get(&self->wait, self->in.promise));
    WEFT_END(n);
}

static int64_t gets(void *promise)
{
    weft_wait wait;

    return weft_await(weft_promise_get(&wait, promise));
}

WEFT_ASYNC(scope_body)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(weft_scope_spawn(self->in.scope, &self->member, obeys, .promise = self->in.childs), 0);
    WEFT_AWAIT(n, weft_promise_get(&self->wait, self->in.own));
    WEFT_END(n);
}

static void set_up(struct scene *s, weft_runtime *rt, style style)
{
    s->rt = rt;
    check_eq(SPAWN_STYLE(style, rt, &s->child, obeys, .promise = &s->b), 0);
    check_eq(weft_task_set_spawn_on(rt, &s->set, &s->member, obeys, .promise = &s->b), 0);
}

static void tear_down(struct scene *s)
{
    weft_wait wait;

    (void)weft_promise_complete(&s->b, 0); /* or it has been */
    if (!weft_handle_is_empty(&s->child))
        check_cmp(join(s->rt, &s->child), !=, -ECANCELED);
    check_eq(weft_block_on(s->rt, weft_task_set_close(&wait, &s->set)), 0);
}

/* ---- a row for each of them ---- */

static weft_future *get_a(struct scene *s, struct state *state)
{
    return weft_promise_get(&state->wait[0], &s->a);
}

static weft_future *get_b(struct scene *s, struct state *state)
{
    return weft_promise_get(&state->wait[1], &s->b);
}

static weft_branch *branches(struct scene *s, struct state *state)
{
    state->branch[0].future = get_a(s, state);
    state->branch[1].future = get_b(s, state);
    return state->branch;
}

DO(complete_a, check_eq(weft_promise_complete(&s->a, 7), 0))
DO(complete_b, check_eq(weft_promise_complete(&s->b, 7), 0))
DO(fail_a, check_eq(weft_promise_complete(&s->a, -EIO), 0))
DO(complete_both, complete_a(s); complete_b(s))
DO(fail_b, check_eq(weft_promise_complete(&s->b, -EIO), 0))

BEGIN(select, weft_select(&state->select, get_a(s, state), get_b(s, state)))
BEGIN(select_biased, weft_select_biased(&state->select, get_a(s, state), get_b(s, state)))
BEGIN(select_array, weft_select_array(&state->select, branches(s, state), 2))
BEGIN(select_biased_array, weft_select_biased_array(&state->select, branches(s, state), 2))
BEGIN(join_all, weft_join_all(&state->all, get_a(s, state), get_b(s, state)))
BEGIN(join_all_array, weft_join_all_array(&state->all, branches(s, state), 2))
BEGIN(try_join, weft_try_join(&state->try_join, get_a(s, state), get_b(s, state)))
BEGIN(try_join_array, weft_try_join_array(&state->try_join, branches(s, state), 2))
BEGIN(scope, weft_scope(&state->scope, WEFT_SCOPE_FAIL_FAST,
                        weft_async(scope_body, &state->body, .scope = &state->scope, .own = &s->a,
                                   .childs = &s->b)))
BEGIN(fiber_call, weft_fiber_call(&state->call, gets, &s->a))
BEGIN(fiber_call_with, weft_fiber_call_with(&state->call, "getter", NULL, gets, &s->a))
BEGIN(task_local_scope,
      weft_task_local_scope(&state->local, &s->key, &state->local, get_a(s, state)))
BEGIN(join, weft_join(&s->child))
BEGIN(task_set_next, weft_task_set_next(&state->wait[0], &s->set, &state->member))
TAKE(take_member, state->member->result)

static const row rows[] = {
    {"weft_select", begin_select, complete_b, .result = 1, .or_else = complete_a, .other = 0},
    {"weft_select_biased", begin_select_biased, complete_b, .result = 1, .or_else = complete_a,
     .other = 0},
    {"weft_select_array", begin_select_array, complete_b, .result = 1, .or_else = complete_a,
     .other = 0},
    {"weft_select_biased_array", begin_select_biased_array, complete_b, .result = 1,
     .or_else = complete_a, .other = 0},
    {"weft_join_all", begin_join_all, complete_both, .result = 0},
    {"weft_join_all_array", begin_join_all_array, complete_both, .result = 0},
    {"weft_try_join", begin_try_join, complete_both, .result = 0, .or_else = fail_b, .other = -EIO},
    {"weft_try_join_array", begin_try_join_array, complete_both, .result = 0, .or_else = fail_b,
     .other = -EIO},
    {"weft_scope", begin_scope, complete_both, .result = 7, .or_else = fail_b, .other = -EIO},
    {"weft_fiber_call", begin_fiber_call, complete_a, .result = 7, .or_else = fail_a,
     .other = -EIO},
    {"weft_fiber_call_with", begin_fiber_call_with, complete_a, .result = 7},
    {"weft_task_local_scope", begin_task_local_scope, complete_a, .result = 7},
    {"weft_join", begin_join, complete_b, .result = 7, .or_else = fail_b, .other = -EIO},
    {"weft_task_set_next", begin_task_set_next, complete_b, .result = 7, .take = take_member,
     .or_else = fail_b, .other = -EIO},
};

ROW_CASES(styles_combine)

/* ---- branches and sets that outlive an await ---- */

/* Receives in a branch that is kept while others win, until there are three messages. */
struct keeps {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from;
        int64_t            *n_kept;
    } in;
    struct weft_select select;
    struct counter     counter;
    weft_wait          wait;
    int64_t            message, sum;
    int                n_messages;
};
BODY(keeps)
{
    int64_t n;

    WEFT_BEGIN();
    self->sum = self->n_messages = 0;
    weft_mpsc_receive(&self->wait, self->in.from, &self->message);
    while (self->n_messages < 3) {
        AWAIT(n, weft_select(&self->select, weft_keep(&self->wait.future),
                             counter(&self->counter, 2)));
        if (CANCELLED())
            break;
        if (n == 1) {
            check(weft_future_is_pending(&self->wait.future));
            add(self->in.n_kept, 1);
            continue;
        }
        self->n_messages++;
        self->sum += self->message;
        weft_mpsc_receive(&self->wait, self->in.from, &self->message);
    }
    CANCEL(&self->wait.future);
    check_eq(weft_future_result(&self->wait.future), -ECANCELED);
    WEFT_END(CANCELLED() ? -ECANCELED : self->sum);
}

TEST_STYLES(styles_combine, a_branch_can_be_kept)
{
    weft_mpsc_sender   *to;
    weft_mpsc_receiver *from;
    weft_handle         handle;
    int64_t             n_kept = 0;

    check_eq(weft_mpsc_open(8, 4, &to, &from), 0);
    check_eq(SPAWN_STYLE(style, rt, &handle, keeps, .from = from, .n_kept = &n_kept), 0);
    for (int64_t i = 1; i <= 3; i++) {
        int64_t before = get(&n_kept);

        EVENTUALLY(get(&n_kept) > before);
        check_eq(weft_mpsc_try_send(to, &i), 0);
    }
    check_eq(join(rt, &handle), 6);
    weft_mpsc_sender_close(to);
    weft_mpsc_receiver_close(from);
}

TEST_STYLES(styles_combine, a_cancel_ends_a_kept_branch)
{
    weft_mpsc_sender   *to;
    weft_mpsc_receiver *from;
    weft_handle         handle;
    int64_t             n_kept = 0;

    check_eq(weft_mpsc_open(8, 4, &to, &from), 0);
    check_eq(SPAWN_STYLE(style, rt, &handle, keeps, .from = from, .n_kept = &n_kept), 0);
    EVENTUALLY(get(&n_kept) > 0);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    weft_mpsc_sender_close(to);
    weft_mpsc_receiver_close(from);
}

#define SLOTS 8

/* Runs counters, each in its slot. The set is closed while half of them wait for a promise. */
struct runs_a_set {
    WEFT_FRAME;
    struct {
        weft_promise *promise;
        bool          closes; /* else it waits until it is cancelled */
        int64_t      *waits;
    } in;
    weft_future_set  set;
    weft_future_slot slot[SLOTS];
    weft_branch      branch[SLOTS];
    struct counter   counter[SLOTS];
    weft_wait        wait[SLOTS];
    int              i;
};
BODY(runs_a_set)
{
    int64_t n;

    WEFT_BEGIN();
    weft_future_set_init(&self->set, self->slot, self->branch, SLOTS);
    for (uint32_t i = 0; i < SLOTS; i++)
        weft_future_set_add(&self->set, i,
                            i % 2 ? weft_promise_get(&self->wait[i], self->in.promise)
                                  : counter(&self->counter[i], (int)i));
    for (self->i = 0; self->i < SLOTS; self->i += 2) {
        AWAIT(n, weft_future_set_next(&self->set));
        check_eq(n % 2, 0);
        check_eq(weft_future_result(self->slot[n].future), n);
    }
    add(self->in.waits, 1);
    if (!self->in.closes)
        AWAIT(n, weft_future_set_next(&self->set));
    AWAIT(n, weft_future_set_close(&self->set));
    check_eq(n, 0);
    for (int i = 1; i < SLOTS; i += 2)
        check_eq(weft_future_result(&self->wait[i].future), -ECANCELED);
    check_eq(weft_future_set_count(&self->set), 0);
    WEFT_END(0);
}

TEST_STYLES(styles_combine, a_set_of_futures_can_be_closed)
{
    weft_promise promise = {0};
    int64_t      waits = 0;

    check_eq(RUN_STYLE(style, rt, runs_a_set, .promise = &promise, .closes = true, .waits = &waits),
             0);
}

TEST_STYLES(styles_combine, a_cancel_ends_a_set_of_futures)
{
    weft_promise promise = {0};
    weft_handle  handle;
    int64_t      waits = 0;

    check_eq(SPAWN_STYLE(style, rt, &handle, runs_a_set, .promise = &promise, .waits = &waits), 0);
    EVENTUALLY(get(&waits) == 1);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), 0);
}

/* Adds up what comes through two channels, until there are `n` messages or both have ended. */
struct merges {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *from[2];
        int                 n;
    } in;
    weft_source      source[2];
    weft_merge       merge;
    weft_merge_input input[2];
    weft_branch      branch[2];
    weft_sequence   *sequence;
    int64_t          item[2], message, sum;
    int              i;
};
BODY(merges)
{
    int64_t n;

    WEFT_BEGIN();
    for (int i = 0; i < 2; i++)
        self->input[i] = (weft_merge_input){
            .sequence = weft_sequence_of_mpsc(&self->source[i], self->in.from[i]),
            .item = &self->item[i]};
    self->sequence = weft_sequence_merge(&self->merge, self->input, self->branch, 2, 8);
    self->sum = 0;
    for (self->i = 0; self->i < self->in.n; self->i++) {
        AWAIT(n, weft_sequence_next(self->sequence, &self->message));
        if (n < 0)
            break;
        self->sum += self->message;
    }
    AWAIT(n, weft_merge_close(&self->merge));
    check_eq(n, 0);
    for (int i = 0; i < 2; i++)
        if (self->input[i].result >= 0) /* it has taken a message that was not returned */
            self->sum += 1000;
    WEFT_END(self->sum);
}

/* All messages, and the messages until three have been returned. */
TEST_STYLES(styles_combine, a_merge_ends_or_is_closed)
{
    weft_mpsc_sender   *to[2];
    weft_mpsc_receiver *from[2];
    int64_t             n;

    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            check_eq(weft_mpsc_open(8, 4, &to[i], &from[i]), 0);
            for (int k = 0; k < 2; k++)
                check_eq(weft_mpsc_try_send(to[i], &(int64_t){1}), 0);
            if (round == 0) {
                weft_mpsc_sender_close(to[i]);
                to[i] = NULL;
            }
        }
        n = RUN_STYLE(style, rt, merges, .from = {from[0], from[1]}, .n = round ? 3 : 100);
        check_eq(n % 1000, round ? 3 : 4);
        for (int i = 0; i < 2; i++) {
            n += 1000 * (int64_t)weft_mpsc_count(from[i]);
            weft_mpsc_sender_close(to[i]);
            weft_mpsc_receiver_close(from[i]);
        }
        check_eq(n / 1000, round ? 1 : 0); /* taken, or left in the channel: not lost */
    }
}

/* ---- calls ---- */

struct adds_twice {
    WEFT_FRAME;
    struct {
        int64_t a;
    } in;
    struct counter counter;
    int64_t        n;
};
BODY(adds_twice)
{
    WEFT_BEGIN();
    AWAIT(self->n, counter(&self->counter, 3));
    YIELD();
    WEFT_END(self->in.a + self->in.a + self->n);
}

struct calls_twice {
    WEFT_FRAME;
    struct {
        int64_t a;
    } in;
    struct adds_twice first, second;
    int64_t           sum;
};
BODY(calls_twice)
{
    int64_t n;

    WEFT_BEGIN();
    CALL(self->sum, adds_twice, &self->first, .a = self->in.a);
    CALL(n, adds_twice, &self->second, .a = self->sum);
    WEFT_END(n);
}

TEST_STYLES(styles_combine, a_body_calls_another)
{
    check_eq(RUN_STYLE(style, rt, calls_twice, .a = 10), 2 * 23 + 3);
}
