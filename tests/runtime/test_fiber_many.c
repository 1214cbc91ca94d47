/* test_fiber_many.c - a hundred thousand fibers that sleep */
#include "fibers.h"

#include "../guard_pages.h"
#include "quota.h"

#include <sys/resource.h>

enum { MANY = 100000 };

/* The number behind a name in a file, INT64_MAX if there is none. */
static int64_t number_in(const char *path, const char *name)
{
    char      line[256];
    long long n = INT64_MAX;
    FILE     *f = fopen(path, "re");

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), "%lld", &n) == 1)
            break;
    if (f)
        fclose(f);
    return n;
}

static void skip_if_the_machine_is_small(void)
{
    struct rlimit space;

    check_eq(getrlimit(RLIMIT_AS, &space), 0);
    if (space.rlim_cur != RLIM_INFINITY)
        test_skip("the address space is limited (RLIMIT_AS)");
    if (number_in("/proc/meminfo", "MemAvailable:") < 3 << 20 || wf_quota_memory("") < INT64_C(3)
                                                                                           << 30)
        test_skip("less than 3 GiB of memory");
    if (number_in("/proc/sys/vm/overcommit_memory", "") == 2)
        test_skip("the kernel commits no memory that it lacks (vm.overcommit_memory)");
    if (!guards_are_no_mappings() &&
        number_in("/proc/sys/vm/max_map_count", "") < INT64_C(2) * MANY + 10000)
        test_skip("not as many mappings (vm.max_map_count), and guard pages are mappings here");
}

/* In KiB. */
static int64_t resident(void)
{
    return number_in("/proc/self/status", "VmRSS:");
}

static int64_t sleeps(void *argument)
{
    add(argument, 1);
    return weft_fiber_sleep(WEFT_S(3600));
}

/* The goal is 1 GB for all, and a fiber that has run takes a page of its stack at least. */
Test(fiber_many, a_hundred_thousand_sleep_in_a_gigabyte_and_end, .timeout = 150)
{
    weft_runtime *rt;
    weft_handle  *handle;
    int64_t       n_asleep = 0, before, grown;

    test_skip_under_valgrind("it keeps a record of each stack");
    if (TEST_SANITIZED)
        test_skip("the sanitizers have a fake stack or a history for each fiber");
    if (test_slow() > 1)
        test_skip("the tests run slowly");
    skip_if_the_machine_is_small();
    handle = calloc(MANY, sizeof *handle);
    before = resident();
    rt = start(2);
    for (int i = 0; i < MANY; i++)
        check_eq(weft_fiber_on(rt, &handle[i], sleeps, &n_asleep), 0);
    while (get(&n_asleep) < MANY) /* the time limit of the case ends it */
        pause_ms(1);
    grown = resident() - before;
    check_cmp(grown, >=, (int64_t)MANY * 4);
    check_cmp(grown, <=, INT64_C(1) << 20);
    for (int i = 0; i < MANY; i++)
        weft_cancel(&handle[i]);
    for (int i = 0; i < MANY; i++)
        check_eq(join(rt, &handle[i]), -ECANCELED);
    free(handle);
    stop(rt);
}
