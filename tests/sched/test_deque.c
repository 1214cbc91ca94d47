/* test_deque.c - the work-stealing deque: owner, thieves, growth */
#include "../helpers.h"

#include "deque.h"

static void *allocate(void *arg, size_t size)
{
    (void)arg;
    return malloc(size);
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg, (void)size;
    free(memory);
}

static const weft_allocator plain = {allocate, release, NULL};

/* Tasks are only pointers to a deque; ours count from 1. */
static struct wf_task *task(int64_t i)
{
    return (struct wf_task *)(uintptr_t)(i * 16);
}

static int64_t number(const struct wf_task *t)
{
    return (int64_t)(uintptr_t)t / 16;
}

static wf_deque *deque(const weft_allocator *alloc)
{
    static wf_deque d;

    check_eq(wf_deque_init(&d, alloc), 0);
    return &d;
}

Test(deque, that_is_empty_gives_nothing)
{
    wf_deque *d = deque(&plain);

    check(!wf_deque_pop_owner(d));
    check(!wf_deque_steal_any(d));
    check_eq(wf_deque_length_any(d), 0);
    wf_deque_free(d);
}

Test(deque, gives_its_owner_the_newest_first)
{
    wf_deque *d = deque(&plain);

    for (int64_t i = 1; i <= 3; i++)
        check(wf_deque_push_owner(d, task(i)));
    check_eq(wf_deque_length_any(d), 3);
    for (int64_t i = 3; i >= 1; i--)
        check_eq(number(wf_deque_pop_owner(d)), i);
    check(!wf_deque_pop_owner(d));
    wf_deque_free(d);
}

Test(deque, gives_thieves_the_oldest_first)
{
    wf_deque *d = deque(&plain);

    for (int64_t i = 1; i <= 3; i++)
        check(wf_deque_push_owner(d, task(i)));
    for (int64_t i = 1; i <= 3; i++)
        check_eq(number(wf_deque_steal_any(d)), i);
    check(!wf_deque_steal_any(d));
    wf_deque_free(d);
}

Test(deque, grows_and_keeps_the_order)
{
    wf_deque *d = deque(&plain);
    int64_t   n = 10000, stolen = 0;

    for (int64_t i = 1; i <= n; i++) {
        check(wf_deque_push_owner(d, task(i)));
        if (i % 3 == 0) /* the ring is not aligned with its start when it grows */
            check_eq(number(wf_deque_steal_any(d)), ++stolen);
    }
    check_eq(wf_deque_length_any(d), n - stolen);
    while (stolen < n)
        check_eq(number(wf_deque_steal_any(d)), ++stolen);
    check(!wf_deque_pop_owner(d));
    wf_deque_free(d);
}

Test(deque, stays_usable_over_many_laps_of_a_small_ring)
{
    struct memory  memory;
    weft_allocator hooks = memory_hooks(&memory);
    wf_deque      *d = deque(&hooks);

    for (int64_t i = 1; i <= 10000; i++) {
        check(wf_deque_push_owner(d, task(i)));
        check_eq(number(i % 2 ? wf_deque_pop_owner(d) : wf_deque_steal_any(d)), i);
    }
    check_eq(memory.n, 1); /* it never grew */
    wf_deque_free(d);
    check_eq(memory.live, 0);
}

Test(deque, that_cannot_grow_refuses_and_keeps_what_it_has)
{
    struct memory  memory;
    weft_allocator hooks = memory_hooks(&memory);
    wf_deque      *d = deque(&hooks);
    int64_t        n = 0;

    memory.fail_at = 2;
    while (wf_deque_push_owner(d, task(n + 1)))
        n++;
    check_eq(wf_deque_length_any(d), n);
    check(wf_deque_push_owner(d, task(n + 1))); /* there is memory again */
    for (int64_t i = 1; i <= n + 1; i++)
        check_eq(number(wf_deque_steal_any(d)), i);
    wf_deque_free(d);
    check_eq(memory.live, 0);
}

Test(deque, is_bounded)
{
    wf_deque *d = deque(&plain);
    int64_t   n = 0;

    while (wf_deque_push_owner(d, task(n + 1)))
        check_cmp(++n, <=, 1 << 20);
    check_eq(number(wf_deque_pop_owner(d)), n);
    check(wf_deque_push_owner(d, task(n)));
    check(!wf_deque_push_owner(d, task(n + 1)));
    wf_deque_free(d);
}

Test(deque, gives_back_all_memory_of_its_growth)
{
    struct memory  memory;
    weft_allocator hooks = memory_hooks(&memory);
    wf_deque      *d = deque(&hooks);

    for (int64_t i = 1; i <= 5000; i++)
        check(wf_deque_push_owner(d, task(i)));
    check(memory.n > 1);
    wf_deque_free(d);
    check_eq(memory.live, 0);
}

Test(deque, says_enomem_if_there_is_no_memory_at_all)
{
    struct memory  memory;
    weft_allocator hooks = memory_hooks(&memory);
    wf_deque       d;

    memory.fail_at = 1;
    check_eq(wf_deque_init(&d, &hooks), -ENOMEM);
}

/* ---- threads ---- */

struct stress {
    wf_deque d;
    int64_t  n, go, done; /* done: the owner will push no more */
    int64_t *seen;        /* how often each task came out */
};

static void take(struct stress *s, const struct wf_task *t)
{
    if (t)
        add(&s->seen[number(t)], 1);
}

static void *steal(void *arg)
{
    struct stress        *s = arg;
    const struct wf_task *t;

    spin_until(&s->go, 1);
    do {
        t = wf_deque_steal_any(&s->d);
        take(s, t);
    } while (t || !get(&s->done));
    return NULL;
}

/* Two thieves steal while the owner repeatedly pushes `burst` tasks and pops `pops` of them. */
static void stress(int64_t n, int burst, int pops)
{
    struct stress s = {.n = n, .seen = calloc((size_t)n + 1, sizeof *s.seen)};
    pthread_t     thieves[2];

    check_eq(wf_deque_init(&s.d, &plain), 0);
    for (int i = 0; i < 2; i++)
        thieves[i] = thread(steal, &s);
    add(&s.go, 1);
    for (int64_t i = 1; i <= n;) {
        for (int b = 0; b < burst && i <= n; b++, i++)
            for (; !wf_deque_push_owner(&s.d, task(i)); take(&s, wf_deque_pop_owner(&s.d)))
                ; /* full: at most this many tasks */
        for (int p = 0; p < pops; p++)
            take(&s, wf_deque_pop_owner(&s.d));
    }
    for (const struct wf_task *t; (t = wf_deque_pop_owner(&s.d));)
        take(&s, t);
    add(&s.done, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(thieves[i], NULL);
    for (int64_t i = 1; i <= n; i++)
        check_eq(s.seen[i], 1);
    wf_deque_free(&s.d);
    free(s.seen);
}

Test(deque, gives_each_task_to_one_when_owner_and_thieves_race_for_the_last)
{
    stress(test_scaled(300000), 1, 1);
}

Test(deque, gives_each_task_to_one_when_it_grows_under_two_thieves)
{
    stress(test_scaled(300000), 1000, 300);
}

Test(deque, gives_each_task_to_one_when_only_thieves_take)
{
    stress(test_scaled(300000), 64, 0);
}
