/*
 * test_connect.c - connecting, and many connections that come and go
 */
#include "../actors.h"
#include "../sockets.h"

struct connect_to {
    WEFT_FRAME;
    struct {
        const weft_address *address;
        weft_stream       **ret;
    } in;
    weft_io io;
};
WEFT_ASYNC(connect_to)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_connect(&self->io, self->in.address, self->in.ret));
    WEFT_END(n);
}

Test(connect, a_refused_connection_leaves_nothing_behind)
{
    for (int v6 = 0; v6 < 2; v6++) {
        weft_runtime *rt = start(1);
        weft_stream  *s = NULL;
        weft_address  address;
        int           n;

        close(raw_listen(v6, 1, &address)); /* a port without a listener */
        n = n_fds();
        check_eq(RUN(rt, connect_to, .address = &address, .ret = &s), -ECONNREFUSED);
        check(s == NULL);
        EVENTUALLY(n_fds() == n && counters(rt).streams_open == 0);
        stop(rt);
    }
}

Test(connect, a_bad_address_answers_the_systems_error)
{
    weft_runtime *rt = start(1);
    weft_stream  *s = NULL;
    weft_address  address = {0}, broadcast;
    weft_io       io;
    int           n = n_fds();

    address.u.any.sa_family = 0x7f;
    check_eq(weft_block_on(rt, weft_connect(&io, &address, &s)), -EAFNOSUPPORT);
    check_eq(weft_address_parse("255.255.255.255:1", 0, &broadcast), 0);
    check_cmp(weft_block_on(rt, weft_connect(&io, &broadcast, &s)), <, 0);
    check(s == NULL);
    EVENTUALLY(n_fds() == n);
    stop(rt);
}

/* ---- connections that the other side does not answer ---- */

typedef struct full {
    weft_address address;
    int          listener, client[8];
} full;

/* A listener whose queue is full: further connects stay pending. */
static void fill(full *f)
{
    struct pollfd p = {.events = POLLOUT};

    f->listener = raw_listen(false, 0, &f->address);
    for (int i = 0; i < 8; i++) {
        f->client[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        check(connect(f->client[i], &f->address.u.any, sizeof f->address.u.v4) == 0 ||
              errno == EINPROGRESS);
    }
    pause_ms(50);
    p.fd = f->client[7];
    if (poll(&p, 1, 50) != 0)
        test_skip("the kernel's queue took more connections than it should");
}

static void empty(full *f)
{
    for (int i = 0; i < 8; i++)
        close(f->client[i]);
    close(f->listener);
}

Test(connect, a_pending_connect_can_be_cancelled)
{
    weft_runtime *rt = start(1);
    weft_stream  *s = NULL;
    weft_handle   h;
    full          f;
    int           n;

    fill(&f);
    n = n_fds();
    check_eq(weft_spawn_on(rt, &h, connect_to, .address = &f.address, .ret = &s), 0);
    pause_ms(10);
    check(!weft_is_finished(&h));
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    check(s == NULL);
    EVENTUALLY(n_fds() == n && counters(rt).streams_open == 0);
    empty(&f);
    stop(rt);
}

Test(connect, a_pending_connect_ends_when_there_is_room)
{
    weft_runtime *rt = start(1);
    weft_stream  *s = NULL;
    weft_handle   h;
    full          f;
    int           fd;

    fill(&f);
    check_eq(fcntl(f.listener, F_SETFL, O_NONBLOCK), 0);
    check_eq(weft_spawn_on(rt, &h, connect_to, .address = &f.address, .ret = &s), 0);
    pause_ms(10);
    check(!weft_is_finished(&h));
    for (int i = 0; i < 8; i++)
        close(f.client[i]);
    while (!weft_is_finished(&h)) /* don't wait for a connection: ours may have been the last */
        if ((fd = accept4(f.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
            close(fd);
        else
            pause_ms(1);
    check_eq(join(rt, &h), 0);
    weft_stream_close(s);
    close(f.listener);
    stop(rt);
}

Test(connect, connects_cancelled_at_any_moment_leak_nothing)
{
    weft_runtime *rt = start(2);
    weft_address  address;
    int           listener = raw_listen(false, 1024, &address), n = n_fds();
    uint32_t      seed = 3;

    for (int64_t i = 0; i < test_scaled(300); i++) {
        weft_stream *s = NULL;
        weft_handle  h;
        int64_t      r;

        check_eq(weft_spawn_on(rt, &h, connect_to, .address = &address, .ret = &s), 0);
        for (uint32_t spin = rnd(&seed) % 20000; spin > 0; spin--)
            __asm__ volatile("");
        weft_cancel(&h);
        r = join(rt, &h);
        check(r == 0 || r == -ECANCELED);
        check_eq(s != NULL, r == 0);
        weft_stream_close(s);
    }
    EVENTUALLY(n_fds() == n && counters(rt).streams_open == 0);
    close(listener);
    stop(rt);
}

/* ---- churn ---- */

struct answer {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    buffer[32];
};
WEFT_ASYNC(answer)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, self->buffer, sizeof self->buffer));
        if (n <= 0)
            break;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->buffer, (size_t)n));
        check_cmp(n, >, 0);
    }
    check_eq(n, 0);
    weft_stream_close(self->in.stream);
    WEFT_END(0);
}

