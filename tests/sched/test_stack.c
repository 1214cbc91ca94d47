/* test_stack.c - the stacks of fibers, and a kernel that does not take one back */
#include "stack.h"

#include "../guard_pages.h"
#include "../helpers.h"

/* Makes mappings until there is no room for another one. Returns their memory, of *ret_size bytes.
 */
static char *use_up_mappings(size_t *ret_size)
{
    FILE  *f = fopen("/proc/sys/vm/max_map_count", "re");
    size_t page = (size_t)sysconf(_SC_PAGESIZE), most = 0;
    char  *at;

    check(f && fscanf(f, "%zu", &most) == 1);
    fclose(f);
    if (most > 300000)
        test_skip("the process may have very many mappings (vm.max_map_count)");
    *ret_size = (2 * most + 2) * page;
    at = mmap(NULL, *ret_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(at != MAP_FAILED);
    for (size_t i = 0; i < most && mprotect(at + 2 * i * page, page, PROT_READ) == 0; i++)
        ;
    return at;
}

/* Every other one of many stacks is free. They are neighbours in one mapping. */
Test(stack, one_that_the_kernel_does_not_take_back_stays_in_the_list)
{
    enum { N = 500, OWN = 64, KEPT = 64 };
    wf_stacks own = {0}, shared = {0};
    wf_stack *stack[N];
    size_t    size;
    char     *mappings;

    test_skip_under_valgrind("it needs mappings of its own");
    if (TEST_SANITIZED)
        test_skip("the sanitizers need mappings of their own");
    if (!guards_are_no_mappings())
        test_skip("each stack is a mapping here");
    for (int i = 0; i < N; i++)
        check((stack[i] = wf_stack_take(NULL, &shared, 1)) != NULL);
    for (int i = 0; i < N; i += 2)
        wf_stack_give(&own, &shared, stack[i]);
    check_eq(shared.n, N / 2 - OWN);
    mappings = use_up_mappings(&size);
    wf_stacks_tidy(&shared);
    check_eq(munmap(mappings, size), 0);
    check_eq(shared.n, N / 2 - OWN);
    wf_stacks_tidy(&shared);
    check_eq(shared.n, KEPT);
    for (int i = 1; i < N; i += 2)
        check(wf_stack_free(stack[i]));
    wf_stacks_free(&own);
    wf_stacks_free(&shared);
}
