/*
 * order.h - every atomic operation of weft
 *
 * Purpose     One place that names the memory orders, so that TSan understands them all and an
 *             explorer can stand in for them.
 * Threads     Any.
 * Invariants  No fences anywhere: TSan can't see them. Where an algorithm asks for one, the
 *             accesses around it are SEQ_CST instead.
 * Ordering    Sites that work together share a tag in their comments: [deque-1]. RELAXED says why.
 *             Flags (below) have two forms: for threads, and for one core with interrupts.
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

/* What an assertion (invariant.h) looks at: no part of any protocol, and no step of an explorer. */
#define wf_peek(p) __atomic_load_n((p), __ATOMIC_RELAXED)

/* A counter with one writer: readers get some recent value, never a torn one. */
#define wf_count(p, n) wf_store((p), wf_load((p), RELAXED) + (n), RELAXED)

/*
 * A flag that anybody raises (wf_flag_raise) and one poller takes: wf_flag_take answers whether it
 * was up. What was written before it was raised is seen after it was taken.
 *
 * Between threads both are swaps. A core like Cortex-M0 has no read-modify-write, and needs none
 * when those who raise are its own interrupt handlers (WF_ONE_CORE): a handler runs from end to end
 * while the poller stands still, so an interrupt comes either
 *  - before the load, which sees the flag up; or
 *  - between a load that saw it up and the store: the store wipes out the second raise, but not
 *    what it stands for: the poller looks only after the store, and so finds what both handlers
 *    wrote; or
 *  - after a load that saw it down, or after the store: the flag stays up for the next look.
 * The middle case is why the store is SEQ_CST: neither compiler nor core may begin the poller's
 * reads before it, which RELEASE would allow. With handlers that interrupt each other nothing
 * changes, since all of them store the same value.
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

/* Concurrency Kit's atomics are inline assembly; these tell TSan what they order. */
#if defined(__SANITIZE_THREAD__)
#define WF_TSAN_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WF_TSAN_ 1
#endif
#endif
#ifdef WF_TSAN_
void __tsan_acquire(void *p);
void __tsan_release(void *p);
#define wf_tsan_acquire(p) __tsan_acquire(p)
#define wf_tsan_release(p) __tsan_release(p)
#else
#define wf_tsan_acquire(p) ((void)(p))
#define wf_tsan_release(p) ((void)(p))
#endif

#define WF_CACHE_LINE 64
#define WF_ALIGNED    __attribute__((aligned(WF_CACHE_LINE)))

#endif
