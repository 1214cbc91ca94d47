/* test_owners.c - dumps name the task that holds what another task waits for */
#include "../actors.h"

static struct lines   lines = LINES;
static weft_mutex     mutex;
static weft_rwlock    rwlock;
static weft_once      once;
static weft_condition condition;
static weft_event     release; /* ends the task that holds */
static int64_t        n_hold, n_done;

static weft_runtime *start_logged(int64_t workers)
{
    lines_clear(&lines);
    mutex = (weft_mutex){0};
    rwlock = (weft_rwlock){0};
    once = (weft_once){0};
    condition = (weft_condition){0};
    release = (weft_event){0};
    n_hold = n_done = 0;
    return start_with(&(weft_config){
        .workers = workers, .log = lines_add, .log_arg = &lines, .watchdog_ms = 60000});
}

enum what { MUTEX, TRIED, WRITER, WRITER_TRIED, READER, MAKER, CONDITION };

static void let_go(enum what what)
{
    switch (what) {
    case MUTEX:
    case TRIED:
    case CONDITION:
        weft_mutex_unlock(&mutex);
        break;
    case WRITER:
    case WRITER_TRIED:
        weft_rwlock_unlock_write(&rwlock);
        break;
    case READER:
        weft_rwlock_unlock_read(&rwlock);
        break;
    case MAKER:
        weft_once_end(&once, true);
    }
}

static weft_future *take(weft_wait *wait, enum what what)
{
    switch (what) {
    case WRITER:
    case WRITER_TRIED:
        return weft_rwlock_write(wait, &rwlock);
    case READER:
        return weft_rwlock_read(wait, &rwlock);
    case MAKER:
        return weft_once_begin(wait, &once);
    default:
        return weft_mutex_lock(wait, &mutex);
    }
}

/* Holds it until the event is set. */
struct holder {
    WEFT_FRAME;
    struct {
        enum what what;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(holder)
{
    int64_t n;

    WEFT_BEGIN();
    if (self->in.what == TRIED)
        n = weft_mutex_try_lock(&mutex);
    else if (self->in.what == WRITER_TRIED)
        n = weft_rwlock_try_write(&rwlock);
    else
        WEFT_AWAIT(n, take(&self->wait, self->in.what));
    check(n >= 0);
    add(&n_hold, 1);
    WEFT_AWAIT(n, weft_event_wait(&self->wait, &release));
    let_go(self->in.what);
    WEFT_END(n);
}

/* Takes it, and lets go at once. */
struct taker {
    WEFT_FRAME;
    struct {
        enum what what;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(taker)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, take(&self->wait, self->in.what));
    if (n >= 0 && !(self->in.what == MAKER && n == 0))
        let_go(self->in.what);
    add(&n_done, 1);
    WEFT_END(n);
}

static const void *object_of(enum what what)
{
    if (what == WRITER || what == WRITER_TRIED || what == READER)
        return &rwlock;
    return what == MAKER ? (const void *)&once : (const void *)&mutex;
}

static void check_named(int64_t workers, enum what what, const char *name)
{
    weft_runtime *rt = start_logged(workers);
    weft_handle   first, second;
    char          text[160];

    check_eq(weft_spawn_named(rt, &first, "the owner", holder, what), 0);
    spin_until(&n_hold, 1);
    check_eq(weft_spawn_on(rt, &second, taker, what), 0);
    snprintf(text, sizeof text, ", awaiting %s of %p, held by task the owner (spawned at ", name,
             object_of(what));
    lines_dump_until(&lines, rt, text);
    weft_event_set(&release);
    check_eq(join(rt, &first), 0);
    check_eq(join(rt, &second), 0);
    stop(rt);
}

Test(owners, of_a_mutex)
{
    check_named(1, MUTEX, "weft_mutex_lock");
    check_named(2, MUTEX, "weft_mutex_lock");
    check_named(8, MUTEX, "weft_mutex_lock");
}

Test(owners, of_a_mutex_that_was_tried)
{
    check_named(1, TRIED, "weft_mutex_lock");
    check_named(2, TRIED, "weft_mutex_lock");
}

Test(owners, of_a_rwlock_that_is_locked_for_writing)
{
    check_named(1, WRITER, "weft_rwlock_write");
    check_named(2, WRITER_TRIED, "weft_rwlock_write");
}

Test(owners, of_something_that_is_being_made)
{
    check_named(1, MAKER, "weft_once_begin");
    check_named(2, MAKER, "weft_once_begin");
}

Test(owners, readers_have_no_names)
{
    weft_runtime *rt = start_logged(2);
    weft_handle   first, second;
    char          text[160];

    check_eq(weft_spawn_on(rt, &first, holder, READER), 0);
    spin_until(&n_hold, 1);
    check_eq(weft_spawn_on(rt, &second, taker, WRITER), 0);
    snprintf(text, sizeof text, ", awaiting weft_rwlock_write of %p\n", (void *)&rwlock);
    lines_dump_until(&lines, rt, text);
    weft_event_set(&release);
    check_eq(join(rt, &first), 0);
    check_eq(join(rt, &second), 0);
    stop(rt);
}

/* The lock is passed on, and with it goes the name. */
Test(owners, are_those_that_the_lock_was_passed_to)
{
    weft_runtime *rt = start_logged(2);
    weft_handle   first, second;
    weft_wait     wait;
    char          text[160];

    check_eq(weft_block_on(NULL, weft_mutex_lock(&wait, &mutex)), 0);
    check_eq(weft_spawn_named(rt, &first, "the next", holder, MUTEX), 0);
    snprintf(text, sizeof text, ", awaiting weft_mutex_lock of %p, held by thread %d\n",
             (void *)&mutex, (int)getpid());
    lines_dump_until(&lines, rt, text);
    weft_mutex_unlock(&mutex);
    spin_until(&n_hold, 1);
    check_eq(weft_spawn_on(rt, &second, taker, MUTEX), 0);
    lines_dump_until(&lines, rt, ", held by task the next (spawned at ");
    weft_event_set(&release);
    check_eq(join(rt, &first), 0);
    check_eq(join(rt, &second), 0);
    stop(rt);
}

/* ---- a task that ends with the lock held ---- */

struct leaves {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_wait wait;
    char      large[5000]; /* no other task has a slot of that size */
};
WEFT_ASYNC(leaves)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex));
    WEFT_END(n);
}

