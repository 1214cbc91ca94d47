/*
 * host.c - a machine for scenario.c: a process with one thread, in which a signal is the interrupt
 *
 * The core comes as it was compiled for bare metal; only this file has a libc. Nothing may
 * allocate. Another timer tells that the program waits for a timer in vain.
 */
#define _GNU_SOURCE
#include "platform.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PLANT_ASSERTION  1 /* a claim that is false */
#define PLANT_UNMASKED   2 /* idles without blocking the signal */
#define PLANT_ALLOCATION 3 /* allocates */

/* ---- text, without stdio's buffers ---- */

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

void platform_fail(const char *file, int line, const char *text, int64_t a, int64_t b)
{
    char said[256];

    snprintf(said, sizeof said, "%s:%d: false: %s: %lld, %lld\n", file, line, text, (long long)a,
             (long long)b);
    say(said);
    _exit(1);
}

void weft_misuse_(const char *function, const char *rule, const char *where)
{
    char said[512];

    snprintf(said, sizeof said, "weft: %s: %s (%s)\n", function, rule, where);
    say(said);
    _exit(1);
}

/* ---- no allocation ---- */

static bool forbidden;

static void *refuse(const char *function)
{
    if (forbidden)
        platform_fail(__FILE__, __LINE__, function, 0, 0);
    return NULL;
}

void *malloc(size_t size)
{
    (void)size;
    return refuse("malloc was called");
}

void *calloc(size_t n, size_t size)
{
    (void)n, (void)size;
    return refuse("calloc was called");
}

void *realloc(void *block, size_t size)
{
    (void)block, (void)size;
    return refuse("realloc was called");
}

void free(void *block)
{
    (void)block;
}

/* ---- the interrupt ---- */

#define STALLED_S 3

const uint32_t  platform_rounds = 1000;
static timer_t  timer, watchdog;
static sigset_t interrupts;
static bool     armed; /* changed with the signal blocked, or in its handler */

static void start(timer_t t, int64_t ns)
{
    struct itimerspec spec = {.it_value = {ns / 1000000000, ns % 1000000000}};

    if (timer_settime(t, 0, &spec, NULL) != 0)
        platform_fail(__FILE__, __LINE__, "timer_settime", 0, 0);
}

void platform_arm(uint32_t delay)
{
    armed = delay > 0;
    start(timer, (int64_t)delay * 8);
}

static void on_timer(int signo)
{
    (void)signo;
    if (!armed)
        return; /* disarmed after the signal had been sent */
    armed = false;
    start(watchdog, WEFT_S(STALLED_S));
    scenario_interrupt();
}

static void on_watchdog(int signo)
{
    (void)signo;
    platform_fail(__FILE__, __LINE__, "a wake was lost: nothing happens any more", 0, 0);
}

static void mask(void *arg)
{
    (void)arg;
#if PLANT != PLANT_UNMASKED
    sigprocmask(SIG_BLOCK, &interrupts, NULL);
#endif
}

static void idle(void *arg)
{
    sigset_t none;

    (void)arg;
    sigemptyset(&none);
    sigsuspend(&none);
}

static void unmask(void *arg)
{
    (void)arg;
    sigprocmask(SIG_UNBLOCK, &interrupts, NULL);
}

const weft_local_port platform_port = {.mask = mask, .idle = idle, .unmask = unmask};

static void set_up(void)
{
    struct sigevent tick = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct sigevent stall = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};

    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGALRM);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_timer}, NULL);
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_watchdog}, NULL);
    if (timer_create(CLOCK_MONOTONIC, &tick, &timer) != 0 ||
        timer_create(CLOCK_MONOTONIC, &stall, &watchdog) != 0)
        platform_fail(__FILE__, __LINE__, "timer_create", 0, 0);
    start(watchdog, WEFT_S(STALLED_S));
    forbidden = true;
}

int main(void)
{
    set_up();
#if PLANT == PLANT_ASSERTION
    platform_fail(__FILE__, __LINE__, "planted", -1, 1);
#elif PLANT == PLANT_ALLOCATION
    void *(*volatile allocate)(size_t) = malloc; /* out of the optimiser's sight */
    allocate(1);
#endif
#define RUN(name)                                                                                  \
    scenario_##name();                                                                             \
    say("ok " #name "\n");
    SCENARIOS(RUN)
    return 0;
}
