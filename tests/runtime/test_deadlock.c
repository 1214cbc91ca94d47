/* test_deadlock.c - the monitor tells of tasks that wait for each other in a circle */
#include "../actors.h"

#define WATCHDOG_MS 40

static struct lines lines = LINES;
static weft_mutex   mutex[3];
static weft_rwlock  rwlock;
static weft_once    once;
static int64_t      n_hold;   /* tasks that hold what they lock first */
static int64_t      n_joined; /* tasks that don't use their handle any more */

static weft_runtime *start_watching(const weft_config *kind)
{
    weft_config config = *kind;

    lines_clear(&lines);
    memset(mutex, 0, sizeof mutex);
    rwlock = (weft_rwlock){0};
    once = (weft_once){0};
    n_hold = n_joined = 0;
    config.watchdog_ms = WATCHDOG_MS;
    config.log = lines_add;
    config.log_arg = &lines;
    return start_with(&config);
}

/* Several times as long as the monitor needs to see a circle. */
static void wait_for_more(void)
{
    pause_ms(8 * WATCHDOG_MS * test_slow());
}

/* Sleeps a millisecond at a time until n tasks hold what they lock first. */
#define AWAIT_HOLDERS(most)                                                                        \
    do {                                                                                           \
        add(&n_hold, 1);                                                                           \
        while (get(&n_hold) < (most))                                                              \
            WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));                                     \
    } while (0)

/* Locks one, then another one when all tasks have their first. */
struct locks_two {
    WEFT_FRAME;
    struct {
        int first, second;
        int n_tasks;
        int timeout_ms; /* of the second; 0: none */
    } in;
    weft_wait           wait;
    struct weft_sleep   nap;
    struct weft_timeout limit;
};
WEFT_ASYNC(locks_two)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex[self->in.first]));
    if (n < 0)
        WEFT_RETURN(n);
    AWAIT_HOLDERS(self->in.n_tasks);
    if (self->in.timeout_ms > 0)
        WEFT_AWAIT(n,
                   weft_timeout(&self->limit, weft_mutex_lock(&self->wait, &mutex[self->in.second]),
                                WEFT_MS(self->in.timeout_ms)));
    else
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex[self->in.second]));
    if (n == 0)
        weft_mutex_unlock(&mutex[self->in.second]);
    weft_mutex_unlock(&mutex[self->in.first]);
    WEFT_END(n);
}

/* Holds the mutex for some time. */
struct naps_with_mutex {
    WEFT_FRAME;
    struct {
        int     which;
        int64_t duration;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
};
WEFT_ASYNC(naps_with_mutex)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex[self->in.which]));
    add(&n_hold, 1);
    WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.duration));
    weft_mutex_unlock(&mutex[self->in.which]);
    WEFT_END(n);
}

/* ---- circles of locks ---- */

/* The circle is told once. A cancel of one task ends it. */
static void check_two(const weft_config *kind)
{
    weft_runtime *rt = start_watching(kind);
    weft_handle   a, b;
    char          text[512];

    check_eq(weft_spawn_named(rt, &a, "a", locks_two, 0, 1, 2, 0), 0);
    check_eq(weft_spawn_named(rt, &b, "b", locks_two, 1, 0, 2, 0), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    wait_for_more();
    weft_cancel(&a);
    check_eq(join(rt, &a), -ECANCELED);
    check_eq(join(rt, &b), 0);
    stop(rt);
    check_eq(lines.n, 1);
    check_str_contains(lines.text, "deadlock: task ");
    check_str_contains(lines.text,
                       "; no task of the circle can go on by itself: take locks in one order ");
    snprintf(text, sizeof text, "which awaits weft_mutex_lock of %p, held by task ",
             strstr(lines.text, "deadlock: task a ") ? (void *)&mutex[0] : (void *)&mutex[1]);
    check_str_contains(lines.text, text);
    snprintf(text, sizeof text, " awaits weft_mutex_lock of %p, held by task ",
             strstr(lines.text, "deadlock: task a ") ? (void *)&mutex[1] : (void *)&mutex[0]);
    check_str_contains(lines.text, text);
}

Test(deadlock, of_two_tasks_is_told_once)
{
    check_two(&(weft_config){.workers = 1});
    check_two(&(weft_config){.workers = 2});
    check_two(&(weft_config){.workers = 8});
}

Test(deadlock, of_bound_tasks_and_with_the_least_budget)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2, .budget = 1});
    weft_handle   a, b;

    check_eq(weft_spawn_bound(rt, &a, 0, locks_two, 0, 1, 2, 0), 0);
    check_eq(weft_spawn_bound(rt, &b, 1, locks_two, 1, 0, 2, 0), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    weft_cancel(&b);
    check_eq(join(rt, &b), -ECANCELED);
    check_eq(join(rt, &a), 0);
    stop(rt);
    check_eq(lines.n, 1);
}

