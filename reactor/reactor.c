/* reactor.c - see reactor.h */
#include "reactor.h"

#include "clock.h"
#include "descriptor.h"
#include "dispatch.h"
#include "executor.h"
#include "handed.h"
#include "limit.h"
#include "loop.h"
#include "socket_operation.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How many failed writes, a millisecond apart, are allowed before the process is ended. */
#define KICKS 1000

/* Wakes the reactor in the kernel. Tries until the write succeeds or the reactor has woken by
 * itself. If the write never succeeds, tasks would hang without any message, so the process
 * ends. */
static void wake(wf_driver *driver)
{
    wf_reactor *r = (wf_reactor *)driver;
    uint64_t    one = 1;

    for (int n = 0; write(r->wake_fd, &one, sizeof one) < 0; n++) {
        if (!(wf_load(&driver->state, RELAXED) & WF_DRIVER_NOTIFIED)) /* a racy hint */
            return;
        if (n >= KICKS)
            weft_misuse_("weft", "the program has closed a file descriptor that belongs to weft",
                         strerror(errno));
        if (errno != EINTR)
            nanosleep(&(struct timespec){.tv_nsec = WEFT_MS(1)}, NULL);
    }
}

int wf_reactor_of(weft_runtime *rt, wf_reactor **ret)
{
    rt = wf_rt_or_current(rt);
    if (!rt)
        return -ENXIO;
    if (wf_reactor_is_child(rt->reactor))
        return -ECHILD;
    *ret = rt->reactor;
    return 0;
}

void wf_reactor_submit_any(wf_reactor *r, wf_submission *s)
{
    wf_inbox_push_any(&r->inbox, s);
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
}

/* Queues the tasks. While the gate is closed, the reactor or the monitor watches for workers that
 * are stuck. If the gate has opened meanwhile, the reactor may have read `watching` before this
 * store. Then `watching` is cleared again, and workers wake each other as usual. */
static void hand_over_watched(wf_reactor *r, wf_wakes *wakes)
{
    wf_handed_queue(r->rt->executor, wakes);
    wf_store(&r->driver.watching, true, SEQ_CST); /* [driver-3] */
    if (!wf_driver_is_at_gate(&r->driver))        /* [driver-3] */
        wf_store(&r->driver.watching, false, SEQ_CST);
}

/* Whether the reactor must collect from the ring: at the first look after an operation has begun or
 * ended there, then after 2, 4, and every 8 more. */
static bool is_ring_due(wf_reactor *r)
{
    uint64_t done = wf_load(&r->n_begun, RELAXED) + wf_load(&r->n_ended, RELAXED); /* hints */

    if (done != r->look.ring_seen) {
        r->look.ring_seen = done;
        r->look.left = r->look.pause = 1;
    }
    if (wf_load(&r->n_asked, RELAXED) == 0) /* a racy hint */
        return false;
    if (r->look.left > 1) {
        r->look.left--;
        return false;
    }
    r->look.left = r->look.pause = wf_guess_pause(r->look.pause);
    return true;
}

/* While the reactor is at the gate, a worker that runs dry takes events from the epoll set itself.
 * Completions of the ring can only be collected by the reactor, so the worker opens the gate for
 * them now and then. */
static bool look_for_worker(wf_driver *driver)
{
    wf_reactor *r = (wf_reactor *)driver;
    wf_wakes    wakes = {0};
    bool        for_ring, more;
    int         n;

    if (wf_load(&r->look.busy, RELAXED) /* a racy hint */ ||
        wf_swap(&r->look.busy, 1, ACQUIRE)) /* [reactor-4] */
        return false;
    n = wf_poller_take(&r->poller, &wakes, false, &more);
    wf_count(&r->look.n_looks, 1);
    wf_count(&r->look.n_found, n > 0 ? (uint64_t)n : 0);
    for_ring = is_ring_due(r);
    wf_store(&r->look.busy, 0, RELEASE); /* [reactor-4] */
    if (wakes.first)
        hand_over_watched(r, &wakes);
    if (more)
        wf_reactor_look_again_any(r);
    if (for_ring)
        wf_driver_open(driver);
    return n > 0;
}

/* The leader, a worker without work, waits for sockets itself. */
static void lead(wf_driver *driver, wf_wakes *wakes)
{
    wf_reactor *r = (wf_reactor *)driver;

    wf_sparse_note(&r->leads, driver, wf_poller_sleep(&r->poller, driver->bell, wakes));
}

static int start_thread(wf_reactor *r)
{
    int           result = wf_thread_start(&r->thread, wf_loop_main, r);
    wf_limit_room room;

    if (result < 0) {
        wf_log(&r->rt->config, WEFT_LOG_ERROR, "start: can't create the reactor's thread: %s: %s",
               strerror(-result), wf_limit_threads(&room));
        return result;
    }
    while (!wf_load(&r->started, ACQUIRE)) /* [reactor-2] */
        wf_futex_wait(&r->started, 0, INT64_MAX);
    if (r->start_result < 0)
        pthread_join(r->thread, NULL);
    return r->start_result;
}