struct serve {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *stream;
};
WEFT_ASYNC(serve)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
        if (n < 0)
            break;
        check_eq(weft_spawn(NULL, answer, .stream = self->stream), 0);
    }
    WEFT_END(n);
}

struct churn {
    WEFT_FRAME;
    struct {
        const weft_address *address;
        int64_t             n;
        bool                half_close;
    } in;
    weft_io      io;
    weft_stream *stream;
    char         buffer[5];
};
WEFT_ASYNC(churn)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        WEFT_AWAIT(n, weft_connect(&self->io, self->in.address, &self->stream));
        check_eq(n, 0);
        WEFT_AWAIT(n, weft_write_all(&self->io, self->stream, "hello", 5));
        check_eq(n, 5);
        WEFT_AWAIT(n, weft_read_exact(&self->io, self->stream, self->buffer, 5));
        check_eq(n, 5);
        check_eq(memcmp(self->buffer, "hello", 5), 0);
        if (self->in.half_close) {
            check_eq(weft_stream_shutdown(self->stream, SHUT_WR), 0);
            WEFT_AWAIT(n, weft_read(&self->io, self->stream, self->buffer, 5));
            check_eq(n, 0);
        }
        weft_stream_close(self->stream);
    }
    WEFT_END(0);
}

Test(connect, connections_that_come_and_go_leave_nothing_behind)
{
    weft_runtime  *rt = start(3);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_handle    server, client[4];
    int64_t        alive;
    int            n = n_fds();

    check_eq(weft_spawn_on(rt, &server, serve, .listener = l), 0);
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &client[i], churn, .address = &address, .n = test_scaled(200),
                               .half_close = i % 2),
                 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &client[i]), 0);
    EVENTUALLY(counters(rt).streams_open == 1 && n_fds() == n);
    EVENTUALLY((alive = (int64_t)counters(rt).tasks_alive) == 1);
    weft_cancel(&server);
    check_eq(join(rt, &server), -ECANCELED);
    weft_listener_close(l);
    stop(rt);
}

Test(connect, the_peer_sees_the_end_promptly_when_a_stream_is_closed)
{
    weft_runtime *rt = start(2);

    for (int64_t i = 0; i < test_scaled(200); i++) {
        weft_stream *s;
        int          fd = pair(rt, &s); /* connecting has armed its poll */
        char         byte;
        int64_t      begin = weft_now();

        weft_stream_close(s);
        check_eq(recv(fd, &byte, 1, 0), 0);
        check_cmp(weft_now() - begin, <, WEFT_S(5) * test_slow());
        close(fd);
    }
    stop(rt);
}

/* ---- in dumps ---- */

