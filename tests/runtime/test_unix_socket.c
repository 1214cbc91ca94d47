/* test_unix_socket.c - Unix sockets: paths and abstract names, full queues, datagrams */
#include "../actors.h"
#include "../sockets.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[64];

/* An address in a folder of the test's own. */
static weft_address path_address(const char *name)
{
    weft_address address;
    char         path[100];

    if (!folder[0]) {
        strcpy(folder, "/tmp/weft-test-XXXXXX");
        check(mkdtemp(folder) != NULL);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    check_eq(weft_address_unix(path, &address), 0);
    return address;
}

static void clean_up(const weft_address *address)
{
    unlink(address->u.un.sun_path);
    check_eq(rmdir(folder), 0);
}

/* An abstract name that is not in use. */
static weft_address abstract_address(const char *name)
{
    weft_address address;
    char         text[100];

    snprintf(text, sizeof text, "@weft-test-%d-%s", (int)getpid(), name);
    check_eq(weft_address_unix(text, &address), 0);
    return address;
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
        check_eq(weft_spawn(NULL, echo, .stream = self->stream), 0);
    }
    WEFT_END(n);
}

struct ask {
    WEFT_FRAME;
    struct {
        const weft_address *address;
    } in;
    weft_io      io;
    weft_stream *stream;
    char         data[1000], got[1000];
    int          i;
};
WEFT_ASYNC(ask)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 100; self->i++) {
        WEFT_AWAIT(n, weft_connect(&self->io, self->in.address, &self->stream));
        check_eq(n, 0);
        memset(self->data, self->i, sizeof self->data);
        WEFT_AWAIT(n, weft_write_all(&self->io, self->stream, self->data, sizeof self->data));
        check_eq(n, 1000);
        WEFT_AWAIT(n, weft_read_exact(&self->io, self->stream, self->got, sizeof self->got));
        check_eq(n, 1000);
        check_eq(memcmp(self->data, self->got, 1000), 0);
        weft_stream_close(self->stream);
    }
    WEFT_END(0);
}

static void check_echo(const weft_address *address)
{
    weft_runtime  *rt = start(2);
    weft_listener *l;
    weft_handle    server, client[4];
    weft_address   bound;
    char           text[WEFT_ADDRESS_TEXT], other[WEFT_ADDRESS_TEXT];

    check_eq(weft_listen(rt, address, &(weft_listen_options){.no_delay = true}, &l), 0);
    check_eq(weft_listener_address(l, &bound), 0);
    check_eq(strcmp(weft_address_format(&bound, text), weft_address_format(address, other)), 0);
    check_eq(weft_spawn_on(rt, &server, serve, .listener = l), 0);
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &client[i], ask, .address = &bound), 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &client[i]), 0);
    weft_cancel(&server); /* whether it waits already or is still on its way from the last one */
    check_eq(join(rt, &server), -ECANCELED);
    weft_listener_close(l);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

Test(unix_socket, an_echo_by_path)
{
    weft_address address = path_address("echo");

    check_echo(&address);
    clean_up(&address);
}

Test(unix_socket, an_echo_by_abstract_name)
{
    weft_address address = abstract_address("echo");

    check_echo(&address);
}

Test(unix_socket, an_unnamed_listener_gets_a_name)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_listener *l;
    weft_stream   *s;
    weft_io        io;
    char           text[WEFT_ADDRESS_TEXT];

    check_eq(weft_address_unix("", &address), 0);
    check_eq(weft_listen(rt, &address, NULL, &l), 0);
    check_eq(weft_listener_address(l, &address), 0);
    check_eq(weft_address_format(&address, text)[0], '@');
    check_eq(strlen(text), 6);
    check_eq(weft_block_on(rt, weft_connect(&io, &address, &s)), 0);
    check_eq(weft_stream_peer_address(s, &address), 0);
    check_eq(weft_address_format(&address, text)[0], '@');
    check_eq(weft_stream_local_address(s, &address), 0);
    check_str_contains(weft_address_format(&address, text), "(unnamed)");
    weft_stream_close(s);
    weft_listener_close(l);
    stop(rt);
}

