/*
 * styles.h - one test body, which runs as an async function and as a fiber
 *
 *     struct reads {
 *         WEFT_FRAME;
 *         struct { weft_stream *stream; } in;
 *         weft_io io;
 *         char    byte;
 *     };
 *     BODY(reads)
 *     {
 *         int64_t n;
 *
 *         WEFT_BEGIN();
 *         AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
 *         WEFT_END(n);
 *     }
 *
 *     TEST_STYLES(stream, reads_a_byte)
 *     {
 *         check_eq(RUN_STYLE(style, rt, reads, .stream = stream), 1);
 *     }
 *
 * A body is written as an async function is, with AWAIT, CALL, YIELD and CANCEL in place of
 * WEFT_AWAIT and so on. As a fiber it is a plain function: `self` is a variable on the fiber's
 * stack, `cx` is NULL, and each await is a weft_await. TEST_STYLES makes two cases of one test:
 * here reads_a_byte_stackless and reads_a_byte_fiber.
 */
#ifndef STYLES_H
#define STYLES_H

#include "helpers.h"

typedef enum style { STACKLESS, FIBER } style;

/* ---- bodies ---- */

/* Defines the body of an async function and of a fiber. Its frame is `struct name`. */
#define BODY(name)                                                                                 \
    WEFT_DECLARE(name);                                                                            \
    static weft_poll                       weft_body_##name(struct name *self, weft_context *cx);  \
    __attribute__((unused)) static int64_t fiber_##name(void *args)                                \
    {                                                                                              \
        struct name frame;                                                                         \
                                                                                                   \
        weft_frame_init_(&frame.weft_frame_, weft_ops_##name(), offsetof(struct name, in), args,   \
                         sizeof frame.in);                                                         \
        free(args);                                                                                \
        return CALL_(name, &frame);                                                                \
    }                                                                                              \
    WEFT_ASYNC(name)

/* Waits for the future and assigns its result. */
#define AWAIT(result_, future_)                                                                    \
    do {                                                                                           \
        if (cx)                                                                                    \
            WEFT_AWAIT(result_, future_);                                                          \
        else                                                                                       \
            (result_) = weft_await(future_);                                                       \
    } while (0)

/* Calls another body, whose frame is in the caller's, and waits for its result. */
#define CALL(result_, name, frame_, ...)                                                           \
    do {                                                                                           \
        if (cx)                                                                                    \
            WEFT_CALL(result_, name, frame_, __VA_ARGS__);                                         \
        else                                                                                       \
            (result_) = ((void)weft_async(name, frame_, __VA_ARGS__), CALL_(name, frame_));        \
    } while (0)
#define CALL_(name, frame_)                                                                        \
    (check(weft_poll_is_ready(weft_body_##name((frame_), NULL))),                                  \
     (frame_)->weft_frame_.future.result)

/* Lets the worker's other tasks run. */
#define YIELD()                                                                                    \
    do {                                                                                           \
        if (cx)                                                                                    \
            WEFT_YIELD();                                                                          \
        else                                                                                       \
            weft_fiber_yield();                                                                    \
    } while (0)

/* Cancels the future and waits until it has ended. */
#define CANCEL(future_)                                                                            \
    do {                                                                                           \
        if (cx)                                                                                    \
            WEFT_CANCEL(future_);                                                                  \
        else                                                                                       \
            (void)weft_await_cancel(future_);                                                      \
    } while (0)

/* Whether the task has been asked to end. */
#define CANCELLED() (cx ? WEFT_CANCELLED() : weft_fiber_is_cancelled())

/* ---- spawning them ---- */

/* Spawns a body as a task of that style. Returns 0 or the error. */
#define SPAWN_STYLE(style_, rt_, handle_, name, ...)                                               \
    ((style_) == STACKLESS                                                                         \
         ? weft_spawn_on(rt_, handle_, name, __VA_ARGS__)                                          \
         : styles_spawn_fiber(rt_, handle_, fiber_##name, WEFT_ARGS_(name, __VA_ARGS__),           \
                              sizeof(WEFT_ARGS_TYPE_(name)), #name "\0" WEFT_HERE_))

static inline int styles_spawn_fiber(weft_runtime *rt, weft_handle *ret_handle,
                                     weft_fiber_function *function, const void *args, size_t size,
                                     const char *site)
{
    void *copy = malloc(size + 1); /* the fiber frees it */
    int   r;

    check(copy != NULL);
    memcpy(copy, args, size);
    r = weft_fiber_spawn_(rt, ret_handle, NULL, function, copy, site);
    if (r < 0)
        free(copy);
    return r;
}

/* Runs a body as a task of that style, and returns its result. */
#define RUN_STYLE(style_, rt_, name, ...)                                                          \
    __extension__({                                                                                \
        weft_handle run_;                                                                          \
        check_eq(SPAWN_STYLE(style_, rt_, &run_, name, __VA_ARGS__), 0);                           \
        join(rt_, &run_);                                                                          \
    })

/* ---- cases ---- */

/* Defines a test that is two cases. Its body gets `style`, and `rt`: a runtime of two workers. */
#define TEST_STYLES(suite, name)                                                                   \
    static void suite##_##name(weft_runtime *rt, style style);                                     \
    Test(suite, name##_stackless, .timeout = 60)                                                   \
    {                                                                                              \
        styles_run(suite##_##name, STACKLESS);                                                     \
    }                                                                                              \
    Test(suite, name##_fiber, .timeout = 60)                                                       \
    {                                                                                              \
        styles_run(suite##_##name, FIBER);                                                         \
    }                                                                                              \
    static void suite##_##name(weft_runtime *rt, style style)

static inline void styles_run(void (*test)(weft_runtime *rt, style style), style style)
{
    weft_runtime *rt = start_with(&(weft_config){
        .workers = 2, .blocking_threads = 1, .dns_threads = 1, .log = weft_log_none});

    test(rt, style);
    stop(rt);
}

#endif
