/*
 * test_local.c - the local executor, with a thread for an interrupt and without the heap
 *
 * The bodies are those that run on bare metal: tests/freestanding/scenario.c.
 */
#include "../test.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "../freestanding/scenario.c"

/* ---- no allocation: sanitizers and valgrind bring a malloc of their own, the rest gets this one
 * ---- */

static bool
    forbidden; /* set and cleared while the other thread waits for an interrupt to be asked for */

#if defined(__GLIBC__) && !TEST_SANITIZED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);

static void refuse(void)
{
    static const char said[] = "the heap was asked for memory\n";

    if (forbidden && write(STDERR_FILENO, said, sizeof said - 1) != 0)
        abort();
}

void *malloc(size_t size)
{
    refuse();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    refuse();
    return __libc_calloc(n, size);
}

void *realloc(void *block, size_t size)
{
    refuse();
    return __libc_realloc(block, size);
}

static void allocate(void)
{
    forbidden = true;
    *(volatile char *)malloc(1) = 0;
}

Test(local, malloc_is_forbidden_where_it_should_be)
{
    test_skip_under_valgrind("it brings a malloc of its own");
    test_aborts(allocate, "the heap was asked for memory", __FILE__, __LINE__);
}
#endif

/* ---- the machine ---- */

static pthread_mutex_t interrupts = PTHREAD_MUTEX_INITIALIZER; /* held: masked */
static pthread_cond_t  changed = PTHREAD_COND_INITIALIZER;
static pthread_t       timer;
static uint32_t        delay; /* 0: not armed */
static bool            ending;

const uint32_t platform_rounds = 2000;

void platform_arm(uint32_t steps)
{
    delay = steps;
}

void platform_fail(const char *file, int line, const char *text, int64_t a, int64_t b)
{
    forbidden = false;
    test_fail(file, line, "false: %s: %" PRId64 ", %" PRId64, text, a, b);
}

/* Looks for an interrupt to make all the time: waking up would take longer than most delays. */
static void *timer_body(void *arg)
{
    uint32_t steps;

    (void)arg;
    pthread_mutex_lock(&interrupts);
    while (!ending) {
        steps = delay;
        pthread_mutex_unlock(&interrupts);
        for (volatile uint32_t i = 0; i < steps; i++)
            ;
        if (steps == 0)
            sched_yield();
        pthread_mutex_lock(&interrupts);
        if (delay == 0)
            continue; /* not armed, or no longer */
        delay = 0;
        scenario_interrupt();
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&interrupts);
    return NULL;
}

static void machine_mask(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&interrupts);
}

static void machine_idle(void *arg)
{
    (void)arg;
    pthread_cond_wait(&changed, &interrupts); /* the interrupt comes here and not in unmask */
}

static void machine_unmask(void *arg)
{
    (void)arg;
    pthread_mutex_unlock(&interrupts);
}

const weft_local_port platform_port = {
    .mask = machine_mask, .idle = machine_idle, .unmask = machine_unmask};

static void on_the_machine(void (*body)(void))
{
    check_eq(pthread_create(&timer, NULL, timer_body, NULL), 0);
    machine_mask(NULL);
    forbidden = true;
    machine_unmask(NULL);
    body();
    machine_mask(NULL);
    forbidden = false;
    ending = true;
    machine_unmask(NULL);
    pthread_join(timer, NULL);
}

#define AS_TEST(name)                                                                              \
    Test(local, name)                                                                              \
    {                                                                                              \
        on_the_machine(scenario_##name);                                                           \
    }
SCENARIOS(AS_TEST)
