/*
 * test_send_file.c - bytes that go from descriptor to descriptor without a copy
 */
#include "../sockets.h"

#define SIZE ((size_t)3 << 20)

static char at(size_t i)
{
    return (char)(i * 2654435761u >> 13);
}

static int made_file(size_t size)
{
    int   fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char *bytes = malloc(size);

    if (fd < 0)
        test_skip("no O_TMPFILE in /tmp");
    for (size_t i = 0; i < size; i++)
        bytes[i] = at(i);
    check_eq(write(fd, bytes, size), size);
    free(bytes);
    return fd;
}

typedef struct receiver {
    int       fd;
    size_t    first, n; /* of the file, expected; n: got */
    int       pause;    /* ms before the first read */
    bool      changed;  /* the file has been: what is sent are its pages as they are now */
    pthread_t thread;
} receiver;

static void *receive(void *arg)
{
    receiver *r = arg;
    char      bytes[10000];
    ssize_t   n;

    pause_ms(r->pause);
    while ((n = recv(r->fd, bytes, sizeof bytes, 0)) > 0)
        for (ssize_t i = 0; i < n; i++, r->n++)
            check(r->changed || bytes[i] == at(r->first + r->n));
    return NULL;
}

static void receive_from(receiver *r)
{
    check_eq(pthread_create(&r->thread, NULL, receive, r), 0);
}

static size_t received(receiver *r)
{
    pthread_join(r->thread, NULL);
    close(r->fd);
    return r->n;
}

static bool sigpipe_waits(void)
{
    sigset_t pending;

    check_eq(sigpending(&pending), 0);
    return sigismember(&pending, SIGPIPE);
}

struct send {
    WEFT_FRAME;
    struct {
        weft_stream *to;
        int          fd;
        int64_t      offset;
        size_t       size;
        size_t      *done;
    } in;
    weft_io io;
};
WEFT_ASYNC(send)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n,
               weft_send_file(&self->io, self->in.to, self->in.fd, self->in.offset, self->in.size));
    if (self->in.done)
        *self->in.done = self->io.done;
    check(!sigpipe_waits());
    weft_stream_close(self->in.to);
    WEFT_END(n);
}

