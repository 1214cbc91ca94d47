/* test_lock.c - the four-byte lock, and what sleeps on words: park */
#include "../helpers.h"

#include "lock.h"
#include "park.h"

#include <sys/syscall.h>
#include <unistd.h>

static uint32_t lock;
static int64_t  counter_of[2]; /* plain: the lock guards them */
static int64_t  n_asleep;

static void *count(void *arg)
{
    int64_t n = *(int64_t *)arg;

    for (int64_t i = 0; i < n; i++) {
        wf_lock(&lock);
        check_eq(counter_of[0], counter_of[1]);
        counter_of[0]++;
        counter_of[1]++;
        wf_unlock(&lock);
    }
    return NULL;
}

Test(lock, lets_one_thread_in_at_a_time)
{
    int64_t   n = test_scaled(50000);
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        threads[i] = thread(count, &n);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    check_eq(counter_of[0], 4 * n);
    check_eq(lock, 0);
}

static void *take_and_leave(void *arg)
{
    (void)arg;
    wf_lock(&lock);
    add(&n_asleep, 1);
    wf_unlock(&lock);
    return NULL;
}

Test(lock, that_is_held_for_long_is_slept_for_and_all_get_it)
{
    pthread_t threads[3];

    wf_lock(&lock);
    for (int i = 0; i < 3; i++)
        threads[i] = thread(take_and_leave, NULL);
    while (__atomic_load_n(&lock, __ATOMIC_ACQUIRE) != 2) /* until a thread will sleep on it */
        sched_yield();
    check_eq(get(&n_asleep), 0);
    wf_unlock(&lock);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    check_eq(get(&n_asleep), 3);
    check_eq(lock, 0);
}

static uint64_t bits;
static int64_t  waiter;

static void *take_bit(void *arg)
{
    (void)arg;
    add(&waiter, syscall(SYS_gettid));
    (void)wf_lock_bit(&bits, 1);
    wf_lock_gave();
    return NULL;
}

/* How often the thread has gone to sleep. */
static long n_sleeps(int64_t tid)
{
    char  path[64], line[256];
    long  n = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/task/%d/status", (int)tid);
    f = fopen(path, "r");
    check(f);
    while (fgets(line, sizeof line, f))
        sscanf(line, "voluntary_ctxt_switches: %ld", &n);
    fclose(f);
    return n;
}

/* A waiter that only yields does not sleep: as a SCHED_FIFO thread it would keep the CPU that the
 * holder needs. */
Test(lock, in_a_bit_is_slept_for_so_that_a_holder_of_lower_priority_gets_the_cpu)
{
    pthread_t thread_;
    long      before;

    (void)wf_lock_bit(&bits, 1);
    wf_lock_gave();
    thread_ = thread(take_bit, NULL);
    spin_until(&waiter, 1);
    before = n_sleeps(waiter);
    while (n_sleeps(waiter) < before + 5)
        sched_yield();
    wf_and(&bits, ~(uint64_t)1, RELEASE);
    pthread_join(thread_, NULL);
    check_eq(bits, 1);
}

static wf_park park;
static int64_t turn;

/* Two threads pass a turn back and forth. Each sleeps until it has the turn. */
static void *sleep_for_turns(void *arg)
{
    int64_t n = *(int64_t *)arg;

    for (int64_t i = 1; i < n; i += 2) {
        uint32_t key;

        for (;;) {
            key = wf_park_prepare(&park);
            if (get(&turn) >= i)
                break;
            wf_park_commit(&park, key, INT64_MAX);
        }
        add(&turn, 1);
    }
    return NULL;
}

Test(lock, park_misses_no_wake_between_looking_and_sleeping)
{
    int64_t   n = test_scaled(20000) | 1;
    pthread_t sleeper = thread(sleep_for_turns, &n);

    for (int64_t i = 1; i < n; i += 2) {
        add(&turn, 1);
        wf_park_wake(&park);
        spin_until(&turn, i + 1);
    }
    pthread_join(sleeper, NULL);
    check_eq(get(&turn), n - 1);
}

Test(lock, futex_wait_ends_at_its_instant_and_says_so)
{
    struct timespec now;
    uint32_t        word = 0;
    int64_t         until;

    clock_gettime(CLOCK_MONOTONIC, &now);
    until = now.tv_sec * WEFT_S(1) + now.tv_nsec + WEFT_MS(5);
    while (wf_futex_wait(&word, 0, until))
        ;
    clock_gettime(CLOCK_MONOTONIC, &now);
    check_cmp(now.tv_sec * WEFT_S(1) + now.tv_nsec, >=, until);
}
