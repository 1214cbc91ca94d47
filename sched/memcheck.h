/*
 * memcheck.h - what valgrind and ASan have to be told
 *
 * Purpose     Valgrind does not know io_uring: neither what the kernel wrote nor that entering it sleeps.
 *             It and ASan don't know when a task's memory is free.
 * Threads     Any.
 * Invariants  A few no-ops where valgrind does not run; nothing where its header is missing.
 * Ordering    None.
 * Failure     None.
 */
#ifndef WF_MEMCHECK_H
#define WF_MEMCHECK_H

#ifdef WEFT_VALGRIND
#include <valgrind/memcheck.h>
#define wf_memcheck_running()     (RUNNING_ON_VALGRIND != 0)
#define wf_memcheck_defined(p, n) ((void)VALGRIND_MAKE_MEM_DEFINED((p), (n)))
#else
#define wf_memcheck_running()     false
#define wf_memcheck_defined(p, n) ((void)(p), (void)(n))
#endif

/* Memory that nobody may touch until it is in use (again). */
#if defined(__SANITIZE_ADDRESS__)
#define WF_ASAN_ 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WF_ASAN_ 1
#endif
#endif
#ifdef WF_ASAN_
#include <sanitizer/asan_interface.h>
#define wf_memcheck_use(p, n)   ASAN_UNPOISON_MEMORY_REGION((p), (n))
#define wf_memcheck_unuse(p, n) ASAN_POISON_MEMORY_REGION((p), (n))
#elif defined(WEFT_VALGRIND)
#define wf_memcheck_use(p, n)   ((void)VALGRIND_MAKE_MEM_UNDEFINED((p), (n)))
#define wf_memcheck_unuse(p, n) ((void)VALGRIND_MAKE_MEM_NOACCESS((p), (n)))
#else
#define wf_memcheck_use(p, n)   ((void)(p), (void)(n))
#define wf_memcheck_unuse(p, n) ((void)(p), (void)(n))
#endif

#endif
