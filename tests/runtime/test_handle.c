/*
 * test_handle.c - handles of closed objects: they are refused, whatever the memory holds now
 */
#include "../sockets.h"

#include "socket.h"

static weft_stream *open_pair(weft_runtime *rt, weft_stream **ret_other)
{
    weft_stream *s;

    check_eq(weft_stream_pair(rt, &s, ret_other), 0);
    return s;
}

/* A stream in the memory that the closed one had, with a generation of its own. */
static weft_stream *successor(weft_runtime *rt, const void *closed, weft_stream **ret_other)
{
    for (int i = 0; i < 1000; i++) {
        weft_stream *s = open_pair(rt, ret_other);

        if (wf_socket_of(*ret_other) == wf_socket_of(closed)) {
            weft_stream *swap = s;

            s = *ret_other;
            *ret_other = swap;
        }
        if (wf_socket_of(s) == wf_socket_of(closed))
            return s;
        weft_stream_close(s);
        weft_stream_close(*ret_other);
    }
    check(!"the memory comes back");
    return NULL;
}

static void check_untouched(weft_runtime *rt, weft_stream *s, weft_stream *other)
{
    weft_io io;
    char    got[8];

    check_eq(weft_block_on(rt, weft_write_all(&io, s, "mine", 4)), 4);
    check_eq(weft_block_on(rt, weft_read(&io, other, got, sizeof got)), 4);
    check_eq(memcmp(got, "mine", 4), 0);
    check_eq(weft_block_on(rt, weft_write_all(&io, other, "yours", 5)), 5);
    check_eq(weft_block_on(rt, weft_read(&io, s, got, sizeof got)), 5);
}

