/* socket_pool.c - see socket_pool.h */
#include "socket_pool.h"

#include "invariant.h"
#include "lock.h"
#include "socket.h"
#include "stream.h"

#include <stdio.h>
#include <string.h>

#define NAMED_MOST 3 /* sockets that a stop finds open */

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
    WF_ASSERT((pool->n_spare == 0) == !pool->oldest); /* P2 */
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
    WF_ASSERT((wf_peek(&s->refs) & WF_SOCKET_UNUSED) && s->reactor == r); /* P1 */
    wf_lock(&r->sockets.lock);
    append(&r->sockets, &s->submission);
    wf_unlock(&r->sockets.lock);
}

/* "a stream of 10.0.0.7:4711", cut if there is no room. */
static size_t name(const wf_socket *s, char *text, size_t size)
{
    char         words[WEFT_ADDRESS_TEXT];
    weft_address address;
    const char  *what = "a pipe or device";
    int          listens = 0;
    bool         named;

    words[0] = '\0';
    if (s->is_socket) {
        getsockopt(s->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){sizeof listens});
        named = wf_peer_recall(&s->peer, &address) || wf_address_peer(s->fd, &address) == 0;
        what = listens ? "a listener on " : named ? "a stream of " : "a socket on ";
        if (named || wf_address_local(s->fd, &address) == 0)
            weft_address_format(&address, words);
    }
    return (size_t)snprintf(text, size, "%s%s", what, words);
}

/* Adds the n-th open socket to the text of which `used` bytes are written, and returns how many
 * are written then. */
static size_t add(const wf_socket *s, int n, char *text, size_t size, size_t used)
{
    if (n > NAMED_MOST || used >= size)
        return used;
    used += (size_t)snprintf(text + used, size - used, "%s", n > 0 ? ", " : "");
    if (n == NAMED_MOST && used < size)
        used += (size_t)snprintf(text + used, size - used, "...");
    else if (used < size)
        used += name(s, text + used, size - used);
    return used;
}

const char *wf_socket_pool_open_ones(wf_reactor *r, char *text, size_t size)
{
    size_t used = 0;
    int    n = 0;

    text[0] = '\0';
    for (const wf_socket_chunk *chunk = r->sockets.chunks; chunk; chunk = chunk->next)
        for (int i = 0; i < WF_SOCKETS_SPARE; i++)
            if (!(chunk->socket[i].refs & WF_SOCKET_UNUSED))
                used = add(&chunk->socket[i], n++, text, size, used);
    return text;
}

/* The references of operations and calls: all but the owner's, which the last close releases. */
static uint32_t uses_of(const wf_socket *s)
{
    uint64_t refs = wf_load(&s->refs, ACQUIRE); /* [socket-2] */
    uint32_t n = (uint32_t)(refs & WF_SOCKET_COUNT);
    bool     is_owned = (refs & WF_SOCKET_CLOSED) != WF_SOCKET_CLOSED;

    return refs & WF_SOCKET_UNUSED || n < is_owned ? 0 : n - is_owned;
}

uint32_t wf_socket_pool_uses(wf_reactor *r)
{
    uint32_t n = 0;

    wf_lock(&r->sockets.lock);
    for (const wf_socket_chunk *chunk = r->sockets.chunks; chunk; chunk = chunk->next)
        for (int i = 0; i < WF_SOCKETS_SPARE; i++)
            n += uses_of(&chunk->socket[i]);
    wf_unlock(&r->sockets.lock);
    return n;
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
