/*
 * test_datagram.c - UDP: one datagram, batches, cut ones, connected sockets
 */
#include "../sockets.h"

static weft_datagram *bind_udp(weft_runtime *rt, weft_address *ret)
{
    weft_address   any = loopback(false);
    weft_datagram *d;

    check_eq(weft_datagram_bind(rt, &any, NULL, &d), 0);
    check_eq(weft_datagram_local_address(d, ret), 0);
    check_ne(weft_address_port(ret), 0);
    return d;
}

struct echo {
    WEFT_FRAME;
    struct {
        weft_datagram *socket;
    } in;
    weft_io      io;
    weft_address from;
    char         data[2000];
};
WEFT_ASYNC(echo)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_receive_from(&self->io, self->in.socket, self->data, sizeof self->data,
                                        &self->from));
        if (n < 0)
            break;
        WEFT_AWAIT(n, weft_send_to(&self->io, self->in.socket, self->data, (size_t)n, &self->from));
        if (n < 0)
            break;
    }
    WEFT_END(n);
}

struct ask {
    WEFT_FRAME;
    struct {
        const weft_address *server;
        weft_runtime       *rt;
        int                 rounds;
    } in;
    weft_io             io;
    struct weft_timeout limit;
    weft_datagram      *socket;
    weft_address        address, from;
    char                data[1000], got[2000];
    int                 i;
};
WEFT_ASYNC(ask)
{
    int64_t n;

    WEFT_BEGIN();
    self->socket = bind_udp(self->in.rt, &self->address);
    for (self->i = 0; self->i < self->in.rounds; self->i++) {
        memset(self->data, 'a' + self->i % 26, sizeof self->data);
        WEFT_AWAIT(n, weft_send_to(&self->io, self->socket, self->data, (size_t)self->i % 1000,
                                   self->in.server));
        check_eq(n, self->i % 1000);
        WEFT_AWAIT(n, weft_receive_from(&self->io, self->socket, self->got, sizeof self->got,
                                        &self->from));
        check_eq(n, self->i % 1000); /* one at a time on the loopback: none is lost */
        check_eq(self->io.done, n);
        check_eq(memcmp(self->got, self->data, (size_t)n), 0);
        check_eq(weft_address_port(&self->from), weft_address_port(self->in.server));
    }
    weft_datagram_close(self->socket);
    WEFT_END(0);
}

Test(datagram, an_echo)
{
    weft_runtime  *rt = start(2);
    weft_address   address;
    weft_datagram *server = bind_udp(rt, &address);
    weft_handle    h, client[4];

    check_eq(weft_spawn_on(rt, &h, echo, .socket = server), 0);
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &client[i], ask, .server = &address, .rt = rt, .rounds = 2100),
                 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &client[i]), 0);
    weft_cancel(&h); /* whether it waits already or is still on its way from the last answer */
    check_eq(join(rt, &h), -ECANCELED);
    weft_datagram_close(server);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

Test(datagram, one_that_is_larger_than_the_buffer_is_cut_and_says_so)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_datagram *d = bind_udp(rt, &address);
    weft_packet    packet = {.size = 3};
    weft_io        io;
    char           got[6] = "######";

    for (int i = 0; i < 4; i++)
        check_eq(weft_block_on(rt, weft_send_to(&io, d, "0123456789", 10, &address)), 10);
    check_eq(weft_block_on(rt, weft_peek_from(&io, d, got, 2, NULL)), 2);
    check_eq(io.done, 10);
    check_eq(memcmp(got, "01####", 6), 0);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 4, NULL)), 4);
    check_eq(io.done, 10);
    check_eq(memcmp(got, "0123##", 6), 0);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 0, NULL)), 0);
    check_eq(io.done, 10);
    packet.data = got;
    check_eq(weft_block_on(rt, weft_receive_batch(&io, d, &packet, 1)), 1);
    check_eq(packet.length, 10);
    check_eq(memcmp(got, "0123##", 6), 0);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 6, NULL)), 6); /* the last */
    weft_datagram_close(d);
    stop(rt);
}

