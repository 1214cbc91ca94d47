/*
 * memcheck.h - what valgrind has to be told
 *
 * Purpose     Valgrind does not know io_uring: neither what the kernel wrote nor that entering it sleeps.
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

#endif
