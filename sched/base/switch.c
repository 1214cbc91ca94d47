/* switch.c - see switch.h */
#include "switch.h"

#include <string.h>

#if WF_SWITCH_EXISTS
#ifdef __x86_64__

/* What a stopped stack begins with, from its stack pointer on: see switch_x86_64.S. */
typedef struct saved {
    uint32_t mxcsr, x87_control;
    void    *r15, *r14, *r13, *r12, *rbx, *rbp, *rip;
} saved;

static void keep_controls(saved *s)
{
    uint16_t control;

    __asm__ volatile("stmxcsr %0" : "=m"(s->mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(control));
    s->x87_control = control;
}

static void set_start(saved *s, wf_switch_function *function, void *argument)
{
    memcpy(&s->r12, &function, sizeof function);
    s->r13 = argument;
    s->rip = (void *)(uintptr_t)wf_switch_begin;
}

#else

/* What a stopped stack begins with, from its stack pointer on: see switch_aarch64.S. */
typedef struct saved {
    void    *x19_to_x28[10], *x29, *x30;
    uint64_t d8_to_d15[8];
    uint64_t fpcr, unused;
} saved;

static void keep_controls(saved *s)
{
    __asm__ volatile("mrs %0, fpcr" : "=r"(s->fpcr));
}

static void set_start(saved *s, wf_switch_function *function, void *argument)
{
    memcpy(&s->x19_to_x28[0], &function, sizeof function);
    s->x19_to_x28[1] = argument;
    s->x30 = (void *)(uintptr_t)wf_switch_begin;
}

#endif

void *wf_switch_prepare(void *top, wf_switch_function *function, void *argument)
{
    /* Below the saved frame, after the switch has popped it, the stack pointer is top - 16: a
     * multiple of 16, as wf_switch_begin needs it for its call. */
    saved *s = (saved *)((char *)top - 16 - sizeof(saved));

    memset(s, 0, sizeof *s + 16);
    keep_controls(s);
    set_start(s, function, argument);
    return s;
}

#else
typedef int wf_switch_does_not_exist; /* ISO C wants a declaration in every file */
#endif
