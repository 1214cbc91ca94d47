/*
 * deque.c - work-stealing deque
 *
 * Purpose     See deque.h.
 * Threads     See deque.h.
 * Invariants  Old buffers stay until the deque is freed, because a slow thief may still read one.
 *             All of them together are smaller than the newest.
 * Ordering    See deque.h.
 * Failure     See deque.h.
 */
#include "deque.h"

#include "invariant.h"
#include "rt.h"

#define FIRST_CAPACITY 256
/* A full deque leaves further tasks to the injection queue, which needs no memory. */
#define MOST_CAPACITY (1 << 15)

struct wf_deque_buffer {
    struct wf_deque_buffer *older;
    int64_t                 mask;
    struct wf_task         *slot[];
};

static size_t buffer_size(int64_t capacity)
{
    return sizeof(struct wf_deque_buffer) + (size_t)capacity * sizeof(struct wf_task *);
}

static struct wf_deque_buffer *buffer_new(const weft_allocator *alloc, int64_t capacity)
{
    struct wf_deque_buffer *b = wf_alloc(alloc, buffer_size(capacity));

    if (b) {
        b->older = NULL;
        b->mask = capacity - 1;
    }
    return b;
}

int wf_deque_init(wf_deque *d, const weft_allocator *alloc)
{
    *d = (wf_deque){.alloc = alloc, .buffer = buffer_new(alloc, FIRST_CAPACITY)};
    return d->buffer ? 0 : -ENOMEM;
}

void wf_deque_free(wf_deque *d)
{
    for (struct wf_deque_buffer *b = d->buffer, *older; b; b = older) {
        older = b->older;
        wf_release(d->alloc, b, buffer_size(b->mask + 1));
    }
    d->buffer = NULL;
}

WF_SELDOM static struct wf_deque_buffer *grow(wf_deque *d, int64_t top, int64_t bottom)
{
    struct wf_deque_buffer *old = d->buffer;
    struct wf_deque_buffer *b;

    if (old->mask + 1 == MOST_CAPACITY || !(b = buffer_new(d->alloc, (old->mask + 1) * 2)))
        return NULL;
    for (int64_t i = top; i < bottom; i++)
        b->slot[i & b->mask] = old->slot[i & old->mask];
    b->older = old;
    wf_store(&d->buffer, b, RELEASE); /* [deque-3] */
    return b;
}

/* Fills the slot at the bottom, which the caller then publishes. Returns false if there is no
 * room. */
static inline bool fill(wf_deque *d, int64_t bottom, struct wf_task *t)
{
    int64_t                 top = wf_load(&d->top, ACQUIRE); /* [deque-2] slots below are free */
    struct wf_deque_buffer *b = d->buffer;

    if (bottom - top > b->mask) {
        b = grow(d, top, bottom);
        if (!b)
            return false;
    }
    WF_ASSERT(top <= bottom && bottom - top <= b->mask); /* D2 */
    wf_store(&b->slot[bottom & b->mask], t, RELAXED);    /* published by bottom */
    return true;
}

bool wf_deque_push_owner(wf_deque *d, struct wf_task *t)
{
    int64_t bottom = wf_load(&d->bottom, RELAXED); /* the owner wrote it */

    if (!fill(d, bottom, t))
        return false;
    wf_store(&d->bottom, bottom + 1, SEQ_CST); /* [deque-1] [idle-1] */
    return true;
}

bool wf_deque_push_unfenced_owner(wf_deque *d, struct wf_task *t)
{
    int64_t bottom = wf_load(&d->bottom, RELAXED); /* the owner wrote it */

    if (!fill(d, bottom, t))
        return false;
    wf_store(&d->bottom, bottom + 1, RELEASE); /* [deque-1] */
    return true;
}

struct wf_task *wf_deque_pop_owner(wf_deque *d)
{
    int64_t                 bottom = wf_load(&d->bottom, RELAXED) - 1; /* the owner wrote it */
    struct wf_deque_buffer *b = d->buffer;
    struct wf_task         *t = NULL;
    int64_t                 top;

    /* Only the owner adds tasks, so it can see without a barrier that the deque is empty. */
    if (bottom < wf_load(&d->top, RELAXED))
        return NULL;
    /* The owner lowers bottom, then reads top. A thief reads top, then bottom. All four are
     * SEQ_CST, so a thief that reads top after the owner sees the lowered bottom. So the two can
     * meet only at the last task, and there the compare-and-swap decides. */
    wf_store(&d->bottom, bottom, SEQ_CST); /* [deque-2] */
    top = wf_load(&d->top, SEQ_CST);       /* [deque-2] */
    WF_ASSERT(top <= bottom + 1);          /* D4 */
    if (top <= bottom) {
        t = wf_load(&b->slot[bottom & b->mask], RELAXED); /* the owner wrote it */
        if (top == bottom) {
            if (!wf_cas(&d->top, &top, top + 1, SEQ_CST)) /* [deque-2] */
                t = NULL;
            wf_store(&d->bottom, bottom + 1, RELAXED); /* the deque is empty either way */
        }
    } else {
        wf_store(&d->bottom, bottom + 1, RELAXED); /* the deque is empty */
    }
    return t;
}

bool wf_deque_pop_this_owner(wf_deque *d, const struct wf_task *t)
{
    int64_t newest = wf_load(&d->bottom, RELAXED) - 1; /* the owner wrote it, and the slot */

    if (newest < wf_load(&d->top, RELAXED) || /* pop looks again */
        wf_load(&d->buffer->slot[newest & d->buffer->mask], RELAXED) != t)
        return false;
    return wf_deque_pop_owner(d) == t; /* otherwise a thief was faster */
}

int64_t wf_deque_place_owner(const wf_deque *d, const struct wf_task *t, int64_t most)
{
    const struct wf_deque_buffer *b = d->buffer;
    int64_t bottom = wf_load(&d->bottom, RELAXED); /* the owner wrote it, and the slots */
    int64_t top = wf_load(&d->top, RELAXED);       /* pop looks again */

    for (int64_t at = bottom - 1; at >= top && at >= bottom - most; at--)
        if (wf_load(&b->slot[at & b->mask], RELAXED) == t)
            return at;
    return WF_DEQUE_NOWHERE;
}

struct wf_task *wf_deque_steal_any(wf_deque *d)
{
    for (;;) {
        int64_t                 top = wf_load(&d->top, SEQ_CST);       /* [deque-2] */
        int64_t                 bottom = wf_load(&d->bottom, SEQ_CST); /* [deque-1] [deque-2] */
        struct wf_deque_buffer *b;
        struct wf_task         *t;

        if (top >= bottom)
            return NULL;
        b = wf_load(&d->buffer, ACQUIRE);              /* [deque-3] */
        t = wf_load(&b->slot[top & b->mask], RELAXED); /* ordered by bottom; checked by the CAS */
        if (wf_cas(&d->top, &top, top + 1, SEQ_CST))   /* [deque-2] */
            return t;
    }
}
