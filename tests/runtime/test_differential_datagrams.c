/*
 * test_differential_datagrams.c - a datagram operation does and returns what its system call does
 *
 * The test compares the result; the bytes, lengths and addresses that were received; the datagrams
 * left in the socket; and each datagram that the peer got.
 */
#include "differential_datagrams.h"

#include <stddef.h>
#include <sys/syscall.h>

/* ---- operations ---- */

#define MOST 100 /* packets */

typedef struct argument {
    const char *name;
    size_t      size;
    target      to;
    int         n;     /* packets */
    int         large; /* which of them is too large, counted from 1 */
} argument;

static const argument rooms[] = {
    {.name = "room for 5 bytes", .size = 5},
    {.name = "no room", .size = 0},
    {.name = "room for 10 bytes", .size = 10},
    {.name = "room for all", .size = sizeof sample},
    {.name = NULL},
};
static const argument letters[] = {
    {.name = "5 bytes", .size = 5},
    {.name = "0 bytes", .size = 0},
    {.name = "65507 bytes", .size = 65507},
    {.name = "65508 bytes", .size = 65508},
    {.name = "5 bytes to the peer", .size = 5, .to = PEER},
    {.name = "0 bytes to the peer", .size = 0, .to = PEER},
    {.name = "65508 bytes to the peer", .size = 65508, .to = PEER},
    {.name = "5 bytes to nobody", .size = 5, .to = NOBODY},
    {.name = "5 bytes to another family", .size = 5, .to = OTHER_FAMILY},
    {.name = "5 bytes to port 0", .size = 5, .to = PORT_0},
    {.name = "5 bytes to a broadcast address", .size = 5, .to = BROADCAST},
    {.name = "5 bytes to no family", .size = 5, .to = UNSPECIFIED},
    {.name = NULL},
};
static const argument batches_in[] = {
    {.name = "3 packets", .n = 3, .size = 5},
    {.name = "1 packet", .n = 1, .size = 20},
    {.name = "no packets", .n = 0},
    {.name = "100 packets", .n = 100, .size = 20},
    {.name = NULL},
};
static const argument batches_out[] = {
    {.name = "3 packets", .n = 3, .size = 5},
    {.name = "3 packets to the peer", .n = 3, .size = 5, .to = PEER},
    {.name = "3 packets, the first too large", .n = 3, .size = 5, .to = PEER, .large = 1},
    {.name = "3 packets, the second too large", .n = 3, .size = 5, .to = PEER, .large = 2},
    {.name = "3 packets to nobody", .n = 3, .size = 5, .to = NOBODY},
    {.name = "3 empty packets", .n = 3, .size = 0, .to = PEER},
    {.name = "no packets", .n = 0},
    {.name = "100 packets", .n = 100, .size = 5, .to = PEER},
    {.name = NULL},
};

/* The outputs of a call beside its result. */
typedef struct given {
    char         bytes[sizeof sample];
    size_t       length; /* of the datagram */
    weft_address from;
    weft_packet  packet[MOST];
} given;

typedef struct operation {
    const char *name;
    int64_t (*plain)(const scene *s, const argument *a, given *g);
    weft_future *(*weft)(weft_io *io, weft_datagram *d, const scene *s, const argument *a,
                         given *g);
    const argument *arguments;
    bool            sends, many;
} operation;

static int64_t take(const scene *s, const argument *a, given *g, int flags)
{
    socklen_t size = sizeof g->from.u;
    int64_t   n = answer(recvfrom(s->fd, g->bytes, a->size, flags, &g->from.u.any, &size));

    g->from.size_ = n >= 0 ? size : 0;
    g->length = n >= 0 ? s->first : 0;
    return n;
}

static int64_t plain_receive(const scene *s, const argument *a, given *g)
{
    return take(s, a, g, 0);
}

static int64_t plain_peek(const scene *s, const argument *a, given *g)
{
    return take(s, a, g, MSG_PEEK);
}

