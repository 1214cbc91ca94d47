/*
 * stress.h - the records of a storm of tasks
 *
 * Every task of a storm has a number. Under that number the test notes that the task began and
 * ended once, its result, and that its joiner got the same result. What a task does follows from
 * the seed, but not the order in which the threads do it. STRESS_SEED=7 chooses the seed.
 */
#ifndef STRESS_H
#define STRESS_H

#include "../helpers.h"

#include <unistd.h>

#define STRESS_SLOW (TEST_SANITIZED ? 10 : 1) /* sanitizers cost about that much */

enum { SPAWNED = 1, BEGUN = 2, ENDED = 4, HEARD = 8, ASKED = 16 }; /* ASKED to end */

#define LIVE_MOST  1000 /* tasks at a time */
#define MARKET     64   /* handles on offer */
#define PARCELS    256  /* futures that a foreign thread is to complete */
#define KEPT       64   /* wakers a foreign thread keeps for later */
#define FOREIGNERS 2
#define HUNG_AFTER 20 /* seconds without progress */

struct child {
    weft_handle handle;
    int64_t     id; /* -1: none */
};

struct parcel; /* stress_leaves.h */

static struct stress {
    weft_runtime  *rt;
    uint64_t       seed;
    struct memory  memory;
    weft_allocator allocator;
    int64_t        n_tasks, next; /* numbers from 0 */
    int64_t        n_spawned, n_begun, n_ended, n_steps;
    int64_t        n_defers, n_deferred; /* calls put off, and those that ran */
    uint32_t      *state;
    int64_t       *outcome;
    int64_t        stopping; /* any task may be cancelled */
    int64_t        quit;     /* the foreign threads leave */
    int64_t        loud;     /* the log goes to standard error */

    pthread_mutex_t mutex; /* of what follows */
    int             n_offers, n_parcels;
    struct child    offer[MARKET];
    struct parcel  *parcel[PARCELS];
} storm;

/* ---- chance ---- */

static inline uint64_t chance(uint64_t *random)
{
    uint64_t z = *random += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static inline bool one_in(uint64_t *random, uint64_t n)
{
    return chance(random) % n == 0;
}

static inline uint64_t seed_of(int64_t id)
{
    uint64_t random = storm.seed + (uint64_t)id * 0x632be59bd9b4e019;

    return chance(&random);
}

/* ---- the life of task number id ---- */

static inline uint32_t note(int64_t id, uint32_t what)
{
    return __atomic_fetch_or(&storm.state[id], what, __ATOMIC_ACQ_REL);
}

/* A number for one more task, or -1: enough live now, or all have been. */
static inline int64_t new_id(void)
{
    int64_t id;

    if (get(&storm.n_spawned) - get(&storm.n_ended) >= LIVE_MOST ||
        get(&storm.next) >= storm.n_tasks)
        return -1;
    id = add(&storm.next, 1) - 1;
    if (id >= storm.n_tasks)
        return -1;
    add(&storm.n_spawned, 1);
    check_eq(note(id, SPAWNED), 0);
    return id;
}

/* Checks the result of a spawn. Returns false if the runtime stops: then there is no task. */
static inline bool spawned(int64_t id, int r)
{
    check(r == 0 || (r == -ESHUTDOWN && get(&storm.stopping)));
    if (r == 0)
        return true;
    check_eq(note(id, ENDED), SPAWNED);
    add(&storm.n_begun, 1);
    add(&storm.n_ended, 1);
    return false;
}

static inline void begins(int64_t id)
{
    check_eq(note(id, BEGUN) & (BEGUN | ENDED), 0);
    add(&storm.n_begun, 1);
}

/* A deferred call, which runs after the rest of the task. */
static inline void ends(void *id)
{
    check_eq(note((intptr_t)id, ENDED) & (BEGUN | ENDED), BEGUN);
    add(&storm.n_deferred, 1);
    add(&storm.n_ended, 1);
}

/* Notes the result that the task is about to return. */
static inline int64_t answers(int64_t id, int64_t result)
{
    __atomic_store_n(&storm.outcome[id], result, __ATOMIC_RELEASE);
    return result;
}

/* A task or thread has joined the child. */
static inline void heard(struct child *c, int64_t result)
{
    uint32_t was = note(c->id, HEARD);

    check_eq(was & (SPAWNED | BEGUN | ENDED | HEARD), SPAWNED | BEGUN | ENDED);
    check_eq(result, get(&storm.outcome[c->id]));
    check_eq(result == -EOWNERDEAD, weft_handle_panic(&c->handle) != NULL);
    check(result != -ECANCELED || (was & ASKED) || get(&storm.stopping));
    check(weft_handle_is_empty(&c->handle));
    c->id = -1;
}

static inline void ask_to_end(struct child *c)
{
    note(c->id, ASKED);
    weft_cancel(&c->handle);
}

static inline void give_up(struct child *c)
{
    if (c->id >= 0)
        weft_detach(&c->handle);
    c->id = -1;
}

/* ---- the market: handles go from task to task ---- */

static inline bool market_put(struct child *c)
{
    bool room;

    pthread_mutex_lock(&storm.mutex);
    room = storm.n_offers < MARKET;
    if (room) {
        storm.offer[storm.n_offers++] = *c;
        c->id = -1;
    }
    pthread_mutex_unlock(&storm.mutex);
    return room;
}

/* Takes only a task that is younger than `id`, so that no circle of tasks waits for each other. */
static inline bool market_take(struct child *ret, int64_t id)
{
    bool found = false;

    pthread_mutex_lock(&storm.mutex);
    for (int i = storm.n_offers; i-- > 0 && !found;)
        if (storm.offer[i].id > id) {
            *ret = storm.offer[i];
            storm.offer[i] = storm.offer[--storm.n_offers];
            found = true;
        }
    pthread_mutex_unlock(&storm.mutex);
    return found;
}

/* ---- watching ---- */

static inline void storm_log(void *arg, weft_log_level level, const char *line)
{
    (void)arg;
    if (strstr(line, "is still open") && !get(&storm.stopping)) /* else the market has some */
        test_fail(__FILE__, __LINE__, "%s", line);
    if (get(&storm.loud) || (level == WEFT_LOG_WARNING && !get(&storm.stopping)))
        fprintf(stderr, "weft: %s\n", line);
}

/* Waits until *count reaches the goal. If nothing happens for `seconds`, dumps all tasks to the log
 * and returns false. Each event of a storm raises n_steps or n_ended. */
static inline bool watch(weft_runtime *rt, const int64_t *count, int64_t goal, int64_t seconds)
{
    int64_t before = -1, since = weft_now();

    while (get(count) < goal) {
        int64_t progress = get(&storm.n_steps) + get(&storm.n_ended);

        if (progress != before) {
            before = progress;
            since = weft_now();
        } else if (weft_now() - since > WEFT_S(seconds) * test_slow()) {
            add(&storm.loud, 1);
            weft_runtime_dump(rt);
            return false;
        }
        usleep(200);
    }
    return true;
}

#endif