Test(datagram, an_empty_one_is_one)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_datagram *d = bind_udp(rt, &address);
    weft_io        io;
    char           got[4];

    check_eq(weft_block_on(rt, weft_send_to(&io, d, NULL, 0, &address)), 0);
    check_eq(weft_block_on(rt, weft_send_to(&io, d, "x", 1, &address)), 1);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 4, NULL)), 0);
    check_eq(io.done, 0);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 4, NULL)), 1);
    weft_datagram_close(d);
    stop(rt);
}

Test(datagram, peeking_leaves_it)
{
    weft_runtime  *rt = start(1);
    weft_address   address, from;
    weft_datagram *d = bind_udp(rt, &address);
    weft_io        io;
    char           got[4];

    check_eq(weft_block_on(rt, weft_send_to(&io, d, "abc", 3, &address)), 3);
    for (int i = 0; i < 3; i++) {
        memset(&from, 0, sizeof from);
        check_eq(weft_block_on(rt, weft_peek_from(&io, d, got, 4, &from)), 3);
        check_eq(weft_address_port(&from), weft_address_port(&address));
    }
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 4, NULL)), 3);
    weft_datagram_close(d);
    stop(rt);
}

Test(datagram, a_connected_one_hears_only_its_peer)
{
    weft_runtime  *rt = start(1);
    weft_address   address[3], peer;
    weft_datagram *d[3];
    weft_io        io;
    char           got[8];

    for (int i = 0; i < 3; i++)
        d[i] = bind_udp(rt, &address[i]);
    check_eq(weft_datagram_peer_address(d[0], &peer), -ENOTCONN);
    check_eq(weft_block_on(rt, weft_send_to(&io, d[0], "x", 1, NULL)), -EDESTADDRREQ);
    check_eq(weft_datagram_connect(d[0], &address[1]), 0);
    check_eq(weft_datagram_peer_address(d[0], &peer), 0);
    check_eq(weft_address_port(&peer), weft_address_port(&address[1]));
    check_eq(weft_block_on(rt, weft_send_to(&io, d[0], "to 1", 4, NULL)), 4);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d[1], got, 8, NULL)), 4);
    check_eq(weft_block_on(rt, weft_send_to(&io, d[2], "no", 2, &address[0])), 2);
    check_eq(weft_block_on(rt, weft_send_to(&io, d[1], "yes", 3, &address[0])), 3);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d[0], got, 8, NULL)), 3);

    check_eq(weft_datagram_connect(d[0], NULL), 0);
    check_eq(weft_datagram_local_address(d[0], &peer), 0);
    check_eq(weft_address_port(&peer), weft_address_port(&address[0]));
    check_eq(weft_block_on(rt, weft_send_to(&io, d[2], "any", 3, &address[0])), 3);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d[0], got, 8, NULL)), 3);
    for (int i = 0; i < 3; i++)
        weft_datagram_close(d[i]);
    stop(rt);
}

struct receive {
    WEFT_FRAME;
    struct {
        weft_datagram  *socket;
        struct watched *polls;
    } in;
    weft_io io;
    char    got[8];
};
WEFT_ASYNC(receive)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(self->in.polls,
                          weft_receive_from(&self->io, self->in.socket, self->got, 8, NULL)));
    WEFT_END(n);
}

