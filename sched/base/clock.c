/* clock.c - see clock.h */
#include "clock.h"

#include "lock.h"

void wf_clock_init(wf_clock *c)
{
    /* Right also for a thread that does not see `used` yet. */
    *c = (wf_clock){.stopped_at = WF_CLOCK_RUNS};
}

WF_SELDOM int64_t wf_clock_now_moved(const wf_clock *c)
{
    int64_t at = wf_load(&c->stopped_at, ACQUIRE); /* [clock-1] */

    /* The offset was acquired with stopped_at. */
    return at != WF_CLOCK_RUNS ? at : wf_after(wf_now(), wf_load(&c->offset, RELAXED)); /* O2 */
}

void wf_clock_set(wf_clock *c, weft_clock mode)
{
    wf_lock(&c->lock);
    wf_store(&c->used, true, RELAXED); /* see wf_clock_init */
    if (mode == WEFT_CLOCK_RUNS && c->stopped_at != WF_CLOCK_RUNS) {
        wf_store(&c->offset, c->stopped_at - wf_now(), RELAXED); /* stopped_at releases it */
        wf_store(&c->stopped_at, WF_CLOCK_RUNS, RELEASE);        /* [clock-1] */
    } else if (mode != WEFT_CLOCK_RUNS && c->stopped_at == WF_CLOCK_RUNS) {
        wf_store(&c->stopped_at, wf_clock_now_moved(c), RELEASE); /* [clock-1] */
    }
    wf_store(&c->jumps, mode == WEFT_CLOCK_JUMPS, RELEASE); /* [clock-1] */
    wf_unlock(&c->lock);
}

bool wf_clock_move(wf_clock *c, int64_t duration)
{
    bool stopped;

    wf_lock(&c->lock);
    stopped = c->used && c->stopped_at != WF_CLOCK_RUNS;
    if (stopped)
        wf_store(&c->stopped_at, wf_after(c->stopped_at, duration), RELEASE); /* [clock-1] */
    wf_unlock(&c->lock);
    return stopped;
}

bool wf_clock_is_quiet(wf_clock *c, weft_runtime *rt)
{
    bool quiet;

    wf_lock(&c->lock);
    quiet = c->jumps && wf_load(&c->is_quiet, RELAXED)(rt); /* constant once it is set */
    wf_unlock(&c->lock);
    return quiet;
}

void wf_clock_end(wf_clock *c)
{
    wf_lock(&c->lock);
    wf_store(&c->jumps, false, RELAXED); /* readers that need it take the lock */
    wf_unlock(&c->lock);
}

bool wf_clock_jump(wf_clock *c, int64_t instant)
{
    bool jumps;

    wf_lock(&c->lock);
    jumps = c->jumps;
    if (jumps && instant > c->stopped_at)
        wf_store(&c->stopped_at, instant, RELEASE); /* [clock-1] */
    wf_unlock(&c->lock);
    return jumps;
}
