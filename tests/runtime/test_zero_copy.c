/* test_zero_copy.c - writing to a stream without a copy */
#include "../sockets.h"

#include <sys/ioctl.h>

#define LARGE (1 << 20) /* more than sockets hold, and less than a user may lock */

static char *pattern(void)
{
    char *data = malloc(LARGE);

    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)(i * 7 >> 5);
    return data;
}

struct write_zero_copy {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        const char  *data;
        size_t       size;
        bool         all;
    } in;
    weft_io io;
    size_t  done;
};
WEFT_ASYNC(write_zero_copy)
{
    int64_t n;

    WEFT_BEGIN();
    self->done = 0;
    do {
        WEFT_AWAIT(n, weft_write_zero_copy(&self->io, self->in.stream, self->in.data + self->done,
                                           self->in.size - self->done));
        if (n > 0)
            self->done += (size_t)n;
    } while (n > 0 && self->in.all && self->done < self->in.size);
    WEFT_END(n < 0 ? n : (int64_t)self->done);
}

static void check_arrives(weft_runtime *rt, weft_stream *s, int fd)
{
    char       *data = pattern(), *got = malloc(LARGE);
    weft_handle h;

    check_eq(weft_spawn_on(rt, &h, write_zero_copy, .stream = s, .data = data, .size = LARGE,
                           .all = true),
             0);
    raw_read(fd, got, LARGE);
    check_eq(join(rt, &h), LARGE);
    check_eq(memcmp(data, got, LARGE), 0);
    free(data);
    free(got);
}

Test(zero_copy, zero_copy_writes_arrive)
{
    for (int mask = 0; mask <= 16; mask += 16) { /* with the kernel's help, and without */
        weft_runtime *rt = start_with(&(weft_config){.workers = 1, .ring_mask = mask});
        weft_stream  *s;
        weft_io       io;
        int           fd = pair(rt, &s), unix_pair[2];

        check_arrives(rt, s, fd);
        check_eq(weft_block_on(rt, weft_write_zero_copy(&io, s, "x", 0)), 0);
        weft_stream_close(s);
        close(fd);
        check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, unix_pair), 0);
        check_eq(weft_stream_adopt(rt, unix_pair[0], &s), 0); /* as weft_write */
        check_arrives(rt, s, unix_pair[1]);
        weft_stream_close(s);
        close(unix_pair[1]);
        stop(rt);
    }
}

static int n_unsent(weft_stream *s)
{
    int n = 0;

    check_eq(ioctl(weft_stream_fd(s), TIOCOUTQ, &n), 0);
    return n;
}

/* The operation waits for room, and the peer does not read. */
static weft_handle blocked(weft_runtime *rt, weft_stream *s, const char *data)
{
    weft_handle h;
    weft_io     io;

    check_eq(weft_stream_set_buffers(s, 0, 8192), 0);
    check_eq(weft_spawn_on(rt, &h, write_zero_copy, .stream = s, .data = data, .size = LARGE), 0);
    EVENTUALLY(n_unsent(s) > 0 || weft_is_finished(&h)); /* not by a write, which might be first */
    if (weft_is_finished(&h))
        check_cmp(join(rt, &h), ==, INT64_MIN); /* says what it has ended with */
    check_eq(weft_block_on(rt, weft_write(&io, s, "", 0)), -EBUSY);
    pause_ms(20);
    check(!weft_is_finished(&h));
    return h;
}

/* Joins a write that ends. What it has sent stays lent until the peer has acknowledged it, and the
 * peer acknowledges the last of it only when it has room. */
static int64_t join_while_peer_reads(weft_runtime *rt, weft_handle *h, int fd)
{
    static char some[65536];

    EVENTUALLY((recv(fd, some, sizeof some, MSG_DONTWAIT), weft_is_finished(h)));
    return join(rt, h);
}

Test(zero_copy, a_zero_copy_write_can_be_cancelled)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_URING});
    weft_stream  *s;
    char         *data = pattern();
    weft_io       io;
    int           fd = pair(rt, &s);
    weft_handle   h = blocked(rt, s, data);
    int64_t       n;

    weft_cancel(&h);
    n = join_while_peer_reads(rt, &h, fd);
    check((n >= 0 && n < LARGE) || n == -ECANCELED);            /* what has been sent, has */
    check_eq(weft_block_on(rt, weft_write(&io, s, "x", 0)), 0); /* the next may */
    weft_stream_close(s);
    close(fd);
    free(data);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

