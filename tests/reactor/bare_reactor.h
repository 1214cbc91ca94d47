/*
 * bare_reactor.h - a reactor without a thread: the test itself calls each of its steps
 */
#ifndef BARE_REACTOR_H
#define BARE_REACTOR_H

#include "../test.h"

#include "alloc.h"
#include "executor.h"
#include "kernel_operation.h"
#include "socket_operation.h"

static weft_runtime rt;
static wf_executor  executor;
static wf_reactor   reactor;

/* Submissions stay in the ring. A request completes when the test calls its completion. */
static void bare_start(void)
{
    rt = (weft_runtime){.reactor = &reactor, .config.allocator = wf_alloc_default};
    rt.executor = &executor;
    executor.is_parent = "yes";
    memset(&reactor, 0, sizeof reactor);
    check_eq(wf_poller_open(&reactor.poller), 0);
    reactor.rt = &rt;
    reactor.is_parent = executor.is_parent;
    rt.config.ring_entries = 8;
    rt.config.log = weft_log_none;
    check_eq(wf_ring_open(&reactor.ring, &rt.config), 0);
    rt.config.file_threads = 1;
    rt.config.blocking_keep_ms = 1000;
    wf_files_init(&reactor.files, &rt, &reactor.driver, &reactor.inbox);
    reactor.driver.sleeps_until = WF_DRIVER_NO_WAIT;
    reactor.retry_timers.next = WEFT_FOREVER;
}

static inline void bare_take_inbox(void)
{
    for (wf_submission *s = wf_inbox_take(&reactor.inbox), *next; s; s = next) {
        next = s->next;
        s->take(&reactor, s);
    }
}

static inline int bare_take_ready(wf_wakes *wakes)
{
    bool more;
    int  n = wf_poller_take(&reactor.poller, wakes, true, &more);

    check(!more);
    return n;
}

static void bare_stop(void)
{
    check(wf_inbox_is_empty(&reactor.inbox));
    check_eq(reactor.n_sockets, 0);
    check_eq(wf_reactor_held(&reactor), 0);
    wf_files_stop(&reactor.files);
    wf_inflight_free(&reactor.inflight, &rt.config.allocator);
    wf_socket_pool_stop(&reactor);
    wf_poller_close(&reactor.poller);
    wf_ring_close(&reactor.ring);
}

#endif
