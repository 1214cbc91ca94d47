/*
 * test_operations.c - every row of the table is begun for real, and cancelled at every point
 *
 * An operation without a case in operation_cases.h fails.
 */
#include "operation_cases.h"

/* ---- cancelling after so many polls ---- */

typedef struct victim {
    weft_future  future;
    weft_future *inner;
    stage       *stage;
    void (*let_go)(stage *s); /* right before the cancel */
    int  n_before;            /* polls; < 0: it is not cancelled */
    int  n_after;
    bool asked;
} victim;

static weft_poll victim_poll(weft_future *future, weft_context *cx)
{
    victim *self = weft_container(future, victim, future);

    if (self->n_before == 0 && !self->asked) {
        self->asked = true;
        if (self->let_go)
            self->let_go(self->stage);
        if (weft_poll_is_ready(weft_future_cancel(self->inner)))
            return weft_ready(future, self->inner->result);
    }
    self->n_after += self->asked;
    if (weft_poll_is_ready(weft_future_poll(self->inner, cx)))
        return weft_ready(future, self->inner->result);
    if (!self->asked && self->n_before >= 0) {
        self->n_before--;
        weft_waker_wake_by_ref(weft_context_waker(cx));
    }
    return WEFT_PENDING;
}

static void victim_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *cancel_after(victim *self, weft_future *inner, int n_polls)
{
    static const weft_future_ops ops = {sizeof(victim), WEFT_FUTURE_DRAINS, "victim", victim_poll,
                                        victim_cancel};

    *self = (victim){.inner = inner, .n_before = n_polls};
    weft_future_init(&self->future, &ops);
    return &self->future;
}

/* Checks that the row allows this result, and releases what the operation has granted. */
static void settle(int row, stage *s, int64_t result)
{
    const row_case *c = &cases[row];
    bool            done = result >= 0;

    CHECK(row, result == -ECANCELED || (c->result < 0 ? done : result == c->result));
    if (is_row(row, "weft_file_open") || is_row(row, "weft_stream_release"))
        s->extra = (int)result;
    if (c->give_back)
        c->give_back(s, done);
}

/* Neither the kernel nor a thread writes to the buffer any more, although there is data to read. */
static void check_buffer_is_ours(int row, stage *s)
{
    weft_io io;

    if (!cases[row].left)
        return;
    memset(s->buffer, 'o', SIZE);
    cases[row].let_go(s);
    check_eq(weft_block_on(s->rt, weft_path_stat(&io, s->dir, "file", 0, STATX_SIZE, &s->status)),
             0);
    check_cmp(cases[row].left(s), >=, SIZE);
    for (int i = 0; i < SIZE; i++)
        CHECK(row, s->buffer[i] == 'o');
}

/* ---- the tests: each row, each point ---- */

Test(operations, each_has_a_case)
{
    int n = 0;

    for (const weft_future_ops *const *ops = wf_operations; *ops; ops++, n++)
        check_cmp(row_of(*ops), >=, 0);
    check_eq(n, ROWS);
}

static void cancel_at(weft_runtime *rt, int row, int n_polls, bool race)
{
    const row_case *c = &cases[row];
    int             n = n_fds();
    stage           s;
    weft_io         io;
    victim          v;
    int64_t         result;

    set_up(&s, rt, c->let_go == drain_full);
    cancel_after(&v, c->begin(&s, &io), n_polls);
    v.stage = &s;
    v.let_go = race ? c->let_go : NULL;
    result = weft_block_on(rt, &v.future);
    settle(row, &s, result);
    if (n_polls == 0)
        CHECK(row, result == -ECANCELED);
    if (c->let_go && !race)
        CHECK(row, result == -ECANCELED && io.done == 0);
    if (withdraws(row))
        CHECK(row, v.n_after <= 1);
    if (race && c->left && n_polls > 0)
        CHECK(row, c->left(&s) == (result < 0 ? SIZE - io.done : 0));
    else if (!race && result == -ECANCELED)
        check_buffer_is_ours(row, &s);
    tear_down(&s);
    EVENTUALLY(n_fds() == n);
}

Test(operations, can_be_cancelled_after_any_poll, .timeout = 120)
{
    weft_runtime *rt = start(1);

    for (int row = 0; row < ROWS; row++)
        for (int n_polls = 0; n_polls < 6; n_polls++)
            cancel_at(rt, row, n_polls, false);
    stop(rt);
}

Test(operations, what_lets_them_end_may_race_the_cancel, .timeout = 120)
{
    weft_runtime *rt = start(1);

    for (int row = 0; row < ROWS; row++)
        for (int n_polls = 1; cases[row].let_go && n_polls < 6; n_polls++)
            cancel_at(rt, row, n_polls, true);
    stop(rt);
}