Test(zero_copy, closing_ends_a_zero_copy_write)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_URING});
    weft_stream  *s;
    char         *data = pattern();
    int           fd = pair(rt, &s);
    weft_handle   h = blocked(rt, s, data);
    int64_t       n;

    weft_stream_close(s);
    n = join_while_peer_reads(rt, &h, fd);
    check((n >= 0 && n < LARGE) || n == -ECANCELED);
    EVENTUALLY(counters(rt).streams_open == 0);
    close(fd);
    free(data);
    stop(rt);
}

/* Fills the peer's window, so that the kernel sends nothing more. */
static void fill(weft_stream *s, const char *data)
{
    check_eq(weft_stream_set_buffers(s, 0, 8192), 0);
    do {
        while (weft_stream_try_write(s, data, LARGE) > 0)
            ;
        pause_ms(5); /* what it has sent meanwhile makes room */
    } while (weft_stream_try_write(s, data, LARGE) > 0);
    check_eq(weft_stream_set_buffers(s, 0, 100000), 0);
}

/* The peer neither reads nor closes, and the kernel has memory that it has not even sent. */
static void check_reset_ends(void (*close_it)(weft_stream *s))
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_URING});
    weft_stream  *s;
    char         *data = pattern();
    int           fd = pair(rt, &s), before;
    weft_handle   h;
    int64_t       n;

    fill(s, data);
    before = n_unsent(s);
    check_eq(weft_spawn_on(rt, &h, write_zero_copy, .stream = s, .data = data, .size = LARGE), 0);
    EVENTUALLY(n_unsent(s) > before);
    check_eq(weft_stream_set_reset(s, true), 0);
    close_it(s);
    n = join(rt, &h);
    check((n >= 0 && n < LARGE) || n == -ECANCELED);
    EVENTUALLY(counters(rt).streams_open == 0);
    close(fd);
    free(data);
    stop(rt);
}

Test(zero_copy, closing_with_a_reset_ends_a_zero_copy_write)
{
    check_reset_ends(weft_stream_close);
}

/* Closes two of the handles of a stream: 0 is its reader, 1 its writer, 2 the whole. */
static void close_two(weft_stream *s, int first, int second)
{
    weft_stream *handle[3] = {[2] = s};

    check_eq(weft_stream_split(s, &handle[0], &handle[1]), 0);
    weft_stream_close(handle[first]);
    weft_stream_close(handle[second]);
}

static void close_writer_first(weft_stream *s)
{
    close_two(s, 1, 0);
}

static void close_reader_first(weft_stream *s)
{
    close_two(s, 0, 1);
}

static void close_writer_and_all(weft_stream *s)
{
    close_two(s, 1, 2);
}

Test(zero_copy, closing_both_halves_with_a_reset_ends_it_too)
{
    check_reset_ends(close_writer_first);
    check_reset_ends(close_reader_first);
    check_reset_ends(close_writer_and_all);
}

Test(zero_copy, a_peer_that_is_gone_ends_a_zero_copy_write)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_URING});
    weft_stream  *s;
    char         *data = pattern();
    weft_io       io;
    int           fd = pair(rt, &s);
    weft_handle   h = blocked(rt, s, data);
    int64_t       n;

    raw_reset(fd);
    n = join(rt, &h);
    check((n >= 0 && n < LARGE) || n == -ECONNRESET || n == -EPIPE);
    n = weft_block_on(rt, weft_write_zero_copy(&io, s, data, LARGE));
    check(n == -EPIPE || n == -ECONNRESET);
    weft_stream_close(s);
    free(data);
    stop(rt);
}

/* Each runtime has the other backend, or no zero-copy writes. */
Test(zero_copy, a_task_of_another_runtime_may_write_without_a_copy)
{
    weft_runtime *ours = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_URING});
    weft_runtime *other = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_EPOLL});
    weft_stream  *s;
    int           fd = pair(ours, &s);

    check_arrives(other, s, fd);
    weft_stream_close(s);
    close(fd);
    fd = pair(other, &s);
    check_arrives(ours, s, fd);
    weft_stream_close(s);
    close(fd);
    EVENTUALLY(counters(ours).streams_open == 0);
    stop(other);
    stop(ours);
}

Test(zero_copy, an_executor_without_a_runtime_may_write_without_a_copy)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .backend = WEFT_BACKEND_URING});
    weft_stream  *s;
    struct hand   hand;
    weft_io       io;
    char          byte;
    int           fd = pair(rt, &s);

    hand_init(&hand, NULL);
    weft_write_zero_copy(&io, s, "x", 1);
    while (!hand_poll(&hand, &io.future))
        EVENTUALLY(__atomic_load_n(&hand.woken, __ATOMIC_ACQUIRE));
    check_eq(io.future.result, 1);
    raw_read(fd, &byte, 1);
    weft_stream_close(s);
    close(fd);
    stop(rt);
}
