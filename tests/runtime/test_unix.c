/*
 * test_unix.c - Unix sockets: paths and abstract names, datagrams, descriptors that are passed
 */
#include "../memory_hooks.h"
#include "../net_helpers.h"

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

/* An abstract name that nobody has. */
static weft_address abstract_address(const char *name)
{
    weft_address address;
    char         text[100];

    snprintf(text, sizeof text, "@weft-test-%d-%s", (int)getpid(), name);
    check_eq(weft_address_unix(text, &address), 0);
    return address;
}

struct echo {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    data[256];
};
WEFT_ASYNC(echo)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, self->data, sizeof self->data));
        if (n <= 0)
            break;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->data, (size_t)n));
    }
    weft_stream_close(self->in.stream);
    WEFT_END(n);
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
        check_eq(JOIN(rt, &client[i]), 0);
    weft_cancel(&server); /* whether it waits already or is still on its way from the last one */
    check_eq(JOIN(rt, &server), -ECANCELED);
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
    weft_runtime  *rt = start_with((weft_config){.workers = 1, .allocator = hooks});
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
        counted            *polls;
    } in;
    weft_io io;
};
WEFT_ASYNC(connect_one)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(
        n, count_polls(self->in.polls, weft_connect(&self->io, self->in.address, self->in.ret)));
    WEFT_END(n);
}

/* Here connect(2) says EAGAIN, and no event tells when there is room. */
Test(unix_socket, connecting_waits_while_the_queue_is_full)
{
    enum { N = 6 };
    weft_runtime       *rt = start(1);
    weft_listen_options small = {.backlog = 1};
    weft_address        address = abstract_address("full");
    weft_listener      *l;
    weft_stream        *client[N], *server[N], *never = NULL;
    weft_handle         h[N], given_up;
    counted             polls[N + 1] = {{.n = 0}};
    weft_io             io;
    int                 n_waiting = 0;

    check_eq(weft_listen(rt, &address, &small, &l), 0);
    for (int i = 0; i < N; i++) {
        check_eq(weft_spawn_on(rt, &h[i], connect_one, .address = &address, .ret = &client[i],
                               .polls = &polls[i]),
                 0);
        EVENTUALLY(polls[i].n >= 1);
    }
    pause_ms(30);
    for (int i = 0; i < N; i++)
        n_waiting += !weft_is_finished(&h[i]);
    check_cmp(n_waiting, >=, N - 2);
    check_eq(weft_spawn_on(rt, &given_up, connect_one, .address = &address, .ret = &never,
                           .polls = &polls[N]),
             0);
    EVENTUALLY(polls[N].n >= 1);
    weft_cancel(&given_up);
    check_eq(JOIN(rt, &given_up), -ECANCELED);
    for (int i = 0; i < N; i++)
        check_eq(weft_block_on(rt, weft_accept(&io, l, &server[i])), 0);
    for (int i = 0; i < N; i++) {
        check_eq(JOIN(rt, &h[i]), 0);
        weft_stream_close(client[i]);
        weft_stream_close(server[i]);
    }
    check_eq(never, NULL);
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
        check_cmp(JOIN(rt, &h), >, 0);
        check_eq(weft_spawn_on(rt, &h, flood, .socket = out, .to = connected ? NULL : &to, .n = N,
                               .way = way % 3),
                 0);
        pause_ms(10);
        weft_cancel(&h);
        check_eq(JOIN(rt, &h), -ECANCELED);
        weft_datagram_close(in);
        weft_datagram_close(out);
    }
    stop(rt);
}

/* ---- passing descriptors ---- */

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

Test(unix_socket, descriptors_are_passed)
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

Test(unix_socket, a_cancelled_receive_loses_no_descriptor)
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
    check_cmp(JOIN(rt, &h), >, 0);
    check_eq(n_fds(), n);
    weft_stream_close(a);
    weft_stream_close(b);
    stop(rt);
}

/* A read stops where descriptors came along, shorter than its buffer, though more is there. */
Test(unix_socket, a_read_that_stopped_at_descriptors_is_not_the_last)
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

/* What is tried again waits for another process, whose time goes on. */
Test(unix_socket, a_full_queue_is_tried_again_also_where_a_tests_clock_stands_still)
{
    weft_runtime       *rt = start(1);
    weft_listen_options small = {.backlog = 1};
    weft_address        address = abstract_address("still");
    weft_listener      *l;
    weft_stream        *client[4], *server[4];
    weft_handle         h[4];
    counted             polls[4] = {{.n = 0}};
    weft_io             io;

    weft_clock_set(rt, WEFT_CLOCK_STOPPED);
    check_eq(weft_listen(rt, &address, &small, &l), 0);
    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &h[i], connect_one, .address = &address, .ret = &client[i],
                               .polls = &polls[i]),
                 0);
    EVENTUALLY(polls[0].n + polls[1].n + polls[2].n + polls[3].n > 4);
    for (int i = 0; i < 4; i++) {
        check_eq(weft_block_on(rt, weft_accept(&io, l, &server[i])), 0);
        weft_stream_close(server[i]);
    }
    for (int i = 0; i < 4; i++) {
        check_eq(JOIN(rt, &h[i]), 0);
        weft_stream_close(client[i]);
    }
    weft_listener_close(l);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}
