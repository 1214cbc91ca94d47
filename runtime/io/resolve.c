/*
 * resolve.c - host names to addresses, by getaddrinfo on a pool thread
 *
 * Purpose     A blocking job around the system's resolver.
 * Threads     The future's owner; the job on a pool thread.
 * Invariants  Z1 The job works on its own copy of the lookup, so it may run on alone after a
 *             cancel.
 * Ordering    See job.h.
 * Failure     The errors of getaddrinfo as -errno.
 */
#include "job.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

static int64_t error_of(int code)
{
    switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_SYSTEM:
        return errno ? -errno : -EIO; /* some resolvers forget to say why */
    default:
        return -EIO;
    }
}

static int64_t look_up(void *args)
{
    weft_lookup    *self = args;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    char            port[8];
    int64_t         n = 0;
    int             r;

    snprintf(port, sizeof port, "%u", self->port_);
    r = getaddrinfo(self->host_, port, &hints, &list);
    if (r != 0)
        return error_of(r);
    for (struct addrinfo *a = list; a && n < WEFT_RESOLVE_MAX; a = a->ai_next)
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6)
            memcpy(&self->address[n++], a->ai_addr, a->ai_addrlen);
    freeaddrinfo(list);
    return n;
}

static const weft_job_kind_ look_up_kind = {look_up, sizeof(weft_lookup),
                                            "weft_resolve\0" WEFT_HERE_};

static weft_poll resolution_poll(weft_future *future, weft_context *cx)
{
    struct weft_resolve *self = weft_container(future, struct weft_resolve, future);
    weft_future         *job = &self->job_.future;

    if (!self->found.host_[0])
        return weft_ready(future, -EINVAL);
    if (!weft_future_is_pending(job)) { /* pinned now, so the job may point to us */
        wf_job_init(&self->job_, cx->runtime ? weft_pool_dns(cx->runtime) : NULL, &look_up_kind,
                    &self->found, &self->found);
        weft_job_detachable(job); /* Z1 */
    }
    if (weft_future_is_cancelled(future) && weft_poll_is_ready(weft_future_cancel(job)))
        return weft_ready(future, job->result);
    return weft_poll_is_ready(weft_future_poll_inner(job, cx)) ? weft_ready(future, job->result)
                                                               : WEFT_PENDING;
}

static void resolution_cancel(weft_future *future)
{
    (void)future; /* the next poll cancels the job */
}

static const weft_future_ops resolution_ops = {sizeof(struct weft_resolve), WEFT_FUTURE_WITHDRAWS,
                                               "weft_resolve", resolution_poll, resolution_cancel};

WEFT_API weft_future *weft_resolve(struct weft_resolve *resolution, const char *host, uint16_t port)
{
    size_t n = strnlen(host, WEFT_HOST_MAX + 1);

    weft_future_init(&resolution->future, &resolution_ops);
    memset(&resolution->found, 0, sizeof resolution->found);
    weft_future_init(&resolution->job_.future, NULL); /* not yet pending */
    resolution->found.port_ = port;
    if (n <= WEFT_HOST_MAX)
        memcpy(resolution->found.host_, host, n);
    return &resolution->future;
}
