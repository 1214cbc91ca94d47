/*
 * test_socket.c - a socket's life, and what may still use it when it ends
 */
#include "bare_reactor.h"

#include "stream.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

static weft_waker noop;

static wf_socket *make_socket(int fd)
{
    wf_socket *s;

    noop = weft_waker_noop();
    bare_start();
    check(fd >= 0);
    s = wf_socket_new(&reactor, fd, POLLIN);
    check(s != NULL);
    return s;
}

static wf_socket *make_event_socket(void)
{
    return make_socket(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static bool is_unused(const wf_socket *s)
{
    for (const wf_submission *i = reactor.sockets.oldest; i; i = i->next)
        if (i == &s->submission)
            return true;
    return false;
}

static void end(wf_socket *s)
{
    check(is_unused(s));
    bare_stop();
}

/* Begins an operation, which waits. Returns the handle of the socket. */
static void *wait_on(wf_socket *s, weft_io *io)
{
    void *handle = wf_socket_handle(s);

    weft_accept(io, handle, NULL);
    check(wf_socket_ref(handle, WF_SIDE_IN) == s);
    check(wf_socket_claim(&s->in, io));
    check_eq(wf_socket_wait(s, &s->in, io, wf_socket_seq(&s->in), &noop), WF_SOCKET_WAITING);
    return handle;
}

static void end_operation(wf_socket *s, weft_io *io)
{
    wf_socket_withdraw(s, &s->in, io);
    wf_socket_let_go(&s->in);
    wf_socket_unref(s);
}

/* While its submission is in the inbox, the socket must not go back to the list of unused ones. */
Test(socket, one_that_is_being_nudged_is_freed_afterwards)
{
    wf_socket *s = make_event_socket();
    weft_io    io;
    void      *handle = wait_on(s, &io);

    wf_socket_nudge_any(s);
    end_operation(s, &io);
    check(!wf_inbox_is_empty(&reactor.inbox));
    wf_socket_close(handle);
    check(!is_unused(s));
    bare_take_inbox();
    end(s);
}

Test(socket, a_nudge_lets_the_one_that_waits_try_again)
{
    wf_socket *s = make_event_socket();
    weft_io    io;
    void      *handle = wait_on(s, &io);

    wf_socket_nudge_any(s);
    check(wf_socket_is_waiting(s, &s->in, &io, &noop));
    bare_take_inbox();
    check(!wf_socket_is_waiting(s, &s->in, &io, &noop));
    end_operation(s, &io);
    wf_socket_close(handle);
    end(s);
}

Test(socket, one_that_can_t_be_watched_ends_the_wait_with_the_error)
{
    wf_socket *s = make_socket(open("/dev/null", O_RDONLY | O_CLOEXEC));
    weft_io    io;
    void      *handle = wait_on(s, &io);

    check(!wf_socket_is_waiting(s, &s->in, &io, &noop));
    check_eq(io.answer_, -EPERM);
    check_eq(s->asked, 0); /* the next one tries again */
    end_operation(s, &io);
    wf_socket_close(handle);
    end(s);
}

Test(socket, one_that_never_waited_is_freed_at_once)
{
    wf_socket *s = make_event_socket();

    wf_socket_close(wf_socket_handle(s));
    check(wf_inbox_is_empty(&reactor.inbox));
    end(s);
}

/* Begins the next life of a socket's memory. The pool hands out what was unused longest. */
static void *begin_next_life(const wf_socket *s)
{
    void *handle;

    for (;;) {
        handle = wf_socket_handle(wf_socket_new(&reactor, -1, POLLIN));
        if (wf_socket_of(handle) == s)
            return handle;
        wf_socket_close(handle);
    }
}

/* A thread that took the event from epoll delivers it only after the socket was closed and its
 * memory used again. */
Test(socket, an_event_of_an_earlier_life_wakes_nobody)
{
    wf_socket *s = make_event_socket();
    void      *before = wf_socket_handle(s), *handle;
    wf_wakes   wakes = {0};
    weft_io    io;

    wf_socket_close(before);
    handle = begin_next_life(s);
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    check(handle != before);

    check(wait_on(s, &io) == handle);
    wf_socket_event(before, POLLIN | POLLHUP, &wakes);
    check(wf_socket_is_waiting(s, &s->in, &io, &noop));
    check_eq(s->always_try, 0);
    wf_socket_event(handle, POLLIN | POLLHUP, &wakes);
    check(!wf_socket_is_waiting(s, &s->in, &io, &noop));
    check_eq(s->always_try, WF_TRY_ENDED);
    end_operation(s, &io);
    wf_socket_close(handle);
    end(s);
}

#define N_LATE 32

static void *late[N_LATE];
static bool  delivered;

/* So many that the sockets no longer want them. */
static void *deliver_room(void *arg)
{
    wf_wakes wakes = {0};

    for (int i = 0; i < 8 * N_LATE; i++)
        wf_socket_event(late[i % N_LATE], POLLOUT, &wakes);
    __atomic_store_n(&delivered, true, __ATOMIC_RELAXED);
    return arg;
}

/* A thread delivers events to closed sockets, while another one ends those lives and begins the
 * next ones. TSan reports a field that both use without the lock, since the flag orders nothing. It
 * forgets some accesses, hence so many sockets. */
Test(socket, a_new_life_may_begin_while_a_late_event_is_delivered)
{
    wf_socket *s = make_event_socket();
    pthread_t  thread;

    wf_socket_close(wf_socket_handle(s));
    for (int i = 0; i < N_LATE; i++) {
        late[i] = wf_socket_handle(wf_socket_new(&reactor, -1, POLLIN));
        check(wf_socket_ref(late[i], WF_SIDE_IN) != NULL);
        wf_socket_close(late[i]);
    }
    check_eq(pthread_create(&thread, NULL, deliver_room, NULL), 0);
    while (!__atomic_load_n(&delivered, __ATOMIC_RELAXED))
        sched_yield();
    for (int i = 0; i < N_LATE; i++)
        wf_socket_unref(wf_socket_of(late[i]));
    for (int i = 0; i < N_LATE; i++) {
        wf_socket *next = wf_socket_of(begin_next_life(wf_socket_of(late[i])));

        check_eq(next->asked, 0);
        wf_socket_close(wf_socket_handle(next));
    }
    pthread_join(thread, NULL);
    end(s);
}

Test(socket, what_is_ready_is_told_once)
{
    uint64_t   one = 1;
    wf_socket *s = make_event_socket();
    wf_wakes   wakes = {0};
    weft_io    io;
    void      *handle = wait_on(s, &io);

    check_eq(bare_take_ready(&wakes), 0);
    check_eq(write(s->fd, &one, sizeof one), sizeof one);
    check(wf_socket_is_waiting(s, &s->in, &io, &noop));
    check_eq(bare_take_ready(&wakes), 1);
    check(!wf_socket_is_waiting(s, &s->in, &io, &noop));
    check_eq(bare_take_ready(&wakes), 0);
    end_operation(s, &io);
    wf_socket_close(handle);
    end(s);
}

/* epoll reports each event only once, so that what one look leaves would be lost. */
Test(socket, all_that_is_ready_is_taken_together)
{
    enum { MANY = 300 }; /* more than a call takes */
    static wf_socket *s[MANY];
    static weft_io    io[MANY];
    uint64_t          one = 1;
    wf_wakes          wakes = {0};

    for (int i = 0; i < MANY; i++) {
        s[i] = i == 0 ? make_event_socket()
                      : wf_socket_new(&reactor, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), POLLIN);
        check(s[i] != NULL);
        wait_on(s[i], &io[i]);
        check_eq(write(s[i]->fd, &one, sizeof one), sizeof one);
    }
    check_eq(bare_take_ready(&wakes), MANY);
    for (int i = 0; i < MANY; i++) {
        check(!wf_socket_is_waiting(s[i], &s[i]->in, &io[i], &noop));
        end_operation(s[i], &io[i]);
        wf_socket_close(wf_socket_handle(s[i]));
    }
    end(s[0]);
}

Test(socket, one_that_begins_a_life_does_not_have_an_earlier_peer)
{
    wf_socket         *s = make_event_socket(), *again = NULL;
    struct sockaddr_in peer = {.sin_family = AF_INET};
    weft_address       address;

    wf_peer_note(&s->peer, (struct sockaddr *)&peer);
    check(wf_peer_recall(&s->peer, &address));
    wf_socket_close(wf_socket_handle(s));
    while (again != s) {
        again = wf_socket_new(&reactor, -1, POLLIN);
        check(!wf_peer_recall(&again->peer, &address));
        wf_socket_close(wf_socket_handle(again));
    }
    end(s);
}

/* ---- in a forked child ---- */

/* At the time of the fork a thread of the parent holds the lock and asks the kernel for events. */
Test(socket, of_a_forked_child_waits_for_no_thread_of_the_parent)
{
    wf_socket   *s = make_event_socket();
    int          fd = s->fd;
    weft_io      waiting, late;
    void        *handle = wait_on(s, &waiting);
    wf_socket   *found = NULL;
    weft_stream *stream;
    weft_address address;
    weft_context cx;
    char         byte;

    weft_context_init(&cx, &noop, &rt);
    waiting.target_ = s;
    s->lock = 1;
    s->telling = true;
    reactor.is_parent = "";
    check_eq(wf_socket_use(handle, &found), -ECHILD);
    check(!found);
    check(weft_poll_is_ready(weft_future_poll(weft_write(&late, handle, &byte, 1), &cx)));
    check_eq(late.future.result, -ECHILD);
    check(weft_poll_is_ready(weft_future_poll(&waiting.future, &cx)));
    check_eq(waiting.future.result, -ECHILD);
    check_eq(weft_address_parse("127.0.0.1", 1, &address), 0);
    reactor.sockets.lock = 1;
    check(weft_poll_is_ready(weft_future_poll(weft_connect(&late, &address, &stream), &cx)));
    check_eq(late.future.result, -ECHILD);
    wf_socket_close((void *)((uintptr_t)handle | WF_SIDE_IN)); /* a half */
    check_cmp(fcntl(fd, F_GETFD), >=, 0);
    wf_socket_close(handle);
    check_cmp(fcntl(fd, F_GETFD), <, 0);
    wf_socket_close(handle);
    check(s->told & POLLIN); /* nothing was taken out of the set */
}

/* ---- closed within a poll ---- */

static void *to_close;
static int   n_attempts;

/* Another thread may close the stream between two steps of a write_all. */
static int64_t closes(weft_io *io, wf_socket *s)
{
    (void)io, (void)s;
    n_attempts++;
    wf_socket_close(to_close);
    return WF_IO_MORE;
}

Test(socket, one_that_is_closed_between_two_attempts_has_no_other)
{
    wf_socket_op row;
    wf_socket   *s = make_event_socket();
    weft_context cx;
    weft_io      io;

    to_close = wf_socket_handle(s);
    weft_context_init(&cx, &noop, &rt);
    weft_write_all(&io, to_close, "x", 1);
    row = *wf_socket_op_of(&io);
    row.attempt = closes;
    io.future.ops = &row.future;
    check(weft_poll_is_ready(weft_future_poll(&io.future, &cx)));
    check_eq(io.future.result, -ECANCELED);
    check_eq(n_attempts, 1);
    end(s);
}

/* ---- a connection with itself ---- */

Test(socket, one_that_is_connected_with_itself_is_refused)
{
    weft_address address;
    weft_io      io;
    wf_socket   *s;
    void        *handle;
    int          fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), again;

    bare_start();
    noop = weft_waker_noop();
    check_eq(weft_address_parse("127.0.0.1", 0, &address), 0);
    check_eq(bind(fd, &address.u.any, sizeof address.u.v4), 0); /* as the kernel may choose it */
    check_eq(wf_address_local(fd, &address), 0);
    s = wf_stream_new(&reactor, fd, true);
    handle = wf_socket_handle(s);
    weft_connect(&io, &address, NULL);
    check_eq(wf_socket_op_of(&io)->attempt(&io, s), -ECONNREFUSED);
    wf_socket_close(handle);
    again = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* the port is free at once */
    check_eq(bind(again, &address.u.any, sizeof address.u.v4), 0);
    check_eq(listen(again, 1), 0);
    close(again);
    end(s);
}
