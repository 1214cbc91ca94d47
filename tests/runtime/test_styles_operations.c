/*
 * test_styles_operations.c - every operation, as async functions and as fibers await it
 *
 * The cases are those of operation_cases.h, and here are the functions that share a row with
 * another one.
 */
#include "operation_cases.h"

#include "../styles.h"

/* ---- functions that the table has under another name ---- */

BEGIN(peek_from, weft_peek_from(io, s->datagram, s->buffer, SIZE, NULL))
BEGIN(datagram_receive, weft_datagram_receive_message(io, s->datagram, &s->message, 0))
BEGIN(datagram_send, weft_datagram_send_message(io, s->sender, &s->message, 0))
BEGIN(file_stat, weft_file_stat(io, s->file, STATX_BASIC_STATS, &s->status))
BEGIN(listener_release, weft_listener_release(io, s->listener))
BEGIN(datagram_release, weft_datagram_release(io, s->datagram))

static weft_future *begin_send_named(stage *s, weft_io *io)
{
    s->message.msg_name = &s->receiver_address.u.any;
    s->message.msg_namelen = s->receiver_address.size_;
    return begin_datagram_send(s, io);
}

static weft_future *begin_open_path(stage *s, weft_io *io)
{
    return weft_file_open(io, s->path, O_RDONLY | O_DIRECTORY, 0);
}

static void forget_listener(stage *s, bool done)
{
    close_opened(s, done);
    if (done)
        s->listener = NULL;
}

static void forget_datagram(stage *s, bool done)
{
    close_opened(s, done);
    if (done)
        s->datagram = NULL;
}

static const row_case more_cases[] = {
    {"weft_peek_from", begin_peek_from, .result = SIZE, .let_go = send_datagram},
    {"weft_datagram_receive_message", begin_datagram_receive, .result = SIZE,
     .let_go = send_datagram},
    {"weft_datagram_send_message", begin_send_named, .result = SIZE, .let_go = drain_receiver},
    {"weft_file_open", begin_open_path, .result = -1, .give_back = close_opened},
    {"weft_file_stat", begin_file_stat, .result = 0},
    {"weft_listener_release", begin_listener_release, .result = -1, .give_back = forget_listener},
    {"weft_datagram_release", begin_datagram_release, .result = -1, .give_back = forget_datagram},
};

/* ---- a task that awaits one ---- */

struct operates {
    WEFT_FRAME;
    struct {
        stage          *stage;
        const row_case *c;
        struct watched *watched; /* NULL: the operation is awaited directly */
        int64_t         limit;   /* 0: none */
    } in;
    weft_io             io;
    struct weft_timeout limit;
};

static weft_future *begin(struct operates *self)
{
    weft_future *future = self->in.c->begin(self->in.stage, &self->io);

    if (self->in.watched)
        future = watched(self->in.watched, future);
    return self->in.limit ? weft_timeout(&self->limit, future, self->in.limit) : future;
}

BODY(operates)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT(n, begin(self));
    WEFT_END(n);
}

/* ---- what is true of every operation ---- */

typedef struct trial {
    weft_runtime   *rt;
    style           style;
    const row_case *c;
    stage           stage;
    struct watched  watched;
    weft_handle     handle;
} trial;

/* Begins the operation. If something must let it go, its first poll is over then. */
static void begin_trial(trial *t, int64_t limit)
{
    bool waits = t->c->let_go;

    check_eq(SPAWN_STYLE(t->style, t->rt, &t->handle, operates, .stage = &t->stage, .c = t->c,
                         .watched = waits ? &t->watched : NULL, .limit = limit),
             0);
    if (!waits)
        return;
    EVENTUALLY(t->watched.n_polls > 0);
    check(!weft_is_finished(&t->handle));
}

/* Checks the result. An operation that nothing has to let go may be faster than a cancel. */
static void end_trial(trial *t, int64_t expected)
{
    const row_case *c = t->c;
    int64_t         n = join(t->rt, &t->handle);
    bool            done = n >= 0, right = n == expected;

    if (!c->let_go)
        right = (c->result < 0 ? done : n == c->result) || (right && n == -ECANCELED);
    if (!right)
        test_fail(__FILE__, __LINE__, "%s: %" PRId64, c->name, n);
    if (c->result < 0)
        t->stage.extra = (int)n;
    if (c->give_back)
        c->give_back(&t->stage, done);
}

static void gives_its_result(trial *t)
{
    begin_trial(t, 0);
    if (t->c->let_go)
        t->c->let_go(&t->stage);
    end_trial(t, t->c->result);
}

static void is_cancelled(trial *t)
{
    begin_trial(t, 0);
    weft_cancel(&t->handle);
    end_trial(t, -ECANCELED);
}

static void has_a_deadline(trial *t)
{
    begin_trial(t, t->c->let_go ? WEFT_MS(2) : WEFT_S(100));
    if (t->c->let_go)
        check_eq(weft_clock_advance(t->rt, WEFT_MS(10)), 0);
    end_trial(t, -ETIMEDOUT);
}

static void try_all(weft_runtime *rt, style style, const row_case *c, int n_cases,
                    void (*act)(trial *t))
{
    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    for (int i = 0; i < n_cases; i++) {
        int   n = n_fds();
        trial t = {.rt = rt, .style = style, .c = &c[i]};

        set_up(&t.stage, rt, c[i].let_go == drain_full);
        act(&t);
        tear_down(&t.stage);
        EVENTUALLY(n_fds() == n);
    }
}

#define TRY(act)                                                                                   \
    do {                                                                                           \
        try_all(rt, style, cases, ROWS, act);                                                      \
        try_all(rt, style, more_cases, sizeof more_cases / sizeof *more_cases, act);               \
    } while (0)

TEST_STYLES(styles_operations, each_gives_its_result)
{
    TRY(gives_its_result);
}

TEST_STYLES(styles_operations, each_can_be_cancelled)
{
    TRY(is_cancelled);
}

TEST_STYLES(styles_operations, each_can_have_a_deadline)
{
    TRY(has_a_deadline);
}
