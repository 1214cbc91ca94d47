/*
 * base.h - what every other header of weft starts from
 *
 * - Results. A function that can fail returns a value >= 0, or -errno. What it returns through a
 *   pointer (`ret_...`) is untouched on failure.
 * - Time. Durations and instants are int64_t nanoseconds. Instants count CLOCK_MONOTONIC.
 * - Misuse. A program that breaks a rule of the interface has a bug: for example, it moves a
 *   pending future. weft then aborts with one line that names the function, the rule and the place.
 * - No libc. Where __STDC_HOSTED__ is 0 (-ffreestanding), only base.h, future.h, waker.h, async.h,
 *   combine.h and local.h are available. See docs/design/freestanding.md.
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#if __STDC_HOSTED__ && __SIZEOF_POINTER__ < 8
#error "weft needs a 64-bit machine (without an operating system, -ffreestanding, 32 bits will do)"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if __STDC_HOSTED__
#include <errno.h>
#elif __has_include(<errno.h>)
#include <errno.h>
#else /* no libc at all: Linux's numbers for the errors that the core uses */
#define EINTR      4
#define EIO        5
#define ENXIO      6
#define EAGAIN     11
#define ENOMEM     12
#define EBUSY      16
#define EINVAL     22
#define EPIPE      32
#define ERANGE     34
#define EDEADLK    35
#define ENODATA    61
#define ENOTSUP    95
#define ETIMEDOUT  110
#define ECANCELED  125
#define EOWNERDEAD 130
#endif

/* The error of a read or receive that wants more than there is before the end of a stream, a file
 * or a channel. Writing or sending where nothing is read any more answers -EPIPE instead. */
#define WEFT_EOF (-ENODATA)

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

/*
 * The version of these headers: 100 for 0.1.0, 10203 for 1.2.3. weft_version() returns that of the
 * library.
 */
#define WEFT_VERSION (WEFT_VERSION_MAJOR * 10000 + WEFT_VERSION_MINOR * 100 + WEFT_VERSION_PATCH)

#ifdef __cplusplus
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS   }
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

#define WEFT_API       __attribute__((visibility("default")))
#define WEFT_NODISCARD __attribute__((warn_unused_result))

/*
 * Returns n whole nanoseconds, microseconds, milliseconds or seconds as a duration. A duration that
 * does not fit becomes INT64_MAX, which is WEFT_FOREVER, or INT64_MIN. With a constant n the macro
 * is a constant expression. WEFT_FOREVER is later than any instant.
 */
#define WEFT_NS(n)   ((int64_t)(n))
#define WEFT_US(n)   WEFT_TIMES_(n, 1000)
#define WEFT_MS(n)   WEFT_TIMES_(n, 1000000)
#define WEFT_S(n)    WEFT_TIMES_(n, 1000000000)
#define WEFT_FOREVER INT64_MAX

#ifdef __cplusplus
#define WEFT_TIMES_(n, unit) weft_times_((int64_t)(n), unit)
#define WEFT_CONSTEXPR_      constexpr
#else
/* A constant n is expanded more than once. Any other n is evaluated once. */
#define WEFT_TIMES_(n, unit)                                                                       \
    __builtin_choose_expr(__builtin_constant_p(n), WEFT_TIMES_OF_(WEFT_CONSTANT_(n), unit),        \
                          weft_times_((int64_t)(n), unit))
#define WEFT_CONSTANT_(n) ((int64_t) __builtin_choose_expr(__builtin_constant_p(n), n, 0))
#define WEFT_CONSTEXPR_
#endif
#define WEFT_TIMES_OF_(n, unit)                                                                    \
    ((n) > INT64_MAX / (unit)                                                                      \
         ? INT64_MAX                                                                               \
         : ((n) < INT64_MIN / (unit)                                                               \
                ? INT64_MIN                                                                        \
                : (n) * ((n) > INT64_MAX / (unit) || (n) < INT64_MIN / (unit) ? 0 : (unit))))

static inline WEFT_CONSTEXPR_ int64_t weft_times_(int64_t n, int64_t unit)
{
    return WEFT_TIMES_OF_(n, unit);
}

/*
 * Returns a pointer to the struct whose member the given pointer points to. `type` is the type of
 * the struct, and `member` is the name of the member.
 */
#define weft_container(pointer, type, member)                                                      \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#ifdef __cplusplus
#define WEFT_STATIC_ASSERT_ static_assert
#else
#define WEFT_STATIC_ASSERT_ _Static_assert
#endif

#define WEFT_STRING_(x)  #x
#define WEFT_STRING__(x) WEFT_STRING_(x)
/* "file.c:12", for messages that name a place in the source. */
#define WEFT_HERE_ __FILE__ ":" WEFT_STRING__(__LINE__)

WEFT_BEGIN_DECLS

/*
 * Ends the process with the line "weft: FUNCTION: RULE (WHERE)". It is visible only because the
 * macros and inline functions of these headers call it. A freestanding image defines it itself: it
 * prints the line where an operator can read it, or resets the machine. It must not return.
 *
 * Thread: any. In a freestanding image an interrupt handler may call it, too.
 */
WEFT_API __attribute__((noreturn, cold)) void weft_misuse_(const char *function, const char *rule,
                                                           const char *where);

WEFT_END_DECLS

#endif
