/*
 * structures.c - structures of weft beside those of Concurrency Kit (docs/design/ck.md)
 *
 * Purpose     Each pair does the same work in turn, alone and on two threads at once. Prints the
 *             medians of both, in ns for one operation, and the median of the ratios.
 * Threads     One or two.
 * Invariants  A pair differs in the structure only.
 * Ordering    That of the structures.
 * Failure     Wrong arguments: exit status 2.
 */
#include "inbox.h"
#include "line.h"
#include "lock.h"
#include "seqlock.h"

#include <ck_array.h>
#include <ck_bitmap.h>
#include <ck_ring.h>
#include <ck_sequence.h>
#include <ck_stack.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define APART    __attribute__((noinline)) /* a call each, as where it is used */
#define TURNS    101                       /* at most */
#define ROOM     64
#define ELEMENTS 8

static WF_ALIGNED uint32_t lock;

/* ---- the value of a watch ---- */

static struct value {
    uint64_t word[2];
} WF_ALIGNED value;

static WF_ALIGNED uint64_t      version;
static WF_ALIGNED ck_sequence_t sequence;

static APART void read_locked(struct value *ret_value)
{
    wf_lock(&lock);
    wf_copy(ret_value, &value, sizeof value);
    wf_unlock(&lock);
}

static APART void read_ck(struct value *ret_value)
{
    unsigned seen;

    CK_SEQUENCE_READ(&sequence, &seen)
    {
        wf_copy(ret_value, &value, sizeof value);
    }
}

static APART void read_weft(struct value *ret_value)
{
    uint64_t seen;

    while (!wf_seqlock_read(&version, value.word, sizeof value, ret_value, &seen))
        ;
}

static APART void write_locked(const struct value *from)
{
    wf_lock(&lock);
    wf_copy(&value, from, sizeof value);
    wf_unlock(&lock);
}

static APART void write_ck(const struct value *from)
{
    wf_lock(&lock);
    ck_sequence_write_begin(&sequence);
    wf_copy(&value, from, sizeof value);
    ck_sequence_write_end(&sequence);
    wf_unlock(&lock);
}

static APART void write_weft(const struct value *from)
{
    wf_lock(&lock);
    wf_seqlock_write(&version, value.word, from, sizeof value);
    wf_unlock(&lock);
}

/* ---- the messages of mpmc ---- */

typedef struct message {
    uint64_t word[2];
} message;

CK_RING_PROTOTYPE(message, message)

static wf_line                line = {.size = sizeof(message), .capacity = ROOM};
static WF_ALIGNED char        buffer[ROOM * sizeof(message)];
static WF_ALIGNED ck_ring_t   ring;
static message                ring_buffer[2 * ROOM];
static WF_ALIGNED const void *first_sender, *first_receiver; /* that wait: none */

static APART bool send_locked(const message *m)
{
    bool may;

    wf_lock(&lock);
    may = line.n < line.capacity && !first_sender;
    if (may)
        wf_line_put(&line, buffer, m);
    wf_unlock(&lock);
    return may;
}

static APART bool receive_locked(message *ret_message)
{
    bool may;

    wf_lock(&lock);
    may = line.n > 0 && !first_receiver;
    if (may)
        wf_line_take(&line, buffer, ret_message);
    wf_unlock(&lock);
    return may;
}

/* A thread that waits says so, and looks at the ring. So one that has changed the ring looks
 * whether a thread waits, with a full barrier in between. */
static bool none_waits(const void *const *first)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return wf_load(first, SEQ_CST) == NULL;
}

static APART bool send_ck(message *m)
{
    return CK_RING_ENQUEUE_MPMC(message, &ring, ring_buffer, m) && none_waits(&first_receiver);
}

static APART bool receive_ck(message *ret_message)
{
    return CK_RING_DEQUEUE_MPMC(message, &ring, ring_buffer, ret_message) &&
           none_waits(&first_sender);
}

/* ---- what threads hand to the reactor ---- */

static wf_inbox              inbox;
static WF_ALIGNED ck_stack_t stack;

static APART void push_weft(wf_submission *s)
{
    wf_inbox_push_any(&inbox, s);
}

static APART void *take_weft(void)
{
    return wf_inbox_take(&inbox);
}

