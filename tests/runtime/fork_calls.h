/*
 * fork_calls.h - every call on sockets and pools that is no operation, once, on a stage
 *
 * For a forked child, where each of them must say so.
 */
#ifndef FORK_CALLS_H
#define FORK_CALLS_H

#include "operation_cases.h"

#include <weft/blocking.h>

static int call_shutdown(stage *s)
{
    return weft_stream_shutdown(s->stream, SHUT_RDWR);
}

static int call_split(stage *s)
{
    weft_stream *r, *w;

    return weft_stream_split(s->stream, &r, &w);
}

static int call_pair(stage *s)
{
    weft_stream *a, *b;

    return weft_stream_pair(s->rt, &a, &b);
}

static int call_listen(stage *s)
{
    weft_address   any = loopback(false);
    weft_listener *l;

    return weft_listen(s->rt, &any, NULL, &l);
}

static int call_bind(stage *s)
{
    weft_address   any = loopback(false);
    weft_datagram *d;

    return weft_datagram_bind(s->rt, &any, NULL, &d);
}

static int call_stream_adopt(stage *s)
{
    weft_stream *a;

    return weft_stream_adopt(s->rt, s->pipe[0], &a);
}

static int call_listener_adopt(stage *s)
{
    weft_listener *l;

    return weft_listener_adopt(s->rt, s->pipe[0], &l);
}

static int call_datagram_adopt(stage *s)
{
    weft_datagram *d;

    return weft_datagram_adopt(s->rt, s->receiver, &d);
}

static int call_try_read(stage *s)
{
    char byte;

    return (int)weft_stream_try_read(s->stream, &byte, 1);
}

static int call_try_write(stage *s)
{
    return (int)weft_stream_try_write(s->stream, "x", 1);
}

static int call_no_delay(stage *s)
{
    return weft_stream_set_no_delay(s->stream, true);
}

static int call_keep_alive(stage *s)
{
    return weft_stream_set_keep_alive(s->stream, &(weft_keep_alive){.idle = WEFT_S(7)});
}

static int call_keep_alive_off(stage *s)
{
    return weft_stream_set_keep_alive(s->stream, NULL);
}

static int call_reset(stage *s)
{
    return weft_stream_set_reset(s->stream, true);
}

static int call_stream_buffers(stage *s)
{
    int receive, send;

    return weft_stream_buffers(s->stream, &receive, &send);
}

static int call_set_stream_buffers(stage *s)
{
    return weft_stream_set_buffers(s->stream, 20000, 20000);
}

static int call_eager(stage *s)
{
    return weft_stream_set_eager(s->stream, true);
}

static int call_stream_fd(stage *s)
{
    return weft_stream_fd(s->stream);
}

static int call_listener_fd(stage *s)
{
    return weft_listener_fd(s->listener);
}

static int call_datagram_fd(stage *s)
{
    return weft_datagram_fd(s->datagram);
}

static int call_local(stage *s)
{
    weft_address a;

    return weft_stream_local_address(s->stream, &a);
}

static int call_peer(stage *s)
{
    weft_address a;

    return weft_stream_peer_address(s->stream, &a);
}

static int call_listener_address(stage *s)
{
    weft_address a;

    return weft_listener_address(s->listener, &a);
}

static int call_datagram_local(stage *s)
{
    weft_address a;

    return weft_datagram_local_address(s->datagram, &a);
}

static int call_datagram_peer(stage *s)
{
    weft_address a;

    return weft_datagram_peer_address(s->datagram, &a);
}

static int call_datagram_connect(stage *s)
{
    return weft_datagram_connect(s->datagram, &s->datagram_address);
}

static int call_broadcast(stage *s)
{
    return weft_datagram_set_broadcast(s->datagram, true);
}

static int multicast(stage *s, int (*call)(weft_datagram *, const weft_address *, unsigned))
{
    weft_address group;

    check_eq(weft_address_parse("239.1.1.1", 0, &group), 0);
    return call(s->datagram, &group, 0);
}

static int call_join(stage *s)
{
    return multicast(s, weft_datagram_join);
}

static int call_leave(stage *s)
{
    return multicast(s, weft_datagram_leave);
}

static int call_multicast_interface(stage *s)
{
    return weft_datagram_set_multicast_interface(s->datagram, 1);
}

static int call_multicast_hops(stage *s)
{
    return weft_datagram_set_multicast_hops(s->datagram, 2);
}

static int call_multicast_loop(stage *s)
{
    return weft_datagram_set_multicast_loop(s->datagram, false);
}

static int call_datagram_buffers(stage *s)
{
    int receive, send;

    return weft_datagram_buffers(s->datagram, &receive, &send);
}

static int call_set_datagram_buffers(stage *s)
{
    return weft_datagram_set_buffers(s->datagram, 20000, 20000);
}

static int call_pool_open(stage *s)
{
    weft_pool *pool;

    return weft_pool_open(s->rt, &(weft_pool_config){.threads = 1}, &pool);
}

static int call_pool_count(stage *s)
{
    struct weft_pool_counters c;

    return weft_pool_counters(weft_pool_default(s->rt), &c);
}

static const struct {
    const char *name;
    int (*call)(stage *s);
} calls[] = {
    {"weft_stream_shutdown", call_shutdown},
    {"weft_stream_split", call_split},
    {"weft_stream_pair", call_pair},
    {"weft_listen", call_listen},
    {"weft_datagram_bind", call_bind},
    {"weft_stream_adopt", call_stream_adopt},
    {"weft_listener_adopt", call_listener_adopt},
    {"weft_datagram_adopt", call_datagram_adopt},
    {"weft_stream_try_read", call_try_read},
    {"weft_stream_try_write", call_try_write},
    {"weft_stream_set_no_delay", call_no_delay},
    {"weft_stream_set_keep_alive", call_keep_alive},
    {"weft_stream_set_keep_alive, off", call_keep_alive_off},
    {"weft_stream_set_reset", call_reset},
    {"weft_stream_buffers", call_stream_buffers},
    {"weft_stream_set_buffers", call_set_stream_buffers},
    {"weft_stream_set_eager", call_eager},
    {"weft_stream_fd", call_stream_fd},
    {"weft_listener_fd", call_listener_fd},
    {"weft_datagram_fd", call_datagram_fd},
    {"weft_stream_local_address", call_local},
    {"weft_stream_peer_address", call_peer},
    {"weft_listener_address", call_listener_address},
    {"weft_datagram_local_address", call_datagram_local},
    {"weft_datagram_peer_address", call_datagram_peer},
    {"weft_datagram_connect", call_datagram_connect},
    {"weft_datagram_set_broadcast", call_broadcast},
    {"weft_datagram_join", call_join},
    {"weft_datagram_leave", call_leave},
    {"weft_datagram_set_multicast_interface", call_multicast_interface},
    {"weft_datagram_set_multicast_hops", call_multicast_hops},
    {"weft_datagram_set_multicast_loop", call_multicast_loop},
    {"weft_datagram_buffers", call_datagram_buffers},
    {"weft_datagram_set_buffers", call_set_datagram_buffers},
    {"weft_pool_open", call_pool_open},
    {"weft_pool_counters", call_pool_count},
};

#endif
