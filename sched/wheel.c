/* wheel.c - see wheel.h */
#include "wheel.h"

#include "invariant.h"
#include "timer.h"

#define FIRE_BATCH  64 /* timers fired or moved in one hold of the lock */
#define LEVEL_SHIFT 6

/* Returns the roundest of the ticks that the timer's accuracy allows, so that timers whose windows
 * overlap fire together. */
uint64_t wf_wheel_tick_of(const struct weft_sleep *nap)
{
    uint64_t first = 1, last;

    if (nap->deadline_ > 0)
        first = ((uint64_t)nap->deadline_ + (1u << WF_WHEEL_TICK_SHIFT) - 1) >> WF_WHEEL_TICK_SHIFT;
    if (nap->accuracy_ == 0)
        return first;
    last = first + nap->accuracy_;
    return last & ~UINT64_C(0) << (63 - __builtin_clzll((first - 1) ^ last));
}

/* The instant at which a tick begins. The last tick is after WEFT_FOREVER, which never comes. */
static int64_t instant_of(uint64_t tick)
{
    return tick > (uint64_t)WEFT_FOREVER >> WF_WHEEL_TICK_SHIFT
               ? WEFT_FOREVER
               : (int64_t)(tick << WF_WHEEL_TICK_SHIFT);
}

/* Puts the timer into its slot. Returns the tick at which the slot begins. */
static uint64_t place(wf_wheel *w, struct weft_sleep *nap)
{
    uint64_t            when = wf_wheel_tick_of(nap);
    uint32_t            level, shift, slot, here;
    struct weft_sleep **list;

    if (when < w->now)
        /* It became due after the caller read the clock: it goes into the slot that fires next. */
        when = w->now;
    /* The highest bit of the XOR is in the first digit that differs, which is the level: M2. */
    level = (63u - (uint32_t)__builtin_clzll((w->now ^ when) | 63)) / LEVEL_SHIFT;
    /* The top level is a ring, so its slots hold the next lap, too. A timer beyond that goes into
     * the slot that comes last, and is placed again when that comes. */
    if (level >= WF_WHEEL_LEVELS) {
        level = WF_WHEEL_LEVELS - 1;
        here = w->now >> (level * LEVEL_SHIFT) & 63;
        slot = when >> (level * LEVEL_SHIFT) & 63;
        if (when - w->now >= UINT64_C(1) << (WF_WHEEL_LEVELS * LEVEL_SHIFT) || slot == here)
            when = w->now + (UINT64_C(63) << (level * LEVEL_SHIFT));
    }
    shift = level * LEVEL_SHIFT;
    slot = when >> shift & 63;
    list = &w->slot[level][slot][w->lane++ % WF_WHEEL_LANES];
    WF_ASSERT(when >= w->now && level < WF_WHEEL_LEVELS);                            /* M2 */
    WF_ASSERT(!*list || (w->occupied[level] >> slot & 1 && (*list)->link_ == list)); /* M6 */
    nap->link_ = list;
    nap->next_ = *list;
    if (nap->next_)
        nap->next_->link_ = &nap->next_;
    *list = nap;
    w->occupied[level] |= UINT64_C(1) << slot;
    return when >> shift << shift;
}

static bool is_empty(struct weft_sleep *const lanes[WF_WHEEL_LANES])
{
    for (uint32_t i = 0; i < WF_WHEEL_LANES; i++)
        if (lanes[i])
            return false;
    return true;
}

void wf_wheel_remove_locked(wf_wheel *w, struct weft_sleep *nap)
{
    size_t at = ((uintptr_t)nap->link_ - (uintptr_t)w->slot) / sizeof w->slot[0][0];

    WF_ASSERT(*nap->link_ == nap && (!nap->next_ || nap->next_->link_ == &nap->next_));   /* M6 */
    WF_ASSERT(at >= (size_t)WF_WHEEL_LEVELS * 64 || w->occupied[at / 64] >> at % 64 & 1); /* M6 */
    /* link_ spares a walk along the list: it is the head or the next_ of the timer before. */
    *nap->link_ = nap->next_;
    if (nap->next_)
        nap->next_->link_ = nap->link_;
    else if (at < (size_t)WF_WHEEL_LEVELS * 64 && is_empty(w->slot[at / 64][at % 64]))
        /* The timer was the last one of its slot. */
        w->occupied[at / 64] &= ~(UINT64_C(1) << at % 64);
}

/* Finds the first slot to come and the tick at which it begins. Returns false if the wheel is
 * empty. Of two slots that begin together it takes the higher one: its timers must move down before
 * those of the lower one fire. */