/* Cancels the task when the circle has been told. */
static void *cancels(void *handle)
{
    EVENTUALLY(lines_count(&lines) > 0);
    weft_cancel(handle);
    return NULL;
}

Test(deadlock, of_a_current_thread_runtime)
{
    weft_runtime *rt = start_watching(&(weft_config){.current_thread = true});
    weft_handle   a, b;
    pthread_t     t;

    check_eq(weft_spawn_on(rt, &a, locks_two, 0, 1, 2, 0), 0);
    check_eq(weft_spawn_on(rt, &b, locks_two, 1, 0, 2, 0), 0);
    t = thread(cancels, &a);
    check_eq(join(rt, &b), 0);
    pthread_join(t, NULL);
    check_eq(join(rt, &a), -ECANCELED);
    stop(rt);
    check_eq(lines.n, 1);
}

Test(deadlock, of_three_tasks_names_all_and_not_those_that_wait_beside)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   handle[4];

    check_eq(weft_spawn_named(rt, &handle[0], "a", locks_two, 0, 1, 3, 0), 0);
    check_eq(weft_spawn_named(rt, &handle[1], "b", locks_two, 1, 2, 3, 0), 0);
    check_eq(weft_spawn_named(rt, &handle[2], "c", locks_two, 2, 0, 3, 0), 0);
    spin_until(&n_hold, 3);
    check_eq(weft_spawn_named(rt, &handle[3], "beside", naps_with_mutex, 0, 0), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    wait_for_more();
    weft_cancel(&handle[0]);
    check_eq(join(rt, &handle[0]), -ECANCELED);
    for (int i = 1; i < 4; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
    check_eq(lines.n, 1);
    check_str_contains(lines.text, "task a (");
    check_str_contains(lines.text, "task b (");
    check_str_contains(lines.text, "task c (");
    check(!strstr(lines.text, "beside"));
}

/* `tail` waits for the circle, and `end` for `tail`. */
Test(deadlock, is_told_once_although_tasks_wait_for_those_that_wait_for_it)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   tail, a, b, end[2];

    check_eq(weft_spawn_named(rt, &tail, "tail", locks_two, 2, 0, 3, 0), 0);
    check_eq(weft_spawn_named(rt, &a, "a", locks_two, 0, 1, 3, 0), 0);
    check_eq(weft_spawn_named(rt, &b, "b", locks_two, 1, 0, 3, 0), 0);
    spin_until(&n_hold, 3);
    for (int i = 0; i < 2; i++)
        check_eq(weft_spawn_named(rt, &end[i], "end", naps_with_mutex, 2, 0), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    lines_dump_until(&lines, rt, "deadlock: "); /* all are idle */
    weft_cancel(&a);
    check_eq(join(rt, &a), -ECANCELED);
    check_eq(join(rt, &b), 0);
    check_eq(join(rt, &tail), 0);
    for (int i = 0; i < 2; i++)
        check_eq(join(rt, &end[i]), 0);
    stop(rt);
    check(!strstr(strstr(lines.text, "deadlock: ") + 1, "deadlock: "));
}

Test(deadlock, that_a_timeout_will_end_is_told)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   a, b;

    check_eq(weft_spawn_on(rt, &a, locks_two, 0, 1, 2, 20 * WATCHDOG_MS * test_slow()), 0);
    check_eq(weft_spawn_on(rt, &b, locks_two, 1, 0, 2, 0), 0);
    check_eq(join(rt, &a), -ETIMEDOUT);
    check_eq(join(rt, &b), 0);
    stop(rt);
    check_eq(lines.n, 1);
    check_str_contains(lines.text, "weft_mutex_lock in weft_timeout of ");
}

/* ---- tasks that wait for themselves ---- */

Test(deadlock, of_a_task_that_locks_what_it_holds)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   handle;
    char          text[160];

    check_eq(weft_spawn_named(rt, &handle, "a", locks_two, 0, 0, 1, 0), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    wait_for_more();
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
    check_eq(lines.n, 1);
    snprintf(text, sizeof text, ") awaits weft_mutex_lock of %p, held by the same task; ",
             (void *)&mutex[0]);
    check_str_contains(lines.text, text);
}

static weft_handle own[2];

