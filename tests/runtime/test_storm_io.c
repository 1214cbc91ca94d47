/*
 * test_storm_io.c - cancels at random points of every operation: nothing leaks, nothing reaches
 * another's descriptor, and bytes come once and in order
 *
 * STORM_SEED=n is another storm; STORM_SCALE=5 makes each 5 times longer: 200,000 cancels in all.
 */
#include "storm_lanes.h"
#include "storm_rows.h"

#define LANES  6
#define OTHERS 3

/* ---- threads that are none of the runtime's ---- */

static void *ring(void *arg)
{
    weft_oneshot_sender *bell;

    (void)arg;
    for (;;) {
        pthread_mutex_lock(&storm.mutex);
        bell = storm.n_bells > 0 ? storm.bells[--storm.n_bells] : NULL;
        pthread_mutex_unlock(&storm.mutex);
        if (bell)
            weft_oneshot_send(bell, "");
        else if (storm.quit)
            return NULL;
        else
            usleep(20);
    }
}

static void *stir_all(void *arg)
{
    uint32_t seed = new_seed();
    int      udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)arg;
    while (!storm.quit) {
        for (int i = 0; i < STAGE_COUNT; i++)
            stir(&stages[i], udp, &seed);
        usleep(20);
    }
    close(udp);
    return NULL;
}

/* Opens descriptors under numbers that were closed, and checks that no other thread uses them. */
static void *reuse(void *arg)
{
    enum { PAIRS = 8 };
    uint32_t seed = new_seed();
    int      fd[PAIRS][2];
    char     mark, got[8];

    (void)arg;
    for (int i = 0; i < PAIRS; i++)
        check_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd[i]), 0);
    while (!storm.quit) {
        int *pair = fd[rnd(&seed) % PAIRS];

        mark = (char)rnd(&seed);
        SCHECK(send(pair[0], &mark, 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1);
        if (rnd(&seed) % 4 == 0)
            sched_yield();
        SCHECK(recv(pair[1], got, sizeof got, MSG_DONTWAIT) == 1 && got[0] == mark);
        SCHECK(recv(pair[0], got, sizeof got, MSG_DONTWAIT) < 0 && errno == EAGAIN);
        SCHECK(close(pair[0]) == 0 && close(pair[1]) == 0);
        SCHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    }
    for (int i = 0; i < PAIRS; i++)
        SCHECK(close(fd[i][0]) == 0 && close(fd[i][1]) == 0);
    return NULL;
}

/* ---- the storm ---- */

#define TASKS (LANES + ROWS_TASKS + OTHERS + 2)

static struct {
    weft_handle task[TASKS];
    pthread_t   ringer, stirrer, reuser;
    int         n_fds;
} run;

static int64_t scale(void)
{
    const char *text = getenv("STORM_SCALE");

    return text ? strtoll(text, NULL, 10) : 1;
}

static void begin(int64_t n_cancels, weft_config config)
{
    const char         *seed = getenv("STORM_SEED");
    weft_mpsc_receiver *from;
    weft_mpsc_sender   *to;
    weft_handle        *task = run.task;

    make_pattern();
    run.n_fds = n_fds();
    pthread_mutex_init(&storm.mutex, NULL);
    storm.seed = seed ? (uint32_t)strtoul(seed, NULL, 10) : 1;
    storm.goal = test_scaled(n_cancels) * scale();
    config.allocator = memory_hooks(&storm.memory);
    storm.rt = start_with(&config);
    check_eq(
        weft_pool_open(storm.rt, &(weft_pool_config){.name = "storm", .threads = 2}, &storm.pool),
        0);
    for (int i = 0; i < STAGE_COUNT; i++) {
        set_up(&stages[i], storm.rt, false);
        memset(stages[i].buffer, OURS, SIZE);
    }
    pthread_create(&run.ringer, NULL, ring, NULL);
    pthread_create(&run.stirrer, NULL, stir_all, NULL);
    pthread_create(&run.reuser, NULL, reuse, NULL);
    check_eq(weft_mpsc_open(sizeof(int64_t), 4, &to, &from), 0);
    for (int i = 0; i < LANES; i++)
        check_eq(weft_spawn_on(storm.rt, task++, lanes, .seed = new_seed()), 0);
    for (int i = 0; i < ROWS_TASKS; i++)
        check_eq(weft_spawn_on(storm.rt, task++, rows, .seed = new_seed()), 0);
    for (int i = 0; i < OTHERS; i++)
        check_eq(weft_spawn_on(storm.rt, task++, others, .seed = new_seed()), 0);
    check_eq(weft_spawn_on(storm.rt, task++, listens, .seed = new_seed()), 0);
    check_eq(weft_spawn_on(storm.rt, task++, receiver, .seed = new_seed(), .from = from, .to = to),
             0);
}