static bool first_slot(const wf_wheel *w, uint32_t *ret_level, uint32_t *ret_slot,
                       uint64_t *ret_tick)
{
    bool found = false;

    *ret_level = *ret_slot = 0;
    *ret_tick = 0;
    for (uint32_t level = 0; level < WF_WHEEL_LEVELS; level++) {
        uint32_t shift = level * LEVEL_SHIFT;
        uint32_t here = w->now >> shift & 63, slot;
        uint64_t from_here = w->occupied[level] >> here;
        uint64_t lap = UINT64_C(1) << (shift + LEVEL_SHIFT);
        uint64_t tick = w->now & ~(lap - 1);

        if (!w->occupied[level])
            continue;
        /* Slots before `here` have passed in this lap. Only the top level, which is a ring, has
         * timers in them: for its next lap. */
        if (from_here) {
            slot = here + (uint32_t)__builtin_ctzll(from_here);
        } else {
            slot = (uint32_t)__builtin_ctzll(w->occupied[level]);
            tick += lap;
        }
        tick += (uint64_t)slot << shift;
        if (found && tick > *ret_tick)
            continue;
        *ret_level = level;
        *ret_slot = slot;
        *ret_tick = tick;
        found = true;
    }
    return found;
}

void wf_wheel_set_next_locked(wf_wheel *w)
{
    uint32_t level, slot;
    uint64_t tick;
    int64_t  next = WEFT_FOREVER;

    if (first_slot(w, &level, &slot, &tick))
        next = instant_of(tick);
    wf_store(&w->next, next, SEQ_CST); /* [driver-1] */
}

bool wf_wheel_arm_locked(wf_wheel *w, struct weft_sleep *nap)
{
    int64_t next = instant_of(place(w, nap));

    if (next >= w->next)
        return false;
    wf_store(&w->next, next, SEQ_CST); /* [driver-1] */
    return true;
}

static void count_late(wf_timers *t, const struct weft_sleep *nap, int64_t now)
{
    int64_t  late = now - nap->deadline_ - ((int64_t)nap->accuracy_ << WF_WHEEL_TICK_SHIFT);
    uint64_t n = late > 0 ? (uint64_t)late : 0;
    uint32_t i = 63u - (uint32_t)__builtin_clzll(n >> 15 | 1);

    wf_count(&t->n_fired, 1);
    wf_count(&t->late.sum, n);
    wf_count(&t->late.bucket[i < WEFT_LATE_BUCKETS ? i : WEFT_LATE_BUCKETS - 1], 1);
    if (n > t->late.max)
        wf_store(&t->late.max, n, RELAXED); /* a counter */
}

static void fire_one(wf_wheel *w, struct weft_sleep *nap, int64_t now, wf_wakes *wakes)
{
    count_late(w->timers, nap, now);
    wf_waker_fire(&nap->waker_, wakes);
    wf_store(&nap->state_, WF_NAP_FIRED, RELEASE); /* [timer-1] M4: the last touch */
}

/* Returns the slot's next timer. Timers and their tasks are mostly not in the cache, and a list
 * reveals its next timer only once this one is loaded. So a slot has several lists, which are taken
 * in turn: the successor in each list is prefetched while the timers of the other lists are
 * processed. */
static struct weft_sleep *next_of(struct weft_sleep *const lanes[WF_WHEEL_LANES], uint32_t *lane,
                                  bool to_fire)
{
    struct weft_sleep *nap, *soon;

    do
        nap = lanes[ *lane = (*lane + 1) % WF_WHEEL_LANES];
    while (!nap);
    if (nap->next_) {
        __builtin_prefetch(&nap->next_->waker_, 1);
        __builtin_prefetch(&nap->next_->state_, 1);
    }
    soon = lanes[(*lane + WF_WHEEL_LANES / 2) % WF_WHEEL_LANES];
    if (to_fire && soon)
        __builtin_prefetch(soon->waker_.data, 1);
    return nap;
}

bool wf_wheel_fire_locked(wf_wheel *w, int64_t now, wf_wakes *wakes)
{
    uint64_t tick, now_tick = (uint64_t)now >> WF_WHEEL_TICK_SHIFT;
    uint32_t level, slot, lane = 0, n = 0;

    while (first_slot(w, &level, &slot, &tick) && tick <= now_tick) {
        WF_ASSERT(instant_of(tick) >= w->next); /* M3 */
        if (tick > w->now)
            w->now = tick;
        for (; w->occupied[level] >> slot & 1; n++) {
            struct weft_sleep *nap;

            if (n == FIRE_BATCH || wf_wakes_full(wakes))
                return true;
            nap = next_of(w->slot[level][slot], &lane, level == 0);
            wf_wheel_remove_locked(w, nap);
            /* At a higher level the slot has begun, but the timer's own tick may come later. */
            if (wf_wheel_tick_of(nap) > w->now)
                place(w, nap);
            else
                fire_one(w, nap, now, wakes);
        }
    }
    if (now_tick > w->now)
        w->now = now_tick;
    wf_wheel_set_next_locked(w);
    return false;
}
