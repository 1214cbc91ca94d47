/* held.c - see held.h */
#include "held.h"

#include "lock_waits.h"
#include "rt.h"

int64_t wf_held_poll(weft_wait *wait, const weft_context *cx, bool cancelled, bool has_budget,
                     weft_waits_ *waits, const wf_wait_kind *kind)
{
    bool     is_new = wf_wait_is_new(wait);
    uint32_t age;
    int64_t  answer;

    if (is_new && !cancelled) {                   /* before another thread can see the wait */
        wait->answer_ = (int64_t)wf_owner_of(cx); /* E1 */
        wait->n_ |= wf_lock_waits_age() << WF_HELD_OWN_BITS; /* E2 */
    } else if (__builtin_expect(wf_wait_is_kept(wait), 0)) {
        wait->answer_ = (int64_t)wf_owner_of(cx); /* E1: while it is kept no thread asks it */
    }
    age = wait->n_ >> WF_HELD_OWN_BITS;
    answer = wf_wait_poll(wait, cx, cancelled, has_budget, waits, kind);
    if (is_new && answer == -EAGAIN)
        wf_lock_waits_begin(age);
    else if (!is_new && answer != -EAGAIN)
        wf_lock_waits_end(age);
    return answer;
}

WF_SELDOM weft_poll wf_held_begin_unpaid(weft_wait *wait, const weft_context *cx,
                                         weft_waits_ *waits, const wf_wait_kind *kind)
{
    uint32_t age = wf_lock_waits_age();

    wait->answer_ = (int64_t)wf_owner_of(cx); /* E1 */
    wait->n_ |= age << WF_HELD_OWN_BITS;      /* E2 */
    (void)wf_wait_poll(wait, cx, false, false, waits, kind);
    if (wf_wait_is_new(wait))
        wait->n_ -= age << WF_HELD_OWN_BITS; /* the next poll begins it */
    else
        wf_lock_waits_begin(age);
    return WEFT_PENDING;
}

weft_poll wf_held_poll_future(weft_future *future, weft_context *cx, weft_waits_ *waits,
                              const wf_wait_kind *kind)
{
    weft_wait *wait = weft_container(future, weft_wait, future);
    bool       cancelled = weft_future_is_cancelled(future);
    bool       has_budget = cancelled || weft_context_spend(cx);
    int64_t    answer = wf_held_poll(wait, cx, cancelled, has_budget, waits, kind);

    return answer == -EAGAIN ? WEFT_PENDING : weft_ready(future, answer);
}

bool wf_held_find(const weft_future *future, weft_waits_ *waits, const uint64_t *word,
                  uint64_t *ret_word)
{
    bool queued;

    wf_lock(&waits->lock_); /* it orders the answer and the word that names the new owner */
    queued = wf_wait_is_queued(weft_container(future, weft_wait, future));
    if (queued)
        *ret_word = wf_load(word, RELAXED); /* of a mutex, a lock without waits may change it */
    wf_unlock(&waits->lock_);
    return queued;
}
