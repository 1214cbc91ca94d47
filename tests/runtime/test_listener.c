/*
 * test_listener.c - listening and accepting
 */
#include "../sockets.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

static struct watched polls; /* of the accept of another task */

struct accept_one {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
        weft_stream  **ret;
    } in;
    weft_io io;
};
WEFT_ASYNC(accept_one)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(&polls, weft_accept(&self->io, self->in.listener, self->in.ret)));
    WEFT_END(n);
}

static uint16_t raw_port(int fd)
{
    weft_address address;
    socklen_t    size = sizeof address;

    check_eq(getsockname(fd, &address.u.any, &size), 0);
    return weft_address_port(&address);
}

static uint16_t peer_port(weft_stream *s)
{
    weft_address address;

    check_eq(weft_stream_peer_address(s, &address), 0);
    return weft_address_port(&address);
}

static int option(int fd, int level, int name)
{
    int       value = -1;
    socklen_t size = sizeof value;

    check_eq(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

Test(listener, accepts_in_the_order_of_the_connects)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_io        io;
    int            fd[10];

    for (int i = 0; i < 10; i++)
        fd[i] = raw_connect(&address);
    for (int i = 0; i < 10; i++) {
        weft_stream *s;

        check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
        check_eq(peer_port(s), raw_port(fd[i]));
        weft_stream_close(s);
        close(fd[i]);
    }
    weft_listener_close(l);
    stop(rt);
}

Test(listener, streams_know_their_addresses)
{
    weft_runtime  *rt = start(1);
    weft_address   address, local, peer;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *near, *far;
    weft_io        io;

    check_eq(weft_block_on(rt, weft_connect(&io, &address, &near)), 0);
    check_eq(weft_block_on(rt, weft_accept(&io, l, &far)), 0);
    check_eq(weft_stream_peer_address(near, &peer), 0);
    check_eq(weft_stream_local_address(far, &local), 0);
    check_eq(memcmp(&peer, &address, sizeof peer), 0);
    check_eq(memcmp(&local, &address, sizeof local), 0);
    check_eq(weft_stream_peer_address(far, &peer), 0);
    check_eq(weft_stream_local_address(near, &local), 0);
    check_eq(memcmp(&peer, &local, sizeof peer), 0);
    weft_stream_close(near);
    weft_stream_close(far);
    weft_listener_close(l);
    stop(rt);
}

Test(listener, a_cancelled_accept_has_taken_no_connection)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *s = NULL;
    weft_handle    h;
    int            fd;

    for (int i = 0; i < 20; i++) {
        check_eq(weft_spawn_on(rt, &h, accept_one, .listener = l, .ret = &s), 0);
        pause_ms(i % 3);
        weft_cancel(&h);
        check_eq(join(rt, &h), -ECANCELED);
        check(s == NULL);
    }
    fd = raw_connect(&address);
    check_eq(RUN(rt, accept_one, .listener = l, .ret = &s), 0);
    check_eq(peer_port(s), raw_port(fd));
    weft_stream_close(s);
    weft_listener_close(l);
    close(fd);
    stop(rt);
}

/* Accepts n connections, giving up again and again in mid-accept. */
struct hesitate {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
        int64_t        n;
        uint64_t      *ret_sum;
    } in;
    weft_io            io;
    struct weft_select sel;
    struct counter     turn;
    weft_stream       *stream;
    uint32_t           seed;
};
WEFT_ASYNC(hesitate)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->seed = 5; self->in.n > 0;) {
        self->stream = NULL;
        WEFT_AWAIT(n,
                   weft_select(&self->sel, weft_accept(&self->io, self->in.listener, &self->stream),
                               counter(&self->turn, rnd(&self->seed) % 50)));
        check_eq(weft_future_result(&self->io.future), n == 0 ? 0 : -ECANCELED);
        check_eq(self->stream != NULL, n == 0);
        check_eq(weft_select_undone(&self->sel), 0);
        if (n == 0) {
            *self->in.ret_sum += peer_port(self->stream);
            weft_stream_close(self->stream);
            self->in.n--;
        }
    }
    WEFT_END(0);
}

