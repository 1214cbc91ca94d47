/*
 * fibers.c - straight-line code that awaits: a tree that is walked by recursion, each step of which
 * may wait
 */
#include "expect.h"

/* A callback of a library that knows nothing of weft. */
static int visit(const void *a, const void *b)
{
    weft_fiber_yield(); /* also in here */
    return *(const int *)a - *(const int *)b;
}

static int64_t sorts(void *argument)
{
    int *numbers = argument;

    EXPECT(weft_fiber_is_current() && !weft_fiber_is_cancelled());
    qsort(numbers, 4, sizeof *numbers, visit);
    return numbers[0];
}

/* A log function would add it to each line. */
static weft_task_local request = {.otherwise = "none"};

static const char *current_request(void)
{
    return weft_task_local_get(&request);
}

static int64_t serves(void *name)
{
    EXPECT(strcmp(current_request(), "none") == 0);
    {
        weft_fiber_set_local(serving, &request, name); /* until the end of the block */
        weft_fiber_yield();
        EXPECT(current_request() == name);
    }
    EXPECT(strcmp(current_request(), "none") == 0);
    return 0;
}

static void leave(void *semaphore)
{
    weft_semaphore_release(semaphore, 1);
}

static int64_t waits(void *argument)
{
    weft_wait         wait;
    struct weft_sleep nap;
    int64_t           n;

    n = weft_await(weft_semaphore_acquire(&wait, argument, 1));
    if (n < 0)
        return n;
    weft_fiber_defer(leaving, leave, argument); /* whichever way the function ends */
    n = weft_fiber_sleep(WEFT_MS(1));
    if (n < 0)
        return n;
    weft_sleep(&nap, WEFT_S(100));
    EXPECT(weft_await_cancel(&nap.future) == -ECANCELED);
    return weft_fiber_sleep(WEFT_S(100)); /* until it is cancelled */
}

static int64_t never_ends(void *seconds)
{
    int64_t n;

    do
        n = weft_fiber_sleep(WEFT_S(1));
    while (n == 0 && ++*(int *)seconds < 100);
    return n;
}

static int64_t fails(void *unused)
{
    (void)unused;
    weft_panic("out of luck");
}

/* A call may use the caller's variables: it has ended when the await has. */
static int64_t calls(void *unused)
{
    static const weft_fiber_options large = {.stack_size = 1 << 20};

    struct weft_fiber_call call;
    struct weft_timeout    limit;
    int                    seconds = 0;
    int64_t                n;

    (void)unused;
    n = weft_await(weft_timeout(&limit, weft_fiber_call(&call, never_ends, &seconds), WEFT_MS(10)));
    EXPECT(n == -ETIMEDOUT && seconds == 0);
    n = weft_await(weft_fiber_call_with(&call, "unlucky", &large, fails, NULL));
    EXPECT(n == -EOWNERDEAD && strstr(weft_fiber_call_panic(&call), "out of luck"));
    return 0;
}

struct tour {
    WEFT_FRAME;
    struct {
    } in;
    weft_semaphore    semaphore;
    weft_handle       handle;
    struct weft_sleep nap;
    int               numbers[4];
};
WEFT_ASYNC(tour)
{
    static const weft_fiber_options small = {.stack_size = 32 << 10};
    int64_t                         n;

    WEFT_BEGIN();
    memcpy(self->numbers, (int[]){3, 1, 4, 2}, sizeof self->numbers);
    n = weft_fiber(&self->handle, sorts, self->numbers);
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n == 1);

    weft_semaphore_init(&self->semaphore, 1);
    n = weft_fiber_with(NULL, &self->handle, "waiter", &small, waits, &self->semaphore);
    EXPECT(n == 0);
    WEFT_WAIT(weft_sleep(&self->nap, WEFT_MS(10)));
    weft_cancel(&self->handle);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n == -ECANCELED);
    EXPECT(weft_semaphore_available(&self->semaphore) == 1);

    n = weft_fiber(&self->handle, serves, "GET /");
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    WEFT_END(n);
}

int main(void)
{
    static const weft_config one_worker = {.workers = 1};

    int           numbers[] = {8, 6, 7, 5};
    weft_runtime *rt;
    weft_handle   handle;

    if (weft_fiber_catch_overflow() < 0 || weft_runtime_start(NULL, &rt) < 0)
        return 1;
    EXPECT(weft_fiber_on(rt, &handle, sorts, numbers) == 0);
    EXPECT(weft_await(weft_join(&handle)) == 5); /* this thread sleeps until then */
    if (weft_runtime_stop(rt, WEFT_S(1)) < 0)
        return 1;
    return weft_main(tour) || weft_main_fiber(calls, NULL) ||
           weft_main_fiber_with(&one_worker, calls, NULL);
}