static void end_threads(void)
{
    storm.quit = true;
    pthread_join(run.ringer, NULL);
    pthread_join(run.stirrer, NULL);
    pthread_join(run.reuser, NULL);
}

static void check_nothing_is_left(void)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        tear_down(&stages[i]);
    EVENTUALLY(n_fds() == run.n_fds);
    check_eq(storm.memory.live, 0);
    close(pattern_file);
    fprintf(stderr, "STORM_SEED=%u: %lld of %lld operations cancelled; %lld lanes, %lld bytes\n",
            storm.seed, (long long)storm.n_cancelled, (long long)storm.n_ended,
            (long long)storm.n_lanes, (long long)storm.n_bytes);
}

/* Every kind has been cancelled, and has ended by itself, now and then. */
static void check_every_kind(void)
{
    for (int i = 0; i < STORM_KINDS; i++)
        if (storm.cancelled[i] == 0 || storm.done[i] == 0)
            test_fail(__FILE__, __LINE__, "STORM_SEED=%u: kind %d (%s): %lld cancelled, %lld done",
                      storm.seed, i, i < ROWS ? cases[i].name : "no row",
                      (long long)storm.cancelled[i], (long long)storm.done[i]);
}

static void rage(int64_t n_cancels, weft_config config)
{
    begin(n_cancels, config);
    for (int i = 0; i < TASKS; i++)
        check_eq(join(storm.rt, &run.task[i]), 0);
    end_threads();
    if (storm.goal >= 25000) /* a short one may miss some */
        check_every_kind();
    EVENTUALLY(counters(storm.rt).tasks_alive == 0);
    EVENTUALLY(counters(storm.rt).streams_open == 0);
    EVENTUALLY(counters(storm.rt).blocking_queued == 0);
    check_eq(weft_pool_close(storm.pool, WEFT_S(20)), 0);
    stop(storm.rt);
    check_nothing_is_left();
}

/* The runtime is stopped in the middle. */
static void break_off(int64_t n_cancels, weft_config config)
{
    begin(n_cancels, config);
    EVENTUALLY(is_over() || storm.n_cancelled >= storm.goal / 2);
    for (int i = 0; i < TASKS; i++)
        weft_detach(&run.task[i]);
    storm.stopping = true;
    stop(storm.rt);
    end_threads();
    check_nothing_is_left();
}

Test(storm_io, one_worker, .timeout = 120)
{
    rage(10000, (weft_config){.workers = 1});
}

Test(storm_io, two_workers, .timeout = 120)
{
    rage(10000, (weft_config){.workers = 2});
}

Test(storm_io, eight_workers, .timeout = 120)
{
    rage(10000, (weft_config){.workers = 8});
}

Test(storm_io, current_thread, .timeout = 120)
{
    rage(10000, (weft_config){.current_thread = 1});
}

Test(storm_io, one_worker_stopped)
{
    break_off(2000, (weft_config){.workers = 1});
}

Test(storm_io, two_workers_stopped)
{
    break_off(2000, (weft_config){.workers = 2});
}

Test(storm_io, eight_workers_stopped)
{
    break_off(2000, (weft_config){.workers = 8});
}