Test(unix_socket, a_stale_file_is_replaced_on_request)
{
    weft_runtime       *rt = start(1);
    weft_listen_options replace = {.replace_stale = true};
    weft_address        address = path_address("stale");
    weft_listener      *l, *second;
    weft_stream        *s;
    weft_io             io;
    struct stat         st;

    check_eq(weft_block_on(rt, weft_connect(&io, &address, &s)), -ENOENT);
    check_eq(weft_listen(rt, &address, &replace, &l), 0);
    check_eq(weft_listen(rt, &address, NULL, &second), -EADDRINUSE);
    check_eq(weft_listen(rt, &address, &replace, &second), -EADDRINUSE); /* it is alive */
    weft_listener_close(l);
    check_eq(stat(address.u.un.sun_path, &st), 0); /* the file stays */
    check_eq(weft_block_on(rt, weft_connect(&io, &address, &s)), -ECONNREFUSED);
    check_eq(weft_listen(rt, &address, NULL, &l), -EADDRINUSE);
    check_eq(weft_listen(rt, &address, &replace, &l), 0);
    weft_listener_close(l);
    unlink(address.u.un.sun_path);
    check_cmp(close(open(address.u.un.sun_path, O_CREAT | O_WRONLY, 0600)), ==, 0);
    check_eq(weft_listen(rt, &address, &replace, &l), -EADDRINUSE); /* no socket: not ours */
    check_eq(stat(address.u.un.sun_path, &st), 0);
    clean_up(&address);
    stop(rt);
}

/* A socket that another server has bound to the path, of any kind and before it listens. */
static void check_kept(weft_runtime *rt, int kind)
{
    weft_listen_options replace = {.replace_stale = true};
    weft_address        address = path_address("bound");
    weft_listener      *l;
    struct stat         before, after;
    int                 fd = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);

    check_eq(bind(fd, &address.u.any, address.size_), 0);
    check_eq(stat(address.u.un.sun_path, &before), 0);
    check_eq(weft_listen(rt, &address, &replace, &l), -EADDRINUSE);
    check_eq(stat(address.u.un.sun_path, &after), 0);
    check_eq(before.st_ino, after.st_ino);
    close(fd);
    check_eq(weft_listen(rt, &address, &replace, &l), 0); /* now it is stale */
    weft_listener_close(l);
    unlink(address.u.un.sun_path);
}

Test(unix_socket, a_file_is_not_stale_between_bind_and_listen)
{
    weft_runtime *rt = start(1);
    weft_address  address = path_address("bound");

    check_kept(rt, SOCK_STREAM);
    check_kept(rt, SOCK_SEQPACKET);
    check_kept(rt, SOCK_DGRAM);
    clean_up(&address);
    stop(rt);
}

/* The file is asked about without a connection, which the server would see. */
Test(unix_socket, asking_whether_a_file_is_stale_makes_no_connection)
{
    weft_runtime       *rt = start(1);
    weft_listen_options replace = {.replace_stale = true};
    weft_address        address = path_address("asked");
    weft_listener      *l, *second;
    struct weft_timeout limit;
    weft_stream        *s;
    weft_io             io;

    check_eq(weft_listen(rt, &address, NULL, &l), 0);
    check_eq(weft_listen(rt, &address, &replace, &second), -EADDRINUSE);
    check_eq(weft_block_on(rt, weft_timeout(&limit, weft_accept(&io, l, &s), WEFT_MS(5))),
             -ETIMEDOUT);
    weft_listener_close(l);
    clean_up(&address);
    stop(rt);
}

Test(unix_socket, what_could_not_be_had_leaves_no_file)
{
    struct memory  memory;
    weft_allocator hooks = memory_hooks(&memory);
    weft_runtime  *rt = start_with(&(weft_config){.workers = 1, .allocator = hooks});
    weft_address   address = path_address("none");
    weft_listener *l = NULL;
    weft_datagram *d = NULL;

    memory.fail_at = memory.n + 1;
    check_eq(weft_listen(rt, &address, NULL, &l), -ENOMEM);
    check_eq(access(address.u.un.sun_path, F_OK), -1);
    memory.fail_at = memory.n + 1;
    check_eq(weft_datagram_bind(rt, &address, NULL, &d), -ENOMEM);
    check_eq(access(address.u.un.sun_path, F_OK), -1);
    check(!l && !d);
    stop(rt);
}

struct connect_one {
    WEFT_FRAME;
    struct {
        const weft_address *address;
        weft_stream       **ret;
        struct watched     *polls;
    } in;
    weft_io io;
};
WEFT_ASYNC(connect_one)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, watched(self->in.polls, weft_connect(&self->io, self->in.address, self->in.ret)));
    WEFT_END(n);
}

