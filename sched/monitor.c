/* monitor.c - see monitor.h */
#include "monitor.h"

#include "behind.h"
#include "dispatch.h"
#include "driver.h"
#include "executor.h"
#include "stall.h"
#include "task.h"
#include "tasks.h"
#include "timer.h"

#include <string.h>

#define TICK        WEFT_MS(5)
#define QUIET_TICKS 20 /* ticks without a worker awake, after which the monitor sleeps */

void wf_monitor_init(wf_monitor *m, wf_executor *s)
{
    m->executor = s;
    m->awake = 1;
}

/* ---- one look ---- */

static void log_stuck(wf_monitor *m, uint32_t i, int64_t now)
{
    const weft_config *config = &m->executor->rt->config;
    const char *site = wf_load(&m->executor->workers[i]->polls_site, RELAXED); /* constants */
    char        text[WF_TASK_TEXT], remedy[WF_STALL_TEXT];

    if (m->seen[i].logged || !site || now - m->seen[i].since < WEFT_MS(config->watchdog_ms))
        return;
    m->seen[i].logged = true;
    if (!wf_stall_text(m->executor, m->executor->workers[i], remedy))
        strcpy(remedy, "move blocking or long-running work to weft_spawn_blocking");
    wf_log(config, WEFT_LOG_WARNING, "%s has blocked worker %u for %lld ms; %s",
           wf_task_text(text, site), i, (long long)((now - m->seen[i].since) / WEFT_MS(1)), remedy);
    wf_behind_log(m->executor, m->executor->workers[i]);
}

/* Whether the worker is awake and has ended no poll since the last look. */
static bool is_stuck(wf_monitor *m, uint32_t i, int64_t now)
{
    wf_worker *w = m->executor->workers[i];
    uint64_t   progress = wf_worker_progress(w);

    if (progress != m->seen[i].progress || m->seen[i].since == 0 ||
        !wf_load(&w->polls_site, RELAXED)) { /* a hint */
        m->seen[i].progress = progress;
        m->seen[i].since = now;
        m->seen[i].logged = false;
        return false;
    }
    return m->seen[i].since < now;
}

static void inject_from(wf_executor *s, wf_deque *d, int64_t most)
{
    int64_t  length = wf_deque_length_any(d);
    wf_task *t;

    for (int64_t n = length < most ? length : most; n > 0 && (t = wf_deque_steal_any(d)); n--)
        wf_inject_push_any(&s->inject, t, t, 1);
}

static bool inject_slot(wf_executor *s, wf_task **slot)
{
    wf_task *t = wf_worker_take_slot_any(slot);

    if (t)
        wf_inject_push_any(&s->inject, t, t, 1);
    return t != NULL;
}

/* Moves the tasks behind a stuck worker to the injection queue. Busy workers take from it now and
 * then, but would not steal. At first only one of the children moves. The worker may merely be
 * waiting for a CPU, and moving all children into a first-in, first-out queue would turn depth
 * first into breadth first. */
void wf_monitor_move_tasks(wf_worker *w, bool all)
{
    wf_executor *s = w->executor;

    inject_slot(s, &w->lifo);
    inject_from(s, &w->woken, INT64_MAX);
    if (!inject_slot(s, &w->first_child) || all)
        inject_from(s, &w->children, all ? INT64_MAX : 1);
    wf_store(&w->tasks_moved, true, RELAXED); /* a hint */
}

static bool worker_sleeps(const wf_monitor *m, uint32_t i)
{
    return wf_idle_is_sleeping(&m->executor->idle, i); /* [monitor-1] */
}

static bool stands_by(const wf_worker *w)
{
    return wf_worker_stands_by_any(w, w->executor->idle.n_workers);
}

static void log_all_stuck(wf_monitor *m, int64_t now)
{
    const wf_executor *s = m->executor;
    int64_t            limit = WEFT_MS(s->rt->config.watchdog_ms);
    int64_t            before = m->all_stuck ? m->all_stuck : now;

    if (now - before >= limit && before < INT64_MAX - limit) {
        wf_log(&s->rt->config, WEFT_LOG_WARNING,
               "all %u workers and %u spare workers are stuck in a poll while tasks wait",
               s->idle.n_workers, s->idle.n_slots - s->idle.n_workers);
        before = INT64_MAX; /* log it once */
    }
    m->all_stuck = before;
}

