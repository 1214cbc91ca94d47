/*
 * test_differential_messages.c - recvmsg and sendmsg by streams and datagram sockets: flags,
 * pieces, addresses and control data
 *
 * The test compares the result; the message's bytes, lengths and flags; the descriptor that came
 * with it; the messages left in the socket, and those that the peer got.
 */
#include "differential.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/uio.h>

/* ---- sockets ---- */

typedef struct kind {
    const char *name;
    int         domain, type;
} kind;

static const kind kinds[] = {
    {"TCP stream", AF_INET, SOCK_STREAM},          {"Unix stream", AF_UNIX, SOCK_STREAM},
    {"UDP socket", AF_INET, SOCK_DGRAM},           {"Unix datagram socket", AF_UNIX, SOCK_DGRAM},
    {"SEQPACKET socket", AF_UNIX, SOCK_SEQPACKET},
};

typedef struct scene {
    const kind *kind;
    int         fd, peer;
} scene;

static void connect_udp(int fd[2])
{
    weft_address a[2];
    socklen_t    size;

    for (int i = 0; i < 2; i++) {
        a[i] = loopback(false);
        size = sizeof a[i].u;
        fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        check_eq(bind(fd[i], &a[i].u.any, size_of(&a[i])), 0);
        check_eq(getsockname(fd[i], &a[i].u.any, &size), 0);
    }
    check_eq(connect(fd[0], &a[1].u.any, size_of(&a[1])), 0);
    check_eq(connect(fd[1], &a[0].u.any, size_of(&a[0])), 0);
}