void wf_reactor_lacks_descriptor(const wf_reactor *r, const char *call, int error)
{
    wf_limit_room room;

    wf_log(&r->rt->config, WEFT_LOG_ERROR, "start: %s: %s: %s", call, strerror(-error),
           wf_limit_descriptors(error, &room));
}

static int open_descriptors(wf_reactor *r)
{
    int result = wf_poller_open(&r->poller);

    if (result == 0 &&
        ((r->wake_fd = wf_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) < 0 ||
         (r->driver.bell = wf_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) < 0))
        result = -errno;
    if (result == 0)
        result = wf_poller_add_bell(&r->poller, r->driver.bell);
    if (result < 0)
        wf_reactor_lacks_descriptor(r, r->poller.fd < 0 ? "epoll_create1" : "eventfd", result);
    return result;
}

static void reactor_free(wf_reactor *r)
{
    wf_files_stop(&r->files);
    wf_poller_close(&r->poller);
    wf_accept_ring_close(&r->accept_ring);
    if (r->wake_fd >= 0)
        close(r->wake_fd);
    if (r->driver.bell >= 0)
        close(r->driver.bell);
    r->rt->driver = NULL;
    r->rt->reactor = NULL;
    wf_release_aligned(&r->rt->config.allocator, r, sizeof *r);
}

int wf_reactor_start(weft_runtime *rt)
{
    wf_reactor *r = wf_alloc_aligned(&rt->config.allocator, sizeof *r);
    int         result;

    if (!r) {
        wf_log(&rt->config, WEFT_LOG_ERROR, "start: out of memory");
        return -ENOMEM;
    }
    memset(r, 0, sizeof *r);
    r->rt = rt;
    r->driver = (wf_driver){.wake = wake,
                            .look = look_for_worker,
                            .lead = lead,
                            .find_peer = wf_socket_op_find_peer,
                            .peer_text = wf_socket_op_peer_text,
                            .bell = -1,
                            .sleeps_until = WF_DRIVER_NO_WAIT};
    r->gate.executor = rt->executor;
    r->retry_timers.next = WEFT_FOREVER;
    r->is_parent = rt->executor->is_parent;
    rt->driver = &r->driver;
    rt->reactor = r;
    r->poller.fd = r->wake_fd = -1;
    wf_files_init(&r->files, rt, &r->driver, &r->inbox);
    result = open_descriptors(r);
    if (result == 0)
        result = start_thread(r);
    if (result < 0)
        reactor_free(r);
    return result;
}

uint32_t wf_reactor_users(weft_runtime *rt)
{
    wf_reactor *r = rt->reactor;

    return wf_load(&r->n_asked, ACQUIRE) + wf_socket_pool_uses(r); /* [reactor-3] */
}

void wf_reactor_stop(weft_runtime *rt)
{
    wf_reactor *r = rt->reactor;
    char        text[512];
    uint64_t    open;

    wf_store(&r->stopping, true, SEQ_CST); /* [reactor-1] */
    wf_driver_hint(&r->driver, WF_DRIVER_NOW);
    pthread_join(r->thread, NULL);
    open = wf_load(&r->n_sockets, RELAXED); /* the thread that counts has been joined */
    if (open > 0)
        wf_log(&rt->config, WEFT_LOG_WARNING,
               "stop: %llu streams or listeners have not been closed: %s; closing them",
               (unsigned long long)open, wf_socket_pool_open_ones(r, text, sizeof text));
    wf_socket_pool_stop(r);
    reactor_free(r);
}

void wf_reactor_count(const weft_runtime *rt, struct weft_runtime_counters *ret)
{
    const wf_reactor *r = rt->reactor;
    const wf_gate    *g = &r->gate;

    /* RELAXED: all of them are counters. */
    ret->reactor_enters = wf_load(&r->counts.enters, RELAXED);
    ret->reactor_wakes = wf_load(&r->counts.kicks, RELAXED);
    ret->completions = wf_load(&r->counts.completions, RELAXED);
    for (unsigned i = 0; i < WEFT_BATCH_BUCKETS; i++)
        ret->batches[i] = wf_load(&r->counts.batches[i], RELAXED);
    ret->worker_wakes = wf_load(&r->counts.wakes, RELAXED);
    ret->worker_wakes_saved = wf_load(&r->counts.wakes_saved, RELAXED);
    ret->gates = wf_load(&g->n_gates, RELAXED);
    ret->gates_dry = wf_load(&g->n_dry, RELAXED);
    ret->gates_called = wf_load(&g->n_called, RELAXED);
    ret->gates_timer = wf_load(&g->n_timer, RELAXED);
    ret->gates_expired = wf_load(&g->n_expired, RELAXED);
    ret->worker_looks = wf_load(&r->look.n_looks, RELAXED);
    ret->worker_found = wf_load(&r->look.n_found, RELAXED);
    ret->leader_waits = wf_load(&r->leads.n_waits, RELAXED);
    ret->leader_found = wf_load(&r->leads.n_found, RELAXED);
    ret->streams_open = wf_load(&r->n_sockets, RELAXED);
}
