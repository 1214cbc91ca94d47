/*
 * deadlock.c - a task that holds a lock while it awaits: a thread's mutex stops other workers, a
 *              weft_mutex does not
 *
 *     deadlock       the watchdog's line about the thread's mutex, and what became of both
 *
 * In both tries a task on worker 1 locks, and holds the lock until a task on worker 0 has run, for
 * half a second at most. Meanwhile another task on worker 0 wants the lock. docs/sharing.md
 * explains it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <weft.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static weft_mutex      cure;
static weft_event      is_locked, has_run;

/* ---- what not to do ---- */

struct holds {
    WEFT_FRAME;
    struct {
        int64_t ms;
    } in;
    weft_wait           wait;
    struct weft_timeout limit;
};
WEFT_ASYNC(holds)
{
    int64_t n;

    WEFT_BEGIN();
    pthread_mutex_lock(&mutex);
    weft_event_set(&is_locked);
    /* Wrong: the mutex is held meanwhile. */
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_event_wait(&self->wait, &has_run),
                               WEFT_MS(self->in.ms)));
    pthread_mutex_unlock(&mutex);
    WEFT_END(n);
}

struct wants {
    WEFT_FRAME;
    struct {
        int64_t result;
    } in;
};
WEFT_ASYNC(wants)
{
    WEFT_BEGIN();
    pthread_mutex_lock(&mutex); /* the worker stops here, with all of its tasks */
    pthread_mutex_unlock(&mutex);
    WEFT_END(self->in.result);
}

/* ---- the cure ---- */

struct holds_well {
    WEFT_FRAME;
    struct {
        int64_t ms;
    } in;
    weft_wait           wait;
    struct weft_timeout limit;
};
WEFT_ASYNC(holds_well)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &cure));
    if (n < 0)
        WEFT_RETURN(n); /* cancelled: the mutex is not held */
    weft_event_set(&is_locked);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_event_wait(&self->wait, &has_run),
                               WEFT_MS(self->in.ms)));
    weft_mutex_unlock(&cure);
    WEFT_END(n);
}

struct wants_well {
    WEFT_FRAME;
    struct {
        int64_t result;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(wants_well)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &cure));
    if (n < 0)
        WEFT_RETURN(n);
    weft_mutex_unlock(&cure);
    WEFT_END(self->in.result);
}

/* ---- both ---- */

struct runs {
    WEFT_FRAME;
    struct {
        int64_t result;
    } in;
};
WEFT_ASYNC(runs)
{
    WEFT_BEGIN();
    weft_event_set(&has_run);
    WEFT_END(self->in.result);
}

/* Returns how the wait of the task that holds the lock has ended. */
static int64_t try(weft_runtime *rt, bool well)
{
    weft_handle holder, waiter;
    weft_wait   wait;
    int64_t     n;

    weft_event_reset(&is_locked);
    weft_event_reset(&has_run);
    n = well ? weft_spawn_bound(rt, &holder, 1, holds_well, .ms = 500)
             : weft_spawn_bound(rt, &holder, 1, holds, .ms = 500);
    if (n < 0)
        return n;
    weft_block_on(rt, weft_event_wait(&wait, &is_locked));
    n = well ? weft_spawn_bound(rt, &waiter, 0, wants_well, 0)
             : weft_spawn_bound(rt, &waiter, 0, wants, 0);
    if (n == 0) {
        n = weft_spawn_bound(rt, NULL, 0, runs, 0);
        weft_block_on(rt, weft_join(&waiter));
    }
    return weft_block_on(rt, weft_join(&holder));
}

static void report(const char *lock, int64_t n)
{
    printf("%s: %s\n", lock,
           n == 0            ? "held until the other task had run"
           : n == -ETIMEDOUT ? "held for half a second, and no other task could run"
                             : "not tried");
}

int main(void)
{
    weft_runtime *rt;

    if (weft_runtime_start(&(weft_config){.workers = 2, .watchdog_ms = 100}, &rt) < 0)
        return 1;
    report("pthread_mutex_t", try(rt, false));
    report("weft_mutex", try(rt, true));
    return weft_runtime_stop(rt, WEFT_S(5)) < 0;
}
