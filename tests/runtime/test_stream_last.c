/*
 * test_stream_last.c - bytes that arrive just before the end of a socket are delivered
 *
 * The system calls below are slow, as on a busy machine. When a call has found no bytes, the last
 * message and the end arrive before it returns.
 */
#include "../sockets.h"

#include <sys/syscall.h>
#include <sys/un.h>
#include <weft/datagram.h>

static struct {
    atomic_int         n_empty; /* calls that have found nothing */
    atomic_int         armed;
    int                peer, own; /* descriptors */
    struct sockaddr_un un;
    socklen_t          un_size;
    void (*end)(void);
} late;

static void come_late(ssize_t result)
{
    int armed = 1;

    if (result >= 0 || errno != EAGAIN)
        return;
    atomic_fetch_add(&late.n_empty, 1);
    if (!atomic_compare_exchange_strong(&late.armed, &armed, 0))
        return;
    late.end();
    pause_ms(50); /* another thread handles the events meanwhile, or does not: both are right */
    errno = EAGAIN;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t n = syscall(SYS_recvmsg, fd, message, flags);

    come_late(n);
    return n;
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    int r = (int)syscall(SYS_accept4, fd, address, size, flags);

    come_late(r);
    return r;
}

static void write_and_close(void)
{
    check_eq(write(late.peer, "last", 4), 4);
    close(late.peer);
}

static void send_and_shut(void)
{
    check_eq(write(late.peer, "last", 4), 4);
    (void)shutdown(late.own, SHUT_RD); /* it says ENOTCONN, and does it */
}

static void connect_and_shut(void)
{
    check_eq(connect(late.peer, (struct sockaddr *)&late.un, late.un_size), 0);
    check_eq(shutdown(late.own, SHUT_RD), 0);
}

/* Until the end, on a worker beside the reactor. */
struct receives {
    WEFT_FRAME;
    struct {
        weft_stream   *stream;
        weft_datagram *datagram; /* in place of the stream */
    } in;
    weft_io       io;
    struct iovec  room;
    struct msghdr message;
    char          bytes[16];
    int64_t       n_bytes;
};
WEFT_ASYNC(receives)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_bytes = 0;
    do {
        self->room = (struct iovec){self->bytes, sizeof self->bytes};
        self->message = (struct msghdr){.msg_iov = &self->room, .msg_iovlen = 1};
        WEFT_AWAIT(n, self->in.stream
                          ? weft_receive_message(&self->io, self->in.stream, &self->message, 0)
                          : weft_receive_from(&self->io, self->in.datagram, self->bytes,
                                              sizeof self->bytes, NULL));
        self->n_bytes += n > 0 ? n : 0;
    } while (n > 0);
    WEFT_END(n < 0 ? n : self->n_bytes);
}

/* From now on the next call that finds no bytes returns late. The operation waits already, so the
 * socket is in the epoll set. */
static void arm(void (*end)(void))
{
    EVENTUALLY(atomic_load(&late.n_empty) > 0);
    late.end = end;
    atomic_store(&late.armed, 1);
}

Test(stream_last, message_of_a_unix_stream_comes_before_the_end)
{
    weft_runtime *rt = start(2);
    weft_stream  *s;
    weft_handle   h;

    late.peer = pair(rt, &s);
    check_eq(weft_spawn_on(rt, &h, receives, .stream = s), 0);
    arm(write_and_close);
    check_eq(write(late.peer, "1st", 3), 3);
    check_eq(join(rt, &h), 7);
    weft_stream_close(s);
    stop(rt);
}

Test(stream_last, datagram_comes_before_the_end)
{
    weft_runtime  *rt = start(2);
    weft_address   address = loopback(false);
    weft_datagram *d;
    weft_handle    h;

    check_eq(weft_datagram_bind(rt, &address, NULL, &d), 0);
    check_eq(weft_datagram_local_address(d, &address), 0);
    late.own = weft_datagram_fd(d);
    late.peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check_eq(connect(late.peer, &address.u.any, sizeof address.u.v4), 0);
    check_eq(weft_spawn_on(rt, &h, receives, .datagram = d), 0);
    arm(send_and_shut);
    check_eq(write(late.peer, "1st", 3), 3);
    check_eq(join(rt, &h), 7);
    weft_datagram_close(d);
    close(late.peer);
    stop(rt);
}

struct accepts {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *s;
    int64_t      n_taken;
};
WEFT_ASYNC(accepts)
{
    int64_t n;

    WEFT_BEGIN();
    self->n_taken = 0;
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->s));
        if (n < 0)
            break;
        self->n_taken++;
        weft_stream_close(self->s);
    }
    check_eq(n, -EINVAL);
    WEFT_END(self->n_taken);
}

Test(stream_last, connection_comes_before_the_end_of_its_listener)
{
    weft_runtime  *rt = start(2);
    weft_address   address;
    weft_listener *l;
    weft_handle    h;
    int            first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    check_eq(weft_address_unix("@weft-test-stream-last", &address), 0);
    check_eq(weft_listen(rt, &address, NULL, &l), 0);
    late.own = weft_listener_fd(l);
    late.un_size = sizeof late.un;
    check_eq(getsockname(late.own, (struct sockaddr *)&late.un, &late.un_size), 0);
    late.peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check_eq(weft_spawn_on(rt, &h, accepts, .listener = l), 0);
    arm(connect_and_shut);
    check_eq(connect(first, (struct sockaddr *)&late.un, late.un_size), 0);
    check_eq(join(rt, &h), 2);
    weft_listener_close(l);
    close(first);
    close(late.peer);
    stop(rt);
}