Test(owners, that_have_ended_are_not_looked_at)
{
    weft_runtime *rt = start_logged(2);
    weft_handle   handle;

    check_eq(RUN(rt, leaves, 0), 0);
    check_eq(weft_spawn_on(rt, &handle, taker, MUTEX), 0);
    lines_dump_until(&lines, rt, ", held by a task that has ended, or of another runtime\n");
    weft_mutex_unlock(&mutex); /* any thread may unlock */
    check_eq(join(rt, &handle), 0);
    stop(rt);
}

Test(owners, of_another_runtime_have_no_name)
{
    weft_runtime *rt = start_logged(2), *other = start(1);
    weft_handle   first, second;

    check_eq(weft_spawn_on(other, &first, holder, MUTEX), 0);
    spin_until(&n_hold, 1);
    check_eq(weft_spawn_on(rt, &second, taker, MUTEX), 0);
    lines_dump_until(&lines, rt, ", held by a task that has ended, or of another runtime\n");
    weft_event_set(&release);
    check_eq(join(other, &first), 0);
    check_eq(join(rt, &second), 0);
    stop(rt);
    stop(other);
}

/* ---- waits that are within others ---- */

/* Waits for the condition, whose mutex another task has taken after the signal. */
struct conditioned {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(conditioned)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &mutex));
    add(&n_hold, 1);
    WEFT_AWAIT(n, weft_condition_wait(&self->wait, &condition, &mutex));
    weft_mutex_unlock(&mutex);
    WEFT_END(n);
}

Test(owners, of_the_mutex_of_a_condition)
{
    weft_runtime *rt = start_logged(2);
    weft_handle   first, second;
    char          text[160];

    check_eq(weft_spawn_on(rt, &first, conditioned, 0), 0);
    spin_until(&n_hold, 1);
    check_eq(weft_spawn_named(rt, &second, "the owner", holder, MUTEX), 0);
    spin_until(&n_hold, 2);
    weft_condition_signal(&condition);
    snprintf(text, sizeof text,
             ", awaiting weft_condition_wait of %p, held by task the owner (spawned at ",
             (void *)&mutex);
    lines_dump_until(&lines, rt, text);
    weft_event_set(&release);
    check_eq(join(rt, &first), 0);
    check_eq(join(rt, &second), 0);
    stop(rt);
}

/* Waits for the mutex in a select in a timeout. */
struct chooses {
    WEFT_FRAME;
    struct {
        int unused;
    } in;
    struct weft_timeout limit;
    struct weft_select  sel;
    weft_wait           wait;
    struct weft_sleep   nap;
};
WEFT_ASYNC(chooses)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_timeout(&self->limit,
                               weft_select(&self->sel, weft_sleep(&self->nap, WEFT_S(3600)),
                                           weft_mutex_lock(&self->wait, &mutex)),
                               WEFT_S(3600)));
    weft_mutex_unlock(&mutex);
    WEFT_END(n);
}

Test(owners, of_a_branch_of_a_select)
{
    weft_runtime *rt = start_logged(2);
    weft_handle   first, second;
    char          text[160];

    check_eq(weft_spawn_named(rt, &first, "the owner", holder, MUTEX), 0);
    spin_until(&n_hold, 1);
    check_eq(weft_spawn_on(rt, &second, chooses, 0), 0);
    snprintf(text, sizeof text,
             ", awaiting weft_select (weft_sleep, weft_mutex_lock of %p, held by task the owner ",
             (void *)&mutex);
    lines_dump_until(&lines, rt, text);
    weft_event_set(&release);
    check_eq(join(rt, &first), 0);
    check_eq(join(rt, &second), 1);
    stop(rt);
}

struct joins {
    WEFT_FRAME;
    struct {
        weft_handle handle;
    } in;
};
WEFT_ASYNC(joins)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_join(&self->in.handle));
    WEFT_END(n);
}

Test(owners, of_a_join_are_the_joined_tasks)
{
    weft_runtime *rt = start_logged(2);
    weft_handle   first, second;

    check_eq(weft_spawn_named(rt, &first, "the child", holder, MUTEX), 0);
    spin_until(&n_hold, 1);
    check_eq(weft_spawn_on(rt, &second, joins, first), 0);
    lines_dump_until(&lines, rt, ", awaiting weft_join of task the child (spawned at ");
    weft_event_set(&release);
    check_eq(join(rt, &second), 0);
    stop(rt);
}
