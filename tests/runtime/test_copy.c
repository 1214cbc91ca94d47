/*
 * test_copy.c - one stream into another, and both ways at once
 */
#include "../sockets.h"

static char byte_at(size_t i)
{
    return (char)(i * 2654435761u >> 13);
}

/* Two connections; the runtime has the inner ends, the test the outer ones. */
typedef struct setting {
    weft_runtime *rt;
    weft_stream  *a, *b;
    int           left, right;
    char          buffer[8192];
} setting;

static void narrow(int fd)
{
    int small = 16384;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
}

static void set_up(setting *s)
{
    s->rt = start(2);
    s->left = pair(s->rt, &s->a);
    s->right = pair(s->rt, &s->b);
}

/* So that little is on its way. */
static void make_narrow(setting *s)
{
    narrow(s->left), narrow(s->right);
    narrow(weft_stream_fd(s->a)), narrow(weft_stream_fd(s->b));
}

static void tear_down(setting *s)
{
    weft_stream_close(s->a);
    weft_stream_close(s->b);
    if (s->left >= 0)
        close(s->left);
    if (s->right >= 0)
        close(s->right);
    stop(s->rt);
}

typedef struct traffic {
    int       fd;
    size_t    n;
    int       pause; /* ms between reads or writes, now and then */
    bool      end;   /* half-closes when all is sent */
    pthread_t thread;
} traffic;

static void *sends(void *arg)
{
    traffic *t = arg;
    char     bytes[5000];

    for (size_t at = 0, n; at < t->n; at += n) {
        n = t->n - at < sizeof bytes ? t->n - at : sizeof bytes;
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(at + i);
        if (send(t->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
            break; /* given up */
    }
    if (t->end)
        shutdown(t->fd, SHUT_WR);
    return NULL;
}

static void *receives(void *arg)
{
    traffic *t = arg;
    char     bytes[3000];
    ssize_t  n;

    t->n = 0;
    while ((n = recv(t->fd, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < n; i++, t->n++)
            check_eq(bytes[i], byte_at(t->n));
        if (t->pause && t->n % 7 == 0)
            pause_ms(t->pause);
    }
    return NULL;
}

static void run(traffic *t, void *(*body)(void *))
{
    check_eq(pthread_create(&t->thread, NULL, body, t), 0);
}

/* ---- one way ---- */

struct copies {
    WEFT_FRAME;
    struct {
        setting *s;
    } in;
    struct weft_copy copying;
};
WEFT_ASYNC(copies)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_copy(&self->copying, self->in.s->a, self->in.s->b, self->in.s->buffer,
                            sizeof self->in.s->buffer));
    check(n < 0 || n == (int64_t)self->copying.done);
    WEFT_END(n);
}

static void copied(size_t size, int pause)
{
    setting s;
    traffic in = {.n = size, .end = true}, out = {.pause = pause};

    set_up(&s);
    if (pause)
        make_narrow(&s);
    in.fd = s.left, out.fd = s.right;
    run(&in, sends);
    run(&out, receives);
    check_eq(RUN(s.rt, copies, .s = &s), size);
    check_eq(send(weft_stream_fd(s.b), "", 0, MSG_NOSIGNAL), 0); /* shuts nothing down */
    check_eq(weft_stream_shutdown(s.b, SHUT_WR), 0);
    pthread_join(in.thread, NULL);
    pthread_join(out.thread, NULL);
    check_eq(out.n, size);
    tear_down(&s);
}

Test(copy, until_the_end)
{
    copied((size_t)test_scaled(2000000), 0);
    copied(0, 0);
    copied(1, 0);
}

Test(copy, to_a_slow_reader)
{
    copied(300000, 1);
}

Test(copy, cancelled_it_accounts_for_every_byte)
{
    setting             s;
    struct weft_copy    c;
    struct weft_timeout limit;
    traffic             in = {.n = 4 << 20}, out = {0};
    size_t              done;

    set_up(&s);
    make_narrow(&s);
    in.fd = s.left, out.fd = s.right;
    run(&in, sends); /* without a reader the copy stops in the middle of a write */
    check_eq(
        weft_block_on(s.rt, weft_timeout(&limit, weft_copy(&c, s.a, s.b, s.buffer, sizeof s.buffer),
                                         WEFT_MS(50))),
        -ETIMEDOUT);
    done = (size_t)c.done;
    check_cmp(done, >, 0);
    for (size_t i = 0; i < c.left; i++)
        check_eq(c.data[i], byte_at(done + i));
    weft_stream_shutdown(s.b, SHUT_WR);
    receives(&out);
    check_eq(out.n, done);
    close(s.left); /* ends the sender, too */
    s.left = -1;
    weft_stream_close(s.a);
    s.a = NULL;
    pthread_join(in.thread, NULL);
    tear_down(&s);
}

Test(copy, errors_of_both_ends)
{
    setting          s;
    struct weft_copy c;
    weft_io          io;
    char             byte;

    set_up(&s);
    raw_write(s.left, "abc", 3);
    check_eq(weft_block_on(s.rt, weft_read_exact(&io, s.a, &byte, 1)), 1);
    check_eq(weft_stream_shutdown(s.b, SHUT_WR), 0);
    check_eq(weft_block_on(s.rt, weft_copy(&c, s.a, s.b, s.buffer, sizeof s.buffer)), -EPIPE);
    check_eq(c.done, 0);
    check_eq(c.left, 2);
    check_eq(memcmp(c.data, "bc", 2), 0);
    raw_reset(s.left);
    s.left = -1;
    check_eq(weft_block_on(s.rt, weft_copy(&c, s.a, s.b, s.buffer, sizeof s.buffer)), -ECONNRESET);
    check_eq(c.left, 0);
    tear_down(&s);
}

/* ---- both ways ---- */

struct copies_both {
    WEFT_FRAME;
    struct {
        setting *s;
    } in;
    struct weft_copy_both both;
};
WEFT_ASYNC(copies_both)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_copy_both(&self->both, self->in.s->a, self->in.s->b, self->in.s->buffer,
                                 sizeof self->in.s->buffer));
    WEFT_END(n < 0 ? n : (int64_t)(self->both.from_a.done << 32 | self->both.from_b.done));
}

