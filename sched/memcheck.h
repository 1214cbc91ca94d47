/*
 * memcheck.h - what valgrind, ASan and MSan have to be told
 *
 * Purpose     Valgrind does not know io_uring: neither what the kernel wrote nor that entering it
 *             sleeps; nor does MSan know what it wrote. Valgrind and ASan don't know when a task's
 *             memory is free.
 * Threads     Any.
 * Invariants  A request costs eight instructions where valgrind does not run, and nothing where its
 *             header is missing. The path of every task asks once for all (wf_memcheck_watches) and
 *             makes none.
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

/* wf_memcheck_unuse: the memory must not be touched until it is used again. wf_memcheck_watches:
 * whether a tool hears the two; `p` points to memory that is initialised. Valgrind's other tools
 * answer no. */
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

#endif
