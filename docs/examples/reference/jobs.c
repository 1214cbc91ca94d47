/*
 * jobs.c - calls that block or compute for long, pools of their own, and host names
 */
#include "expect.h"
#include <sys/wait.h>
#include <unistd.h>

/* Arguments and results of a job, copied in and, with ..._into, out again. */
struct divide {
    int a, b;
    int quotient, remainder;
};
WEFT_BLOCKING(divide)
{
    if (self->b == 0)
        return -EINVAL;
    /* A pool thread may sleep. */
    usleep(1000);
    self->quotient = self->a / self->b;
    self->remainder = self->a % self->b;
    return self->quotient;
}

/* Starts a program and waits for it. Workers and these threads block no signals of their own, so
 * the child starts with the program's mask. Its CPUs would be those of a worker with affinity
 * (WEFT_CPU_AFFINITY), if a task had forked. */
struct run {
    const char *program;
};
WEFT_BLOCKING(run)
{
    int   status;
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        weft_child_reset(NULL);
        execlp(self->program, self->program, (char *)NULL);
        _exit(127);
    }
    return waitpid(pid, &status, 0) < 0 ? -errno : WEXITSTATUS(status);
}

struct jobs {
    WEFT_FRAME;
    struct {
        weft_pool *pool;
    } in;
    struct weft_spawn_blocking job;
    struct weft_resolve        resolution;
    struct divide              answer;
};
WEFT_ASYNC(jobs)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, divide, .a = 7, .b = 2));
    EXPECT(n == 3);
    WEFT_AWAIT(n, weft_spawn_blocking_into(&self->job, &self->answer, divide, .a = 7, .b = 2));
    EXPECT(n == 3 && self->answer.remainder == 1);

    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, run, .program = "true"));
    EXPECT(n == 0);

    /* If this task is cancelled it does not wait for the job, which uses nothing of the task's. */
    WEFT_AWAIT(n, weft_job_detachable(weft_spawn_blocking(&self->job, divide, .a = 8, .b = 2)));
    EXPECT(n == 4);

    /* In a pool with its own limit, this work can't hold up other jobs, and they can't hold it
     * up. */
    WEFT_AWAIT(n, weft_spawn_blocking_on(&self->job, self->in.pool, divide, .a = 1, .b = 0));
    EXPECT(n == -EINVAL);
    WEFT_AWAIT(n, weft_spawn_blocking_into_on(&self->job, self->in.pool, &self->answer, divide,
                                              .a = 9, .b = 5));
    EXPECT(n == 1 && self->answer.remainder == 4);

    /* A host name: how many addresses it has. "localhost" is in the machine's own table. */
    WEFT_AWAIT(n, weft_resolve(&self->resolution, "localhost", 80));
    EXPECT(n >= 1 && weft_address_port(&self->resolution.found.address[0]) == 80);
    WEFT_END(0);
}

int main(void)
{
    const weft_pool_config    config = {.name = "reports", .threads = 2, .queue_max = 100};
    struct weft_pool_counters counters;
    weft_pool                *pool;
    weft_runtime             *rt;
    weft_handle               handle;

    if (weft_runtime_start(NULL, &rt) < 0)
        return 1;
    EXPECT(weft_pool_open(rt, &config, &pool) == 0);
    EXPECT(weft_spawn_on(rt, &handle, jobs, .pool = pool) == 0);
    EXPECT(weft_block_on(rt, weft_join(&handle)) == 0);

    EXPECT(weft_pool_counters(pool, &counters) == 0 && counters.jobs == 2);
    EXPECT(weft_pool_counters(weft_pool_default(rt), &counters) == 0 && counters.jobs == 4);
    EXPECT(weft_pool_counters(weft_pool_dns(rt), &counters) == 0 && counters.jobs == 1);
    EXPECT(weft_pool_close(pool, WEFT_S(5)) == 0);
    return weft_runtime_stop(rt, WEFT_S(5)) < 0;
}
