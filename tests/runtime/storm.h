/*
 * storm.h - a storm of cancels: how operations are cancelled, and what is counted
 *
 * Tasks begin operations and cancel them at random points. hesitantly() wraps an operation so that
 * it is cancelled in one of several ways, and outcome() returns how it has ended. The storm ends
 * after a number of cancels.
 */
#ifndef STORM_H
#define STORM_H

#include "../memory_hooks.h"
#include "operation_cases.h"

#include <sys/mman.h>

/* The cancelled futures: operations of the table, and other futures. */
enum {
    STORM_NAP = ROWS,
    STORM_INTERVAL,
    STORM_JOB,
    STORM_NAMED_JOB,
    STORM_RESOLVE,
    STORM_SEND,
    STORM_RECEIVE,
    STORM_ONESHOT,
    STORM_JOIN,
    STORM_READER,
    STORM_COPY,
    STORM_COPY_BOTH,
    STORM_KINDS
};

#define STORM_BELLS 64

static struct storm {
    weft_runtime        *rt;
    struct memory        memory;
    weft_pool           *pool;
    uint32_t             seed;
    int64_t              goal; /* so many cancels */
    atomic_llong         n_cancelled, n_ended;
    atomic_llong         cancelled[STORM_KINDS], done[STORM_KINDS];
    atomic_llong         n_lanes, n_bytes;
    atomic_bool          stopping, quit; /* the runtime; the threads */
    atomic_uint          next_seed;
    pthread_mutex_t      mutex;
    int                  n_bells;
    weft_oneshot_sender *bells[STORM_BELLS]; /* to be rung */
} storm;

/* Where a check has failed the seed gives the same storm again, more or less. */
#define SCHECK(condition)                                                                          \
    ((condition)                                                                                   \
         ? (void)0                                                                                 \
         : test_fail(__FILE__, __LINE__, "STORM_SEED=%u: false: %s", storm.seed, #condition))

static bool is_over(void)
{
    return storm.n_cancelled >= storm.goal || storm.stopping;
}

static uint32_t new_seed(void)
{
    return (storm.seed * 7919 + ++storm.next_seed * 2654435761u) | 1;
}

/* ---- cancelling ---- */

typedef struct hesitation {
    weft_future           *inner;
    weft_oneshot_receiver *bell;
    weft_wait              wait;
    char                   none;
    struct weft_select     select;
    struct counter         turn;
    struct weft_sleep      nap;
    struct weft_timeout    limit;
} hesitation;

/* A future that a thread outside the runtime makes ready soon. */
static weft_future *bell(hesitation *h)
{
    weft_oneshot_sender *sender;
    bool                 later;

    SCHECK(weft_oneshot_open(1, &sender, &h->bell) == 0);
    pthread_mutex_lock(&storm.mutex);
    later = storm.n_bells < STORM_BELLS;
    if (later)
        storm.bells[storm.n_bells++] = sender;
    pthread_mutex_unlock(&storm.mutex);
    if (!later)
        weft_oneshot_send(sender, "");
    return weft_oneshot_receive(&h->wait, h->bell, &h->none);
}

/* The operation, to be awaited; mostly it will be cancelled at some point. */
static weft_future *hesitantly(hesitation *h, weft_future *inner, uint32_t *seed)
{
    h->inner = inner;
    h->bell = NULL;
    switch (rnd(seed) % 8) {
    case 0: /* not polled at all */
        return weft_select_biased(&h->select, counter(&h->turn, 0), inner);
    case 1:
        return weft_select_biased(&h->select, counter(&h->turn, 1 + rnd(seed) % 3), inner);
    case 2:
        return weft_select(&h->select, inner, counter(&h->turn, rnd(seed) % 40));
    case 3:
        return weft_select(&h->select, inner, weft_sleep(&h->nap, rnd(seed) % WEFT_US(200)));
    case 4:
        return weft_timeout(&h->limit, inner, rnd(seed) % WEFT_US(200));
    case 5:
        return weft_timeout(&h->limit, inner, WEFT_MS(2));
    default:
        return weft_select(&h->select, inner, bell(h));
    }
}

/* How the operation has ended. */
static int64_t outcome(hesitation *h, int kind)
{
    int64_t n = h->inner->result;

    weft_oneshot_receiver_close(h->bell);
    h->bell = NULL;
    if (n < WEFT_RESULT_MIN_) { /* the task was cancelled before it could begin */
        SCHECK((n & ~(int64_t)WEFT_RESULT_FLAGS_) == WEFT_UNPOLLED_);
        n = -ECANCELED;
    }
    storm.n_ended++;
    storm.n_cancelled += n == -ECANCELED;
    storm.cancelled[kind] += n == -ECANCELED;
    storm.done[kind] += n >= 0;
    return n;
}

/* ---- bytes: each stretch of them identifies its stream and position ---- */

#define PATTERN 65521 /* after so many they repeat */
#define STRETCH 20000 /* at most so many at once */

static unsigned char pattern[PATTERN + STRETCH];
static int           pattern_file;

static size_t pattern_at(uint32_t id, size_t position)
{
    return (id * 7919u + position) % PATTERN;
}

static void check_pattern(uint32_t id, size_t position, const void *bytes, size_t n)
{
    if (memcmp(bytes, pattern + pattern_at(id, position), n) != 0)
        test_fail(__FILE__, __LINE__, "STORM_SEED=%u: lane %u: wrong bytes at %zu, %zu of them",
                  storm.seed, id, position, n);
}

static void make_pattern(void)
{
    uint32_t state = 88172645;

    for (size_t i = 0; i < PATTERN; i++)
        pattern[i] = (unsigned char)(rnd(&state) >> 11);
    memcpy(pattern + PATTERN, pattern, STRETCH);
    pattern_file = memfd_create("pattern", MFD_CLOEXEC);
    check_eq(write(pattern_file, pattern, sizeof pattern), sizeof pattern);
}

/* Memory that is the caller's own: it stays as it is. */
#define OURS 0xdd

static void check_ours(const void *memory, size_t size)
{
    const unsigned char *byte = memory;

    for (size_t i = 0; i < size; i++)
        SCHECK(byte[i] == OURS);
}

#endif