static int64_t plain_send(const scene *s, const argument *a, given *g)
{
    const weft_address *to = address_of(s, a->to);

    (void)g;
    return answer(
        sendto(s->fd, sample, a->size, 0, to ? &to->u.any : NULL, to ? size_of_any(to) : 0));
}

/* The packets that a batch is of; it has the arrays of the system calls, too. */
static struct mmsghdr *packets(const scene *s, const argument *a, given *g, bool sends)
{
    static struct mmsghdr m[MOST];
    static struct iovec   v[MOST];
    const weft_address   *to = sends ? address_of(s, a->to) : NULL;

    for (int i = 0; i < a->n; i++) {
        weft_packet *p = &g->packet[i];

        *p = (weft_packet){.data = sends ? sample + i : g->bytes + (size_t)i * a->size};
        p->size = i + 1 == a->large ? sizeof sample - MOST : a->size;
        if (to)
            p->address = *to;
        v[i] = (struct iovec){p->data, p->size};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
        if (to || !sends)
            m[i].msg_hdr.msg_name = &p->address.u;
        m[i].msg_hdr.msg_namelen = to ? size_of_any(to) : sends ? 0 : sizeof p->address.u;
    }
    return m;
}

static int64_t plain_send_batch(const scene *s, const argument *a, given *g)
{
    /* musl's sendmmsg is another thing: it makes a system call for each packet. */
    return answer(syscall(SYS_sendmmsg, s->fd, packets(s, a, g, true), (unsigned)a->n, 0));
}

static int64_t plain_receive_batch(const scene *s, const argument *a, given *g)
{
    struct mmsghdr *m = packets(s, a, g, false);
    int64_t n = answer(recvmmsg(s->fd, m, (unsigned)a->n, MSG_WAITFORONE | MSG_TRUNC, NULL));

    for (int64_t i = 0; i < n; i++) {
        g->packet[i].length = m[i].msg_len;
        g->packet[i].address.size_ = m[i].msg_hdr.msg_namelen;
    }
    return n;
}

#define OPERATION(name, ...)                                                                       \
    static weft_future *by_##name(weft_io *io, weft_datagram *d, const scene *s,                   \
                                  const argument *a, given *g)                                     \
    {                                                                                              \
        (void)s, (void)g;                                                                          \
        return __VA_ARGS__;                                                                        \
    }
OPERATION(receive, weft_receive_from(io, d, g->bytes, a->size, &g->from))
OPERATION(peek, weft_peek_from(io, d, g->bytes, a->size, &g->from))
OPERATION(send, weft_send_to(io, d, sample, a->size, address_of(s, a->to)))
OPERATION(receive_batch, (packets(s, a, g, false), weft_receive_batch(io, d, g->packet, a->n)))
OPERATION(send_batch, (packets(s, a, g, true), weft_send_batch(io, d, g->packet, a->n)))

static const operation operations[] = {
    {"weft_receive_from", plain_receive, by_receive, rooms, false, false},
    {"weft_peek_from", plain_peek, by_peek, rooms, false, false},
    {"weft_receive_batch", plain_receive_batch, by_receive_batch, batches_in, false, true},
    {"weft_send_to", plain_send, by_send, letters, true, false},
    {"weft_send_batch", plain_send_batch, by_send_batch, batches_out, true, true},
};

/* ---- what has come of it ---- */

/* All that waits in the socket; `least` datagrams are waited for. */
static uint64_t hash_waiting(int fd, int64_t least)
{
    static char bytes[sizeof sample];
    uint64_t    h = 0;

    for (int i = 0; fd >= 0 && i < 1000; i++) {
        ssize_t n;

        poll(&(struct pollfd){fd, POLLIN, 0}, 1, i < least ? 5000 : 0);
        n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0)
            break;
        h = hash(hash(h, &n, sizeof n), bytes, (size_t)n);
    }
    return h;
}

/* A sender is the peer, without a name, or another. */
static uint64_t hash_sender(const scene *s, const weft_address *from)
{
    return from->size_ == 0                                                          ? 1
           : from->size_ != s->peer_at.size_                                         ? 2
           : memcmp(&from->u, &s->peer_at.u, offsetof(struct sockaddr_in, sin_zero)) ? 3
                                                                                     : 4;
}

