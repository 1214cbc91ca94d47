/* visit.c - see visit.h */
#include "visit.h"

#include "clock.h"
#include "futex.h"
#include "invariant.h"

void wf_visit_enter(wf_executor *s)
{
    wf_add(&s->visitors, WF_VISITOR, SEQ_CST); /* [visit-1] [tasks-1] */
}

/* After the subtraction the executor may be freed. The visitor only passes the word's address to
 * the kernel. */
void wf_visit_leave(wf_executor *s)
{
    uint32_t before = wf_sub(&s->visitors, WF_VISITOR, RELEASE); /* [visit-1] */

    WF_ASSERT(before >= WF_VISITOR); /* S3 */
    if (before == (WF_VISITOR | WF_VISITORS_AWAITED))
        wf_futex_wake(&s->visitors, INT32_MAX); /* [visit-1] */
}

bool wf_visit_try(wf_executor *s)
{
    wf_visit_enter(s);
    if (!wf_load(&s->closing, SEQ_CST)) /* [tasks-1] */
        return true;
    wf_visit_leave(s);
    return false;
}

bool wf_visit_wait_gone(wf_executor *s, int64_t until)
{
    uint32_t n;

    while ((n = wf_load(&s->visitors, SEQ_CST)) >= WF_VISITOR) { /* [visit-1] [tasks-1] */
        if (until != WEFT_FOREVER && wf_now() >= until)
            return false;
        if (n & WF_VISITORS_AWAITED)
            wf_futex_wait(&s->visitors, n, until);
        else
            wf_or(&s->visitors, WF_VISITORS_AWAITED, SEQ_CST); /* [visit-1] stays from now on */
    }
    return true;
}

bool wf_visit_any(const wf_executor *s)
{
    return wf_load(&s->visitors, RELAXED) >= WF_VISITOR; /* best effort */
}
