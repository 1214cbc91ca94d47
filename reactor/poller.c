/* poller.c - see poller.h */
#include "poller.h"

#include "bell.h"
#include "clock.h"
#include "descriptor.h"
#include "socket.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define TAKE_MOST  128 /* events that one call takes */
#define CALLS_MOST 8   /* calls of one look */

int wf_poller_open(wf_poller *ready)
{
    ready->fd = wf_descriptor(epoll_create1(EPOLL_CLOEXEC));
    return ready->fd < 0 ? -errno : 0;
}

void wf_poller_close(wf_poller *ready)
{
    if (ready->fd >= 0)
        close(ready->fd);
}

int wf_poller_ask(const wf_poller *ready, int fd, uint32_t before, uint32_t events, void *handle)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = handle};
    int                op = before ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    return epoll_ctl(ready->fd, op, fd, &event) < 0 ? -errno : 0;
}

int wf_poller_add_bell(const wf_poller *ready, int bell)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(ready->fd, EPOLL_CTL_ADD, bell, &event) < 0 ? -errno : 0;
}

void wf_poller_remove(const wf_poller *ready, int fd)
{
    epoll_ctl(ready->fd, EPOLL_CTL_DEL, fd, NULL); /* cannot fail: the descriptor was added */
}

/* Handles the events. Returns how many of them belong to sockets. */
static int tell_sockets(const struct epoll_event *event, int n, wf_wakes *wakes)
{
    int n_sockets = 0;

    for (int i = 0; i < n; i++)
        if (event[i].data.ptr) { /* NULL is the bell */
            wf_socket_event(event[i].data.ptr, event[i].events, wakes);
            n_sockets++;
        }
    return n_sockets;
}

static bool shows_any(const wf_poller *ready)
{
    struct pollfd set = {ready->fd, POLLIN, 0};

    return poll(&set, 1, 0) > 0;
}

int wf_poller_take(const wf_poller *ready, wf_wakes *wakes, bool surely, bool *ret_more)
{
    struct epoll_event event[TAKE_MOST];
    int                total = 0;

    *ret_more = false;
    for (int calls = 0; calls < CALLS_MOST; calls++) {
        int n = epoll_wait(ready->fd, event, TAKE_MOST, 0);

        if (n < 0 && errno != EINTR)
            return -errno;
        total += tell_sockets(event, n, wakes);
        if (n == 0 && surely && shows_any(ready))
            continue; /* D5: the 0 was wrong */
        if (n >= 0 && n < TAKE_MOST)
            return total;
    }
    *ret_more = true;
    return total;
}

int wf_poller_sleep(const wf_poller *ready, int bell, wf_wakes *wakes)
{
    struct epoll_event event[TAKE_MOST];
    int                n = epoll_wait(ready->fd, event, TAKE_MOST, -1);
    int                n_sockets = tell_sockets(event, n, wakes);

    if (n < 0 && errno != EINTR)
        weft_misuse_("weft", "the program has closed a file descriptor that belongs to weft",
                     strerror(errno));
    if (n > n_sockets)
        wf_bell_still(bell);
    return n_sockets;
}

void wf_poller_wait(const wf_poller *ready, bool sockets, int a, int b, int64_t until)
{
    struct pollfd   fds[] = {{sockets ? ready->fd : -1, POLLIN, 0}, {a, POLLIN, 0}, {b, POLLIN, 0}};
    int64_t         now = wf_now(), left = until > now ? until - now : 0;
    struct timespec limit = {left / WEFT_S(1), left % WEFT_S(1)};

    /* A wake-up that comes early does no harm, since the caller looks at everything. */
    ppoll(fds, 3, until == WEFT_FOREVER ? NULL : &limit, NULL);
}