Test(listener, no_connection_is_lost_among_many_cancels)
{
    weft_runtime  *rt = start(2);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_handle    h;
    int64_t        n = test_scaled(300);
    uint64_t       sum = 0, expected = 0;

    check_eq(weft_spawn_on(rt, &h, hesitate, .listener = l, .n = n, .ret_sum = &sum), 0);
    for (int64_t i = 0; i < n; i++) {
        int  fd = raw_connect(&address);
        char byte;

        expected += raw_port(fd);
        check_eq(recv(fd, &byte, 1, 0), 0); /* accepted and closed */
        close(fd);
    }
    check_eq(join(rt, &h), 0);
    check_eq(sum, expected);
    weft_listener_close(l);
    stop(rt);
}

Test(listener, closing_ends_a_pending_accept)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *s;
    weft_handle    h;
    int            n = n_fds();

    check_eq(weft_spawn_on(rt, &h, accept_one, .listener = l, .ret = &s), 0);
    EVENTUALLY(polls.n_polls > 0); /* a close is allowed while it waits */
    weft_listener_close(l);
    check_eq(join(rt, &h), -ECANCELED);
    EVENTUALLY(n_fds() == n - 1);
    stop(rt);
}

Test(listener, connections_reset_before_they_were_taken_do_no_harm)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *s;
    weft_io        io;
    char           byte;

    for (int i = 0; i < 5; i++)
        raw_reset(raw_connect(&address));
    for (int i = 0; i < 5; i++) { /* Linux hands them out; reading tells */
        check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
        check_eq(weft_block_on(rt, weft_read(&io, s, &byte, 1)), -ECONNRESET);
        weft_stream_close(s);
    }
    weft_listener_close(l);
    stop(rt);
}

static void check_reset_peer(weft_runtime *rt, bool v6)
{
    weft_address   address, from, peer;
    weft_listener *l = listen_on(rt, v6, &address);
    char           text[2][WEFT_ADDRESS_TEXT];
    socklen_t      size = sizeof from.u;
    weft_stream   *s;
    weft_io        io;
    int            fd = raw_connect(&address);

    check_eq(getsockname(fd, &from.u.any, &size), 0);
    raw_reset(fd);
    check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
    check_cmp(getpeername(weft_stream_fd(s), &peer.u.any, &size), <, 0);
    check_eq(weft_stream_peer_address(s, &peer), 0);
    check_str_eq(weft_address_format(&peer, text[0]), weft_address_format(&from, text[1]));
    weft_stream_close(s);
    weft_listener_close(l);
}

Test(listener, the_address_of_a_peer_that_has_reset_is_known)
{
    weft_runtime *rt = start(1);

    check_reset_peer(rt, false);
    check_reset_peer(rt, true);
    stop(rt);
}

/* ---- options ---- */

Test(listener, no_delay_is_set_on_accepted_streams)
{
    weft_runtime  *rt = start(1);
    weft_address   any = loopback(false), address;
    weft_listener *l;
    weft_io        io;

    for (int on = 0; on < 2; on++) {
        weft_stream *s;
        int          fd;

        check_eq(weft_listen(rt, &any, &(weft_listen_options){.no_delay = on}, &l), 0);
        check_eq(weft_listener_address(l, &address), 0);
        fd = raw_connect(&address);
        check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
        check_eq(!!option(weft_stream_fd(s), IPPROTO_TCP, TCP_NODELAY), on);
        check_eq(weft_stream_set_no_delay(s, !on), 0);
        check_eq(!!option(weft_stream_fd(s), IPPROTO_TCP, TCP_NODELAY), !on);
        weft_stream_close(s);
        weft_listener_close(l);
        close(fd);
    }
    stop(rt);
}

