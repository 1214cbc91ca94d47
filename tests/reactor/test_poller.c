/*
 * test_poller.c - one look for ready sockets is bounded, and a wrong 0 of epoll_wait(2) loses no
 * event
 */
#include "../test.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int  n_false; /* this many calls return 0 although there are events */
static bool endless; /* each event that is taken is followed by another one */
static int  told[128];

static int wait_falsely(int fd, struct epoll_event *event, int most, int limit)
{
    for (int i = 0; endless && i < most; i++)
        event[i] = (struct epoll_event){.events = EPOLLIN, .data.ptr = &told[0]};
    if (endless)
        return most;
    return n_false-- > 0 ? 0 : epoll_wait(fd, event, most, limit);
}

#include "socket.h"

/* Counts the events that each socket gets. */
static void tell(void *handle, uint32_t events, wf_wakes *wakes)
{
    (void)wakes;
    check(events & EPOLLIN);
    ++*(int *)handle;
}

#define epoll_wait(fd, event, most, limit)     wait_falsely(fd, event, most, limit)
#define wf_socket_event(handle, events, wakes) tell(handle, events, wakes)
#include "poller.c"

static wf_poller ready;
static int       fds[128];
static wf_wakes  wakes;
static bool      more;

static void begin(int n)
{
    check_eq(wf_poller_open(&ready), 0);
    for (int i = 0; i < n; i++) {
        fds[i] = eventfd(1, EFD_NONBLOCK);
        check_eq(wf_poller_ask(&ready, fds[i], 0, EPOLLIN, &told[i]), 0);
    }
}

static void end(int n)
{
    for (int i = 0; i < n; i++) {
        check_eq(told[i], 1);
        close(fds[i]);
    }
    wf_poller_close(&ready);
}

Test(poller, what_a_false_answer_hides_is_found_by_the_look_that_must_not_miss_it)
{
    begin(3);
    n_false = 2;
    check_eq(wf_poller_take(&ready, &wakes, true, &more), 3);
    check(!more);
    end(3);
}

Test(poller, what_a_false_answer_hides_is_left_for_later_by_any_other_look)
{
    begin(3);
    n_false = 1;
    check_eq(wf_poller_take(&ready, &wakes, false, &more), 0);
    check(!more);
    check_eq(wf_poller_take(&ready, &wakes, true, &more), 3);
    end(3);
}

Test(poller, answers_that_are_false_all_the_time_ask_for_another_look)
{
    begin(1);
    n_false = 1000;
    check_eq(wf_poller_take(&ready, &wakes, true, &more), 0);
    check(more);
    n_false = 0;
    check_eq(wf_poller_take(&ready, &wakes, true, &more), 1);
    check(!more);
    end(1);
}

Test(poller, an_answer_of_none_is_believed_where_there_is_none)
{
    begin(0);
    check_eq(wf_poller_take(&ready, &wakes, true, &more), 0);
    check(!more);
    end(0);
}

Test(poller, a_look_has_an_end_where_events_have_none)
{
    begin(1);
    endless = true;
    check_cmp(wf_poller_take(&ready, &wakes, false, &more), >, 0);
    check(more);
    check_cmp(wf_poller_take(&ready, &wakes, true, &more), >, 0);
    check(more);
    endless = false;
    told[0] = 0;
    check_eq(wf_poller_take(&ready, &wakes, true, &more), 1);
    check(!more);
    end(1);
}