static void look_at(const scene *s, const operation *op, const argument *a, int64_t r, given *g,
                    outcome *ret)
{
    bool here = a->to == CONNECTED || a->to == PEER;

    *ret = (outcome){.result = r, .buffer = hash(0, g->bytes, sizeof g->bytes)};
    for (int64_t i = 0; op->many && !op->sends && i < r; i++) {
        uint64_t each[] = {hash_sender(s, &g->packet[i].address), g->packet[i].length};

        ret->position = (int64_t)hash((uint64_t)ret->position, each, sizeof each);
    }
    if (!op->many && !op->sends && r >= 0) {
        ret->flags = (int64_t)hash_sender(s, &g->from);
        ret->position = (int64_t)g->length;
    }
    if (s->fd == 900)
        return;
    ret->peer = hash_waiting(s->peer, !op->sends || r < 0 || !here ? 0 : op->many ? r : 1);
    ret->content = hash_waiting(s->fd, 0);
}

/* ---- running it ---- */

static given plain_given, weft_given;

static bool set_up(const kind *k, const struct state *st, scene *ret)
{
    *ret = make(k);
    if (k->type != 0 && st->prepare(ret))
        return true;
    if (k->type == 0 && st == states)
        return true;
    let_go(ret);
    return false;
}

static void run_plain(const operation *op, const argument *a, scene *s, outcome *ret)
{
    int64_t r;

    memset(&plain_given, 0, sizeof plain_given);
    set_tick(patience_ms);
    r = op->plain(s, a, &plain_given);
    set_tick(0);
    look_at(s, op, a, r, &plain_given, ret);
    let_go(s);
}

static void run_by_weft(weft_runtime *rt, const operation *op, const argument *a, scene *s,
                        bool waits, outcome *ret)
{
    weft_datagram *d;
    weft_io        io;
    int64_t        r;

    memset(&weft_given, 0, sizeof weft_given);
    r = weft_datagram_adopt(rt, s->fd, &d);
    check_eq(r, s->fd == 900 ? -EBADF : 0);
    if (r == 0) {
        r = run_weft(rt, op->weft(&io, d, s, a, &weft_given), waits);
        weft_given.length = io.done;
    }
    look_at(s, op, a, r, &weft_given, ret);
    if (s->fd != 900)
        check_eq(weft_block_on(rt, weft_datagram_release(&io, d)), s->fd);
    let_go(s);
}

static int try(weft_runtime *rt, const operation *op, const argument *a, const kind *k,
               const struct state *st)
{
    char    name[96];
    outcome plain, weft;
    scene   s;

    snprintf(name, sizeof name, "%s|%s", k->name, st->name);
    do {
        if (!set_up(k, st, &s))
            return 0;
        run_plain(op, a, &s, &plain);
        check(set_up(k, st, &s));
        run_by_weft(rt, op, a, &s, may_wait(name, a->name, op->name, plain.result), &weft);
    } while (needs_patience(&plain, &weft));
    return compare(name, a->name, op->name, &plain, &weft);
}

static int run(weft_runtime *rt, const operation *op, size_t n_states)
{
    int n_bad = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; i < n_states; i++)
            for (const argument *a = op->arguments; a->name; a++)
                n_bad += try(rt, op, a, &kinds[k], &states[i]);
    return n_bad;
}

/* ---- connecting, which is no operation ---- */

static const struct {
    const char *name;
    target      to;
} targets[] = {
    {"no address", CONNECTED},        {"the peer", PEER}, {"nobody", NOBODY},
    {"another family", OTHER_FAMILY}, {"port 0", PORT_0}, {"a broadcast address", BROADCAST},
    {"no family", UNSPECIFIED},
};

typedef int64_t plain_connect(int fd, const weft_address *to);

static int64_t connect_it(int fd, const weft_address *to)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    return answer(to ? connect(fd, &to->u.any, size_of_any(to))
                     : connect(fd, &nowhere, sizeof nowhere));
}

