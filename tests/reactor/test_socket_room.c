/*
 * test_socket_room.c - the kernel reports room for a writer only while a writer waits
 */
#include "bare_reactor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

static weft_waker noop;
static wf_wakes   wakes;
static int        peer;

/* A stream of one end of a socket pair. `peer` is the other end. */
static wf_socket *start_stream(void)
{
    wf_socket *s;
    int        fd[2];

    noop = weft_waker_noop();
    wakes = (wf_wakes){0};
    bare_start();
    check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    peer = fd[1];
    s = wf_stream_new(&reactor, fd[0], false);
    check(s != NULL);
    return s;
}

static wf_socket *start_datagram(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, at;
    socklen_t          size = sizeof any;
    int                fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    wf_socket         *s;

    noop = weft_waker_noop();
    wakes = (wf_wakes){0};
    bare_start();
    peer = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    check_eq(bind(fd, (struct sockaddr *)&any, size), 0);
    check_eq(bind(peer, (struct sockaddr *)&any, size), 0);
    check_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    check_eq(connect(peer, (struct sockaddr *)&at, size), 0);
    check_eq(getsockname(peer, (struct sockaddr *)&at, &size), 0);
    check_eq(connect(fd, (struct sockaddr *)&at, size), 0);
    s = wf_socket_new(&reactor, fd, WF_DATAGRAM_EVENTS);
    check(s != NULL);
    return s;
}

static wf_direction *side_of(const weft_io *io)
{
    return io->target_; /* of an operation that is not polled */
}

/* Begins an operation that waits, and returns the result of the wait. */
static wf_socket_wait_result wait_for(wf_socket *s, weft_io *io, unsigned side)
{
    *io = (weft_io){.target_ = side == WF_SIDE_IN ? &s->in : &s->out};
    check(wf_socket_ref(wf_socket_handle(s), side) == s);
    check(wf_socket_claim(side_of(io), io));
    return wf_socket_wait(s, side_of(io), io, wf_socket_seq(side_of(io)), &noop);
}

static bool waits(wf_socket *s, weft_io *io)
{
    return wf_socket_is_waiting(s, side_of(io), io, &noop);
}

static void end_operation(wf_socket *s, weft_io *io)
{
    wf_socket_withdraw(s, side_of(io), io);
    wf_socket_let_go(side_of(io));
    wf_socket_unref(s);
}

/* A reader waits until it is woken, and then reads all that there is. */
static void wait_and_read(wf_socket *s)
{
    weft_io io;
    char    byte;

    check_eq(wait_for(s, &io, WF_SIDE_IN), WF_SOCKET_WAITING);
    check_eq(bare_take_ready(&wakes), 0);
    check_eq(write(peer, "x", 1), 1);
    check_eq(bare_take_ready(&wakes), 1);
    check(!waits(s, &io));
    check_eq(read(s->fd, &byte, 1), 1);
    end_operation(s, &io);
}

/* The peer reads an answer. Returns how many events this caused. */
static int answer(wf_socket *s)
{
    char byte;

    check_eq(write(s->fd, "y", 1), 1);
    check_eq(read(peer, &byte, 1), 1);
    return bare_take_ready(&wakes);
}

static void fill(int fd)
{
    static char some[4096];

    while (write(fd, some, sizeof some) > 0)
        ;
    check_eq(errno, EAGAIN);
}

static void drain(int fd)
{
    static char some[4096];

    while (read(fd, some, sizeof some) > 0)
        ;
    check_eq(errno, EAGAIN);
}

static void end(wf_socket *s)
{
    wf_socket_close(wf_socket_handle(s));
    close(peer);
    bare_stop();
}

/* ---- what a message costs ---- */

Test(socket_room, an_answer_on_a_unix_stream_is_not_told)
{
    wf_socket *s = start_stream();

    for (int i = 0; i < 10; i++) {
        wait_and_read(s);
        check_eq(answer(s), 0);
    }
    end(s);
}

Test(socket_room, an_answer_on_a_datagram_socket_is_not_told)
{
    wf_socket *s = start_datagram();

    for (int i = 0; i < 10; i++) {
        wait_and_read(s);
        check_eq(answer(s), 0);
    }
    end(s);
}

/* ---- a writer that waits ---- */

static void a_writer_is_told(wf_socket *s)
{
    weft_io io;

    fill(s->fd);
    check_eq(wait_for(s, &io, WF_SIDE_OUT), WF_SOCKET_WAITING);
    check_eq(bare_take_ready(&wakes), 0);
    check(waits(s, &io));
    drain(peer);
    check_eq(bare_take_ready(&wakes), 1);
    check(!waits(s, &io));
    end_operation(s, &io);
}

Test(socket_room, a_writer_is_told_that_waits_first)
{
    wf_socket *s = start_stream();

    a_writer_is_told(s);
    end(s);
}

Test(socket_room, a_writer_is_told_that_waits_after_a_reader)
{
    wf_socket *s = start_stream();

    wait_and_read(s);
    a_writer_is_told(s);
    end(s);
}

/* The writer has seen a full socket. There is room again by the time that it waits. */
Test(socket_room, a_writer_is_told_of_room_that_came_before_it_waited)
{
    wf_socket *s = start_stream();
    weft_io    io;

    wait_and_read(s);
    fill(s->fd);
    drain(peer);
    check_eq(wait_for(s, &io, WF_SIDE_OUT), WF_SOCKET_WAITING);
    check_eq(bare_take_ready(&wakes), 1);
    check(!waits(s, &io));
    end_operation(s, &io);
    end(s);
}

Test(socket_room, a_reader_is_told_while_a_writer_waits)
{
    wf_socket *s = start_stream();
    weft_io    in, out;

    check_eq(wait_for(s, &in, WF_SIDE_IN), WF_SOCKET_WAITING);
    fill(s->fd);
    check_eq(wait_for(s, &out, WF_SIDE_OUT), WF_SOCKET_WAITING);
    check_eq(write(peer, "x", 1), 1);
    check_eq(bare_take_ready(&wakes), 1);
    check(!waits(s, &in));
    check(waits(s, &out));
    end_operation(s, &in);
    end_operation(s, &out);
    end(s);
}

/* ---- writers that wait no more ---- */

Test(socket_room, room_is_not_told_any_more_once_no_writer_has_waited_for_a_while)
{
    wf_socket *s = start_stream();
    int        told = 0;

    a_writer_is_told(s);
    for (int i = 0; i < 20; i++) {
        wait_and_read(s);
        told += answer(s);
    }
    check_cmp(told, >, 0); /* a writer may have waited again in between */
    check_cmp(told, <, 10);
    check_eq(answer(s), 0);
    a_writer_is_told(s); /* a writer that waits again asks for the event again */
    end(s);
}

Test(socket_room, a_failure_to_ask_ends_both_waits)
{
    wf_socket *s = start_stream();
    weft_io    in, out;

    check_eq(wait_for(s, &in, WF_SIDE_IN), WF_SOCKET_WAITING);
    wf_poller_remove(&reactor.poller, s->fd);
    check_eq(wait_for(s, &out, WF_SIDE_OUT), WF_SOCKET_WAITING);
    check(!waits(s, &in));
    check(!waits(s, &out));
    check_eq(in.answer_, -ENOENT);
    check_eq(out.answer_, -ENOENT);
    end_operation(s, &in);
    end_operation(s, &out);
    end(s);
}
