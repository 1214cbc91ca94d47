/* limit.c - see limit.h */
#include "limit.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

static const struct {
    int         resource;
    const char *name, *unit;
} names[] = {
    {RLIMIT_NOFILE, "RLIMIT_NOFILE (ulimit -n)", ""},
    {RLIMIT_NPROC, "RLIMIT_NPROC (ulimit -u)", ""},
    {RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK (ulimit -l)", " bytes"},
    {RLIMIT_AS, "RLIMIT_AS (ulimit -v)", " bytes"},
    {RLIMIT_DATA, "RLIMIT_DATA (ulimit -d)", " bytes"},
};

const char *wf_limit_value(rlim_t value, wf_limit_room *room)
{
    snprintf(room->text, sizeof room->text, "%llu", (unsigned long long)value);
    return value == RLIM_INFINITY ? "unlimited" : room->text;
}

const char *wf_limit_remedy(const char *before, int resource, const char *after,
                            wf_limit_room *room)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    wf_limit_room value;

    getrlimit(resource, &limit);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].resource == resource)
            snprintf(room->text, sizeof room->text, "%s; raise %s, which is %.24s%s%s", before,
                     names[i].name, wf_limit_value(limit.rlim_cur, &value),
                     limit.rlim_cur == RLIM_INFINITY ? "" : names[i].unit, after);
    return room->text;
}

const char *wf_limit_descriptors(int error, wf_limit_room *room)
{
    switch (error) {
    case -EMFILE:
        return wf_limit_remedy("weft needs four descriptors of its own", RLIMIT_NOFILE, "", room);
    case -ENFILE:
        return "the system has no file descriptor left; raise sysctl fs.file-max";
    default:
        return "the kernel's log may say more";
    }
}

size_t wf_limit_stack(void)
{
    pthread_attr_t attr;
    size_t         size = 0;

    if (pthread_getattr_default_np(&attr) == 0) {
        pthread_attr_getstacksize(&attr, &size);
        pthread_attr_destroy(&attr);
    }
    return size;
}

/* libc reports that it can't map a thread's stack as EAGAIN, too. So this maps one. */
static bool has_room_for_stack(void)
{
    size_t size = wf_limit_stack();
    void  *stack =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED)
        return size == 0;
    munmap(stack, size);
    return true;
}

/* Stacks count for either of the two. */
static int limit_on_memory(void)
{
    struct rlimit space, data;

    getrlimit(RLIMIT_AS, &space);
    getrlimit(RLIMIT_DATA, &data);
    return data.rlim_cur < space.rlim_cur ? RLIMIT_DATA : RLIMIT_AS;
}

const char *wf_limit_threads(wf_limit_room *room)
{
    char before[64];

    if (has_room_for_stack())
        return wf_limit_remedy("the kernel refuses another one", RLIMIT_NPROC,
                               ", or pids.max of the cgroup, or lower WEFT_WORKERS", room);
    snprintf(before, sizeof before, "no memory for a stack of %zu KiB", wf_limit_stack() >> 10);
    return wf_limit_remedy(before, limit_on_memory(), ", or lower RLIMIT_STACK (ulimit -s)", room);
}
