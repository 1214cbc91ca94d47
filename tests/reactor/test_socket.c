/*
 * test_socket.c - a socket's requests to the reactor, whose steps the test takes itself
 */
#include "bare_reactor.h"

#include <poll.h>
#include <sys/eventfd.h>

static weft_waker noop;

static wf_socket *make_socket(void)
{
    wf_socket *s;

    noop = weft_waker_noop();
    bare_start();
    s = wf_socket_new(&reactor, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), POLLIN);
    check(s != NULL);
    return s;
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

/* An operation that has begun, and waits. */
static void *wait_on(wf_socket *s, weft_io *io)
{
    void *handle = wf_socket_handle(s);

    wf_io_init(io, WF_OP_ACCEPT);
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

/* While its submission is in the inbox, the socket must not go to the others that are unused. */
static void close_on_its_way(wf_socket *s, void *handle)
{
    check(!wf_inbox_is_empty(&reactor.inbox));
    wf_socket_close(handle);
    check(!is_unused(s));
    bare_take_inbox();
}

Test(socket, one_that_is_being_nudged_is_freed_afterwards)
{
    wf_reactor_token token = {&reactor};
    wf_socket       *s = make_socket();
    weft_io          io;
    void            *handle = wait_on(s, &io);

    bare_take_inbox(); /* the poll is armed */
    wf_socket_nudge_any(s);
    wf_socket_completed(token, s, -EIO, false); /* and fails */
    check_eq(io.answer_, -EIO);
    end_operation(s, &io);
    close_on_its_way(s, handle);
    end(s);
}

Test(socket, one_whose_poll_fails_while_it_is_taken_away_is_freed_afterwards)
{
    wf_reactor_token token = {&reactor};
    wf_socket       *s = make_socket();
    weft_io          io;
    void            *handle = wait_on(s, &io);

    bare_take_inbox();
    check_eq(wf_socket_take_fd(s), -EAGAIN);
    wf_socket_completed(token, s, -EIO, false);
    end_operation(s, &io);
    close_on_its_way(s, handle);
    end(s);
}

Test(socket, one_that_never_waited_is_freed_at_once)
{
    wf_socket *s = make_socket();

    wf_socket_close(wf_socket_handle(s));
    check(wf_inbox_is_empty(&reactor.inbox));
    end(s);
}
