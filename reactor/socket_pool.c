/* socket_pool.c - see socket_pool.h */
#include "socket_pool.h"

#include "lock.h"
#include "socket.h"

#include <string.h>

typedef struct wf_socket_chunk {
    struct wf_socket_chunk *next;
    wf_socket               socket[WF_SOCKETS_SPARE];
} wf_socket_chunk;

static void append(wf_socket_pool *pool, wf_submission *s)
{
    s->next = NULL;
    if (pool->newest)
        pool->newest->next = s;
    else
        pool->oldest = s;
    pool->newest = s;
    pool->n_spare++;
}

/* Returns the socket that has been unused longest, or NULL if only `keep` are unused. */
static wf_socket *pop(wf_socket_pool *pool, uint32_t keep)
{
    wf_submission *s = NULL;

    wf_lock(&pool->lock);
    if (pool->n_spare > keep) {
        s = pool->oldest;
        pool->oldest = s->next;
        if (!pool->oldest)
            pool->newest = NULL;
        pool->n_spare--;
    }
    wf_unlock(&pool->lock);
    return (wf_socket *)s;
}

/* A handle has no room for an address of more than 48 bits. On x86-64 and aarch64 a program gets
 * such addresses only if it asks mmap for them, which an allocator of the host may do. */
static bool has_room_for_generation(const wf_socket_chunk *chunk)
{
    return ((uintptr_t)(chunk + 1) & WF_SOCKET_GENERATION) == 0;
}

static void grow(wf_reactor *r)
{
    const weft_allocator *a = &r->rt->config.allocator;
    wf_socket_chunk      *chunk = wf_alloc_aligned(a, sizeof *chunk);

    if (!chunk)
        return;
    if (!has_room_for_generation(chunk)) {
        wf_log(&r->rt->config, WEFT_LOG_ERROR,
               "sockets: the allocator has returned memory above 2^48, which weft cannot use");
        wf_release_aligned(a, chunk, sizeof *chunk);
        return;
    }
    memset(chunk, 0, sizeof *chunk);
    for (int i = 0; i < WF_SOCKETS_SPARE; i++) {
        chunk->socket[i].reactor = r;
        chunk->socket[i].refs = WF_SOCKET_UNUSED | WF_SOCKET_CLOSED;
    }
    wf_lock(&r->sockets.lock);
    chunk->next = r->sockets.chunks;
    r->sockets.chunks = chunk;
    for (int i = 0; i < WF_SOCKETS_SPARE; i++)
        append(&r->sockets, &chunk->socket[i].submission);
    wf_unlock(&r->sockets.lock);
}

wf_socket *wf_socket_pool_take(wf_reactor *r)
{
    wf_socket *s = pop(&r->sockets, WF_SOCKETS_SPARE);

    if (s)
        return s;
    grow(r);
    return pop(&r->sockets, 0);
}

void wf_socket_pool_give(wf_reactor *r, wf_socket *s)
{
    wf_lock(&r->sockets.lock);
    append(&r->sockets, &s->submission);
    wf_unlock(&r->sockets.lock);
}

void wf_socket_pool_stop(wf_reactor *r)
{
    wf_socket_chunk *chunk, *next;

    for (chunk = r->sockets.chunks; chunk; chunk = next) {
        next = chunk->next;
        for (int i = 0; i < WF_SOCKETS_SPARE; i++)
            if (!(chunk->socket[i].refs & WF_SOCKET_UNUSED))
                wf_socket_dispose(&chunk->socket[i]);
        wf_release_aligned(&r->rt->config.allocator, chunk, sizeof *chunk);
    }
}