/* Here connect(2) fails with EAGAIN, and no event reports when the queue has room. */
Test(unix_socket, connecting_waits_while_the_queue_is_full)
{
    enum { N = 6 };
    weft_runtime       *rt = start(1);
    weft_listen_options small = {.backlog = 1};
    weft_address        address = abstract_address("full");
    weft_listener      *l;
    weft_stream        *client[N], *server[N], *never = NULL;
    weft_handle         h[N], given_up;
    struct watched      polls[N + 1] = {{.n_polls = 0}};
    weft_io             io;
    int                 n_waiting = 0;

    check_eq(weft_listen(rt, &address, &small, &l), 0);
    for (int i = 0; i < N; i++) {
        check_eq(weft_spawn_on(rt, &h[i], connect_one, .address = &address, .ret = &client[i],
                               .polls = &polls[i]),
                 0);
        EVENTUALLY(polls[i].n_polls >= 1);
    }
    pause_ms(30);
    for (int i = 0; i < N; i++)
        n_waiting += !weft_is_finished(&h[i]);
    check_cmp(n_waiting, >=, N - 2);
    check_eq(weft_spawn_on(rt, &given_up, connect_one, .address = &address, .ret = &never,
                           .polls = &polls[N]),
             0);
    EVENTUALLY(polls[N].n_polls >= 1);
    weft_cancel(&given_up);
    check_eq(join(rt, &given_up), -ECANCELED);
    for (int i = 0; i < N; i++)
        check_eq(weft_block_on(rt, weft_accept(&io, l, &server[i])), 0);
    for (int i = 0; i < N; i++) {
        check_eq(join(rt, &h[i]), 0);
        weft_stream_close(client[i]);
        weft_stream_close(server[i]);
    }
    check_eq(never, NULL);
    weft_listener_close(l);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

/* A retry waits for another process. Its time passes although the test clock is stopped. */
Test(unix_socket, a_full_queue_is_tried_again_also_where_a_tests_clock_stands_still)
{
    weft_runtime       *rt = start(1);
    weft_listen_options small = {.backlog = 1};
    weft_address        address = abstract_address("still");
    weft_listener      *l;
    weft_stream        *client[4], *server[4];
    weft_handle         h[4];
    struct watched      polls[4] = {{.n_polls = 0}};
    weft_io             io;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    check_eq(weft_listen(rt, &address, &small, &l), 0);
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &h[i], connect_one, .address = &address, .ret = &client[i],
                               .polls = &polls[i]),
                 0);
    EVENTUALLY(polls[0].n_polls + polls[1].n_polls + polls[2].n_polls + polls[3].n_polls > 4);
    for (int i = 0; i < 4; i++) {
        check_eq(weft_block_on(rt, weft_accept(&io, l, &server[i])), 0);
        weft_stream_close(server[i]);
    }
    for (int i = 0; i < 4; i++) {
        check_eq(join(rt, &h[i]), 0);
        weft_stream_close(client[i]);
    }
    weft_listener_close(l);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

/* ---- datagrams ---- */

static weft_datagram *bind_to(weft_runtime *rt, const weft_address *address)
{
    weft_datagram *d;

    check_eq(weft_datagram_bind(rt, address, NULL, &d), 0);
    return d;
}