/* Joins the task of a handle, when both tasks are there. */
struct joins {
    WEFT_FRAME;
    struct {
        weft_handle *handle;
        int          n_tasks;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    AWAIT_HOLDERS(self->in.n_tasks);
    WEFT_AWAIT(n, weft_join(self->in.handle));
    add(&n_joined, 1);
    WEFT_END(n);
}

Test(deadlock, of_a_task_that_joins_itself)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});

    check_eq(weft_spawn_on(rt, &own[0], joins, &own[0], 2), 0);
    add(&n_hold, 1);
    EVENTUALLY(lines_count(&lines) > 0);
    weft_cancel(&own[0]);
    EVENTUALLY(get(&n_joined) == 1);
    check_eq(join(rt, &own[0]), -ECANCELED);
    stop(rt);
    check_eq(lines.n, 1);
    check_str_contains(lines.text, ") awaits weft_join of the same task; ");
}

Test(deadlock, of_two_tasks_that_join_each_other)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});

    check_eq(weft_spawn_named(rt, &own[0], "a", joins, &own[1], 3), 0);
    check_eq(weft_spawn_named(rt, &own[1], "b", joins, &own[0], 3), 0);
    add(&n_hold, 1);
    EVENTUALLY(lines_count(&lines) > 0);
    wait_for_more();
    weft_cancel(&own[0]);
    EVENTUALLY(get(&n_joined) == 2);
    check(weft_handle_is_empty(&own[0]));    /* b has joined a */
    check_eq(join(rt, &own[1]), -ECANCELED); /* its result is that of a */
    stop(rt);
    check_eq(lines.n, 1);
    check_str_contains(lines.text, " awaits weft_join of task ");
    check_str_contains(lines.text, ", which awaits weft_join of task ");
}

/* ---- circles of different kinds ---- */

/* Takes one of them, lets the other task take the mutex, and then wants that, too. */
enum what { JOIN, WRITER, MAKER };

struct mixes {
    WEFT_FRAME;
    struct {
        enum what what;
        bool      mutex_first;
    } in;
    weft_wait         wait;
    struct weft_sleep nap;
};
WEFT_ASYNC(mixes)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.mutex_first)
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex[0]));
    else if (self->in.what == WRITER)
        WEFT_AWAIT(n, weft_rwlock_write(&self->wait, &rwlock));
    else
        WEFT_AWAIT(n, weft_once_begin(&self->wait, &once));
    check(n >= 0);
    AWAIT_HOLDERS(2);
    if (!self->in.mutex_first)
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex[0]));
    else if (self->in.what == WRITER)
        WEFT_AWAIT(n, weft_rwlock_read(&self->wait, &rwlock));
    else
        WEFT_AWAIT(n, weft_once_begin(&self->wait, &once));
    if (self->in.mutex_first) {
        if (n >= 0 && self->in.what == WRITER)
            weft_rwlock_unlock_read(&rwlock);
        weft_mutex_unlock(&mutex[0]);
    } else {
        if (n >= 0)
            weft_mutex_unlock(&mutex[0]);
        if (self->in.what == WRITER)
            weft_rwlock_unlock_write(&rwlock);
        else
            weft_once_end(&once, true);
    }
    WEFT_END(n);
}

static void check_mixed(enum what what, const char *name)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   a, b;

    check_eq(weft_spawn_on(rt, &a, mixes, what, true), 0);
    check_eq(weft_spawn_on(rt, &b, mixes, what, false), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    weft_cancel(&a);
    check_eq(join(rt, &a), -ECANCELED);
    check_eq(join(rt, &b), 0);
    stop(rt);
    check_eq(lines.n, 1);
    check_str_contains(lines.text, name);
    check_str_contains(lines.text, "awaits weft_mutex_lock of ");
}

Test(deadlock, of_a_mutex_and_a_rwlock)
{
    check_mixed(WRITER, "awaits weft_rwlock_read of ");
}

Test(deadlock, of_a_mutex_and_something_that_is_being_made)
{
    check_mixed(MAKER, "awaits weft_once_begin of ");
}

/* Holds a mutex and joins a task that wants it. */
struct holds_and_joins {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_wait   wait;
    weft_handle child;
};
WEFT_ASYNC(holds_and_joins)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex[0]));
    check_eq(weft_spawn_named(NULL, &self->child, "the child", locks_two, 0, 1, 0, 0), 0);
    WEFT_AWAIT(n, weft_join(&self->child));
    weft_mutex_unlock(&mutex[0]);
    if (n == -ECANCELED)
        weft_detach(&self->child);
    WEFT_END(n);
}