static APART void push_ck(ck_stack_entry_t *e)
{
    ck_stack_push_mpmc(&stack, e);
}

/* Oldest first, as the inbox gives them. */
static APART void *take_ck(void)
{
    ck_stack_entry_t *oldest = NULL, *e, *next;

    if (CK_STACK_ISEMPTY(&stack))
        return NULL;
    for (e = ck_stack_batch_pop_mpmc(&stack); e; e = next) {
        next = e->next;
        e->next = oldest;
        oldest = e;
    }
    return oldest;
}

/* ---- the workers that sleep ---- */

static WF_ALIGNED uint64_t sleeping;
static CK_BITMAP_INSTANCE(64) bitmap;

static APART void set_weft(unsigned i)
{
    wf_or(&sleeping, UINT64_C(1) << i % 64, SEQ_CST);
}

static APART bool clear_weft(unsigned i)
{
    uint64_t bit = UINT64_C(1) << i % 64;

    return wf_and(&sleeping, ~bit, SEQ_CST) & bit;
}

static APART bool any_weft(void)
{
    return wf_load(&sleeping, SEQ_CST) != 0;
}

static APART void set_ck(unsigned i)
{
    CK_BITMAP_SET(&bitmap, i % 64);
}

static APART void clear_ck(unsigned i)
{
    CK_BITMAP_RESET(&bitmap, i % 64);
}

static APART bool any_ck(void)
{
    return !CK_BITMAP_EMPTY(&bitmap, 64);
}

/* ---- a list that is read more often than changed: the pools of a runtime ---- */

static struct element {
    struct element *next;
    uint64_t        n;
} element[ELEMENTS], *first;

static ck_array_t array;

static APART uint64_t sum_locked(void)
{
    uint64_t sum = 0;

    wf_lock(&lock);
    for (const struct element *e = first; e; e = e->next)
        sum += e->n;
    wf_unlock(&lock);
    return sum;
}

static APART uint64_t sum_ck(void)
{
    ck_array_iterator_t at;
    uint64_t            sum = 0;
    void               *e;

    CK_ARRAY_FOREACH(&array, &at, &e)
    {
        sum += ((struct element *)e)->n;
    }
    return sum;
}

static void *ck_allocate(size_t size)
{
    return malloc(size);
}

static void *ck_resize(void *block, size_t before, size_t after, bool defer)
{
    (void)before;
    (void)defer;
    return realloc(block, after);
}

static void ck_release(void *block, size_t size, bool defer)
{
    (void)size;
    (void)defer;
    free(block);
}

static struct ck_malloc memory = {ck_allocate, ck_resize, ck_release};

/* ---- waiting for a lock ---- */

static WF_ALIGNED uint64_t count;

static APART void count_backing_off(void)
{
    wf_lock(&lock);
    count++;
    wf_unlock(&lock);
}

/* wf_lock without the back-off. */
static APART void count_sleeping(void)
{
    uint32_t seen = 0;

    if (!wf_cas(&lock, &seen, 1, ACQUIRE))
        while (wf_swap(&lock, 2, ACQUIRE) != 0)
            wf_futex_wait(&lock, 2, INT64_MAX);
    count++;
    wf_unlock(&lock);
}

/* ---- the pairs ---- */

/* Alone the turns are short, so that most of them are not preempted. Two threads need long turns,
 * or they seldom run at once on a busy machine. */
static const struct effort {
    unsigned rounds;
    int      turns;
} alone = {20000, TURNS}, both = {1000000, 15};

static unsigned          rounds;
static volatile uint64_t result; /* so that no call is left out */