static void *let_go_later(void *arg)
{
    victim *v = arg;

    pause_ms(5);
    if (v->let_go)
        v->let_go(v->stage);
    return NULL;
}

Test(operations, a_cancel_that_comes_too_late_changes_nothing)
{
    weft_runtime *rt = start(1);

    for (int row = 0; row < ROWS; row++) {
        const row_case *c = &cases[row];
        int             n = n_fds();
        stage           s;
        weft_io         io;
        victim          v;
        pthread_t       thread;
        int64_t         result;

        set_up(&s, rt, c->let_go == drain_full);
        cancel_after(&v, c->begin(&s, &io), -1);
        v.stage = &s;
        v.let_go = c->let_go;
        check_eq(pthread_create(&thread, NULL, let_go_later, &v), 0);
        result = weft_block_on(rt, &v.future);
        pthread_join(thread, NULL);
        CHECK(row, result >= 0);
        CHECK(row, weft_poll_is_ready(weft_future_cancel(&io.future)));
        CHECK(row, weft_future_result(&io.future) == result);
        settle(row, &s, result);
        tear_down(&s);
        EVENTUALLY(n_fds() == n);
    }
    stop(rt);
}

Test(operations, can_have_a_deadline)
{
    weft_runtime *rt = start(1);

    for (int row = 0; row < ROWS; row++) {
        const row_case     *c = &cases[row];
        int                 n = n_fds();
        stage               s;
        weft_io             io;
        struct weft_timeout limit;
        int64_t             result;

        set_up(&s, rt, c->let_go == drain_full);
        result = weft_block_on(rt, weft_timeout(&limit, c->begin(&s, &io), WEFT_MS(2)));
        if (c->let_go)
            CHECK(row, result == -ETIMEDOUT);
        settle(row, &s, result == -ETIMEDOUT ? -ECANCELED : result);
        tear_down(&s);
        EVENTUALLY(n_fds() == n);
    }
    stop(rt);
}

/* ---- from tasks, at random ---- */

struct hesitate {
    WEFT_FRAME;
    struct {
        stage   *stage;
        uint32_t seed;
        int64_t  n;
    } in;
    weft_io            io;
    struct weft_select sel;
    struct counter     turn;
    int                row;
};
WEFT_ASYNC(hesitate)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        self->row = (int)(rnd(&self->in.seed) % ROWS);
        WEFT_AWAIT(n, weft_select(&self->sel, cases[self->row].begin(self->in.stage, &self->io),
                                  counter(&self->turn, rnd(&self->in.seed) % 40)));
        n = weft_future_result(&self->io.future);
        if (n < 0 && n != -ECANCELED) /* an earlier one was done: there is no file, say */
            check(n == -ENOENT || n == -EEXIST);
        if (n >= 0 && is_row(self->row, "weft_file_open"))
            close((int)n);
        if (n >= 0 && is_row(self->row, "weft_stream_release"))
            check_eq(weft_stream_adopt(NULL, (int)n, &self->in.stage->stream), 0);
        if (n < 0 && is_row(self->row, "weft_file_close"))
            close(self->in.stage->extra);
        if (n >= 0 && (is_row(self->row, "weft_connect") || is_row(self->row, "weft_accept"))) {
            weft_stream_close(self->in.stage->granted);
            self->in.stage->granted = NULL;
        }
    }
    WEFT_END(0);
}

Test(operations, cancelled_at_random_leave_nothing_behind, .timeout = 120)
{
    weft_runtime *rt = start(2);
    int           n = n_fds();
    stage         s[3];
    weft_handle   h[3];

    for (int i = 0; i < 3; i++)
        set_up(&s[i], rt, true);
    for (uint32_t i = 0; i < 3; i++)
        check_eq(weft_spawn_on(rt, &h[i], hesitate, .stage = &s[i], .seed = i + 1,
                               .n = test_scaled(1500)),
                 0);
    for (int i = 0; i < 3; i++)
        check_eq(join(rt, &h[i]), 0);
    for (int i = 0; i < 3; i++)
        tear_down(&s[i]);
    EVENTUALLY(n_fds() == n);
    stop(rt);
}

/* ---- what a kernel lacks ---- */

Test(operations, a_kernel_that_lacks_one_says_so)
{
    weft_runtime *rt = start(1);
    wf_kernel_op  newer;
    weft_io       io;

    weft_file_sync(&io, 0);
    newer = *wf_kernel_op_of(&io);
    newer.needs = UINT32_C(1) << 31; /* no kernel has it */
    io.future.ops = &newer.future;
    check_eq(weft_block_on(rt, &io.future), -EOPNOTSUPP);
    stop(rt);
}