/* How a task reads a byte of the stream, and the line of a dump about it. "@" is the peer. */
enum { BARE, TIMEOUT, SHIELD, READER, COPY, COPY_BOTH, SELECT, N_READS };
static const char *const read_texts[N_READS] = {
    ", awaiting weft_read of @\n",
    ", awaiting weft_read of @ in weft_timeout\n",
    ", awaiting weft_read of @ in weft_shield\n",
    ", awaiting weft_read of @ in weft_timeout\n", /* the outermost */
    ", awaiting weft_read of @ in weft_copy\n",
    ", awaiting weft_copy_both (weft_read of @ in weft_copy, weft_read of @ in weft_copy)\n",
    ", awaiting weft_select (weft_sleep, weft_read of @ in weft_timeout) in weft_timeout\n",
};

struct reads_one {
    WEFT_FRAME;
    struct {
        weft_stream *stream, *back;
        int          kind;
    } in;
    struct reads_one     *inner;
    weft_io               io;
    struct weft_timeout   limit, outer;
    struct weft_shield    guard;
    weft_reader           reader;
    struct weft_copy      copy;
    struct weft_copy_both both;
    struct weft_select    select;
    struct weft_sleep     nap;
    char                  byte, buffer[16], *data;
};

static weft_future *read_as(struct reads_one *self, weft_stream *s, int kind)
{
    weft_future *future;

    switch (kind) {
    case TIMEOUT:
        return weft_timeout(&self->limit, weft_read(&self->io, s, &self->byte, 1), WEFT_S(1000));
    case SHIELD:
        return weft_shield(&self->guard, weft_read(&self->io, s, &self->byte, 1), 0);
    case READER:
        weft_reader_init(&self->reader, s, self->buffer, sizeof self->buffer);
        future = weft_reader_take(&self->reader, 1, &self->data);
        return weft_timeout(&self->limit, future, WEFT_S(1000));
    case COPY:
        return weft_copy(&self->copy, s, s, self->buffer, sizeof self->buffer);
    case COPY_BOTH:
        return weft_copy_both(&self->both, s, self->in.back, self->buffer, sizeof self->buffer);
    case SELECT:
        future = weft_select(&self->select, weft_sleep(&self->nap, WEFT_S(1000)),
                             read_as(self, s, TIMEOUT));
        return weft_timeout(&self->outer, future, WEFT_S(1000));
    default:
        return weft_read(&self->io, s, &self->byte, 1);
    }
}

WEFT_ASYNC(reads_one)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, read_as(self, self->in.stream, self->in.kind));
    WEFT_END(n);
}

static weft_stream *connect_to(weft_runtime *rt, const weft_address *address)
{
    weft_stream *s;
    weft_io      io;

    check_eq(weft_block_on(rt, weft_connect(&io, address, &s)), 0);
    return s;
}

static void text_of(char *to, const char *from, const char *peer)
{
    for (; *from; from++)
        to += sprintf(to, "%.*s", *from == '@' ? 100 : 1, *from == '@' ? peer : from);
}

Test(connect, a_dump_names_the_peer_of_the_stream_that_a_task_reads)
{
    static struct lines lines = LINES;
    weft_runtime       *rt;
    weft_listener      *l;
    weft_address        address;
    weft_handle         h;
    char                peer[WEFT_ADDRESS_TEXT], wanted[400];

    check_eq(
        weft_runtime_start(&(weft_config){.workers = 1, .log = lines_add, .log_arg = &lines}, &rt),
        0);
    check_eq(weft_address_parse("127.0.0.1", 0, &address), 0);
    check_eq(weft_listen(rt, &address, NULL, &l), 0);
    check_eq(weft_listener_address(l, &address), 0);
    weft_address_format(&address, peer);
    for (int kind = 0; kind < N_READS; kind++) {
        weft_stream *s = connect_to(rt, &address), *back = connect_to(rt, &address);

        check_eq(weft_spawn_on(rt, &h, reads_one, .stream = s, .back = back, .kind = kind), 0);
        text_of(wanted, read_texts[kind], peer);
        lines_dump_until(&lines, rt, ", awaiting");
        check_str_contains(lines.text, wanted);
        weft_cancel(&h);
        (void)join(rt, &h);
        weft_stream_close(s);
        weft_stream_close(back);
    }
    weft_listener_close(l);
    stop(rt);
}