static scene make(const kind *k)
{
    weft_address at;
    int          fd[2], listener;

    if (k->domain == AF_UNIX) {
        check_eq(socketpair(AF_UNIX, k->type | SOCK_CLOEXEC, 0, fd), 0);
    } else if (k->type == SOCK_DGRAM) {
        connect_udp(fd);
    } else {
        listener = raw_listen(false, 1, &at);
        fd[1] = raw_connect(&at);
        fd[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        close(listener);
    }
    return (scene){k, fd[0], fd[1]};
}

static void let_go(const scene *s)
{
    close(s->fd);
    if (s->peer >= 0)
        close(s->peer);
}

/* ---- a message, with room for all that may come ---- */

typedef struct letter {
    struct msghdr m;
    struct iovec  piece[2];
    char          bytes[32];
    weft_address  name;
    _Alignas(struct cmsghdr) char control[64];
} letter;

static void begin_letter(letter *l, size_t size)
{
    memset(l, 0, sizeof *l);
    memcpy(l->bytes, "0123456789abcdefghijklmnopqrstu", 32);
    l->piece[0] = (struct iovec){l->bytes, size / 2};
    l->piece[1] = (struct iovec){l->bytes + size / 2, size - size / 2};
    l->m = (struct msghdr){.msg_iov = l->piece, .msg_iovlen = 2};
}

/* Control data of one descriptor. */
static void enclose(letter *l, int fd)
{
    struct cmsghdr *c = (void *)l->control;

    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    l->m.msg_control = l->control;
    l->m.msg_controllen = CMSG_SPACE(sizeof fd);
}

/* ---- what has happened before ---- */

static void arrives(const scene *s, bool with_descriptor)
{
    letter l;

    begin_letter(&l, 10);
    if (with_descriptor && s->kind->domain == AF_UNIX)
        enclose(&l, STDERR_FILENO);
    check_eq(sendmsg(s->peer, &l.m, 0), 10);
    check_eq(poll(&(struct pollfd){s->fd, POLLIN, 0}, 1, 5000), 1);
}

static void nothing(scene *s)
{
    (void)s;
}

static void one(scene *s)
{
    arrives(s, false);
}

static void one_with_descriptor(scene *s)
{
    arrives(s, true);
}

static void ended(scene *s)
{
    arrives(s, false);
    if (s->kind->type == SOCK_DGRAM)
        return; /* its end is not told */
    close(s->peer);
    s->peer = -1;
    check_eq(poll(&(struct pollfd){s->fd, POLLRDHUP, 0}, 1, 5000), 1);
}

static void shut_for_reading(scene *s)
{
    check_eq(shutdown(s->fd, SHUT_RD), 0);
}

static void shut_for_writing(scene *s)
{
    check_eq(shutdown(s->fd, SHUT_WR), 0);
}

static const struct state {
    const char *name;
    void (*prepare)(scene *s);
} states[] = {
    {"empty", nothing},
    {"with a message", one},
    {"with a descriptor", one_with_descriptor},
    {"ended", ended},
    {"shut down for reading", shut_for_reading},
    {"shut down for writing", shut_for_writing},
};

/* ---- operations ---- */

typedef enum extra { NOTHING, DESCRIPTOR, NO_DESCRIPTOR, BAD_CONTROL, NAME, ROOM, NO_PIECES } extra;

typedef struct argument {
    const char *name;
    size_t      size;
    int         flags;
    extra       extra;
} argument;

static const argument receives[] = {
    {"20 bytes", 20, 0, NOTHING},
    {"5 bytes", 5, 0, NOTHING},
    {"0 bytes", 0, 0, NOTHING},
    {"no pieces", 0, 0, NO_PIECES},
    {"a name", 20, 0, NAME},
    {"control data", 20, 0, ROOM},
    {"MSG_PEEK", 20, MSG_PEEK, NOTHING},
    {"MSG_PEEK and control data", 20, MSG_PEEK, ROOM},
    {"MSG_TRUNC", 5, MSG_TRUNC, NOTHING},
    {"MSG_DONTWAIT", 20, MSG_DONTWAIT, NOTHING},
    {"MSG_WAITALL", 20, MSG_WAITALL, NOTHING},
    {"MSG_OOB", 20, MSG_OOB, NOTHING},
    {"MSG_ERRQUEUE", 20, MSG_ERRQUEUE, ROOM},
    {NULL, 0, 0, NOTHING},
};
static const argument sends[] = {
    {"5 bytes", 5, 0, NOTHING},
    {"0 bytes", 0, 0, NOTHING},
    {"no pieces", 0, 0, NO_PIECES},
    {"a name", 5, 0, NAME},
    {"a descriptor", 5, 0, DESCRIPTOR},
    {"a closed descriptor", 5, 0, NO_DESCRIPTOR},
    {"bad control data", 5, 0, BAD_CONTROL},
    {"MSG_DONTWAIT", 5, MSG_DONTWAIT, NOTHING},
    {"MSG_EOR", 5, MSG_EOR, NOTHING},
    {"MSG_OOB", 5, MSG_OOB, NOTHING},
    {"MSG_ZEROCOPY", 5, MSG_ZEROCOPY, NOTHING},
    {NULL, 0, 0, NOTHING},
};

static void prepare(letter *l, const argument *a)
{
    begin_letter(l, a->size);
    if (a->extra == NO_PIECES)
        l->m.msg_iovlen = 0;
    if (a->extra == DESCRIPTOR || a->extra == NO_DESCRIPTOR || a->extra == BAD_CONTROL)
        enclose(l, a->extra == NO_DESCRIPTOR ? 900 : STDERR_FILENO);
    if (a->extra == BAD_CONTROL)
        ((struct cmsghdr *)(void *)l->control)->cmsg_len = 1;
    if (a->extra == ROOM) {
        l->m.msg_control = l->control;
        l->m.msg_controllen = sizeof l->control;
    }
    if (a->extra == NAME) {
        l->name = loopback(false);
        check_eq(weft_address_set_port(&l->name, 9), 0);
        l->m.msg_name = &l->name.u;
        l->m.msg_namelen = sizeof l->name.u.v4;
    }
}

typedef int64_t plain_call(int fd, letter *l, int flags);

static int64_t plain_receive(int fd, letter *l, int flags)
{
    return answer(recvmsg(fd, &l->m, flags));
}

static int64_t plain_send(int fd, letter *l, int flags)
{
    return answer(sendmsg(fd, &l->m, flags));
}

static int64_t by_weft(weft_runtime *rt, const scene *s, letter *l, int flags, bool receives,
                       void *handle, bool waits)
{
    weft_io io;

    if (s->kind->type == SOCK_STREAM)
        return run_weft(rt,
                        receives ? weft_receive_message(&io, handle, &l->m, flags)
                                 : weft_send_message(&io, handle, &l->m, flags),
                        waits);
    return run_weft(rt,
                    receives ? weft_datagram_receive_message(&io, handle, &l->m, flags)
                             : weft_datagram_send_message(&io, handle, &l->m, flags),
                    waits);
}

/* ---- what has come of it ---- */

/* The message's descriptor: its flags, or -1 if there is none. Its number is not compared. */
static int64_t take_enclosed(letter *l)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(&l->m);
    int             fd, flags;

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return -1;
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    flags = fcntl(fd, F_GETFD);
    close(fd);
    return flags;
}

/* All queued messages with their descriptors. Waits for the first message if `least` > 0. */
static uint64_t hash_waiting(int fd, int64_t least)
{
    uint64_t h = 0;

    for (int i = 0; fd >= 0 && i < 4; i++) {
        letter  l;
        int64_t n, enclosed;

        prepare(&l, &(argument){.size = 32, .extra = ROOM});
        poll(&(struct pollfd){fd, POLLIN, 0}, 1, i == 0 && least > 0 ? 5000 : 0);
        n = recvmsg(fd, &l.m, MSG_DONTWAIT);
        if (n < 0)
            break;
        enclosed = take_enclosed(&l);
        h = hash(hash(hash(h, &n, sizeof n), l.bytes, (size_t)n), &enclosed, sizeof enclosed);
    }
    return h;
}

/* How much the peer must get of a message that was sent. */
static int64_t expected(const scene *s, const argument *a, int64_t r)
{
    if (r < 0 || (s->kind->type == SOCK_DGRAM && a->extra == NAME)) /* that went elsewhere */
        return 0;
    return s->kind->type == SOCK_STREAM ? r : 1;
}

