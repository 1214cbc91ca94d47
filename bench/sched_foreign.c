/*
 * sched_foreign.c - benchmarks of what threads that are not the runtime's ask of it
 *
 * Purpose     Spawning by one or many foreign threads; the way of a message there and back.
 * Threads     A crew of foreign threads does the work; the main thread waits in weft_block_on,
 *             where a runtime without threads of its own would run.
 * Invariants  The clock starts when all threads of the crew are there. At most SPAWNS tasks are
 *             under way: each thread spawns its share, waits for the last, and begins again.
 * Ordering    Barriers order the run's start before the crew's work, joins its work before the end.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

#include <pthread.h>
#include <time.h>

enum { SPAWNS = 10000, ROUND_TRIPS = 100, THREADS_MAX = 64 };

/* ---- a crew ---- */

struct crew {
    struct bench_run *run;
    int               n_threads;
    int               pause_us;
    void (*work)(struct crew *crew);
    pthread_barrier_t ready, go;
    struct countdown  ended;
    _Atomic int64_t   ops, ns;
};

static void *crew_thread(void *arg)
{
    struct crew *crew = arg;

    pthread_barrier_wait(&crew->ready);
    pthread_barrier_wait(&crew->go);
    crew->work(crew);
    countdown_down(&crew->ended);
    return NULL;
}

/* Lets n threads work and waits for all. */
static void crew_run(struct crew *crew)
{
    unsigned  n = (unsigned)crew->n_threads;
    pthread_t thread[THREADS_MAX];

    pthread_barrier_init(&crew->ready, NULL, n + 1);
    pthread_barrier_init(&crew->go, NULL, n + 1);
    countdown_begin(&crew->ended, n);
    for (unsigned k = 0; k < n; k++)
        must(-pthread_create(&thread[k], NULL, crew_thread, crew));
    pthread_barrier_wait(&crew->ready);
    bench_start(crew->run);
    pthread_barrier_wait(&crew->go);
    countdown_block(&crew->ended, crew->run->rt);
    for (unsigned k = 0; k < n; k++)
        must(-pthread_join(thread[k], NULL));
    pthread_barrier_destroy(&crew->ready);
    pthread_barrier_destroy(&crew->go);
    crew->run->ops = atomic_load(&crew->ops);
    crew->run->ns = atomic_load(&crew->ns);
}

/* ---- foreign_spawn ---- */

static void spawn_share(struct crew *crew)
{
    weft_runtime    *rt = crew->run->rt;
    int64_t          share = bench_scaled(crew->run, SPAWNS / crew->n_threads), ops = 0;
    struct countdown countdown;

    do {
        countdown_begin(&countdown, share);
        for (int64_t n = share; n > 0; n--)
            must(weft_spawn_on(rt, NULL, count_down, .countdown = &countdown));
        ops += countdown_block(&countdown, rt);
    } while (bench_more(crew->run));
    atomic_fetch_add(&crew->ops, ops);
}

void bench_foreign_spawn(struct bench_run *run, int threads)
{
    struct crew crew = {.run = run, .n_threads = threads, .work = spawn_share};

    crew_run(&crew);
}

/* ---- foreign_wake ---- */

/* Answers n with n + 1 until the other side hangs up. */
struct answering {
    WEFT_FRAME;
    struct {
        weft_mpsc_receiver *questions;
        weft_mpsc_sender   *answers;
    } in;
    weft_wait wait;
    int64_t   number;
};

WEFT_ASYNC(answering)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, self->in.questions, &self->number));
        if (n < 0)
            break;
        self->number++;
        WEFT_AWAIT(n, weft_mpsc_send(&self->wait, self->in.answers, &self->number));
        must(n);
    }
    weft_mpsc_receiver_close(self->in.questions);
    weft_mpsc_sender_close(self->in.answers);
    WEFT_END(0);
}

static void ask(weft_runtime *rt, weft_mpsc_sender *questions, weft_mpsc_receiver *answers,
                int64_t number)
{
    weft_wait wait;
    int64_t   got;

    must(weft_mpsc_try_send(questions, &number));
    must(weft_block_on(rt, weft_mpsc_receive(&wait, answers, &got)));
    expect("the task's answer", got, number + 1);
}

static void ask_often(struct crew *crew)
{
    const struct timespec pause = {.tv_nsec = WEFT_US(crew->pause_us)};

    weft_runtime       *rt = crew->run->rt;
    weft_mpsc_sender   *questions, *answers;
    weft_mpsc_receiver *get_questions, *get_answers;
    weft_handle         handle;
    int64_t             begin;

    must(weft_mpsc_open(sizeof(int64_t), 1, &questions, &get_questions));
    must(weft_mpsc_open(sizeof(int64_t), 1, &answers, &get_answers));
    must(weft_spawn_on(rt, &handle, answering, .questions = get_questions, .answers = answers));
    do {
        if (crew->pause_us > 0)
            nanosleep(&pause, NULL);
        begin = weft_now();
        ask(rt, questions, get_answers, crew->ops);
        crew->ns += weft_now() - begin;
        crew->ops++;
    } while (bench_more(crew->run));
    weft_mpsc_sender_close(questions);
    must(weft_block_on(rt, weft_join(&handle)));
    weft_mpsc_receiver_close(get_answers);
}

void bench_foreign_wake(struct bench_run *run, int pause_us)
{
    struct crew crew = {.run = run, .n_threads = 1, .pause_us = pause_us, .work = ask_often};

    crew_run(&crew);
}
