/*
 * stack.h - the stacks of fibers
 *
 * Purpose     Stacks of a few sizes, each with a guard page below it. A worker keeps some that are
 *             free, and a list for all workers has what they have too many of.
 * Threads     The suffix says: owner is the worker's own thread. All other functions: any thread.
 * Invariants  A1 A free stack is in one list. A2 The struct lies at the upper end of its stack, and
 *             the kernel has filled the pages below with zeros when they are first touched. So a
 *             stack that has never run has one page. A3 A worker maps several stacks at once. What
 *             is not yet cut into stacks is address space only.
 * Ordering    [stack-1] the lock of the shared list.
 * Failure     Out of memory, or of mappings: wf_stack_take returns NULL. A stack that the kernel
 *             does not take back stays in its list.
 *
 * Where the kernel has MADV_GUARD_INSTALL (Linux 6.13), neighbouring stacks are one mapping. Before
 * that each guard page is a mapping of its own, and a process may have vm.max_map_count of them,
 * 65,530 by default. To take a stack out of the middle of a mapping makes two of it, which the
 * kernel refuses where there is no room for another one.
 */
#ifndef WF_STACK_H
#define WF_STACK_H

#include "order.h"

#include <stdbool.h>
#include <stddef.h>

#define WF_STACK_LEAST   ((size_t)16 << 10)
#define WF_STACK_MOST    ((size_t)64 << 20)
#define WF_STACK_CLASSES 13 /* powers of 2 from least to most */

typedef struct wf_stack {
    struct wf_stack *next;
    size_t           size; /* constant; from the guard page to the end of this struct */
    uint32_t class;        /* constant; the list that it belongs to */
    unsigned valgrind_id;
} wf_stack;

typedef struct wf_stack_list {
    wf_stack *first;
    uint32_t  n;
} wf_stack_list;

/* Address space for n stacks: A3. */
typedef struct wf_stack_space {
    char    *at;
    uint32_t n;
} wf_stack_space;

/* Free stacks by size. All zero is empty. */
typedef struct wf_stacks {
    wf_stack_list  of[WF_STACK_CLASSES];
    wf_stack_space uncut[WF_STACK_CLASSES]; /* not of the shared ones */
    uint32_t       lock, n; /* of the shared ones: their lock, and how many there are */
} wf_stacks;

/* Takes a stack of at least `size` bytes. `own` is the calling worker's, or NULL. Returns NULL if
 * there is none. */
wf_stack *wf_stack_take(wf_stacks *own, wf_stacks *shared, size_t size);
/* Gives the stack to the kernel. Returns false if the kernel refuses: the stack is as before. */
bool wf_stack_free(wf_stack *stack);
/* Gives back a stack on which nothing runs. */
void wf_stack_give(wf_stacks *own, wf_stacks *shared, wf_stack *stack);
/* The worker goes to sleep: gives the kernel what is shared beyond a few. */
void wf_stacks_tidy(wf_stacks *shared);
/* Unmaps all. */
void wf_stacks_free(wf_stacks *stacks);

/* The lowest address, above the guard page. */
static inline char *wf_stack_bottom(const wf_stack *stack)
{
    return (char *)(stack + 1) - stack->size;
}
/* The highest address that a function may use, a multiple of 16. */
static inline void *wf_stack_top(const wf_stack *stack)
{
    return (void *)((uintptr_t)stack & ~(uintptr_t)15);
}
/* Bytes that have ever been used, in whole pages. */
size_t wf_stack_used(const wf_stack *stack);

#endif
