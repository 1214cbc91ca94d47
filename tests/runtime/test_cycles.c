/* test_cycles.c - starting and stopping thousands of times leaves nothing behind */
#include "../helpers.h"

struct adds {
    WEFT_FRAME;
    struct {
        int64_t a, b;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(adds)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, 0));
    WEFT_END(n + self->in.a + self->in.b);
}

static void cycle(int64_t i)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1 + i % 3,
                                                 .current_thread = i % 7 == 0,
                                                 .ring_entries = 8,
                                                 .log = weft_log_none});
    weft_handle   handle;

    if (i % 3 == 0)
        check_eq(RUN(rt, adds, 1, i), 1 + i);
    if (i % 5 == 0) { /* with a task in mid-air, and its handle outlives the runtime */
        check_eq(weft_spawn_on(rt, &handle, adds, 1, i), 0);
        stop(rt);
        weft_detach(&handle);
        return;
    }
    stop(rt);
}

/* In MiB. */
static void measure(int64_t *ret_mapped, int64_t *ret_resident)
{
    long long mapped = 0, resident = 0, page = sysconf(_SC_PAGESIZE);
    FILE     *f = fopen("/proc/self/statm", "re");

    check(f);
    check_eq(fscanf(f, "%lld %lld", &mapped, &resident), 2);
    fclose(f);
    *ret_mapped = mapped * page >> 20;
    *ret_resident = resident * page >> 20;
}

Test(cycles, ten_thousand_starts_and_stops_leave_no_thread_descriptor_or_memory, .timeout = 150)
{
    int64_t n = test_scaled(10000), mapped[2], resident[2];
    int     fds, threads = n_entries("/proc/self/task");

    if (TEST_SANITIZED)
        n /= 10;
    fds = n_fds();
    for (int64_t i = 0; i < n; i++) {
        cycle(i);
        if (i == 100)
            measure(&mapped[0], &resident[0]);
    }
    check_eq(n_fds(), fds);
    EVENTUALLY(n_weft_threads() == 0); /* a joined one may be there for a moment */
    EVENTUALLY(n_entries("/proc/self/task") <= threads + 1); /* TSan has one of its own */
    if (n < 10000)
        return;
    measure(&mapped[1], &resident[1]);
    check_cmp(resident[1] - resident[0], <, 20); /* 4 KiB each time would be 40 MiB by now */
    check_cmp(mapped[1] - mapped[0], <, 1000);   /* malloc's arenas are 64 MiB; stacks 8 */
}
