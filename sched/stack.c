/* stack.c - see stack.h */
#include "stack.h"

#include "invariant.h"
#include "lock.h"
#include "memcheck.h"
#include "rt.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

#define OWN_MOST    64 /* free ones of a size that a worker keeps */
#define SHARED_MOST 64 /* that stay while a worker sleeps */
#define REFUSALS    16 /* of the kernel, after which the others have to wait */

/* What a worker maps at once: so many stacks, or fewer if they are large. */
#define CHUNK_STACKS 16
#define CHUNK_BYTES  ((size_t)4 << 20)

static size_t page(void)
{
    return getauxval(AT_PAGESZ);
}

/* Of at least that size. */
static uint32_t class_of(size_t size)
{
    size_t most = (size - 1) / WF_STACK_LEAST;

    return most == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(most);
}

/* ---- from and to the kernel ---- */

/* Linux 6.13 marks the page without making a mapping of it. */
static int guard(char *at)
{
    return madvise(at, page(), MADV_GUARD_INSTALL) == 0 ? 0 : mprotect(at, page(), PROT_NONE);
}

/* With its guard page. */
static size_t size_of(uint32_t class)
{
    return (WF_STACK_LEAST << class) + page();
}

/* Returns the address space of n stacks, or NULL. */
static char *map(uint32_t class, uint32_t n)
{
    size_t size = n * size_of(class);
    char  *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    madvise(at, size, MADV_NOHUGEPAGE); /* best effort: a huge page is 32 small stacks and more */
    prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, size, "weft fibers"); /* best effort, 5.17 */
    return at;
}

static void tell_begins(wf_stack *stack)
{
    stack->valgrind_id = wf_memcheck_stack_begins(wf_stack_bottom(stack), stack + 1);
}

/* Makes a stack of what is mapped. Returns NULL if it cannot be guarded. */
static wf_stack *make(char *at, uint32_t class)
{
    wf_stack *stack = (wf_stack *)(void *)(at + size_of(class)) - 1;

    if (guard(at) < 0)
        return NULL;
    stack->size = WF_STACK_LEAST << class;
    stack->class = class;
    tell_begins(stack);
    return stack;
}

WF_SELDOM static wf_stack *map_one(uint32_t class)
{
    char     *at = map(class, 1);
    wf_stack *stack = at ? make(at, class) : NULL;

    if (at && !stack)
        munmap(at, size_of(class));
    return stack;
}

/* Cuts a stack off what the worker has mapped, of which it maps more if need be. Returns NULL if
 * there is no room for several. */
WF_SELDOM static wf_stack *cut(wf_stack_space *uncut, uint32_t class)
{
    size_t    most = CHUNK_BYTES / size_of(class);
    uint32_t  n = most < CHUNK_STACKS ? (uint32_t)most : CHUNK_STACKS;
    wf_stack *stack;

    if (uncut->n == 0 && n > 1 && (uncut->at = map(class, n)))
        uncut->n = n;
    stack = uncut->n > 0 ? make(uncut->at, class) : NULL;
    if (stack) {
        uncut->at += size_of(class);
        uncut->n--;
    }
    return stack;
}

/* ---- lists ---- */

/* Counts the shared ones, under the lock. */
static void count(wf_stacks *shared, int by)
{
    wf_store(&shared->n, shared->n + (uint32_t)by, RELAXED); /* a worker that sleeps takes a look */
}

static void push(wf_stack_list *list, wf_stack *stack)
{
    stack->next = list->first;
    list->first = stack;
    list->n++;
}

static wf_stack *pop(wf_stack_list *list)
{
    wf_stack *stack = list->first;

    WF_ASSERT(!stack == (list->n == 0)); /* A1 */
    if (stack) {
        list->first = stack->next;
        list->n--;
    }
    return stack;
}

WF_SELDOM static wf_stack *pop_shared(wf_stacks *shared, uint32_t class)
{
    wf_stack *stack;

    wf_lock(&shared->lock); /* [stack-1] */
    stack = pop(&shared->of[class]);
    count(shared, stack ? -1 : 0);
    wf_unlock(&shared->lock);
    return stack;
}

wf_stack *wf_stack_take(wf_stacks *own, wf_stacks *shared, size_t size)
{
    uint32_t class = class_of(size);
    wf_stack *stack = own ? pop(&own->of[class]) : NULL;

    if (!stack)
        stack = pop_shared(shared, class);
    if (!stack && own)
        stack = cut(&own->uncut[class], class);
    return stack ? stack : map_one(class);
}

WF_SELDOM static void push_shared(wf_stacks *shared, wf_stack *stack)
{
    wf_lock(&shared->lock); /* [stack-1] */
    push(&shared->of[stack->class], stack);
    count(shared, 1);
    wf_unlock(&shared->lock);
}

