/*
 * order.h - every atomic operation of weft
 *
 * Purpose     One place that names the memory orders, so that TSan understands them all and an
 *             explorer can stand in for them.
 * Threads     Any.
 * Invariants  No fences anywhere: TSan can't see them. Where an algorithm asks for one, the accesses
 *             around it are SEQ_CST instead.
 * Ordering    Sites that work together share a tag in their comments: [deque-1]. RELAXED says why.
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

/* A counter with one writer: readers get some recent value, never a torn one. */
#define wf_count(p, n) wf_store((p), wf_load((p), RELAXED) + (n), RELAXED)

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