static void look_at(const scene *s, const argument *a, bool receives, int64_t r, letter *l,
                    outcome *ret)
{
    *ret = (outcome){.result = r, .buffer = hash(0, l->bytes, sizeof l->bytes)};
    if (receives && r >= 0) {
        ret->unread = l->m.msg_flags & ~MSG_CMSG_CLOEXEC;
        ret->position = (int64_t)l->m.msg_controllen << 32 | l->m.msg_namelen;
        ret->flags = a->extra == ROOM ? take_enclosed(l) : 0;
    }
    ret->content = hash_waiting(s->fd, 0);
    ret->peer = hash_waiting(s->peer, receives ? 0 : expected(s, a, r));
}

/* ---- running it ---- */

static void run_plain(plain_call *call, bool receives, const argument *a, scene *s, outcome *ret)
{
    letter  l;
    int64_t r;

    prepare(&l, a);
    set_tick(patience_ms);
    r = call(s->fd, &l, a->flags);
    set_tick(0);
    look_at(s, a, receives, r, &l, ret);
    let_go(s);
}

static void run_by_weft(weft_runtime *rt, bool receives, const argument *a, scene *s, bool waits,
                        outcome *ret)
{
    weft_datagram *datagram = NULL;
    weft_stream   *stream = NULL;
    weft_io        io;
    letter         l;
    int64_t        r;
    bool           is_stream = s->kind->type == SOCK_STREAM;

    prepare(&l, a);
    check_eq(is_stream ? weft_stream_adopt(rt, s->fd, &stream)
                       : weft_datagram_adopt(rt, s->fd, &datagram),
             0);
    r = by_weft(rt, s, &l, a->flags, receives, is_stream ? (void *)stream : (void *)datagram,
                waits);
    look_at(s, a, receives, r, &l, ret);
    check_eq(weft_block_on(rt, is_stream ? weft_stream_release(&io, stream)
                                         : weft_datagram_release(&io, datagram)),
             s->fd);
    let_go(s);
}

static int try(weft_runtime *rt, plain_call *call, bool receives, const argument *a, const kind *k,
               const struct state *st)
{
    static const char *const names[][2] = {
        {"weft_datagram_send_message", "weft_send_message"},
        {"weft_datagram_receive_message", "weft_receive_message"}};
    const char *operation = names[receives][k->type == SOCK_STREAM];
    scene       s;
    outcome     plain, weft;
    char        name[96];

    snprintf(name, sizeof name, "%s|%s", k->name, st->name);
    do {
        s = make(k);
        st->prepare(&s);
        run_plain(call, receives, a, &s, &plain);
        s = make(k);
        st->prepare(&s);
        run_by_weft(rt, receives, a, &s, may_wait(name, a->name, operation, plain.result), &weft);
    } while (needs_patience(&plain, &weft));
    return compare(name, a->name, operation, &plain, &weft);
}

/* A recvmsg of 0 bytes from TCP waits, but returns 0 after a signal. It is not tried where it would
 * wait. */
static int run(weft_runtime *rt, plain_call *call, bool receives, const argument *arguments)
{
    int n_bad = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < sizeof states / sizeof *states; i++)
            for (const argument *a = arguments; a->name; a++)
                if (a->size > 0 || !receives || k > 0 || strcmp(states[i].name, "ended") == 0)
                    n_bad += try(rt, call, receives, a, &kinds[k], &states[i]);
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_messages.c`");
    signal(SIGPIPE, SIG_IGN);
    return start(1);
}

Test(differential_messages, operations_do_what_the_system_calls_do, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();
    int           n_bad = run(rt, plain_receive, true, receives), n = n_fds();

    n_bad += run(rt, plain_send, false, sends);
    check_eq(n_bad, 0);
    check_eq(n_fds(), n);
    check_list(rt);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

static int64_t other_flags(int fd, letter *l, int flags)
{
    int64_t n = plain_receive(fd, l, flags);

    l->m.msg_flags ^= MSG_TRUNC;
    return n;
}

static int64_t no_descriptor(int fd, letter *l, int flags)
{
    l->m.msg_controllen = 0;
    return plain_receive(fd, l, flags);
}

static int64_t nothing_enclosed(int fd, letter *l, int flags)
{
    l->m.msg_controllen = 0;
    return plain_send(fd, l, flags);
}

Test(differential_messages, a_difference_is_seen, .timeout = MANY_WAITS)
{
    static const argument room[] = {{"room", 20, 0, ROOM}, {NULL, 0, 0, NOTHING}};
    static const argument enclosed[] = {{"a descriptor", 5, 0, DESCRIPTOR}, {NULL, 0, 0, NOTHING}};
    weft_runtime         *rt = begin();

    wants_differences = true;
    check_cmp(run(rt, other_flags, true, room), >, 0);
    check_cmp(run(rt, no_descriptor, true, room), >, 0);
    check_cmp(run(rt, nothing_enclosed, false, enclosed), >, 0);
    stop(rt);
}