void wf_stack_give(wf_stacks *own, wf_stacks *shared, wf_stack *stack)
{
    wf_stack_list *list = &own->of[stack->class];

    if (__builtin_expect(list->n < OWN_MOST, 1))
        push(list, stack);
    else
        push_shared(shared, stack);
}

/* ---- back to the kernel ---- */

/* Takes the first stack of a list, and those behind it that are its neighbours. */
static wf_stack_list pop_neighbours(wf_stack_list *list, char **ret_low, char **ret_high)
{
    wf_stack_list run = {.n = 0};
    wf_stack     *stack = list->first;
    char         *low = (char *)(stack + 1), *high = low;

    do {
        if ((char *)(stack + 1) == low)
            low = wf_stack_bottom(stack) - page();
        else
            high = (char *)(stack + 1);
        push(&run, pop(list));
        stack = list->first;
    } while (stack && ((char *)(stack + 1) == low || wf_stack_bottom(stack) - page() == high));
    *ret_low = low;
    *ret_high = high;
    return run;
}

static bool unmap_neighbours(wf_stack_list *list, wf_stack_list *refused)
{
    char         *low, *high;
    wf_stack_list run = pop_neighbours(list, &low, &high);

    for (const wf_stack *stack = run.first; stack; stack = stack->next)
        wf_memcheck_stack_ends(stack->valgrind_id);
    if (munmap(low, (size_t)(high - low)) == 0)
        return true;
    while (run.first) {
        tell_begins(run.first);
        push(refused, pop(&run));
    }
    return false;
}

/* Unmaps the stacks of a list, and neighbours together: each call interrupts the CPUs where other
 * threads of the process run. Those that the kernel refuses stay in the list, and after so many
 * refusals the others, too. Returns whether it took any. */
WF_SELDOM static bool unmap_all(wf_stack_list *list, uint32_t n_refusals)
{
    wf_stack_list refused = {.n = 0};
    bool          any = false;

    while (list->first && n_refusals > 0) {
        if (unmap_neighbours(list, &refused))
            any = true;
        else
            n_refusals--;
    }
    while (refused.first)
        push(list, pop(&refused));
    return any;
}

bool wf_stack_free(wf_stack *stack)
{
    wf_stack_list one = {.n = 0};

    push(&one, stack);
    return unmap_all(&one, 1);
}

/* Takes all but a few out of a shared list. */
WF_SELDOM static wf_stack_list detach(wf_stacks *shared, uint32_t class)
{
    wf_stack_list *list = &shared->of[class], rest = {.n = 0};
    wf_stack      *last;

    wf_lock(&shared->lock); /* [stack-1] */
    if (list->n > SHARED_MOST) {
        last = list->first;
        for (int i = 1; i < SHARED_MOST; i++)
            last = last->next;
        rest = (wf_stack_list){.first = last->next, .n = list->n - SHARED_MOST};
        last->next = NULL;
        list->n = SHARED_MOST;
        count(shared, -(int)rest.n);
    }
    wf_unlock(&shared->lock);
    return rest;
}

/* What the kernel refuses goes back to the list: it is used again, or unmapped later. */
void wf_stacks_tidy(wf_stacks *shared)
{
    wf_stack_list rest;

    if (wf_load(&shared->n, RELAXED) <= SHARED_MOST) /* a look; any time will do */
        return;
    for (uint32_t class = 0; class < WF_STACK_CLASSES; class ++) {
        rest = detach(shared, class);
        unmap_all(&rest, REFUSALS);
        while (rest.first)
            push_shared(shared, pop(&rest));
    }
}

/* Each stack that the kernel takes may make room for one that it has refused before. */
void wf_stacks_free(wf_stacks *stacks)
{
    for (uint32_t class = 0; class < WF_STACK_CLASSES; class ++) {
        wf_stack_list  *list = &stacks->of[class];
        wf_stack_space *uncut = &stacks->uncut[class];

        while (unmap_all(list, UINT32_MAX) && list->first)
            ;
        if (uncut->n > 0)
            munmap(uncut->at, uncut->n * size_of(class));
    }
}

size_t wf_stack_used(const wf_stack *stack)
{
    const char   *bottom = wf_stack_bottom(stack);
    unsigned char resident[64];
    size_t        n = stack->size / page(), unused = 0;

    /* From the bottom up to the first page that has been touched. */
    for (size_t at = 0, step; at < n; at += step) {
        step = n - at < sizeof resident ? n - at : sizeof resident;
        if (mincore((void *)(uintptr_t)(bottom + at * page()), step * page(), resident) < 0)
            return stack->size;
        for (size_t i = 0; i < step; i++, unused++)
            if (resident[i] & 1)
                return stack->size - unused * page();
    }
    return 0;
}