Test(deadlock, of_a_task_that_joins_one_that_waits_for_its_mutex)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   handle;

    check_eq(weft_spawn_named(rt, &handle, "the parent", holds_and_joins, 0), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    weft_cancel(&handle);
    check_eq(join(rt, &handle), -ECANCELED);
    stop(rt);
    check_eq(lines.n, 1);
    check_str_contains(lines.text, "awaits weft_join of task the child (");
    check_str_contains(lines.text, "held by task the parent (");
}

/* ---- no circles ---- */

Test(deadlock, is_not_a_long_wait)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   handle[4];

    for (int i = 0; i < 4; i++)
        check_eq(weft_spawn_on(rt, &handle[i], naps_with_mutex, 0, WEFT_MS(4 * WATCHDOG_MS)), 0);
    for (int i = 0; i < 4; i++)
        check_eq(join(rt, &handle[i]), 0);
    stop(rt);
    check_str_eq(lines.text, "");
}

/* Two parts of one task, each a function of its own, want the mutex in turn. */
struct two_parts {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_join_all   all;
    struct naps_with_mutex part[2];
};
WEFT_ASYNC(two_parts)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(
        n, weft_join_all(&self->all,
                         weft_async(naps_with_mutex, &self->part[0], 0, WEFT_MS(4 * WATCHDOG_MS)),
                         weft_async(naps_with_mutex, &self->part[1], 0, WEFT_MS(4 * WATCHDOG_MS))));
    WEFT_END(n);
}

Test(deadlock, is_not_a_task_of_which_one_part_waits_for_another)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});

    check(RUN(rt, two_parts, 0) >= 0);
    stop(rt);
    check_str_eq(lines.text, "");
}

/* The lock was given to another task, which unlocks it. */
Test(deadlock, is_not_a_lock_that_a_thread_holds)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   handle;
    weft_wait     wait;

    check_eq(weft_block_on(NULL, weft_mutex_lock(&wait, &mutex[0])), 0);
    check_eq(weft_spawn_on(rt, &handle, naps_with_mutex, 0, 0), 0);
    wait_for_more();
    weft_mutex_unlock(&mutex[0]);
    check_eq(join(rt, &handle), 0);
    stop(rt);
    check_str_eq(lines.text, "");
}

/* ---- a dump tells, too ---- */

Test(deadlock, is_told_by_each_dump)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 2});
    weft_handle   a, b;

    check_eq(weft_spawn_on(rt, &a, locks_two, 0, 1, 2, 0), 0);
    check_eq(weft_spawn_on(rt, &b, locks_two, 1, 0, 2, 0), 0);
    EVENTUALLY(lines_count(&lines) > 0);
    for (int i = 0; i < 3; i++)
        lines_dump_until(&lines, rt, "deadlock: "); /* both tasks are idle */
    weft_cancel(&a);
    check_eq(join(rt, &a), -ECANCELED);
    check_eq(join(rt, &b), 0);
    stop(rt);
}

/* ---- storms: the tasks come and go while circles are looked for ---- */

struct locks_often {
    WEFT_FRAME;
    struct {
        int first, n_times;
    } in;
    weft_wait         wait[2];
    struct weft_sleep nap;
};
WEFT_ASYNC(locks_often)
{
    int64_t n;

    WEFT_BEGIN();
    for (; self->in.n_times > 0; self->in.n_times--) {
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait[0], &mutex[0]));
        if (n < 0)
            break;
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait[1], &mutex[1 + self->in.first % 2]));
        if (n == 0) {
            WEFT_YIELD();
            weft_mutex_unlock(&mutex[1 + self->in.first % 2]);
        }
        weft_mutex_unlock(&mutex[0]);
    }
    WEFT_END(0);
}

Test(deadlock, is_not_told_of_many_tasks_that_lock_in_one_order)
{
    weft_runtime *rt = start_watching(&(weft_config){.workers = 8});
    weft_handle   handle[64];
    int64_t       end = weft_now() + WEFT_MS(10 * WATCHDOG_MS);
    int           n = 0;

    for (uint32_t seed = 1; weft_now() < end; n++) {
        for (int i = 0; i < 64; i++)
            check_eq(weft_spawn_on(rt, &handle[i], locks_often, i, 50), 0);
        for (int i = 0; i < 16; i++)
            weft_cancel(&handle[rnd(&seed) % 64]);
        weft_runtime_dump(rt);
        for (int i = 0; i < 64; i++)
            check(join(rt, &handle[i]) <= 0);
    }
    check(n > 0);
    check_eq(weft_mutex_try_lock(&mutex[0]), 0);
    stop(rt);
    check(!strstr(lines.text, "deadlock: "));
}