/* Wakes or starts a spare worker that stands by. Returns false if all of them are needed already.
 */
static bool wake_spare(wf_monitor *m, int64_t now)
{
    wf_executor *s = m->executor;

    for (uint32_t i = s->idle.n_workers; i < s->idle.n_slots; i++) {
        wf_worker *w = s->workers[i];
        int        r = 0;

        if (!stands_by(w))
            continue;
        wf_store(&w->wanted, true, RELEASE); /* [worker-2] */
        m->seen[i].since = now;
        if (w->has_thread)
            wf_park_wake(&w->park);
        else
            r = wf_worker_start(w);
        if (r < 0) {
            wf_store(&w->wanted, false, RELAXED); /* no thread runs it */
            if (!m->no_thread)
                wf_log(&s->rt->config, WEFT_LOG_WARNING, "can't start a spare worker: %s",
                       strerror(-r));
        }
        m->no_thread = r < 0;
        return true;
    }
    return false;
}

static bool blocks_in_place(const wf_worker *w)
{
    return wf_load(&w->in_place, RELAXED); /* a hint, which [monitor-2] publishes */
}

/* Whether a spare worker is in the place of another one. */
static bool stands_in(const wf_worker *w)
{
    return wf_load(&w->wanted, RELAXED) && !blocks_in_place(w); /* hints */
}

/* How many workers that block in place have no spare worker beside them. Less than 0: there are
 * more spare workers than that. */
static int count_missing_stand_ins(const wf_executor *s)
{
    int n = 0;

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        if (i < s->idle.n_workers)
            n += blocks_in_place(s->workers[i]);
        else
            n -= stands_in(s->workers[i]);
    return n;
}

void wf_monitor_call_stand_in(wf_monitor *m)
{
    if (count_missing_stand_ins(m->executor) <= 0)
        return;
    wf_add(&m->called, 1, RELEASE); /* [monitor-2] */
    wf_futex_wake(&m->called, 1);
}

/* Dismisses the spare workers but for those that stand in for workers that block in place. */
static void dismiss_spares(wf_monitor *m)
{
    wf_executor *s = m->executor;
    int          missing = count_missing_stand_ins(s);

    m->all_stuck = 0;
    for (uint32_t i = s->idle.n_slots; i-- > s->idle.n_workers;) {
        wf_worker *w = s->workers[i];

        if (!wf_load(&w->wanted, RELAXED)) /* the monitor wrote it */
            continue;
        if (stands_in(w) && missing++ >= 0)
            continue;
        wf_store(&w->wanted, false, RELEASE); /* [worker-2] */
        wf_park_wake(&w->park);               /* the worker leaves the mask */
    }
}

/* A child that is the oldest one at three looks has waited for at least 10 ms. */
static void look_at_children(wf_monitor *m, uint32_t i)
{
    wf_worker *w = m->executor->workers[i];
    uint64_t   first = (uint64_t)(uintptr_t)wf_load(&w->first_child, RELAXED);        /* a hint */
    uint64_t   oldest = first ? first : (uint64_t)wf_load(&w->children.top, RELAXED); /* a hint */

    if (wf_worker_children_any(w) == 0 || oldest != m->seen[i].oldest) {
        m->seen[i].oldest = oldest;
        m->seen[i].n_looks = 0;
    } else if (++m->seen[i].n_looks >= 2) {
        m->seen[i].n_looks = 0;
        wf_store(&w->child_waits_long, true, RELAXED); /* a hint */
    }
}

/* What a look has found. */
typedef struct found {
    uint32_t n_awake, n_stuck, n_free;
} found;