/* A stream that holds little, and its other end. */
static int narrow_pair(weft_runtime *rt, weft_stream **ret)
{
    int fd = pair(rt, ret), small = 32768;

    setsockopt(weft_stream_fd(*ret), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    return fd;
}

static void sends(int64_t offset, size_t size, size_t expected, int pause)
{
    weft_runtime *rt = start(1);
    int           fd = made_file(SIZE);
    weft_stream  *s;
    receiver      r = {.first = (size_t)offset, .pause = pause};

    r.fd = narrow_pair(rt, &s);
    receive_from(&r);
    check_eq(RUN(rt, send, .to = s, .fd = fd, .offset = offset, .size = size), expected);
    check_eq(received(&r), expected);
    check_eq(lseek(fd, 0, SEEK_CUR), SIZE); /* its position is as it was */
    close(fd);
    stop(rt);
}

Test(send_file, a_part_or_all)
{
    sends(0, SIZE, SIZE, 0);
    sends(12345, 100000, 100000, 0);
}

Test(send_file, to_a_reader_that_takes_its_time)
{
    sends(0, SIZE, SIZE, 50);
}

Test(send_file, to_the_files_end)
{
    sends(SIZE - 1000, SIZE_MAX, 1000, 0);
    sends(SIZE - 1000, 2000, 1000, 0);
    sends(SIZE, 10, 0, 0);
    sends(0, 0, 0, 0);
}

Test(send_file, errors)
{
    weft_runtime *rt = start(1);
    int           fd = made_file(10), end[2], peer;
    weft_stream  *s;
    weft_io       io;

    peer = pair(rt, &s);
    check_eq(pipe2(end, O_CLOEXEC), 0);
    check_eq(weft_block_on(rt, weft_send_file(&io, s, 9999, 0, 10)), -EBADF);
    check_eq(weft_block_on(rt, weft_send_file(&io, s, fd, -1, 10)), -EINVAL);
    check_cmp(weft_block_on(rt, weft_send_file(&io, s, end[0], 0, 10)), <, 0); /* no file */
    check_eq(weft_stream_shutdown(s, SHUT_WR), 0);
    check_eq(weft_block_on(rt, weft_send_file(&io, s, fd, 0, 10)), -EPIPE); /* and no SIGPIPE */
    check_eq(io.done, 0);
    check(!sigpipe_waits());
    weft_stream_close(s);
    close(peer);
    close(fd);
    close(end[0]);
    close(end[1]);
    stop(rt);
}

Test(send_file, only_a_sigpipe_of_the_callers_stays)
{
    weft_runtime *rt = start(1);
    int           fd = made_file(10), peer;
    sigset_t      pipe;
    weft_stream  *s;
    weft_io       io;

    peer = pair(rt, &s);
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    weft_stream_shutdown(s, SHUT_WR);
    check_eq(weft_block_on(rt, weft_send_file(&io, s, fd, 0, 10)), -EPIPE);
    check(!sigpipe_waits());
    pthread_kill(pthread_self(), SIGPIPE);
    check_eq(weft_block_on(rt, weft_send_file(&io, s, fd, 0, 10)), -EPIPE);
    check(sigpipe_waits());
    weft_stream_close(s);
    close(peer);
    close(fd);
    stop(rt);
}

Test(send_file, a_task_on_the_callers_thread_raises_no_sigpipe)
{
    weft_runtime *rt = start_with(&(weft_config){.current_thread = 1});
    int           fd = made_file(10), peer;
    weft_stream  *s;

    peer = pair(rt, &s);
    check_eq(weft_stream_shutdown(s, SHUT_WR), 0);
    check_eq(RUN(rt, send, .to = s, .fd = fd, .size = 10), -EPIPE);
    check(!sigpipe_waits());
    close(peer);
    close(fd);
    stop(rt);
}

Test(send_file, a_file_that_shrinks_meanwhile_ends_it)
{
    weft_runtime *rt = start(1);
    int           fd = made_file(SIZE);
    weft_stream  *s;
    weft_handle   h;
    receiver      r = {.changed = true};
    int64_t       n;

    r.fd = narrow_pair(rt, &s);
    check_eq(weft_spawn_on(rt, &h, send, .to = s, .fd = fd, .size = SIZE), 0);
    pause_ms(10); /* the socket is full now */
    check_eq(ftruncate(fd, 1000), 0);
    receive_from(&r);
    n = join(rt, &h);
    check_cmp(n, <, SIZE);
    check_eq(received(&r), n);
    close(fd);
    stop(rt);
}

Test(send_file, a_cancelled_one_says_what_is_gone)
{
    weft_runtime *rt = start(1);
    int           fd = made_file(SIZE);
    weft_stream  *s;
    weft_handle   h;
    receiver      r = {0};
    size_t        done = 0;

    r.fd = narrow_pair(rt, &s);
    check_eq(weft_spawn_on(rt, &h, send, .to = s, .fd = fd, .size = SIZE, .done = &done), 0);
    pause_ms(10);
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    receive_from(&r);
    check_eq(received(&r), done);
    check_cmp(done, <, SIZE);
    close(fd);
    stop(rt);
}

/* ---- splice ---- */

struct splice_through {
    WEFT_FRAME;
    struct {
        int from, to;
    } in;
    weft_io io;
    int     pipe[2];
    int64_t at, part, n;
};
WEFT_ASYNC(splice_through)
{
    int64_t n;

    WEFT_BEGIN();
    check_eq(pipe2(self->pipe, O_CLOEXEC), 0);
    for (self->at = 0;; self->at += self->n) {
        WEFT_AWAIT(n, weft_splice(&self->io, self->in.from, self->at, self->pipe[1], -1, 60000, 0));
        check_cmp(n, >=, 0);
        if (n == 0)
            break;
        self->n = n;
        for (self->part = 0; self->part < self->n; self->part += n) {
            WEFT_AWAIT(n, weft_splice(&self->io, self->pipe[0], -1, self->in.to,
                                      self->at + self->part, (size_t)(self->n - self->part), 0));
            check_cmp(n, >, 0);
        }
    }
    close(self->pipe[0]);
    close(self->pipe[1]);
    WEFT_END(self->at);
}

Test(send_file, splice_moves_a_file_through_a_pipe)
{
    weft_runtime *rt = start(1);
    int           from = made_file(300001), to = made_file(1);
    char         *bytes = malloc(300001);

    check_eq(RUN(rt, splice_through, .from = from, .to = to), 300001);
    check_eq(pread(to, bytes, 300001, 0), 300001);
    for (size_t i = 0; i < 300001; i++)
        check_eq(bytes[i], at(i));
    free(bytes);
    close(from);
    close(to);
    stop(rt);
}

Test(send_file, splice_errors)
{
    weft_runtime *rt = start(1);
    int           fd = made_file(10), end[2];
    weft_io       io;

    check_eq(pipe2(end, O_CLOEXEC), 0);
    check_eq(weft_block_on(rt, weft_splice(&io, fd, 0, fd, 0, 10, 0)), -EINVAL); /* no pipe */
    check_eq(weft_block_on(rt, weft_splice(&io, 9999, 0, end[1], -1, 10, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_splice(&io, fd, 0, 9999, -1, 10, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_splice(&io, fd, 0, end[1], 0, 10, 0)), -ESPIPE);
    close(fd);
    close(end[0]);
    close(end[1]);
    stop(rt);
}
