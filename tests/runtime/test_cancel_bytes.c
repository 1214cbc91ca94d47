/*
 * test_cancel_bytes.c - bytes arrive once and in order, however often reading and writing them is
 * given up in between
 */
#include "../sockets.h"

static size_t  total;      /* bytes to move: set by each test */
static int64_t n_given_up; /* how often it was given up so far */

/* The peer begins only then: the test tests something, however quick the peer is. */
#define GIVEN_UP_LEAST 11

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 2654435761u >> 13);
}

typedef struct peer {
    int      fd;
    size_t   total;
    uint32_t seed;
} peer;

static void *send_bytes(void *arg)
{
    peer         *p = arg;
    unsigned char buffer[2000];

    spin_until(&n_given_up, GIVEN_UP_LEAST);
    for (size_t at = 0; at < p->total;) {
        size_t n = rnd(&p->seed) % sizeof buffer + 1;

        n = n < p->total - at ? n : p->total - at;
        for (size_t i = 0; i < n; i++)
            buffer[i] = byte_at(at + i);
        raw_write(p->fd, buffer, n);
        at += n;
        if (rnd(&p->seed) % 8 == 0)
            sched_yield();
    }
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

static void *receive_bytes(void *arg)
{
    peer         *p = arg;
    unsigned char buffer[3000];
    size_t        at = 0;
    ssize_t       n;

    spin_until(&n_given_up, GIVEN_UP_LEAST);
    while ((n = recv(p->fd, buffer, rnd(&p->seed) % sizeof buffer + 1, 0)) > 0)
        for (ssize_t i = 0; i < n; i++, at++)
            check_eq(buffer[i], byte_at(at));
    check_eq(n, 0);
    check_eq(at, p->total);
    return NULL;
}

/* ---- reading ---- */

struct hesitant_read {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        uint32_t     seed;
        bool         timer; /* gives up by the clock */
    } in;
    weft_io             io;
    struct weft_select  sel;
    struct weft_timeout limit;
    struct counter      turn;
    struct iovec        vector[2];
    weft_future        *read;
    size_t              at;
    int                 kind;
    unsigned char       buffer[1500];
};
WEFT_ASYNC(hesitant_read)
{
    int64_t n;

    WEFT_BEGIN();
    self->at = 0;
    for (;;) {
        self->kind = (int)(rnd(&self->in.seed) % 3);
        n = 1 + rnd(&self->in.seed) % 1500;
        self->vector[0] = (struct iovec){self->buffer, (size_t)n / 2};
        self->vector[1] = (struct iovec){self->buffer + n / 2, (size_t)n - (size_t)n / 2};
        self->read = self->kind == 0
                         ? weft_read(&self->io, self->in.stream, self->buffer, (size_t)n)
                     : self->kind == 1
                         ? weft_readv(&self->io, self->in.stream, self->vector, 2)
                         : weft_read_exact(&self->io, self->in.stream, self->buffer, (size_t)n);
        if (self->in.timer)
            WEFT_AWAIT(n, weft_timeout(&self->limit, self->read, rnd(&self->in.seed) % WEFT_MS(2)));
        else
            WEFT_AWAIT(n, weft_select(&self->sel, self->read,
                                      counter(&self->turn, rnd(&self->in.seed) % 8)));
        n = weft_future_result(self->read);
        add(&n_given_up, n == -ECANCELED);
        if (n == 0 || n == WEFT_EOF) /* the end; of read_exact, in the middle */
            break;
        check(n > 0 || n == -ECANCELED);
        if (self->kind == 2)
            n = (int64_t)self->io.done;
        else
            check_eq(self->io.done, 0);
        for (int64_t i = 0; i < n; i++, self->at++)
            check_eq(self->buffer[i], byte_at(self->at));
    }
    for (size_t i = 0; n == WEFT_EOF && i < self->io.done; i++, self->at++)
        check_eq(self->buffer[i], byte_at(self->at));
    check_eq(self->at, total);
    WEFT_END(0);
}

static void reading(bool timer, int64_t budget)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .budget = budget});
    weft_stream  *s;
    peer          p = {.seed = 5};
    pthread_t     thread;

    n_given_up = 0;
    p.total = total = (size_t)test_scaled(16 << 20);
    p.fd = pair(rt, &s);
    check_eq(pthread_create(&thread, NULL, send_bytes, &p), 0);
    check_eq(RUN(rt, hesitant_read, .stream = s, .seed = 77, .timer = timer), 0);
    pthread_join(thread, NULL);
    weft_stream_close(s);
    close(p.fd);
    stop(rt);
}

Test(cancel_bytes, reads_given_up_lose_nothing)
{
    reading(false, 0);
}

Test(cancel_bytes, reads_given_up_with_little_budget_lose_nothing)
{
    reading(false, 2);
}

Test(cancel_bytes, reads_that_time_out_lose_nothing)
{
    reading(true, 0);
}

/* ---- writing ---- */

struct hesitant_write {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        uint32_t     seed;
    } in;
    weft_io            io;
    struct weft_select sel;
    struct counter     turn;
    weft_future       *write;
    size_t             at;
    bool               all;
    unsigned char      buffer[100000];
};
WEFT_ASYNC(hesitant_write)
{
    int64_t n;

    WEFT_BEGIN();
    self->at = 0;
    while (self->at < total) {
        n = 1 + rnd(&self->in.seed) % (int64_t)sizeof self->buffer;
        n = n < (int64_t)(total - self->at) ? n : (int64_t)(total - self->at);
        for (int64_t i = 0; i < n; i++)
            self->buffer[i] = byte_at(self->at + (size_t)i);
        self->all = rnd(&self->in.seed) % 2;
        self->write = self->all
                          ? weft_write_all(&self->io, self->in.stream, self->buffer, (size_t)n)
                          : weft_write(&self->io, self->in.stream, self->buffer, (size_t)n);
        WEFT_AWAIT(
            n, weft_select(&self->sel, self->write, counter(&self->turn, rnd(&self->in.seed) % 8)));
        n = weft_future_result(self->write);
        add(&n_given_up, n == -ECANCELED);
        check(n > 0 || n == -ECANCELED);
        if (self->all)
            self->at += self->io.done; /* what is gone is told, also when given up */
        else
            self->at += n > 0 ? (size_t)n : 0;
    }
    weft_stream_close(self->in.stream);
    WEFT_END(0);
}

static void writing(int64_t budget)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .budget = budget});
    weft_stream  *s;
    peer          p = {.seed = 9};
    int           small = 32768;
    pthread_t     thread;

    n_given_up = 0;
    p.total = total = (size_t)test_scaled(16 << 20);
    p.fd = pair(rt, &s);
    setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(weft_stream_fd(s), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    check_eq(pthread_create(&thread, NULL, receive_bytes, &p), 0);
    check_eq(RUN(rt, hesitant_write, .stream = s, .seed = 31), 0);
    pthread_join(thread, NULL);
    close(p.fd);
    stop(rt);
}

Test(cancel_bytes, writes_given_up_send_each_byte_once)
{
    writing(0);
}

Test(cancel_bytes, writes_given_up_with_little_budget_send_each_byte_once)
{
    writing(2);
}
