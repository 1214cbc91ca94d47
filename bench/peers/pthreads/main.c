/*
 * main.c - the peer of plain threads: locks and queues of pthreads, without a runtime
 *
 * Purpose     Says what the threads of the system cost that do what tasks do in sync/...: a thread
 *             stands for a task. bench/README.md documents the protocol.
 * Threads     The main thread answers requests, and starts the threads of each round. They run on
 *             as many CPUs as WORKERS says, the first ones that the process may use.
 * Invariants  The same numbers and checks as in bench/sync_*.c. Where pthreads have nothing like it
 *             (oneshot, broadcast, watch, limits of time) there is no benchmark.
 * Ordering    pthread_join orders what threads did before what is read afterwards.
 * Failure     A wrong result, or a call that fails, ends the process with status 1 and a line that
 *             says what was expected.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    EACH = 10000,
    EACH_HELD = 1000, /* threads take longer to switch than tasks */
    CAPACITY = 128,
    PERMITS = 4,
    WRITE_EVERY = 16,
    THREADS_MAX = 8,
    HELD = 1 << 8, /* in a bench's argument: the threads yield while they hold the lock */
};

static const int64_t repetition_ns = 100000000;

static void fail(const char *what, int64_t is, int64_t must_be)
{
    fprintf(stderr, "%s is %lld, expected %lld\n", what, (long long)is, (long long)must_be);
    exit(1);
}

static void expect(const char *what, int64_t is, int64_t must_be)
{
    if (is != must_be)
        fail(what, is, must_be);
}

static int64_t now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t sum_below(int64_t n)
{
    return n * (n - 1) / 2;
}

/* ---- what the threads of a round share ---- */

struct shared {
    bool             held;
    int              each;
    int              n_senders, n_open; /* of the channel */
    pthread_mutex_t  mutex;
    pthread_rwlock_t rwlock;
    sem_t            semaphore;
    pthread_cond_t   turn_changed, has_room, has_messages;
    int64_t          value; /* of the mutex and of the rwlock: counted by the holder */
    int64_t          messages[CAPACITY], first, n, sum;
    _Atomic int      number, holders;
    _Atomic int64_t  done;
};

static struct shared shared;

/* Runs so many threads to their end. */
static void crew(int n, void *(*work)(void *))
{
    pthread_t thread[THREADS_MAX];

    for (int k = 0; k < n; k++)
        expect("pthread_create", pthread_create(&thread[k], NULL, work, NULL), 0);
    for (int k = 0; k < n; k++)
        expect("pthread_join", pthread_join(thread[k], NULL), 0);
}

static void yield_held(void)
{
    if (shared.held)
        sched_yield();
}

/* ---- locks ---- */

static void *lock_mutex(void *arg)
{
    int64_t before;

    for (int k = 0; k < shared.each; k++) {
        pthread_mutex_lock(&shared.mutex);
        before = shared.value;
        yield_held();
        shared.value = before + 1;
        pthread_mutex_unlock(&shared.mutex);
    }
    return arg;
}

static int64_t mutex(int threads)
{
    crew(threads, lock_mutex);
    expect("what the holders of the mutex counted", shared.value, (int64_t)shared.each * threads);
    return shared.value;
}

static void *lock_rwlock(void *arg)
{
    int64_t before;

    for (int k = 0; k < shared.each; k++) {
        if (k % WRITE_EVERY == 0) {
            pthread_rwlock_wrlock(&shared.rwlock);
            before = shared.value;
            yield_held();
            shared.value = before + 1;
        } else {
            pthread_rwlock_rdlock(&shared.rwlock);
            before = shared.value;
            yield_held();
            expect("what a reader sees", shared.value, before);
        }
        pthread_rwlock_unlock(&shared.rwlock);
    }
    shared.done += shared.each;
    return arg;
}

static int64_t rwlock(int threads)
{
    crew(threads, lock_rwlock);
    expect("what the writers counted", shared.value,
           (int64_t)(shared.each + WRITE_EVERY - 1) / WRITE_EVERY * threads);
    return shared.done;
}

static void *lock_semaphore(void *arg)
{
    for (int k = 0; k < shared.each; k++) {
        while (sem_wait(&shared.semaphore) != 0)
            ; /* a signal has interrupted it */
        if (shared.held) {
            expect("whether a permit was left", shared.holders++ < PERMITS, true);
            sched_yield();
            shared.holders--;
        }
        sem_post(&shared.semaphore);
    }
    shared.done += shared.each;
    return arg;
}

static int64_t semaphore(int threads)
{
    int permits;

    crew(threads, lock_semaphore);
    sem_getvalue(&shared.semaphore, &permits);
    expect("permits that came back", permits, PERMITS);
    return shared.done;
}

/* ---- notify: the turn changes, under a mutex ---- */

static void *take_turns(void *arg)
{
    int number = shared.number++;

    for (int64_t k = 0; k < EACH; k++) {
        pthread_mutex_lock(&shared.mutex);
        while (shared.value % 2 != number)
            pthread_cond_wait(&shared.turn_changed, &shared.mutex);
        expect("the number of turns", shared.value, 2 * k + number);
        shared.value++;
        pthread_cond_signal(&shared.turn_changed);
        pthread_mutex_unlock(&shared.mutex);
    }
    return arg;
}

static int64_t notify(int threads)
{
    crew(threads, take_turns);
    expect("the number of turns", shared.value, 2 * EACH);
    return shared.value;
}

/* ---- mpsc, mpmc: a ring under a mutex, and two conditions ---- */