static void check_stale_stream(weft_runtime *rt, weft_stream *stale)
{
    struct iovec    v = {.iov_base = (char[]){"evil"}, .iov_len = 4};
    struct msghdr   message = {.msg_iov = &v, .msg_iovlen = 1};
    weft_keep_alive keep = {.idle = WEFT_S(1)};
    weft_address    address;
    weft_stream    *reader, *writer;
    weft_io         io;
    char            got[4];
    int             a, b;

    check_eq(weft_block_on(rt, weft_read(&io, stale, got, 4)), -EBADF);
    check_eq(weft_block_on(rt, weft_read(&io, stale, got, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_read_exact(&io, stale, got, 4)), -EBADF);
    check_eq(weft_block_on(rt, weft_readv(&io, stale, &v, 1)), -EBADF);
    check_eq(weft_block_on(rt, weft_peek(&io, stale, got, 4)), -EBADF);
    check_eq(weft_block_on(rt, weft_write(&io, stale, "evil", 4)), -EBADF);
    check_eq(weft_block_on(rt, weft_write_all(&io, stale, "evil", 4)), -EBADF);
    check_eq(weft_block_on(rt, weft_writev(&io, stale, &v, 1)), -EBADF);
    check_eq(weft_block_on(rt, weft_write_zero_copy(&io, stale, "evil", 4)), -EBADF);
    check_eq(weft_block_on(rt, weft_receive_message(&io, stale, &message, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_send_message(&io, stale, &message, 0)), -EBADF);
    check_eq(weft_block_on(rt, weft_stream_release(&io, stale)), -EBADF);
    check_eq(weft_stream_split(stale, &reader, &writer), -EBADF);
    check_eq(weft_stream_shutdown(stale, SHUT_RDWR), -EBADF);
    check_eq(weft_stream_set_no_delay(stale, true), -EBADF);
    check_eq(weft_stream_set_keep_alive(stale, &keep), -EBADF);
    check_eq(weft_stream_set_keep_alive(stale, NULL), -EBADF);
    check_eq(weft_stream_set_reset(stale, true), -EBADF);
    check_eq(weft_stream_set_buffers(stale, 4096, 4096), -EBADF);
    check_eq(weft_stream_buffers(stale, &a, &b), -EBADF);
    check_eq(weft_stream_peer_address(stale, &address), -EBADF);
    check_eq(weft_stream_local_address(stale, &address), -EBADF);
    check_eq(weft_stream_fd(stale), -EBADF);
    weft_stream_close(stale);
}

Test(handle, every_call_on_a_closed_stream_answers_ebadf)
{
    weft_runtime *rt = start(1);
    weft_stream  *stale, *other, *s;

    stale = open_pair(rt, &other);
    weft_stream_close(stale);
    weft_stream_close(other);
    check_stale_stream(rt, stale); /* its memory is unused */
    s = successor(rt, stale, &other);
    check_ne(s, stale);
    check_stale_stream(rt, stale); /* another stream has its memory */
    check_untouched(rt, s, other);
    weft_stream_close(s);
    weft_stream_close(other);
    check_eq(counters(rt).streams_open, 0);
    stop(rt);
}

Test(handle, every_call_on_a_closed_listener_answers_ebadf)
{
    weft_runtime  *rt = start(1);
    weft_address   address;
    weft_listener *l = listen_on(rt, false, &address);
    weft_stream   *s = NULL, *other = NULL, *none;
    weft_io        io;

    weft_listener_close(l);
    for (int i = 0; i < 2; i++) {
        check_eq(weft_block_on(rt, weft_accept(&io, l, &none)), -EBADF);
        check_eq(weft_block_on(rt, weft_listener_release(&io, l)), -EBADF);
        check_eq(weft_listener_address(l, &address), -EBADF);
        check_eq(weft_listener_fd(l), -EBADF);
        weft_listener_close(l);
        if (i == 0)
            s = successor(rt, l, &other);
    }
    check_untouched(rt, s, other);
    weft_stream_close(s);
    weft_stream_close(other);
    stop(rt);
}

Test(handle, every_call_on_a_closed_datagram_socket_answers_ebadf)
{
    weft_runtime  *rt = start(1);
    weft_address   address = loopback(false);
    weft_packet    packet = {.data = (char[]){"evil"}, .size = 4};
    struct iovec   v = {.iov_base = packet.data, .iov_len = 4};
    struct msghdr  message = {.msg_iov = &v, .msg_iovlen = 1};
    weft_datagram *d;
    weft_stream   *s = NULL, *other = NULL;
    weft_io        io;
    char           got[4];
    int            a, b;

    check_eq(weft_datagram_bind(rt, &address, NULL, &d), 0);
    weft_datagram_close(d);
    for (int i = 0; i < 2; i++) {
        check_eq(weft_block_on(rt, weft_send_to(&io, d, "evil", 4, &address)), -EBADF);
        check_eq(weft_block_on(rt, weft_send_to(&io, d, "evil", 4, NULL)), -EBADF);
        check_eq(weft_block_on(rt, weft_receive_from(&io, d, got, 4, NULL)), -EBADF);
        check_eq(weft_block_on(rt, weft_peek_from(&io, d, got, 4, NULL)), -EBADF);
        check_eq(weft_block_on(rt, weft_receive_batch(&io, d, &packet, 1)), -EBADF);
        check_eq(weft_block_on(rt, weft_send_batch(&io, d, &packet, 1)), -EBADF);
        check_eq(weft_block_on(rt, weft_datagram_receive_message(&io, d, &message, 0)), -EBADF);
        check_eq(weft_block_on(rt, weft_datagram_send_message(&io, d, &message, 0)), -EBADF);
        check_eq(weft_block_on(rt, weft_datagram_release(&io, d)), -EBADF);
        check_eq(weft_datagram_connect(d, &address), -EBADF);
        check_eq(weft_datagram_set_broadcast(d, true), -EBADF);
        check_eq(weft_datagram_join(d, &address, 0), -EBADF);
        check_eq(weft_datagram_leave(d, &address, 0), -EBADF);
        check_eq(weft_datagram_set_buffers(d, 4096, 4096), -EBADF);
        check_eq(weft_datagram_buffers(d, &a, &b), -EBADF);
        check_eq(weft_datagram_local_address(d, &address), -EBADF);
        check_eq(weft_datagram_peer_address(d, &address), -EBADF);
        check_eq(weft_datagram_fd(d), -EBADF);
        weft_datagram_close(d);
        if (i == 0)
            s = successor(rt, d, &other);
    }
    check_untouched(rt, s, other);
    weft_stream_close(s);
    weft_stream_close(other);
    stop(rt);
}

/* ---- generations ---- */

Test(handle, a_handle_is_recognised_for_65535_lives_of_its_memory)
{
    weft_runtime *rt = start(1);
    weft_stream  *s, *other, *old;
    wf_socket    *memory;
    uint64_t      lives = 0;

    old = open_pair(rt, &other);
    memory = wf_socket_of(old);
    weft_stream_close(old);
    weft_stream_close(other);
    for (int i = 0; i < 3; i++) { /* as if it had lived and died */
        s = successor(rt, old, &other);
        check_ne(s, old);
        weft_stream_close(s);
        weft_stream_close(other);
        check_eq(weft_stream_fd(old), -EBADF);
        lives++;
    }
    /* To the end of the count: only its memory is in no use, so it may be turned by hand. */
    __atomic_fetch_add(&memory->refs, (65535 - lives - 1) * WF_SOCKET_NEXT, __ATOMIC_RELAXED);
    s = successor(rt, old, &other);
    check_ne(s, old);
    check_eq(weft_stream_fd(old), -EBADF);
    weft_stream_close(s);
    weft_stream_close(other);
    s = successor(rt, old, &other);
    check_eq(s, old); /* 2^16 lives later */
    weft_stream_close(s);
    weft_stream_close(other);
    stop(rt);
}

Test(handle, the_longest_unused_memory_goes_first)
{
    enum { N = 1000 };
    weft_runtime *rt = start(1);
    void         *seen[N];
    weft_stream  *s, *other;

    for (int i = 0; i < N; i++) {
        s = open_pair(rt, &other);
        seen[i] = wf_socket_of(s);
        for (int j = i - 1; j >= 0 && j > i - WF_SOCKETS_SPARE / 2; j--)
            check_ne(seen[j], seen[i]);
        weft_stream_close(s);
        weft_stream_close(other);
    }
    stop(rt);
}

/* ---- many threads ---- */

/* A connection as its user knows it. It may be closed by the time it is used. */
typedef struct line {
    pthread_mutex_t lock;
    weft_stream    *stream;
    uint32_t        word;
} line;

enum { N_LINES = 4 };

static line         lines[N_LINES];
static atomic_bool  done;
static atomic_llong n_refused, n_used;

static void line_set(line *l, weft_stream *stream, uint32_t word)
{
    pthread_mutex_lock(&l->lock);
    l->stream = stream;
    l->word = word;
    pthread_mutex_unlock(&l->lock);
}

/* All bytes from the other end must have been sent to this connection, and not to an earlier or
 * later one. */
static void check_words(int fd, uint32_t word)
{
    uint32_t got[64];
    ssize_t  n;

    while ((n = recv(fd, got, sizeof got, MSG_DONTWAIT)) > 0)
        for (size_t i = 0; i < (size_t)n / 4; i++)
            check_eq(got[i], word);
}

typedef struct churn {
    weft_runtime *rt;
    line         *line;
    uint32_t      word;
    int           rounds;
} churn;

/* Opens and closes as fast as it can: descriptors and memory come back at once. */
static void *churn_main(void *arg)
{
    churn   *c = arg;
    uint32_t seed = c->word;

    for (int i = 0; i < c->rounds; i++) {
        weft_stream *s;
        int          fd[2];

        check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
        check_eq(weft_stream_adopt(c->rt, fd[0], &s), 0);
        c->word += N_LINES;
        raw_write(fd[1], &c->word, sizeof c->word);
        line_set(c->line, s, c->word);
        for (uint32_t n = rnd(&seed) % 8; n > 0; n--) {
            check_words(fd[1], c->word);
            raw_write(fd[1], &c->word, sizeof c->word);
            sched_yield();
        }
        weft_stream_close(s);
        check_words(fd[1], c->word);
        close(fd[1]);
    }
    return NULL;
}

/* Reads and writes with all handles that it knows, most of which are closed by now. */
static void *use_main(void *arg)
{
    weft_runtime *rt = arg;
    line          mine = {.stream = NULL};
    weft_io       io;
    uint32_t      seed = 1, got;

    while (!done) {
        line   *l = &lines[rnd(&seed) % N_LINES];
        int64_t n;

        if (!mine.stream || rnd(&seed) % 4 == 0) {
            pthread_mutex_lock(&l->lock);
            mine.stream = l->stream;
            mine.word = l->word;
            pthread_mutex_unlock(&l->lock);
            continue;
        }
        if (rnd(&seed) % 2) {
            n = weft_block_on(rt, weft_write(&io, mine.stream, &mine.word, sizeof mine.word));
            check(n == 4 || n == -EBADF || n == -EBUSY || n == -ECANCELED || n == -EPIPE ||
                  n == -ECONNRESET);
        } else {
            got = mine.word;
            n = weft_block_on(rt, weft_read(&io, mine.stream, &got, sizeof got));
            check(n == 4 || n == -EBADF || n == -EBUSY || n == -ECANCELED || n == 0 ||
                  n == -ECONNRESET);
            check_eq(got, mine.word);
        }
        if (n == -EBADF)
            n_refused++;
        else if (n == 4)
            n_used++;
        if (n == -EBADF && rnd(&seed) % 4 == 0)
            weft_stream_close(mine.stream); /* once more: no harm */
    }
    return NULL;
}

Test(handle, no_byte_goes_to_or_comes_from_another_connection, .timeout = 120)
{
    weft_runtime *rt = start(2);
    pthread_t     churner[N_LINES], user[3];
    churn         c[N_LINES];
    int           n = n_fds();

    for (uint32_t i = 0; i < N_LINES; i++) {
        pthread_mutex_init(&lines[i].lock, NULL);
        c[i] = (churn){rt, &lines[i], i + 1, (int)test_scaled(4000)};
        check_eq(pthread_create(&churner[i], NULL, churn_main, &c[i]), 0);
    }
    for (int i = 0; i < 3; i++)
        check_eq(pthread_create(&user[i], NULL, use_main, rt), 0);
    for (int i = 0; i < N_LINES; i++)
        pthread_join(churner[i], NULL);
    done = true;
    for (int i = 0; i < 3; i++)
        pthread_join(user[i], NULL);
    EVENTUALLY(counters(rt).streams_open == 0 && n_fds() == n);
    check_cmp(n_refused, >, 0);
    check_cmp(n_used, >, 0);
    stop(rt);
}

static weft_stream      *contended;
static pthread_barrier_t go;

static void *close_main(void *arg)
{
    int rounds = *(int *)arg;

    for (int i = 0; i < rounds; i++) {
        pthread_barrier_wait(&go);
        weft_stream_close(contended);
        pthread_barrier_wait(&go);
    }
    return NULL;
}

Test(handle, closing_by_several_at_once_closes_once, .timeout = 120)
{
    weft_runtime *rt = start(1);
    pthread_t     closer[3];
    int           rounds = (int)test_scaled(2000), n = n_fds();

    pthread_barrier_init(&go, NULL, 4);
    for (int i = 0; i < 3; i++)
        check_eq(pthread_create(&closer[i], NULL, close_main, &rounds), 0);
    for (int i = 0; i < rounds; i++) {
        weft_stream *other;

        contended = open_pair(rt, &other);
        pthread_barrier_wait(&go);
        weft_stream_close(contended);
        pthread_barrier_wait(&go);
        check_eq(counters(rt).streams_open, 1);
        weft_stream_close(other);
        check_eq(n_fds(), n);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(closer[i], NULL);
    stop(rt);
}

Test(handle, what_is_open_when_the_runtime_stops_is_closed)
{
    int           n = n_fds();
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .log = weft_log_none});
    weft_stream  *s, *other;

    s = open_pair(rt, &other);
    check_eq(weft_runtime_stop(rt, WEFT_S(5)), 0);
    check_eq(n_fds(), n);
    (void)s;
}
