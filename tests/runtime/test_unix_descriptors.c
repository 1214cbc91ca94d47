/* test_unix_descriptors.c - descriptors that are passed over a Unix socket */
#include "../sockets.h"

#include <fcntl.h>
#include <sys/stat.h>

/* A message of one byte, with room for one descriptor. */
typedef struct parcel {
    char         byte;
    struct iovec memory;
    _Alignas(8) char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message;
} parcel;

static struct msghdr *wrap(parcel *p, int fd)
{
    struct cmsghdr *c;

    memset(p, 0, sizeof *p);
    p->memory = (struct iovec){&p->byte, 1};
    p->message = (struct msghdr){.msg_iov = &p->memory,
                                 .msg_iovlen = 1,
                                 .msg_control = p->control,
                                 .msg_controllen = sizeof p->control};
    if (fd >= 0) {
        c = CMSG_FIRSTHDR(&p->message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return &p->message;
}

static int unwrap(parcel *p)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(&p->message);
    int             fd;

    check(c != NULL);
    check_eq(c->cmsg_type, SCM_RIGHTS);
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static void check_same_file(int a, int b)
{
    struct stat sa, sb;

    check_eq(fstat(a, &sa), 0);
    check_eq(fstat(b, &sb), 0);
    check(sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
    check(fcntl(b, F_GETFD) & FD_CLOEXEC);
}

Test(unix_descriptors, descriptors_are_passed)
{
    weft_runtime  *rt = start(1);
    weft_stream   *a, *b;
    weft_datagram *c, *d;
    parcel         p;
    weft_io        io;
    int            pipes[2], got, fd[2];

    check_eq(pipe2(pipes, O_CLOEXEC), 0);
    check_eq(weft_stream_pair(rt, &a, &b), 0);
    check_eq(weft_block_on(rt, weft_send_message(&io, a, wrap(&p, pipes[0]), 0)), 1);
    check_eq(weft_block_on(rt, weft_receive_message(&io, b, wrap(&p, -1), 0)), 1);
    got = unwrap(&p);
    check_same_file(pipes[0], got);
    close(got);
    check_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fd), 0);
    check_eq(weft_datagram_adopt(rt, fd[0], &c), 0);
    check_eq(weft_datagram_adopt(rt, fd[1], &d), 0);
    check_eq(weft_block_on(rt, weft_datagram_send_message(&io, c, wrap(&p, pipes[1]), 0)), 1);
    check_eq(weft_block_on(rt, weft_datagram_receive_message(&io, d, wrap(&p, -1), 0)), 1);
    got = unwrap(&p);
    check_same_file(pipes[1], got);
    close(got);
    weft_stream_close(a);
    weft_stream_close(b);
    weft_datagram_close(c);
    weft_datagram_close(d);
    close(pipes[0]);
    close(pipes[1]);
    stop(rt);
}

struct take_all {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
        int          n;
    } in;
    weft_io             io;
    struct weft_timeout limit;
    parcel              parcel;
    uint32_t            seed;
    int                 n_taken, n_cancelled;
};
WEFT_ASYNC(take_all)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_taken = self->n_cancelled = 0;
    self->seed = 1;
    while (self->n_taken < self->in.n) {
        WEFT_AWAIT(n, weft_timeout(&self->limit,
                                   weft_receive_message(&self->io, self->in.stream,
                                                        wrap(&self->parcel, -1), 0),
                                   rnd(&self->seed) % 4 * WEFT_US(500)));
        if (n == -ETIMEDOUT) {
            self->n_cancelled++;
            continue;
        }
        check_eq(n, 1);
        check_eq(self->parcel.byte, (char)self->n_taken);
        check_eq(close(unwrap(&self->parcel)), 0);
        self->n_taken++;
    }
    WEFT_END(self->n_cancelled);
}

Test(unix_descriptors, a_cancelled_receive_loses_no_descriptor)
{
    weft_runtime *rt = start(1);
    weft_stream  *a, *b;
    weft_handle   h;
    parcel        p;
    weft_io       io;
    int           rounds = (int)test_scaled(500), n;
    uint32_t      seed = 3;

    check_eq(weft_stream_pair(rt, &a, &b), 0);
    n = n_fds();
    check_eq(weft_spawn_on(rt, &h, take_all, .stream = b, .n = rounds), 0);
    for (int i = 0; i < rounds; i++) {
        wrap(&p, 2);
        p.byte = (char)i;
        check_eq(weft_block_on(rt, weft_send_message(&io, a, &p.message, 0)), 1);
        if (rnd(&seed) % 2)
            pause_ms(1);
    }
    check_cmp(join(rt, &h), >, 0);
    check_eq(n_fds(), n);
    weft_stream_close(a);
    weft_stream_close(b);
    stop(rt);
}

/* A read ends at a byte that carries a descriptor. It is shorter than its buffer although more
 * bytes are queued. */
Test(unix_descriptors, a_read_that_stopped_at_descriptors_is_not_the_last)
{
    weft_runtime       *rt = start(1);
    weft_stream        *a, *b;
    parcel              p;
    weft_io             io;
    struct weft_timeout limit;
    char                got[8];
    size_t              n = 0;
    int64_t             r;

    check_eq(weft_stream_pair(rt, &a, &b), 0);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_read(&io, b, got, 8), WEFT_MS(2))),
             -ETIMEDOUT); /* now there is a poll */
    for (int i = 0; i < 3; i++)
        check_eq(weft_block_on(rt, weft_send_message(&io, a, wrap(&p, 2), 0)), 1);
    for (n = 0; n < 3; n += (size_t)r) {
        r = weft_block_on(rt, weft_read(&io, b, got, 8));
        check_cmp(r, >, 0);
    }
    weft_stream_close(a);
    weft_stream_close(b);
    stop(rt);
}