/* A call for each connection would cost as much as the accept saves. */
Test(listener, no_delay_is_inherited_and_not_set_again_for_each_connection)
{
    weft_runtime  *rt = start(1);
    weft_address   any = loopback(false), address;
    weft_listener *l;
    weft_stream   *s;
    weft_io        io;
    int            off = 0, fd;

    check_eq(weft_listen(rt, &any, &(weft_listen_options){.no_delay = true}, &l), 0);
    check_eq(setsockopt(weft_listener_fd(l), IPPROTO_TCP, TCP_NODELAY, &off, sizeof off), 0);
    check_eq(weft_listener_address(l, &address), 0);
    fd = raw_connect(&address);
    check_eq(weft_block_on(rt, weft_accept(&io, l, &s)), 0);
    check_eq(option(weft_stream_fd(s), IPPROTO_TCP, TCP_NODELAY), 0);
    weft_stream_close(s);
    weft_listener_close(l);
    close(fd);
    stop(rt);
}

Test(listener, two_listeners_share_a_port_if_they_want_to)
{
    weft_runtime       *rt = start(1);
    weft_address        address = loopback(false);
    weft_listen_options share = {.reuse_port = true};
    weft_listener      *one, *two, *three;

    check_eq(weft_listen(rt, &address, &share, &one), 0);
    check_eq(weft_listener_address(one, &address), 0);
    check_eq(weft_listen(rt, &address, &share, &two), 0);
    check_eq(weft_listen(rt, &address, NULL, &three), -EADDRINUSE);
    weft_listener_close(one);
    weft_listener_close(two);
    stop(rt);
}

Test(listener, the_backlog_is_what_was_asked_for)
{
    weft_runtime  *rt = start(1);
    weft_address   any = loopback(false), address;
    weft_listener *l;
    struct pollfd  waiting[8];
    int            n_connected;

    check_eq(weft_listen(rt, &any, &(weft_listen_options){.backlog = 2}, &l), 0);
    check_eq(weft_listener_address(l, &address), 0);
    for (int i = 0; i < 8; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        check(connect(fd, &address.u.any, sizeof address.u.v4) == 0 || errno == EINPROGRESS);
        waiting[i] = (struct pollfd){.fd = fd, .events = POLLOUT};
    }
    EVENTUALLY(poll(waiting, 8, 0) >= 2);
    pause_ms(50);
    n_connected = poll(waiting, 8, 0); /* Linux takes one more than asked */
    check_cmp(n_connected, <=, 3);
    for (int i = 0; i < 8; i++)
        close(waiting[i].fd);
    weft_listener_close(l);
    stop(rt);
}

Test(listener, v6_only_decides_whether_ipv4_gets_in)
{
    weft_runtime  *rt = start(1);
    weft_address   any, v4;
    weft_listener *l;

    for (int only = 0; only < 2; only++) {
        weft_address address;
        int          fd = socket(AF_INET, SOCK_STREAM, 0);

        check_eq(weft_address_parse("[::]:0", 0, &any), 0);
        if (weft_listen(rt, &any, &(weft_listen_options){.v6_only = only}, &l) < 0)
            test_skip("no IPv6");
        check_eq(weft_listener_address(l, &address), 0);
        check_eq(weft_address_parse("127.0.0.1", weft_address_port(&address), &v4), 0);
        if (only)
            check(connect(fd, &v4.u.any, sizeof v4.u.v4) < 0 && errno == ECONNREFUSED);
        else
            check_eq(connect(fd, &v4.u.any, sizeof v4.u.v4), 0);
        weft_listener_close(l);
        close(fd);
    }
    stop(rt);
}

Test(listener, errors_leave_nothing_behind)
{
    weft_runtime  *rt = start(1);
    weft_address   address, other;
    weft_listener *l = listen_on(rt, false, &address), *second = NULL;
    int            n = n_fds();

    check_eq(weft_listen(rt, &address, NULL, &second), -EADDRINUSE);
    check_eq(weft_address_parse("192.0.2.1:0", 0, &other), 0);
    check_eq(weft_listen(rt, &other, NULL, &second), -EADDRNOTAVAIL);
    check_eq(weft_listen(NULL, &address, NULL, &second), -ENXIO);
    check(second == NULL);
    check_eq(n_fds(), n);
    check_eq(counters(rt).streams_open, 1);
    weft_listener_close(l);
    stop(rt);
}
