/*
 * inject.h - runs a function in a process of its own and makes chosen system calls of it fail
 *
 * The child has a seccomp filter that hands its calls to us one by one, before the kernel sees
 * them. We count them by the kind of the thread and let them go on, or answer an error in their
 * stead. io_uring hides its calls from the dynamic linker (they are inline in liburing), not from
 * this.
 */
#ifndef INJECT_H
#define INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KIND_MAIN, KIND_WORKER, KIND_REACTOR, KIND_MONITOR, KIND_BLOCKING, KINDS };
extern const char *const inject_kinds[KINDS];

typedef struct injection {
    int call;  /* its index in the list of numbers */
    int kind;  /* of the thread */
    int first; /* the first call to fail, counted from 1; 0: none */
    int n;     /* how many in a row */
    int error; /* errno */
} injection;

#define CALLS_MAX 64

typedef struct verdict {
    bool    ended;    /* within the limit, by itself */
    bool    clean;    /* what the function returned */
    int64_t n_failed; /* what it said */
    int     n_injected;
    int     counts[CALLS_MAX][KINDS];
} verdict;

/* What the child runs: see workload.h. */
typedef bool inject_body(uint32_t *armed, int64_t *ret_failed);

/* Skips the test where there is no such filter. `numbers` are system calls; of futex, the waits.
 * What the child said goes to standard error if it was not clean, as does where its threads are if
 * it hangs. */
void inject(const int *numbers, int n_numbers, const injection *injection, inject_body *body,
            verdict *ret);

#endif
