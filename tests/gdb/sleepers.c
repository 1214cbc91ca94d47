/* sleepers.c - fibers and a task that wait, for tests/tools/gdb.py to look at */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft.h>

#define N_FIBERS 3

/* Each call has a frame of its own. */
static __attribute__((noinline)) int64_t falls_asleep(int depth)
{
    volatile int here = depth;
    int64_t      n = depth > 0 ? falls_asleep(depth - 1) : weft_fiber_sleep(WEFT_S(1000));

    return n + here - depth;
}

static int64_t dreams(void *argument)
{
    volatile int number = *(int *)argument;

    return falls_asleep(number) + number - *(int *)argument;
}

typedef struct race {
    int begun, over; /* atomic */
} race;

/* Blocks its worker until the race is over. */
static int64_t runs(void *argument)
{
    race *r = argument;

    __atomic_store_n(&r->begun, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&r->over, __ATOMIC_ACQUIRE))
        usleep(1000);
    return 0;
}

struct sleeps {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_S(1000)));
    WEFT_END(n);
}

struct calls {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct sleeps sleeps;
};
WEFT_ASYNC(calls)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, sleeps, &self->sleeps, 0);
    WEFT_END(n);
}

/* gdb stops here, or finds a core file of this moment. */
__attribute__((noinline)) void stop_here(bool dies);
void                           stop_here(bool dies)
{
    __asm__ volatile("");
    if (dies)
        abort();
}

/* A timer is armed when its fiber has left its stack. */
static void wait_for_timers(weft_runtime *rt, uint64_t n)
{
    struct weft_runtime_counters c;

    do {
        usleep(1000);
        weft_runtime_counters(rt, &c);
    } while (c.timers_armed < n);
}

/* With an argument it aborts while they wait. */
int main(int argc, char **argv)
{
    static int    number[N_FIBERS];
    weft_runtime *rt;
    weft_handle   fiber[N_FIBERS], runner, task;
    race          race = {0};

    if (weft_runtime_start(&(weft_config){.workers = 2}, &rt) < 0)
        return 1;
    for (int i = 0; i < N_FIBERS; i++) {
        number[i] = i + 1;
        if (weft_fiber_with(rt, &fiber[i], "dreamer", NULL, dreams, &number[i]) < 0)
            return 1;
    }
    if (weft_spawn_on(rt, &task, calls) < 0)
        return 1;
    wait_for_timers(rt, N_FIBERS + 1);
    if (weft_fiber_with(rt, &runner, "runner", NULL, runs, &race) < 0)
        return 1;
    while (!__atomic_load_n(&race.begun, __ATOMIC_ACQUIRE))
        usleep(1000);
    (void)argv;
    stop_here(argc > 1);
    __atomic_store_n(&race.over, 1, __ATOMIC_RELEASE);
    if (weft_block_on(rt, weft_join(&runner)) != 0)
        return 1;
    for (int i = 0; i < N_FIBERS; i++) {
        weft_cancel(&fiber[i]);
        if (weft_block_on(rt, weft_join(&fiber[i])) != -ECANCELED)
            return 1;
    }
    weft_cancel(&task);
    weft_detach(&task);
    return weft_runtime_stop(rt, WEFT_S(10)) < 0;
}