Test(copy, both_ways_at_once)
{
    setting s;
    size_t  forth = (size_t)test_scaled(1500000), back = (size_t)test_scaled(900001);
    traffic in = {.n = forth, .end = true}, out = {.pause = 1};
    traffic other_in = {.n = back, .end = true}, other_out = {0};

    set_up(&s);
    in.fd = other_out.fd = s.left;
    out.fd = other_in.fd = s.right;
    run(&in, sends);
    run(&out, receives);
    run(&other_in, sends);
    run(&other_out, receives);
    check_eq(RUN(s.rt, copies_both, .s = &s), (int64_t)(forth << 32 | back));
    pthread_join(in.thread, NULL);
    pthread_join(out.thread, NULL);
    pthread_join(other_in.thread, NULL);
    pthread_join(other_out.thread, NULL);
    check_eq(out.n, forth);
    check_eq(other_out.n, back);
    tear_down(&s);
}

Test(copy, passes_a_half_close_on_and_goes_on_the_other_way)
{
    setting     s;
    weft_handle h;
    char        byte, answer[6];

    set_up(&s);
    check_eq(weft_spawn_on(s.rt, &h, copies_both, .s = &s), 0);
    raw_write(s.left, "ask", 3);
    check_eq(shutdown(s.left, SHUT_WR), 0);
    raw_read(s.right, answer, 3);
    check_eq(recv(s.right, &byte, 1, 0), 0); /* told that there is no more */
    pause_ms(5);
    check(!weft_is_finished(&h));
    raw_write(s.right, "answer", 6);
    raw_read(s.left, answer, 6);
    check_eq(memcmp(answer, "answer", 6), 0);
    check_eq(shutdown(s.right, SHUT_WR), 0);
    check_eq(recv(s.left, &byte, 1, 0), 0);
    check_eq(join(s.rt, &h), INT64_C(3) << 32 | 6);
    tear_down(&s);
}

Test(copy, a_reset_of_one_side_ends_both_ways)
{
    setting s;

    set_up(&s);
    raw_write(s.right, "x", 1);
    raw_reset(s.left);
    s.left = -1;
    check_eq(RUN(s.rt, copies_both, .s = &s), -ECONNRESET);
    tear_down(&s);
}

Test(copy, both_ways_cancelled_withdraw_at_once)
{
    setting               s;
    struct weft_copy_both both;
    weft_waker            noop = weft_waker_noop();
    weft_context          cx;
    weft_future          *f;

    set_up(&s);
    weft_context_init(&cx, &noop, s.rt);
    f = weft_copy_both(&both, s.a, s.b, s.buffer, sizeof s.buffer);
    check(!weft_poll_is_ready(weft_future_poll(f, &cx)));
    raw_write(s.left, "abc", 3);
    check(!weft_poll_is_ready(weft_future_cancel(f)));
    check(weft_poll_is_ready(weft_future_poll(f, &cx)));
    check_eq(weft_future_result(f), -ECANCELED);
    check_eq(both.from_a.done + both.from_b.done + both.from_a.left + both.from_b.left, 0);
    f = weft_copy_both(&both, s.a, s.b, s.buffer, sizeof s.buffer); /* and may be begun again */
    EVENTUALLY(!weft_poll_is_ready(weft_future_poll(f, &cx)) && both.from_a.done == 3);
    check(!weft_poll_is_ready(weft_future_cancel(f)));
    check(weft_poll_is_ready(weft_future_poll(f, &cx)));
    tear_down(&s);
}

/* A way that never has to wait does not keep the other from its turn. */
Test(copy, neither_way_starves_the_other)
{
    setting               s;
    struct weft_copy_both both;
    weft_waker            noop = weft_waker_noop();
    weft_context          cx;
    weft_future          *f;

    set_up(&s);
    raw_write(s.left, "abc", 3);
    raw_write(s.right, "defg", 4);
    f = weft_copy_both(&both, s.a, s.b, s.buffer, sizeof s.buffer);
    for (int i = 0; i < 2; i++) { /* the budget is one read and one write */
        weft_context_init(&cx, &noop, s.rt);
        cx.budget = 2;
        check(!weft_poll_is_ready(weft_future_poll(f, &cx)));
    }
    check_eq(both.from_a.done, 3);
    check_eq(both.from_b.done, 4);
    check(!weft_poll_is_ready(weft_future_cancel(f)));
    check(weft_poll_is_ready(weft_future_poll(f, &cx)));
    tear_down(&s);
}
