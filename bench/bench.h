/*
 * bench.h - what weft's own benchmark programs share: protocol, clock, checks, a count-down
 *
 * Purpose     A program is a table of benchmarks and a call of bench_main, which speaks the
 *             protocol of README.md ("PEER bench"), warms up, measures and prints.
 * Threads     A benchmark is called by the main thread, which is not the runtime's. bench_more and
 *             the checks may be called by any thread; the rest as said at each.
 * Invariants  A repetition does whole rounds of its workload until bench_more says no; the rounds
 *             count what they did in `ops`.
 * Ordering    The count-down orders everything before each countdown_down before the wait's end.
 * Failure     A wrong result or an error ends the process with status 1 and one line that says what
 *             was expected; bench/run reports it.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdatomic.h>
#include <weft.h>

/* One repetition. */
struct bench_run {
    weft_runtime *rt;
    double        scale; /* of the workload and of its time; 1 unless testing */
    int64_t       until; /* instant after which no round begins */
    /* the benchmark's results */
    int64_t ops;
    int64_t ns; /* 0: the wall time from bench_start on */
    int64_t cpu_ns;
    int64_t rss_kb, rss_after_kb; /* 0: not about memory */
    bool    has_late;             /* about timers: how late on average, and how many too early */
    int64_t late_ns_mean, early;
    /* bench_start's */
    int64_t begin, begin_cpu;
};

struct bench {
    const char *name;
    void (*run)(struct bench_run *run, int argument);
    int argument;
    bool
        warm; /* it has run before, or should be measured cold: memory that is reused counts once */
    bool foreign; /* tasks must run while its thread is not in weft_block_on */
};

/* Understands the command line and does what it asks for; the process's exit status. */
int bench_main(int argc, char **argv, struct bench *benches, size_t n_benches);

/* Starts the clock again: a benchmark that prepares something calls it when that is done. */
void bench_start(struct bench_run *run);

/* Whether there is time for another round. */
bool bench_more(const struct bench_run *run);

/* `n`, scaled; 1 at least. */
int64_t bench_scaled(const struct bench_run *run, int64_t n);

/* What the process has resident now. */
int64_t bench_rss_kb(void);

/* The value of an expression that must not be an error. */
#define must(result) bench_must_((result), #result)
int64_t bench_must_(int64_t result, const char *what);

/* Ends the process if `what` isn't what it must be. */
void expect(const char *what, int64_t is, int64_t must_be);

/* The `run` of a benchmark whose rounds are an async function with the argument `run`: run_NAME. */
#define BENCH_ASYNC(name)                                                                          \
    static void run_##name(struct bench_run *run, int argument)                                    \
    {                                                                                              \
        weft_handle handle;                                                                        \
                                                                                                   \
        (void)argument;                                                                            \
        must(weft_spawn_on(run->rt, &handle, name, .run = run));                                   \
        must(weft_block_on(run->rt, weft_join(&handle)));                                          \
    }

/* Lets one wait until n have counted down. Stays in place from begin to end. */
struct countdown {
    _Atomic int64_t        left;
    int64_t                n;
    weft_oneshot_sender   *sender;
    weft_oneshot_receiver *receiver;
    weft_wait              wait;
};

void countdown_begin(struct countdown *c, int64_t n);
/* Any thread, n times. */
void countdown_down(struct countdown *c);
/* A future that ends when all have. */
weft_future *countdown_wait(struct countdown *c);
/* After the wait: how many have counted down. */
int64_t countdown_end(struct countdown *c);
/* Both for a thread that is not the runtime's. */
int64_t countdown_block(struct countdown *c, weft_runtime *rt);

/* The task of which so many are spawned: counts down and ends. */
struct count_down {
    WEFT_FRAME;
    struct {
        struct countdown *countdown;
    } in;
};
WEFT_DECLARE_EXTERN(count_down);

#endif