Test(unix_socket, datagrams_go_to_and_fro)
{
    weft_runtime  *rt = start(1);
    weft_address   unnamed, name[2], from;
    weft_datagram *d[2];
    weft_io        io;
    char           got[8], text[2][WEFT_ADDRESS_TEXT];

    check_eq(weft_address_unix("", &unnamed), 0);
    name[0] = path_address("datagram");
    name[1] = unnamed;
    for (int i = 0; i < 2; i++) {
        d[i] = bind_to(rt, &name[i]);
        check_eq(weft_datagram_local_address(d[i], &name[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        check_eq(weft_block_on(rt, weft_send_to(&io, d[i], "hello", 5, &name[!i])), 5);
        check_eq(weft_block_on(rt, weft_receive_from(&io, d[!i], got, 3, &from)), 3);
        check_eq(io.done, 5); /* cut */
        check_eq(
            strcmp(weft_address_format(&from, text[0]), weft_address_format(&name[i], text[1])), 0);
        check_eq(weft_block_on(rt, weft_send_to(&io, d[!i], "back", 4, &from)), 4);
        check_eq(weft_block_on(rt, weft_receive_from(&io, d[i], got, 8, NULL)), 4);
    }
    for (int i = 0; i < 2; i++)
        weft_datagram_close(d[i]);
    check_eq(weft_block_on(rt, weft_send_to(&io, d[0], "x", 1, &name[0])), -EBADF);
    clean_up(&name[0]);
    stop(rt);
}

Test(unix_socket, a_datagram_of_an_unnamed_sender_says_so)
{
    weft_runtime  *rt = start(1);
    weft_address   name = abstract_address("unnamed"), from;
    weft_datagram *d = bind_to(rt, &name);
    weft_packet    packet;
    weft_io        io;
    char           got[8], text[WEFT_ADDRESS_TEXT];
    int            fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    check_eq(connect(fd, &name.u.any, name.size_), 0);
    raw_write(fd, "x", 1);
    raw_write(fd, "yz", 2);
    memset(&from, 0xff, sizeof from);
    check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 8, &from)), 1);
    check_str_contains(weft_address_format(&from, text), "(unnamed)");
    memset(&packet, 0xff, sizeof packet);
    packet.data = got;
    packet.size = 8;
    check_eq(weft_block_on(rt, weft_receive_batch(&io, d, &packet, 1)), 1);
    check_str_contains(weft_address_format(&packet.address, text), "(unnamed)");
    weft_datagram_close(d);
    close(fd);
    stop(rt);
}

struct flood {
    WEFT_FRAME;
    struct {
        weft_datagram      *socket;
        const weft_address *to;
        int                 n, way;
    } in;
    weft_io       io;
    weft_packet   packet;
    struct iovec  memory;
    struct msghdr message;
    int           i;
};
WEFT_ASYNC(flood)
{
    int64_t n;

    WEFT_BEGIN();
    n = 0;
    for (self->i = 0; self->i < self->in.n; self->i++) {
        self->memory = (struct iovec){&self->i, sizeof self->i};
        self->packet = (weft_packet){.data = &self->i, .size = sizeof self->i};
        self->message = (struct msghdr){.msg_iov = &self->memory, .msg_iovlen = 1};
        if (self->in.to) {
            self->packet.address = *self->in.to;
            self->message.msg_name = (void *)(uintptr_t)&self->in.to->u;
            self->message.msg_namelen = self->in.to->size_;
        }
        WEFT_AWAIT(
            n, self->in.way == 0
                   ? weft_send_to(&self->io, self->in.socket, &self->i, sizeof self->i, self->in.to)
               : self->in.way == 1
                   ? weft_send_batch(&self->io, self->in.socket, &self->packet, 1)
                   : weft_datagram_send_message(&self->io, self->in.socket, &self->message, 0));
        if (n < 0)
            break;
    }
    WEFT_END(n);
}

/* Unix datagrams are never dropped: the sender waits, also where poll(2) says that it need not. */
Test(unix_socket, a_full_queue_is_waited_for)
{
    enum { N = 100 };
    weft_runtime  *rt = start(1);
    weft_address   unnamed, to;
    weft_datagram *in, *out;
    weft_handle    h;
    weft_io        io;
    int            got;

    check_eq(weft_address_unix("", &unnamed), 0);
    for (int way = 0; way < 6; way++) {
        bool connected = way >= 3;

        in = bind_to(rt, &unnamed);
        out = bind_to(rt, &unnamed);
        check_eq(weft_datagram_local_address(in, &to), 0);
        if (connected)
            check_eq(weft_datagram_connect(out, &to), 0);
        check_eq(weft_spawn_on(rt, &h, flood, .socket = out, .to = connected ? NULL : &to, .n = N,
                               .way = way % 3),
                 0);
        pause_ms(10);
        check(!weft_is_finished(&h));
        for (int i = 0; i < N; i++) {
            check_eq(weft_block_on(rt, weft_receive_from(&io, in, &got, sizeof got, NULL)), 4);
            check_eq(got, i);
        }
        check_cmp(join(rt, &h), >, 0);
        check_eq(weft_spawn_on(rt, &h, flood, .socket = out, .to = connected ? NULL : &to, .n = N,
                               .way = way % 3),
                 0);
        pause_ms(10);
        weft_cancel(&h);
        check_eq(join(rt, &h), -ECANCELED);
        weft_datagram_close(in);
        weft_datagram_close(out);
    }
    stop(rt);
}
