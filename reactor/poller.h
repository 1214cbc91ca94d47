/*
 * poller.h - which sockets are ready
 *
 * Purpose     One epoll set for all sockets of a runtime. The reactor's ring watches it. While the
 *             reactor is at its gate, a worker that runs dry takes events from the set. That costs
 *             one system call, and no switch to another thread and back.
 * Threads     open, close: the thread that starts and stops the runtime. wait: the reactor's. The
 *             others: any.
 * Invariants  D1 the set is edge-triggered. One thread takes an event, once, and takes until there
 *             are none left. D2 an event carries a socket's handle. If a thread handles it late,
 *             the socket has another generation (socket.h, K5). D3 one thread sleeps here at a
 *             time. The bell (bell.h) is the only level-triggered member, and has no handle. D4 a
 *             look is bounded. A thread that leaves events behind makes the reactor look again. D5
 *             before about Linux 6.17 epoll_wait may wrongly return 0, without taking a lock, while
 *             another thread takes events. A worker that sees this does other work, because the
 *             kernel wakes the reactor's ring for each event anyway. So only the reactor must not
 *             miss an event. Where it finds nothing it asks poll(2), which takes the lock. A leader
 *             calls epoll_wait without a time limit, which looks again under the lock.
 * Ordering    The kernel's, then the socket's lock.
 * Failure     ask: as epoll_ctl. take: the set is gone, because the program has closed a descriptor
 *             that belongs to weft.
 */
#ifndef WF_POLLER_H
#define WF_POLLER_H

#include "rt.h"
#include "waker.h"

typedef struct wf_poller {
    int fd; /* constant */
} wf_poller;

/* Returns 0 or -errno. */
int  wf_poller_open(wf_poller *ready);
void wf_poller_close(wf_poller *ready);

/* Requests poll(2) events of a descriptor, which then come with the handle. Conditions that hold
 * already make an event at once. `before` is the set of events that was requested before, or 0 for
 * a descriptor that is new to the set. Returns 0 or -errno. */
int wf_poller_ask(const wf_poller *ready, int fd, uint32_t before, uint32_t events, void *handle);
/* Adds the bell. It stays ready until the leader has silenced it, so a look of another thread does
 * not take the ring from the leader. */
int  wf_poller_add_bell(const wf_poller *ready, int bell);
void wf_poller_remove(const wf_poller *ready, int fd);

/* Wakes the operations that wait for sockets which are ready. The caller queues the woken tasks.
 * Returns the number of events, or -errno. With `surely`, a result of 0 is checked, see D5.
 * *ret_more is set if events may be left, see D4. */
int wf_poller_take(const wf_poller *ready, wf_wakes *wakes, bool surely, bool *ret_more);
/* As wf_poller_take, but sleeps until there is an event or the bell rings. Returns the number of
 * events of sockets. */
int wf_poller_sleep(const wf_poller *ready, int bell, wf_wakes *wakes);
/* Sleeps until a socket has an event (if `sockets`), descriptor `a` or `b` is readable (-1: none),
 * or that instant has come. */
void wf_poller_wait(const wf_poller *ready, bool sockets, int a, int b, int64_t until);

#endif
