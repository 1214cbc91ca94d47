/*
 * memcheck.h - requests to valgrind, ASan and MSan
 *
 * Purpose     Valgrind does not know what io_uring wrote, nor that entering it sleeps. MSan does
 *             not know what it wrote, either. Valgrind and ASan don't know when a task's memory is
 *             free.
 * Threads     Any.
 * Invariants  A request costs eight instructions where valgrind does not run, and nothing where its
 *             header is missing. The path of every task makes no requests: it asks once for all
 *             whether a tool watches (wf_memcheck_watches).
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_MEMCHECK_H
#define WF_MEMCHECK_H

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#define WF_MSAN_ 1
#endif
#endif
#ifdef WF_MSAN_
#include <sanitizer/msan_interface.h>
#define wf_memcheck_running()     false
#define wf_memcheck_defined(p, n) __msan_unpoison((p), (n))
#elif defined(WEFT_VALGRIND)
#include <valgrind/memcheck.h>
#define wf_memcheck_running()     (RUNNING_ON_VALGRIND != 0)
#define wf_memcheck_defined(p, n) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (n)))
#else
#define wf_memcheck_running()     false
#define wf_memcheck_defined(p, n) ((void)(p), (void)(n))
#endif

/* wf_memcheck_unuse: no thread must touch the memory before wf_memcheck_use. wf_memcheck_watches:
 * whether a tool acts on these two; `p` points to initialised memory. Under valgrind's other tools
 * the answer is false. */
#if defined(__SANITIZE_ADDRESS__)
#define WF_ASAN_ 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WF_ASAN_ 1
#endif
#endif
#ifdef WF_ASAN_
#include <sanitizer/asan_interface.h>
#define wf_memcheck_watches(p)  ((void)(p), true)
#define wf_memcheck_use(p, n)   ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define wf_memcheck_unuse(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#elif defined(WEFT_VALGRIND) && !defined(WF_MSAN_)
#define wf_memcheck_watches(p)  (VALGRIND_MAKE_MEM_DEFINED((p), sizeof *(p)) != 0)
#define wf_memcheck_use(p, n)   ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (n)))
#define wf_memcheck_unuse(p, n) ((void)VALGRIND_MAKE_MEM_NOACCESS((p), (n)))
#else
#define wf_memcheck_watches(p)  ((void)(p), false)
#define wf_memcheck_use(p, n)   ((void)(p), (void)(n))
#define wf_memcheck_unuse(p, n) ((void)(p), (void)(n))
#endif

/* Valgrind must know which memory is a stack, or it takes a switch for one huge local variable. */
#if defined(WEFT_VALGRIND) && !defined(WF_MSAN_)
#define wf_memcheck_stack_begins(low, high) VALGRIND_STACK_REGISTER((low), (high))
#define wf_memcheck_stack_ends(id)          VALGRIND_STACK_DEREGISTER(id)
#else
#define wf_memcheck_stack_begins(low, high) ((void)(low), (void)(high), 0u)
#define wf_memcheck_stack_ends(id)          ((void)(id))
#endif

#endif
