/*
 * test_buffered_storm.c - lines and pieces of a stream, in whatever pieces it arrives and whichever
 * reads are cancelled
 */
#include "../sockets.h"

#include <netinet/tcp.h>

#define N_LINES 400

/* Line i, of 0 to 100 bytes. */
static size_t make_line(uint32_t i, char *text)
{
    uint32_t seed = i * 2654435761u + 1;
    size_t   n = rnd(&seed) % 101;

    for (size_t k = 0; k < n; k++)
        text[k] = (char)('a' + rnd(&seed) % 26);
    text[n] = '\0';
    return n;
}

typedef struct sender {
    int      fd, most; /* bytes at once; 0: one at a time with a pause */
    uint32_t seed;
} sender;

static void *send_lines(void *arg)
{
    sender *p = arg;
    char   *all = malloc(N_LINES * 103);
    size_t  size = 0;

    for (uint32_t i = 0; i < N_LINES; i++) {
        size += make_line(i, all + size);
        if (i % 3 == 0)
            all[size++] = '\r';
        all[size++] = '\n';
    }
    for (size_t at = 0, n; at < size; at += n) {
        n = p->most ? rnd(&p->seed) % (uint32_t)p->most + 1 : 1;
        n = n < size - at ? n : size - at;
        raw_write(p->fd, all + at, n);
        if (rnd(&p->seed) % 8 == 0)
            sched_yield();
    }
    shutdown(p->fd, SHUT_WR);
    free(all);
    return NULL;
}

struct read_lines {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        uint32_t     seed;
        bool         hesitates;
    } in;
    weft_reader        reader;
    struct weft_select sel;
    struct counter     turn;
    char              *line, buffer[103];
    uint32_t           n_lines;
    int64_t            n_cancelled;
};
WEFT_ASYNC(read_lines)
{
    char    expected[103];
    size_t  size;
    int64_t n;

    WEFT_BEGIN();
    self->n_lines = 0;
    self->n_cancelled = 0;
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);
    for (;;) {
        if (self->in.hesitates)
            WEFT_AWAIT(n, weft_select(&self->sel, weft_reader_line(&self->reader, &self->line),
                                      counter(&self->turn, rnd(&self->in.seed) % 4)));
        else
            WEFT_AWAIT(n, weft_reader_line(&self->reader, &self->line));
        n = weft_future_result(&self->reader.future);
        self->n_cancelled += n == -ECANCELED;
        if (n == -ECANCELED)
            continue;
        if (n < 0)
            break;
        size = make_line(self->n_lines++, expected);
        check_eq(n, size);
        check_str_eq(self->line, expected);
    }
    check_eq(n, WEFT_EOF);
    check_eq(self->n_lines, N_LINES);
    WEFT_END(self->n_cancelled);
}

static int64_t lines_from(int most, bool hesitates)
{
    weft_runtime *rt = start(2);
    weft_stream  *s;
    sender        p = {.most = most, .seed = 3};
    pthread_t     thread;
    int64_t       n;

    p.fd = pair(rt, &s);
    setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    check_eq(pthread_create(&thread, NULL, send_lines, &p), 0);
    n = RUN(rt, read_lines, .stream = s, .seed = 7, .hesitates = hesitates);
    pthread_join(thread, NULL);
    weft_stream_close(s);
    close(p.fd);
    stop(rt);
    return n;
}

Test(buffered_storm, lines_that_come_byte_by_byte)
{
    check_eq(lines_from(0, false), 0);
}

Test(buffered_storm, lines_that_come_in_pieces)
{
    check_eq(lines_from(50, false), 0);
    check_eq(lines_from(500, false), 0);
}

Test(buffered_storm, lines_that_come_in_lumps)
{
    check_eq(lines_from(20000, false), 0);
}

Test(buffered_storm, lines_that_are_given_up_in_the_middle_lose_nothing)
{
    check_cmp(lines_from(0, true), >, 10);
    check_cmp(lines_from(50, true), >, 0);
}

/* Every kind of future at random, given up at random: each byte once and in order. */
struct read_mixed {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        uint32_t     seed;
        size_t       size;
    } in;
    weft_reader        reader;
    struct weft_select sel;
    struct counter     turn;
    weft_future       *f;
    int                kind;
    size_t             at;
    char              *data, buffer[64], memory[100];
};
static char byte_at(size_t i)
{
    return (char)(i * 2654435761u >> 13);
}

static weft_future *mixed(struct read_mixed *self)
{
    size_t n = rnd(&self->in.seed) % 60;

    self->kind = (int)(rnd(&self->in.seed) % 6);
    self->data = self->memory;
    switch (self->kind) {
    case 0:
        return weft_reader_take(&self->reader, n, &self->data);
    case 1:
        return weft_reader_peek(&self->reader, n, &self->data);
    case 2:
        return weft_reader_until(&self->reader, (char)n, &self->data);
    case 3:
        return weft_reader_skip(&self->reader, n + 40);
    case 4:
        return weft_reader_read(&self->reader, self->memory, n + 40);
    default:
        return weft_reader_read_exact(&self->reader, self->memory, n + 40);
    }
}
WEFT_ASYNC(read_mixed)
{
    int64_t n;

    WEFT_BEGIN();
    self->at = 0;
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);
    while (self->at < self->in.size) {
        self->f = mixed(self);
        WEFT_AWAIT(
            n, weft_select(&self->sel, self->f, counter(&self->turn, rnd(&self->in.seed) % 10)));
        n = weft_future_result(self->f);
        check(n >= 0 || n == -ECANCELED || n == WEFT_EOF || (n == -EMSGSIZE && self->kind == 2));
        if (n == -EMSGSIZE) {
            WEFT_AWAIT(n, weft_reader_take(&self->reader, 10, &self->data));
            check_eq(n, 10);
        } else if (self->kind == 3 || self->kind == 5) {
            n = (int64_t)self->reader.done;
        } else if (n < 0) {
            continue;
        }
        for (int64_t i = 0; i < n && self->kind != 3; i++)
            check_eq(self->data[i], byte_at(self->at + (size_t)i));
        if (self->kind != 1)
            self->at += (size_t)n;
    }
    check_eq(self->at, self->in.size);
    WEFT_END(0);
}

static void *send_bytes(void *arg)
{
    sender *p = arg;
    char    bytes[300];

    for (size_t at = 0, n; at < 200000; at += n) {
        n = rnd(&p->seed) % sizeof bytes + 1;
        n = n < 200000 - at ? n : 200000 - at;
        for (size_t i = 0; i < n; i++)
            bytes[i] = byte_at(at + i);
        raw_write(p->fd, bytes, n);
    }
    shutdown(p->fd, SHUT_WR);
    return NULL;
}

Test(buffered_storm, all_kinds_given_up_at_random_lose_nothing)
{
    weft_runtime *rt = start(2);
    weft_stream  *s;
    sender        p = {.seed = 11};
    pthread_t     thread;

    p.fd = pair(rt, &s);
    check_eq(pthread_create(&thread, NULL, send_bytes, &p), 0);
    check_eq(RUN(rt, read_mixed, .stream = s, .seed = 5, .size = 200000), 0);
    pthread_join(thread, NULL);
    weft_stream_close(s);
    close(p.fd);
    stop(rt);
}
