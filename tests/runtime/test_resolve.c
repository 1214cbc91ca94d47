/*
 * test_resolve.c - names to addresses; only names that need no network
 */
#include "../helpers.h"

#include <semaphore.h>

struct resolve {
    WEFT_FRAME;
    struct {
        const char  *host;
        uint16_t     port;
        weft_lookup *ret;
    } in;
    struct weft_resolve resolution;
};
WEFT_ASYNC(resolve)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_resolve(&self->resolution, self->in.host, self->in.port));
    if (self->in.ret)
        *self->in.ret = self->resolution.found;
    WEFT_END(n);
}

static bool found(const weft_lookup *lookup, int64_t n, const char *expected)
{
    char text[WEFT_ADDRESS_TEXT];

    for (int64_t i = 0; i < n; i++)
        if (strcmp(weft_address_format(&lookup->address[i], text), expected) == 0)
            return true;
    return false;
}

Test(resolve, numbers_need_no_name_server)
{
    weft_runtime *rt = start(1);
    weft_lookup   lookup;

    check_eq(RUN(rt, resolve, .host = "127.0.0.1", .port = 80, .ret = &lookup), 1);
    check(found(&lookup, 1, "127.0.0.1:80"));
    check_eq(RUN(rt, resolve, .host = "::1", .port = 65535, .ret = &lookup), 1);
    check(found(&lookup, 1, "[::1]:65535"));
    stop(rt);
}

Test(resolve, localhost_is_the_loopback_address)
{
    weft_runtime *rt = start(1);
    weft_lookup   lookup;
    int64_t       n = RUN(rt, resolve, .host = "localhost", .port = 7000, .ret = &lookup);

    check_cmp(n, >, 0);
    check_cmp(n, <=, WEFT_RESOLVE_MAX);
    check(found(&lookup, n, "127.0.0.1:7000") || found(&lookup, n, "[::1]:7000"));
    stop(rt);
}

Test(resolve, names_that_can_not_be_are_refused)
{
    weft_runtime *rt = start(1);
    char          longest[WEFT_HOST_MAX + 2];

    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    check_eq(RUN(rt, resolve, .host = longest, .port = 1), -EINVAL);
    check_eq(RUN(rt, resolve, .host = "", .port = 1), -EINVAL);
    check_cmp(RUN(rt, resolve, .host = "not a name", .port = 1), <, 0);
    stop(rt);
}

Test(resolve, the_name_is_copied)
{
    weft_runtime       *rt = start(1);
    struct weft_resolve r;
    char                host[] = "127.0.0.1";

    weft_resolve(&r, host, 5);
    memset(host, 'x', sizeof host - 1);
    check_eq(weft_block_on(rt, &r.future), 1);
    check(found(&r.found, 1, "127.0.0.1:5"));
    stop(rt);
}

/* ---- cancelling ---- */

static sem_t      gate;
static atomic_int n_running;

struct hold {
    int unused;
};
WEFT_BLOCKING(hold)
{
    (void)self;
    n_running++;
    while (sem_wait(&gate) < 0)
        ;
    return 0;
}

struct run_hold {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(run_hold)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n,
               weft_spawn_blocking_on(&self->job, weft_pool_dns(cx->runtime), hold, .unused = 0));
    WEFT_END(n);
}

Test(resolve, a_queued_one_can_be_cancelled)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .dns_threads = 1});
    weft_handle   holder, h;

    sem_init(&gate, 0, 0);
    check_eq(weft_spawn_on(rt, &holder, run_hold, .unused = 0), 0);
    EVENTUALLY(n_running == 1);
    check_eq(weft_spawn_on(rt, &h, resolve, .host = "127.0.0.1", .port = 1), 0);
    EVENTUALLY(counters(rt).blocking_jobs == 2);
    weft_cancel(&h);
    check_eq(join(rt, &h), -ECANCELED);
    sem_post(&gate);
    check_eq(join(rt, &holder), 0);
    stop(rt);
}

Test(resolve, many_cancelled_at_any_moment_leave_nothing_behind)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 2, .dns_threads = 2});
    uint32_t      seed = 4;

    for (int64_t i = 0; i < test_scaled(500); i++) {
        weft_handle h;
        int64_t     n;

        check_eq(weft_spawn_on(rt, &h, resolve, .host = "127.0.0.1", .port = 1), 0);
        for (uint32_t spin = rnd(&seed) % 50000; spin > 0; spin--)
            __asm__ volatile("");
        weft_cancel(&h);
        n = join(rt, &h);
        check(n == 1 || n == -ECANCELED);
    }
    stop(rt);
}