static void send_message(int64_t message)
{
    pthread_mutex_lock(&shared.mutex);
    while (shared.n == CAPACITY)
        pthread_cond_wait(&shared.has_room, &shared.mutex);
    shared.messages[(shared.first + shared.n) % CAPACITY] = message;
    shared.n++;
    pthread_cond_signal(&shared.has_messages);
    pthread_mutex_unlock(&shared.mutex);
}

static void close_sender(void)
{
    pthread_mutex_lock(&shared.mutex);
    shared.n_open--;
    pthread_cond_broadcast(&shared.has_messages);
    pthread_mutex_unlock(&shared.mutex);
}

/* False: all senders are closed. */
static bool receive(int64_t *ret_message)
{
    bool any;

    pthread_mutex_lock(&shared.mutex);
    while (shared.n == 0 && shared.n_open > 0)
        pthread_cond_wait(&shared.has_messages, &shared.mutex);
    any = shared.n > 0;
    if (any) {
        *ret_message = shared.messages[shared.first];
        shared.first = (shared.first + 1) % CAPACITY;
        shared.n--;
        pthread_cond_signal(&shared.has_room);
    }
    pthread_mutex_unlock(&shared.mutex);
    return any;
}

/* The first threads of a crew send, the others receive. */
static void *use_channel(void *arg)
{
    int64_t message, n = 0, sum = 0;

    if (shared.number++ < shared.n_senders) {
        for (int64_t k = 0; k < EACH; k++)
            send_message(k);
        close_sender();
        return arg;
    }
    while (receive(&message)) {
        n++;
        sum += message;
    }
    pthread_mutex_lock(&shared.mutex);
    shared.sum += sum;
    shared.done += n;
    pthread_mutex_unlock(&shared.mutex);
    return arg;
}

static int64_t channel(int senders, int receivers)
{
    shared.n_senders = shared.n_open = senders;
    crew(senders + receivers, use_channel);
    expect("the number of messages", shared.done, (int64_t)EACH * senders);
    expect("their sum", shared.sum, sum_below(EACH) * senders);
    return shared.done;
}

static int64_t mpsc(int senders)
{
    return channel(senders, 1);
}

static int64_t mpmc(int senders)
{
    return channel(senders, senders);
}

/* ---- the protocol ---- */

static const struct bench {
    const char *name;
    int64_t (*round)(int threads); /* returns how many operations it did */
    int argument;
} benches[] = {
    {"sync/mpsc_1_1", mpsc, 1},
    {"sync/mpsc_4_1", mpsc, 4},
    {"sync/mpmc_4_4", mpmc, 4},
    {"sync/mutex_1", mutex, 1},
    {"sync/mutex_8", mutex, 8},
    {"sync/mutex_8_held", mutex, 8 | HELD},
    {"sync/rwlock_1", rwlock, 1},
    {"sync/rwlock_8", rwlock, 8},
    {"sync/rwlock_8_held", rwlock, 8 | HELD},
    {"sync/semaphore_1", semaphore, 1},
    {"sync/semaphore_8", semaphore, 8},
    {"sync/semaphore_8_held", semaphore, 8 | HELD},
    {"sync/notify", notify, 2},
};

static int64_t measure_round(const struct bench *bench)
{
    shared = (struct shared){
        .held = bench->argument & HELD,
        .each = bench->argument & HELD ? EACH_HELD : EACH,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .rwlock = PTHREAD_RWLOCK_INITIALIZER,
        .turn_changed = PTHREAD_COND_INITIALIZER,
        .has_room = PTHREAD_COND_INITIALIZER,
        .has_messages = PTHREAD_COND_INITIALIZER,
    };
    sem_init(&shared.semaphore, 0, PERMITS);
    return bench->round(bench->argument & ~HELD);
}

static void measure(const struct bench *bench, bool prints)
{
    int64_t begin = now(CLOCK_MONOTONIC), begin_cpu = now(CLOCK_PROCESS_CPUTIME_ID), ops = 0, ns;

    do {
        ops += measure_round(bench);
        ns = now(CLOCK_MONOTONIC) - begin;
    } while (ns < repetition_ns);
    if (!prints)
        return;
    printf("{\"ops\": %lld, \"ns\": %lld, \"cpu_ns\": %lld}\n", (long long)ops, (long long)ns,
           (long long)(now(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu));
}

static void answer(const char *name, int repetitions)
{
    static bool warm[sizeof benches / sizeof *benches];

    for (size_t k = 0; k < sizeof benches / sizeof *benches; k++) {
        if (strcmp(benches[k].name, name) != 0)
            continue;
        if (!warm[k])
            measure(&benches[k], false);
        warm[k] = true;
        while (repetitions-- > 0)
            measure(&benches[k], true);
        return;
    }
    puts("{\"error\": \"unknown\"}");
}

/* Keeps the process to that many of the CPUs that it may use. */
static void use_cpus(int n)
{
    cpu_set_t cpus;

    expect("sched_getaffinity", sched_getaffinity(0, sizeof cpus, &cpus), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus) && n-- <= 0)
            CPU_CLR(cpu, &cpus);
    expect("sched_setaffinity", sched_setaffinity(0, sizeof cpus, &cpus), 0);
}

int main(int argc, char **argv)
{
    const char *workers = getenv("WORKERS");
    char        line[256], name[128];
    int         repetitions;

    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("%d.%d\n", __GLIBC__, __GLIBC_MINOR__);
        return 0;
    }
    if (argc != 2 || strcmp(argv[1], "bench") != 0) {
        fputs("usage: weft-peer-pthreads bench\n       weft-peer-pthreads version\n", stderr);
        return 2;
    }
    use_cpus(workers && atoi(workers) > 0 ? atoi(workers) : 2);
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%127s %d", name, &repetitions) == 2)
            answer(name, repetitions);
        fflush(stdout);
    }
    return 0;
}