#define LOOP(name, ...)                                                                            \
    static void name(void)                                                                         \
    {                                                                                              \
        struct value     v = {{1, 2}};                                                             \
        message          m = {{1, 2}};                                                             \
        wf_submission    s[4];                                                                     \
        ck_stack_entry_t e[4];                                                                     \
        (void)v, (void)m, (void)s, (void)e;                                                        \
        for (unsigned i = 0; i < rounds; i++) {                                                    \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }

#define RETRY(call)                                                                                \
    while (!(call))                                                                                \
    ck_pr_stall()

LOOP(reads_locked, read_locked(&v))
LOOP(reads_ck, read_ck(&v))
LOOP(reads_weft, read_weft(&v))
LOOP(writes_locked, write_locked(&v))
LOOP(writes_ck, write_ck(&v))
LOOP(writes_weft, write_weft(&v))
LOOP(passes_locked, RETRY(send_locked(&m)); RETRY(receive_locked(&m)))
LOOP(passes_ck, RETRY(send_ck(&m)); RETRY(receive_ck(&m)))
LOOP(pushes_weft, for (int k = 0; k < 4; k++) push_weft(&s[k]); take_weft())
LOOP(pushes_ck, for (int k = 0; k < 4; k++) push_ck(&e[k]); take_ck())
LOOP(marks_weft, set_weft(i); any_weft(); clear_weft(i))
LOOP(marks_ck, set_ck(i); any_ck(); clear_ck(i))
LOOP(sums_locked, result = sum_locked())
LOOP(sums_ck, result = sum_ck())
LOOP(counts_sleeping, count_sleeping())
LOOP(counts_backing_off, count_backing_off())

static const struct pair {
    const char *what;
    void (*ours)(void), (*other)(void);
    int n_threads; /* at most */
} pairs[] = {
    {"read: a lock, ck_sequence", reads_locked, reads_ck, 2},
    {"read: a lock, seqlock.h", reads_locked, reads_weft, 2},
    {"write: a lock, and ck_sequence", writes_locked, writes_ck, 2},
    {"write: a lock, and seqlock.h", writes_locked, writes_weft, 2},
    {"send, receive: line.h, ck_ring", passes_locked, passes_ck, 2},
    {"4 pushes, a take: inbox.h, ck_stack", pushes_weft, pushes_ck, 1},
    {"set, any, clear: a word, ck_bitmap", marks_weft, marks_ck, 2},
    {"sum of 8: a list under a lock, ck_array", sums_locked, sums_ck, 2},
    {"lock: at once asleep, ck_backoff", counts_sleeping, counts_backing_off, 2},
};

static pthread_barrier_t together;

static void *run(void *loop)
{
    pthread_barrier_wait(&together);
    (*(void (*const *)(void))loop)();
    return NULL;
}

/* The time of one operation of the calling thread, in ns. */
static double measure(void (*loop)(void), int n_threads)
{
    struct timespec began, ended;
    pthread_t       other;

    pthread_barrier_init(&together, NULL, (unsigned)n_threads);
    if (n_threads > 1 && pthread_create(&other, NULL, run, &loop) != 0)
        exit(1);
    pthread_barrier_wait(&together);
    clock_gettime(CLOCK_MONOTONIC, &began);
    loop();
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (n_threads > 1)
        pthread_join(other, NULL);
    pthread_barrier_destroy(&together);
    return ((double)(ended.tv_sec - began.tv_sec) * 1e9 + (double)(ended.tv_nsec - began.tv_nsec)) /
           rounds;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *of, int n)
{
    qsort(of, (size_t)n, sizeof *of, compare);
    return of[n / 2];
}

static void print(const struct pair *pair, int n_threads)
{
    const struct effort *effort = n_threads > 1 ? &both : &alone;
    double               ours[TURNS], other[TURNS], ratio[TURNS];
    int                  n = effort->turns;

    rounds = effort->rounds;
    for (int i = 0; i < n; i++) {
        ours[i] = measure(pair->ours, n_threads);
        other[i] = measure(pair->other, n_threads);
        ratio[i] = other[i] / ours[i];
    }
    printf("%-42s %d  %7.1f %7.1f  %5.2f\n", pair->what, n_threads, median(ours, n),
           median(other, n), median(ratio, n));
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return fprintf(stderr, "usage: structures\n"), 2;
    ck_ring_init(&ring, 2 * ROOM);
    CK_BITMAP_INIT(&bitmap, 64, false);
    if (!ck_array_init(&array, CK_ARRAY_MODE_SPMC, &memory, ELEMENTS))
        return 1;
    for (uint64_t i = 0; i < ELEMENTS; i++) {
        element[i] = (struct element){first, i};
        first = &element[i];
        if (!ck_array_put(&array, first))
            return 1;
    }
    ck_array_commit(&array);
    printf("%-42s threads, ns each, second / first\n", "");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int n = 1; n <= pairs[i].n_threads; n++)
            print(&pairs[i], n);
    ck_array_deinit(&array, false);
    return 0;
}