Test(datagram, a_connected_one_learns_that_nobody_listens)
{
    weft_runtime  *rt = start(1);
    weft_address   address[2];
    weft_datagram *d = bind_udp(rt, &address[0]), *gone = bind_udp(rt, &address[1]);
    weft_handle    h;
    struct watched polls = {.n_polls = 0};
    weft_io        io;

    weft_datagram_close(gone);
    check_eq(weft_datagram_connect(d, &address[1]), 0);
    check_eq(weft_spawn_on(rt, &h, receive, .socket = d, .polls = &polls), 0);
    EVENTUALLY(polls.n_polls == 1);
    check_eq(weft_block_on(rt, weft_send_to(&io, d, "x", 1, NULL)), 1);
    check_eq(join(rt, &h), -ECONNREFUSED); /* the one that waited is woken */
    check_eq(weft_block_on(rt, weft_send_to(&io, d, "x", 1, NULL)), 1);
    check_eq(weft_block_on(rt, weft_send_to(&io, d, "x", 1, NULL)), -ECONNREFUSED);
    weft_datagram_close(d);
    stop(rt);
}

/* ---- batches ---- */

Test(datagram, batches_keep_bounds_order_and_senders)
{
    enum { N = 150, SIZE = 40 };
    weft_runtime      *rt = start(1);
    weft_address       address[2];
    weft_datagram     *a = bind_udp(rt, &address[0]), *b = bind_udp(rt, &address[1]);
    weft_io            io;
    static char        sent[N][SIZE], got[N][SIZE];
    static weft_packet out[N], in[N];
    int64_t            n;

    check_eq(weft_datagram_set_buffers(b, 1 << 20, 0), 0);
    for (int i = 0; i < N; i++) {
        memset(sent[i], i, SIZE);
        out[i] = (weft_packet){.data = sent[i], .size = (size_t)i % SIZE, .address = address[1]};
        in[i] = (weft_packet){.data = got[i], .size = SIZE};
    }
    for (int i = 0; i < N; i += (int)n) {
        n = weft_block_on(rt, weft_send_batch(&io, a, out + i, N - i));
        check(n > 0 && n <= WEFT_BATCH_MOST);
    }
    for (int i = 0; i < N; i += (int)n) {
        n = weft_block_on(rt, weft_receive_batch(&io, b, in + i, N - i));
        check(n > 0 && n <= WEFT_BATCH_MOST);
    }
    for (int i = 0; i < N; i++) {
        check_eq(in[i].length, i % SIZE);
        check_eq(memcmp(got[i], sent[i], (size_t)i % SIZE), 0);
        check_eq(weft_address_port(&in[i].address), weft_address_port(&address[0]));
    }
    weft_datagram_close(a);
    weft_datagram_close(b);
    stop(rt);
}

Test(datagram, a_batch_takes_what_is_there)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_datagram *d = bind_udp(rt, &address);
    char           got[4][8];
    weft_packet    in[4];
    weft_io        io;

    for (int i = 0; i < 4; i++)
        in[i] = (weft_packet){.data = got[i], .size = 8};
    for (int64_t n = 0; n != 2;) { /* the kernel may deliver the second one later */
        check_eq(weft_block_on(rt, weft_send_to(&io, d, "a", 1, &address)), 1);
        check_eq(weft_block_on(rt, weft_send_to(&io, d, "bc", 2, &address)), 2);
        n = weft_block_on(rt, weft_receive_batch(&io, d, in, 4));
        if (n != 2)
            check_eq(weft_block_on(rt, weft_receive_batch(&io, d, in, 4)), 1);
    }
    check_eq(in[0].length, 1);
    check_eq(in[1].length, 2);
    check_eq(weft_block_on(rt, weft_receive_batch(&io, d, in, 0)), 0);
    check_eq(weft_block_on(rt, weft_receive_batch(&io, d, in, -1)), -EINVAL);
    check_eq(weft_block_on(rt, weft_send_batch(&io, d, in, -1)), -EINVAL);
    weft_datagram_close(d);
    stop(rt);
}