/* The two addresses now, as far as they don't change from try to try; and where a datagram goes. */
static void look_at_connection(const scene *s, target to, int64_t r, outcome *ret)
{
    weft_address peer = {0}, own = named(s->fd);
    socklen_t    size = sizeof peer.u;
    int64_t      told = answer(getpeername(s->fd, &peer.u.any, &size));

    *ret = (outcome){.result = r, .position = told};
    peer.size_ = told == 0 ? size : 0;
    ret->flags = (int64_t)hash_sender(s, &peer);
    ret->unread = weft_address_port(&own) == weft_address_port(&s->at);
    if (to != CONNECTED && to != PEER)
        return;
    ret->content = (uint64_t)answer(send(s->fd, sample, 5, MSG_DONTWAIT));
    ret->peer = hash_waiting(s->peer, ret->content == 5);
}

static int run_connect(weft_runtime *rt, plain_connect *call, const kind *k, size_t i)
{
    scene          s = make(k);
    target         to = targets[i].to;
    outcome        plain, weft;
    weft_datagram *d;
    weft_io        io;

    look_at_connection(&s, to, call(s.fd, address_of(&s, to)), &plain);
    let_go(&s);
    s = make(k);
    check_eq(weft_datagram_adopt(rt, s.fd, &d), 0);
    look_at_connection(&s, to, weft_datagram_connect(d, address_of(&s, to)), &weft);
    check_eq(weft_block_on(rt, weft_datagram_release(&io, d)), s.fd);
    let_go(&s);
    return compare(k->name, targets[i].name, "weft_datagram_connect", &plain, &weft);
}

static int run_connects(weft_runtime *rt, plain_connect *call)
{
    int n_bad = 0;

    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; kinds[k].type != 0 && i < sizeof targets / sizeof *targets; i++)
            n_bad += run_connect(rt, call, &kinds[k], i);
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_datagrams.c`");
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof sample; i++)
        sample[i] = (char)('A' + i % 23);
    return start(1);
}

Test(differential_datagrams, operations_do_what_the_system_calls_do, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();
    int           n_bad = 0;

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        n_bad += run(rt, &operations[i], sizeof states / sizeof *states);
    n_bad += run_connects(rt, connect_it);
    check_eq(n_bad, 0);
    check_list(rt);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

static int64_t another_error(const scene *s, const argument *a, given *g)
{
    int64_t n = plain_send(s, a, g);

    return n == -EMSGSIZE ? -EINVAL : n;
}

static int64_t two_of_one(const scene *s, const argument *a, given *g)
{
    int64_t n = plain_send(s, a, g);

    if (n >= 0)
        plain_send(s, a, g);
    return n;
}

static int64_t one_is_taken(const scene *s, const argument *a, given *g)
{
    return plain_receive(s, a, g);
}

static int64_t another_sender(const scene *s, const argument *a, given *g)
{
    int64_t n = plain_receive(s, a, g);

    g->from = s->at;
    return n;
}

static int64_t another_length(const scene *s, const argument *a, given *g)
{
    int64_t n = plain_receive_batch(s, a, g);

    for (int64_t i = 0; i < n; i++)
        g->packet[i].length = g->packet[i].size;
    return n;
}

static int64_t no_connection(int fd, const weft_address *to)
{
    (void)fd, (void)to;
    return 0;
}

Test(differential_datagrams, a_difference_is_seen, .timeout = MANY_WAITS)
{
    static const operation wrong[] = {
        {"weft_send_to", another_error, by_send, letters, true, false},
        {"weft_send_to", two_of_one, by_send, letters, true, false},
        {"weft_peek_from", one_is_taken, by_peek, rooms, false, false},
        {"weft_receive_from", another_sender, by_receive, rooms, false, false},
        {"weft_receive_batch", another_length, by_receive_batch, batches_in, false, true},
    };
    weft_runtime *rt = begin();

    wants_differences = true;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_cmp(run(rt, &wrong[i], 4), >, 0);
    check_cmp(run_connects(rt, no_connection), >, 0);
    stop(rt);
}
