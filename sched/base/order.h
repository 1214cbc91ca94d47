/*
 * order.h - every atomic operation of weft
 *
 * Purpose     One place that names the memory orders, so that TSan understands all of them and an
 *             explorer can replace them.
 * Threads     Any.
 * Invariants  No fences anywhere: TSan can't see them. Where an algorithm asks for a fence, the
 *             accesses around it are SEQ_CST instead.
 * Ordering    Sites that work together share a tag in their comments: [deque-1]. A RELAXED access
 *             says why it may be. Flags (below) have two forms: for threads, and for one core with
 *             interrupts.
 * Failure     None.
 */
#ifndef WF_ORDER_H
#define WF_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define WF_ORDER_RELAXED __ATOMIC_RELAXED
#define WF_ORDER_ACQUIRE __ATOMIC_ACQUIRE
#define WF_ORDER_RELEASE __ATOMIC_RELEASE
#define WF_ORDER_ACQ_REL __ATOMIC_ACQ_REL
#define WF_ORDER_SEQ_CST __ATOMIC_SEQ_CST

#define wf_load(p, order)     __atomic_load_n((p), WF_ORDER_##order)
#define wf_store(p, v, order) __atomic_store_n((p), (v), WF_ORDER_##order)
#define wf_swap(p, v, order)  __atomic_exchange_n((p), (v), WF_ORDER_##order)
#define wf_add(p, v, order)   __atomic_fetch_add((p), (v), WF_ORDER_##order)
#define wf_sub(p, v, order)   __atomic_fetch_sub((p), (v), WF_ORDER_##order)
#define wf_or(p, v, order)    __atomic_fetch_or((p), (v), WF_ORDER_##order)
#define wf_and(p, v, order)   __atomic_fetch_and((p), (v), WF_ORDER_##order)
/* On failure the value found is written to *expected, with ACQUIRE. */
#define wf_cas(p, expected, v, order)                                                              \
    __atomic_compare_exchange_n((p), (expected), (v), false, WF_ORDER_##order, __ATOMIC_ACQUIRE)

/* A look for an assertion (invariant.h). It is no part of any protocol, and no step of an
 * explorer. */
#define wf_peek(p) __atomic_load_n((p), __ATOMIC_RELAXED)

/* A counter with one writer. Readers get a recent value, never a torn one. */
#define wf_count(p, n) wf_store((p), wf_load((p), RELAXED) + (n), RELAXED)

/*
 * A flag that any thread raises (wf_flag_raise) and one poller takes. wf_flag_take returns whether
 * it was up. What a thread wrote before it raised the flag is seen after the flag was taken.
 *
 * Between threads both are swaps. A core like Cortex-M0 has no read-modify-write. It needs none
 * when only its own interrupt handlers raise the flag (WF_ONE_CORE): a handler runs from end to end
 * while the poller stands still. So an interrupt comes at one of three moments:
 *  - Before the load. The load sees the flag up.
 *  - Between a load that saw the flag up and the store. The store wipes out the second raise. No
 *    event is lost, because the poller looks for events only after the store, and so finds what
 *    both handlers wrote.
 *  - After a load that saw the flag down, or after the store. The flag stays up for the next look.
 * The middle case is why the store is SEQ_CST: neither compiler nor core may begin the poller's
 * reads before it, which RELEASE would allow. Handlers that interrupt each other change nothing,
 * since all of them store the same value.
 */
#ifndef WF_ONE_CORE
#define WF_ONE_CORE (__STDC_HOSTED__ == 0)
#endif
#if WF_ONE_CORE
#define wf_flag_raise(p) wf_store((p), 1, RELEASE)
#define wf_flag_take(p)  (wf_load((p), ACQUIRE) != 0 && (wf_store((p), 0, SEQ_CST), true))
#else
#define wf_flag_raise(p) ((void)wf_swap((p), 1, ACQ_REL))
#define wf_flag_take(p)  (wf_swap((p), 0, ACQ_REL) != 0)
#endif

/* Whether the program runs under TSan. */
#if defined(__SANITIZE_THREAD__)
#define WF_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WF_TSAN_ 1
#endif
#endif

#define WF_CACHE_LINE 64
#define WF_ALIGNED    __attribute__((aligned(WF_CACHE_LINE)))

#endif
