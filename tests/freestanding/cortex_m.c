/*
 * cortex_m.c - a machine for scenario.c: Cortex-M0 or M4, under an emulator
 *
 * SysTick is the interrupt. It also is the watchdog: with nothing asked for, it fires after a time
 * in which every wake must have been answered. Text and the exit status go out by semihosting.
 * PLANT names a mistake that must make the image fail (tests/tools/freestanding.py).
 */
#include "platform.h"

#include <weft/async.h>

#include "text.h"

#define PLANT_ASSERTION 1 /* a claim that is false */
#define PLANT_MOVED     2 /* a pending future is moved */
#define PLANT_UNMASKED  3 /* idles without masking interrupts */
#define PLANT_PANIC     4 /* a panic */

#define WATCHDOG 2000000 /* cycles; fits SysTick's 24 bits */

/* What the linker script says. */
extern uint32_t data_begin[], data_end[], data_source[], bss_begin[], bss_end[], stack_end[];

/* ---- what a compiler expects of a machine without libc ---- */

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    char       *t = to;
    const char *f = from;

    while (n-- > 0)
        *t++ = *f++;
    return to;
}

void *memset(void *at, int byte, size_t n)
{
    char *a = at;

    while (n-- > 0)
        *a++ = (char)byte;
    return at;
}

/* ---- semihosting ---- */

enum { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, STOPPED_BY_EXIT = 0x20026 };

static void semihost(uint32_t operation, const void *argument)
{
    register uint32_t    r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void say(const char *text)
{
    semihost(SYS_WRITE0, text);
}

__attribute__((noreturn)) static void end(uint32_t status)
{
    const uint32_t block[] = {STOPPED_BY_EXIT, status};

    for (;;)
        semihost(SYS_EXIT_EXTENDED, block);
}

void platform_fail(const char *file, int line, const char *text, int64_t a, int64_t b)
{
    char said[160];

    wf_text(said, sizeof said, "%s:%u: false: %s: %s%u, %s%u\n", file, (unsigned)line, text,
            a < 0 ? "-" : "", (unsigned)(a < 0 ? -a : a), b < 0 ? "-" : "",
            (unsigned)(b < 0 ? -b : b));
    say(said);
    end(1);
}

void weft_misuse_(const char *function, const char *rule, const char *where)
{
    char said[240];

    wf_text(said, sizeof said, "weft: %s: %s (%s)\n", function, rule, where);
    say(said);
    end(1);
}

/* ---- SysTick ---- */

static volatile struct {
    uint32_t control, reload, value;
} *const systick = (void *)0xe000e010;

static volatile uint32_t *const icsr = (void *)0xe000ed04;

enum { SYSTICK_ON = 7, PENDSTCLR = 1 << 25 };

static bool armed;

static void systick_in(uint32_t cycles)
{
    systick->reload = cycles;
    systick->value = 0;
    *icsr = PENDSTCLR;
}

void platform_arm(uint32_t delay)
{
    armed = delay > 0;
    systick_in(armed ? delay : WATCHDOG);
}

static void systick_handler(void)
{
    if (!armed)
        platform_fail(__FILE__, __LINE__, "a wake was lost: nothing happens any more", 0, 0);
    armed = false;
    systick_in(WATCHDOG);
    scenario_interrupt();
}

/* ---- the port ---- */

const uint32_t platform_rounds = 20000;

static void mask(void *arg)
{
    (void)arg;
#if PLANT != PLANT_UNMASKED
    __asm__ volatile("cpsid i" ::: "memory");
#endif
}

static void idle(void *arg)
{
    (void)arg;
    __asm__ volatile("dsb\n wfi" ::: "memory");
}

static void unmask(void *arg)
{
    (void)arg;
    __asm__ volatile("cpsie i" ::: "memory");
}

const weft_local_port platform_port = {.mask = mask, .idle = idle, .unmask = unmask};

/* ---- start ---- */

/* Mistakes that scenario.c does not make. */
static void plant(void)
{
#if PLANT == PLANT_ASSERTION
    platform_fail(__FILE__, __LINE__, "planted", -1, 1);
#elif PLANT == PLANT_MOVED
    static const weft_future_ops ops = {.size = sizeof(weft_future), .name = "planted"};
    weft_future                  future = {&ops, WEFT_UNPOLLED_ | 0x20000000};
    weft_waker                   waker = weft_waker_noop();
    weft_context                 cx;

    weft_context_init(&cx, &waker, NULL);
    (void)!weft_poll_is_ready(weft_future_poll(&future, &cx));
#elif PLANT == PLANT_PANIC
    WEFT_CHECK(bss_end == NULL);
#endif
}

static void run_all(void)
{
    uint32_t n = 0;
    char     said[80];

#define RUN(name)                                                                                  \
    scenario_##name();                                                                             \
    say("ok " #name "\n");                                                                         \
    n++;
    SCENARIOS(RUN)
    wf_text(said, sizeof said, "%u scenarios\n", (unsigned)n);
    say(said);
}

__attribute__((noreturn)) void reset(void);
void                           reset(void)
{
    for (uint32_t *to = data_begin, *from = data_source; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_begin; to < bss_end;)
        *to++ = 0;
    systick_in(WATCHDOG);
    systick->control = SYSTICK_ON;
    plant();
    run_all();
    end(0);
}

__attribute__((noreturn)) static void fault(void)
{
    say("a fault, or an interrupt that the test did not ask for\n");
    end(2);
}

/* The 16 entries that every Cortex-M has. */
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handler[15])(void);
} vectors = {stack_end,
             {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
              fault, fault, systick_handler}};
