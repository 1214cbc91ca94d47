/*
 * poller.h - which sockets are ready
 *
 * Purpose     One epoll set for all sockets of a runtime. The reactor's ring watches it; while the
 *             reactor is at its gate, a worker that runs dry takes from it. What has come meanwhile
 *             then costs one system call, and no switch to another thread and back.
 * Threads     open, close: whoever starts and stops the runtime. wait: the reactor's. The others:
 *             any.
 * Invariants  D1 the set is edge-triggered: an event is taken by one thread, once, and that one
 *             takes until there are none. D2 an event carries a socket's handle: one that is taken
 *             late finds another generation (socket.h, K5). D3 one thread sleeps here at a time.
 *             The bell (bell.h) is the one member that is level-triggered, and has no handle. D4 a
 *             look is bounded; the thread that leaves events behind has the reactor look again. D5
 *             before about Linux 6.17 epoll_wait may answer 0 falsely, without a lock, while
 *             another thread takes events. A worker that is told so just looks at other things: for
 *             each event that has come, the reactor's ring is woken by the kernel, which asks the
 *             set with its lock held. So the one look that must not miss an event is the reactor's,
 *             and where that finds nothing, it asks poll(2), which takes the lock, too. A leader
 *             sleeps by epoll_wait without a limit in time, which looks again under the lock.
 * Ordering    The kernel's, then the socket's lock.
 * Failure     ask: as epoll_ctl. take: the set is gone; somebody has closed a descriptor that isn't
 *             his.
 */
#ifndef WF_POLLER_H
#define WF_POLLER_H

#include "rt.h"
#include "waker.h"

typedef struct wf_poller {
    int fd; /* constant */
} wf_poller;

/* 0 or -errno. */
int  wf_poller_open(wf_poller *ready);
void wf_poller_close(wf_poller *ready);

/* From now on poll(2) events of the descriptor come with the handle, those that are there first.
 * `before`: those that came until now, 0 for a descriptor that is new to the set. 0 or -errno. */
int wf_poller_ask(const wf_poller *ready, int fd, uint32_t before, uint32_t events, void *handle);
/* The bell stays ready until the thread that sleeps has made it silent: a look of another does not
 * take its ring. */
int  wf_poller_add_bell(const wf_poller *ready, int bell);
void wf_poller_remove(const wf_poller *ready, int fd);

/* Wakes those who wait for what is ready, which is left to be queued. How many events there were,
 * or -errno. `surely`: an answer of none is looked into, see D5. *ret_more: some may be left, see
 * D4. */
int wf_poller_take(const wf_poller *ready, wf_wakes *wakes, bool surely, bool *ret_more);
/* The same, but sleeps until there is an event or the bell rings. */
int wf_poller_sleep(const wf_poller *ready, int bell, wf_wakes *wakes);
/* Sleeps until there is one, or something to read from one of the other descriptors (-1: none), or
 * until the instant. */
void wf_poller_wait(const wf_poller *ready, int a, int b, int64_t until);

#endif