static void look_at_worker(wf_monitor *m, uint32_t i, int64_t now, found *f)
{
    wf_executor *s = m->executor;
    bool         spare = i >= s->idle.n_workers;

    if (stands_by(s->workers[i]) || wf_load(&s->workers[i]->away, RELAXED)) /* a hint */
        return;
    if (worker_sleeps(m, i)) {
        m->seen[i].since = now;
        f->n_free += !spare;
        return;
    }
    f->n_awake++;
    if (blocks_in_place(s->workers[i])) {
        m->seen[i].since = now;
        f->n_stuck++;
        return;
    }
    look_at_children(m, i);
    if (!is_stuck(m, i, now)) {
        f->n_free += !spare;
        return;
    }
    /* No progress since the last look: the poll has taken a tick. The tasks behind it move, and
     * after another tick all children do, too. */
    f->n_stuck++;
    if (s->idle.n_slots > 1)
        wf_monitor_move_tasks(s->workers[i], now - m->seen[i].since > TICK + TICK / 2);
    log_stuck(m, i, now);
}

/* Looks at all workers once. Returns whether one is awake. */
static bool look(wf_monitor *m, int64_t now)
{
    wf_executor *s = m->executor;
    found        f = {0};

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        look_at_worker(m, i, now, &f);
    if (f.n_free > 0)
        dismiss_spares(m);
    if (f.n_stuck > 0) {
        wf_load_note_long_poll(&s->load, now);
        wf_driver_open(s->rt->driver);       /* it may wait for a stuck worker */
        wf_driver_end_sparse(s->rt->driver); /* the leader may be stuck */
    }
    for (int n = count_missing_stand_ins(s); n > 0 && wake_spare(m, now) && !m->no_thread; n--)
        ; /* K3 */
    /* Work that waits gets a sleeping worker. Only if every worker that is awake is stuck, and none
     * sleeps, a spare worker is called. */
    if (wf_dispatch_backlog(s) > 0) {
        if (wf_idle_any(&s->idle))
            wf_dispatch_notify_any(s);
        else if (f.n_stuck > 0 && f.n_stuck == f.n_awake && f.n_free == 0 && !wake_spare(m, now))
            log_all_stuck(m, now);
    }
    return f.n_awake > 0;
}

/* ---- the thread ---- */

/* Sleeps until a worker wakes up, unless one is awake after all. It tidies up once it has said that
 * it sleeps and has found all workers asleep: a worker that frees slots later has woken up before,
 * and ends this sleep. */
static void sleep_long(wf_monitor *m)
{
    wf_store(&m->awake, 0, SEQ_CST); /* [monitor-1] */
    for (uint32_t i = 0; i < m->executor->idle.n_slots; i++)
        if (!worker_sleeps(m, i) && !stands_by(m->executor->workers[i]) &&
            !wf_load(&m->executor->workers[i]->away, SEQ_CST)) { /* [monitor-1] */
            wf_store(&m->awake, 1, RELAXED); /* the worst case is one wake in vain */
            return;
        }
    wf_tasks_tidy(m->executor);                /* K4 */
    while (wf_load(&m->awake, SEQ_CST) == 0 && /* [monitor-1] */
           !wf_load(&m->stopping, SEQ_CST)) {  /* [monitor-1] */
        wf_futex_wait(&m->awake, 0, wf_lock_waits_due(m->executor));
        wf_lock_waits_look(m->executor, wf_now());
    }
}

static void *monitor_main(void *arg)
{
    wf_monitor *m = arg;
    uint32_t    called = 0;

    wf_current_thread = (wf_current){.rt = m->executor->rt, .owned = true};
    wf_thread_name("monitor");
    while (!wf_load(&m->stopping, SEQ_CST)) { /* [monitor-1] */
        wf_futex_wait(&m->called, called, wf_now() + TICK);
        called = wf_load(&m->called, ACQUIRE); /* [monitor-2] */
        wf_lock_waits_look(m->executor, wf_now());
        if (look(m, wf_now()))
            m->n_quiet = 0;
        else if (++m->n_quiet >= QUIET_TICKS)
            sleep_long(m);
    }
    return NULL;
}

int wf_monitor_start(wf_monitor *m)
{
    int r = wf_thread_start(&m->thread, monitor_main, m);

    m->has_thread = r == 0;
    return r;
}

void wf_monitor_stop(wf_monitor *m)
{
    if (!m->has_thread)
        return;
    wf_store(&m->stopping, 1, SEQ_CST); /* [monitor-1] */
    wf_add(&m->called, 1, RELEASE);     /* [monitor-2] */
    wf_futex_wake(&m->called, 1);
    wf_monitor_wake_any(m);
    pthread_join(m->thread, NULL);
    m->has_thread = false;
}
