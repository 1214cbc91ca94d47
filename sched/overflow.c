/* overflow.c - see overflow.h */
#include "overflow.h"

#include "fiber.h"
#include "task.h"
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#define STACK_SIZE ((size_t)64 << 10) /* only what the line takes of it is ever touched */

static bool             caught; /* [overflow-1] */
static struct sigaction before; /* written once, before `caught` */

/* Whether the address lies below the fiber's stack, in its guard page or a bit further down: a
 * large local variable may step over the page. */
static bool is_overflow(const wf_fiber *fiber, const void *address)
{
    const char *bottom = wf_stack_bottom(fiber->in.stack);

    return (const char *)address < bottom && bottom - (const char *)address <= 64 << 10;
}

static void end_process(const wf_fiber *fiber)
{
    char where[80];

    snprintf(where, sizeof where, "%zu KiB; larger: WEFT_FIBER_STACK, or stack_size in its options",
             fiber->in.stack->size >> 10);
    weft_misuse_("weft_fiber", "the fiber has used up its stack", where);
}

/* Also one that is in weft_block_in_place, where the thread counts as none of the runtime's. */
static const wf_fiber *current_fiber(void)
{
    const wf_worker *lent = wf_current_thread.lent;

    if (wf_current_thread.fiber || !lent)
        return wf_current_thread.fiber;
    return wf_fiber_of(&wf_load(&lent->polled, RELAXED)->frame.future); /* the thread's own */
}

/* The process dies when the handler returns: the fault happens again. A signal that was sent does
 * not, so it is sent again. */
static void end_by_default(int signal, const siginfo_t *info)
{
    sigaction(signal, &before, NULL);
    if (info->si_code <= 0)
        raise(signal);
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const wf_fiber *fiber = current_fiber();

    if (fiber && is_overflow(fiber, info->si_addr))
        end_process(fiber);
    if (before.sa_flags & SA_SIGINFO)
        before.sa_sigaction(signal, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(signal);
    else
        end_by_default(signal, info);
}

int wf_overflow_catch(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    if (wf_load(&caught, ACQUIRE)) /* [overflow-1] */
        return 0;
    if (sigaction(SIGSEGV, NULL, &before) < 0 || sigaction(SIGSEGV, &action, NULL) < 0)
        return -errno;
    wf_store(&caught, true, RELEASE); /* [overflow-1] */
    return 0;
}

void *wf_overflow_begin_thread(void)
{
    stack_t had, stack = {.ss_size = STACK_SIZE};

    if (!wf_load(&caught, ACQUIRE) || /* [overflow-1] */
        sigaltstack(NULL, &had) < 0 || !(had.ss_flags & SS_DISABLE))
        return NULL;
    stack.ss_sp = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return NULL;
    sigaltstack(&stack, NULL);
    return stack.ss_sp;
}

void wf_overflow_end_thread(void *stack)
{
    static const stack_t none = {.ss_flags = SS_DISABLE};

    if (!stack)
        return;
    sigaltstack(&none, NULL);
    munmap(stack, STACK_SIZE);
}
