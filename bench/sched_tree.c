/*
 * sched_tree.c - benchmarks of fork and join: skynet and fib
 *
 * Purpose     Trees of tasks, every node of which spawns its children and joins them.
 * Threads     Any worker; each node can be stolen until it has started.
 * Invariants  A task's result holds how many tasks its subtree had beside what they computed, so
 *             both are sums over what ran.
 * Ordering    None: results travel through joins.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

/* A result: tasks << SHIFT | sum. A million tasks (20 bits) and skynet's sum (39 bits) fit. */
#define SHIFT    40
#define ONE_TASK (1LL << SHIFT)
#define SUM(n)   ((n) & (ONE_TASK - 1))

/* ---- skynet: the leaves carry 0, 1, 2, ...; each inner node sums ten ---- */

enum { LEAVES = 1000000, FAN_OUT = 10 };

struct leaf {
    WEFT_FRAME;
    struct {
        int64_t number;
    } in;
};

WEFT_ASYNC(leaf)
{
    WEFT_BEGIN();
    WEFT_END(ONE_TASK + self->in.number);
}

struct node {
    WEFT_FRAME;
    struct {
        int64_t first, leaves;
    } in;
    weft_handle child[FAN_OUT];
    int64_t     result;
    int         k;
};

WEFT_ASYNC(node)
{
    int64_t n;

    WEFT_BEGIN();
    n = self->in.leaves / FAN_OUT;
    for (int k = 0; k < FAN_OUT; k++)
        if (n == 1)
            must(weft_spawn(&self->child[k], leaf, .number = self->in.first + k));
        else
            must(weft_spawn(&self->child[k], node, .first = self->in.first + k * n, .leaves = n));
    self->result = ONE_TASK;
    for (self->k = 0; self->k < FAN_OUT; self->k++) {
        WEFT_AWAIT(n, weft_join(&self->child[self->k]));
        self->result += n;
    }
    WEFT_END(self->result);
}

void bench_skynet(struct bench_run *run, int argument)
{
    int64_t     leaves = LEAVES, result;
    weft_handle root;

    (void)argument;
    while (leaves > FAN_OUT && leaves > bench_scaled(run, LEAVES))
        leaves /= FAN_OUT;
    do {
        must(weft_spawn_on(run->rt, &root, node, .first = 0, .leaves = leaves));
        result = must(weft_block_on(run->rt, weft_join(&root)));
        expect("skynet's sum", SUM(result), leaves * (leaves - 1) / 2);
        expect("skynet's number of tasks", result >> SHIFT, (leaves * FAN_OUT - 1) / (FAN_OUT - 1));
        run->ops += result >> SHIFT;
    } while (bench_more(run));
}

/* ---- fib: every call is a task ---- */

enum { FIB = 27 };

struct fib {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    weft_handle first, last;
    int64_t     result;
};

WEFT_ASYNC(fib)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.n < 2)
        WEFT_RETURN(ONE_TASK + self->in.n);
    must(weft_spawn(&self->first, fib, .n = self->in.n - 1));
    must(weft_spawn(&self->last, fib, .n = self->in.n - 2));
    WEFT_AWAIT(self->result, weft_join(&self->last));
    WEFT_AWAIT(n, weft_join(&self->first));
    WEFT_END(ONE_TASK + self->result + n);
}

static int64_t fibonacci(int n)
{
    int64_t a = 0, b = 1, sum;

    while (n-- > 0) {
        sum = a + b;
        a = b;
        b = sum;
    }
    return a;
}

/* How often fib is called to compute fib(n). */
static int64_t calls(int n)
{
    return 2 * fibonacci(n + 1) - 1;
}

void bench_fib(struct bench_run *run, int argument)
{
    int         n = FIB;
    int64_t     result;
    weft_handle root;

    (void)argument;
    while (calls(n) > bench_scaled(run, calls(FIB)))
        n--;
    do {
        must(weft_spawn_on(run->rt, &root, fib, .n = n));
        result = must(weft_block_on(run->rt, weft_join(&root)));
        expect("fib's result", SUM(result), fibonacci(n));
        expect("fib's number of tasks", result >> SHIFT, calls(n));
        run->ops += result >> SHIFT;
    } while (bench_more(run));
}