Test(datagram, a_batch_that_fails_in_the_middle_tells_how_far_it_came)
{
    static char    huge[70000];
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_datagram *d = bind_udp(rt, &address);
    weft_packet    out[3] = {{.data = (char[]){"a"}, .size = 1, .address = address},
                             {.data = huge, .size = sizeof huge, .address = address},
                             {.data = (char[]){"c"}, .size = 1, .address = address}};
    weft_io        io;

    check_eq(weft_block_on(rt, weft_send_batch(&io, d, out, 3)), 1);
    check_eq(weft_block_on(rt, weft_send_batch(&io, d, out + 1, 2)), -EMSGSIZE);
    check_eq(weft_block_on(rt, weft_send_to(&io, d, huge, sizeof huge, &address)), -EMSGSIZE);
    weft_datagram_close(d);
    stop(rt);
}

/* ---- sharing, closing, options ---- */

Test(datagram, a_second_receiver_is_busy_and_a_sender_is_not)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_datagram *d = bind_udp(rt, &address);
    weft_handle    h;
    struct watched polls = {.n_polls = 0};
    weft_io        io;
    char           got[4];

    check_eq(weft_spawn_on(rt, &h, receive, .socket = d, .polls = &polls), 0);
    EVENTUALLY(polls.n_polls == 1);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 4, NULL)), -EBUSY);
    check_eq(weft_block_on(rt, weft_datagram_release(&io, d)), -EBUSY);
    check_eq(weft_block_on(rt, weft_send_to(&io, d, "abc", 3, &address)), 3);
    check_eq(join(rt, &h), 3);
    weft_datagram_close(d);
    stop(rt);
}

Test(datagram, closing_ends_a_receive)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_datagram *d = bind_udp(rt, &address), *again;
    weft_handle    h;
    struct watched polls = {.n_polls = 0};

    check_eq(weft_spawn_on(rt, &h, receive, .socket = d, .polls = &polls), 0);
    EVENTUALLY(polls.n_polls == 1);
    check_eq(weft_datagram_bind(rt, &address, NULL, &again), -EADDRINUSE);
    weft_datagram_close(d);
    check_eq(join(rt, &h), -ECANCELED);
    EVENTUALLY(counters(rt).streams_open == 0);
    check_eq(weft_datagram_bind(rt, &address, NULL, &again), 0); /* the port is free */
    weft_datagram_close(again);
    weft_datagram_close(NULL);
    stop(rt);
}

Test(datagram, options)
{
    weft_runtime         *rt = start(1);
    weft_datagram_options shared = {.reuse_port = true};
    weft_address          address = loopback(false), v6 = loopback(true), group, path;
    weft_datagram        *a, *b;
    int                   receive, send, on = 0;
    socklen_t             size = sizeof on;

    check_eq(weft_datagram_bind(rt, &address, &shared, &a), 0);
    check_eq(weft_datagram_local_address(a, &address), 0);
    check_eq(weft_datagram_bind(rt, &address, &shared, &b), 0);
    check_eq(weft_datagram_set_broadcast(a, true), 0);
    check_eq(getsockopt(weft_datagram_fd(a), SOL_SOCKET, SO_BROADCAST, &on, &size), 0);
    check_eq(on, 1);
    check_eq(weft_datagram_set_buffers(a, 20000, 30000), 0);
    check_eq(weft_datagram_buffers(a, &receive, &send), 0);
    check_eq(receive, 40000);
    check_eq(send, 60000);
    check_eq(weft_address_parse("239.1.2.3", 0, &group), 0);
    check_eq(weft_datagram_join(a, &group, 1), 0); /* lo */
    check_eq(weft_datagram_join(a, &group, 1), -EADDRINUSE);
    check_eq(weft_datagram_leave(a, &group, 1), 0);
    check_eq(weft_datagram_leave(a, &group, 1), -EADDRNOTAVAIL);
    check_eq(weft_address_unix("/x", &path), 0);
    check_eq(weft_datagram_join(a, &path, 1), -EINVAL);
    weft_datagram_close(a);
    weft_datagram_close(b);
    if (weft_datagram_bind(rt, &v6, NULL, &a) == 0)
        weft_datagram_close(a);
    check_eq(weft_datagram_bind(NULL, &address, NULL, &a), -ENXIO);
    stop(rt);
}
