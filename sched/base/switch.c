/* switch.c - see switch.h */
#include "switch.h"

#include <string.h>

#if WF_SWITCH_EXISTS
#ifdef __x86_64__

/* What a stopped stack begins with, from its stack pointer on: see switch_x86_64.S. */
typedef struct saved {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t has_own; /* the control words differ from the thread's */
    void    *r15, *r14, *r13, *r12, *rbx, *rbp, *rip;
} saved;

/* A new stack has the thread's. */
static void set_controls(saved *s)
{
    s->has_own = 0;
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

/* A new stack has those that the thread has now. */
static void set_controls(saved *s)
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
    set_controls(s);
    set_start(s, function, argument);
    return s;
}

#else
typedef int wf_switch_does_not_exist; /* ISO C wants a declaration in every file */
#endif
