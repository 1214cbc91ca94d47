/*
 * test.h - one test body, two runners
 *
 * Every file tests/FOLDER/test_FILE.c is built twice. For Criterion it is a part of its folder's
 * program. With WEFT_PLAIN it is a program of its own for the small runner in plain.c, which
 * sanitizers and valgrind get: under Criterion a test that leaks passes, because the report comes
 * after the verdict; a use-after-free passes under valgrind; TSan aborts before the first test.
 * tests/planted proves that the plain runner fails where it should.
 *
 * The first name of a case is the file's, since a folder's program is asked for the file by it:
 *
 *     Test(deque, takes_what_was_pushed)
 *     {
 *         check_eq(wf_deque_pop_owner(&d), 7);
 *     }
 *
 *     TEST_ABORTS(future, poll_after_ready, "was READY before")
 *     {
 *         poll_twice();
 *     }
 *
 * Options of Test: .timeout = seconds (TEST_LIMIT), .signal = SIGABRT where the body must die of
 * it. Both runners give each case a process of its own; what a check says may come from any thread.
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#else
#define TEST_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define TEST_ASAN 1
#else
#define TEST_ASAN 0
#endif
#define TEST_SANITIZED (TEST_TSAN || TEST_ASAN)

/* Seconds that a case without .timeout may take. Only what hangs takes as long, also where other
 * programs have the CPUs. */
#define TEST_LIMIT 120.0

#ifdef WEFT_PLAIN

struct test_case {
    const char *suite, *name;
    void (*body)(void);
    int               signal;
    double            timeout;
    struct test_case *next;
};
void test_register(struct test_case *test);

#define Test(suite_, name_, ...)                                                                   \
    static void                              suite_##_##name_(void);                               \
    __attribute__((constructor)) static void suite_##_##name_##_register(void)                     \
    {                                                                                              \
        static struct test_case test = {                                                           \
            .suite = #suite_, .name = #name_, .body = suite_##_##name_, __VA_ARGS__};              \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void suite_##_##name_(void)

#else
#include <criterion/criterion.h>
#endif

/* A case that passes if its body aborts and prints `text` on standard error. */
#define TEST_ABORTS(suite_, name_, text)                                                           \
    static void suite_##_##name_##_aborts(void);                                                   \
    Test(suite_, name_)                                                                            \
    {                                                                                              \
        test_aborts(suite_##_##name_##_aborts, text, __FILE__, __LINE__);                          \
    }                                                                                              \
    static void suite_##_##name_##_aborts(void)

#define check(condition)                                                                           \
    ((condition) ? (void)0 : test_fail(__FILE__, __LINE__, "false: %s", #condition))

/* Compares integers or pointers as int64_t. A failure prints both values. */
#define check_cmp(a, op, b)                                                                        \
    do {                                                                                           \
        int64_t a_ = (int64_t)(a), b_ = (int64_t)(b);                                              \
        if (!(a_ op b_))                                                                           \
            test_fail(__FILE__, __LINE__, "false: %s %s %s: %" PRId64 ", %" PRId64, #a, #op, #b,   \
                      a_, b_);                                                                     \
    } while (0)
#define check_eq(a, b) check_cmp(a, ==, b)
#define check_ne(a, b) check_cmp(a, !=, b)

#define check_str_eq(a, b)                                                                         \
    do {                                                                                           \
        const char *a_ = (a), *b_ = (b);                                                           \
        if (strcmp(a_, b_) != 0)                                                                   \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, a_, b_);                 \
    } while (0)
#define check_str_contains(text, part)                                                             \
    do {                                                                                           \
        const char *text_ = (text), *part_ = (part);                                               \
        if (!strstr(text_, part_))                                                                 \
            test_fail(__FILE__, __LINE__, "no \"%s\" in %s: \"%s\"", part_, #text, text_);         \
    } while (0)

/* Ends the case as failed, from any thread. */
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, cold, format(printf, 3, 4)));

/* Ends the case as skipped, where the machine lacks what it needs. */
void test_skip(const char *why) __attribute__((noreturn));

/* Skips the case under valgrind, which replaces something that the kernel does. */
void test_skip_under_valgrind(const char *why);

/* TEST_SLOW=20 says that the tests run about that much slower than usual, as under valgrind. Time
 * limits grow by the factor, and counts of repetitions shrink by it: n / TEST_SLOW, at least 1. */
int64_t test_slow(void);
int64_t test_scaled(int64_t n);

void test_aborts(void (*body)(void), const char *text, const char *file, int line);

#endif
