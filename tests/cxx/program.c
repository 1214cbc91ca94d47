/*
 * program.c - a user's program that is C and C++: each macro and each kind of future once
 *
 * Built as both here, and outside the tree against the installed library (tools/install.py).
 */
#include <weft.h>

#include <stdio.h>
#include <string.h>

/* One by one, since compilers warn of && between constants. */
WEFT_STATIC_ASSERT_(WEFT_S(INT64_MAX) == WEFT_FOREVER, "durations are constants, and have an end");
WEFT_STATIC_ASSERT_(WEFT_MS(INT64_MIN) == INT64_MIN, "durations have an end below");
WEFT_STATIC_ASSERT_(WEFT_US(INT64_MAX / 1000) == INT64_MAX / 1000 * 1000, "durations are exact");
WEFT_STATIC_ASSERT_(WEFT_S(-2) < 0, "durations may be negative");

struct square {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(square)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_YIELD();
    if (WEFT_CANCELLED())
        WEFT_RETURN(-ECANCELED);
    WEFT_END(self->in.n * self->in.n);
}

struct length {
    const char *text;
};
WEFT_BLOCKING(length)
{
    return (int64_t)strlen(self->text);
}

#define EXPECT(value, expected)                                                                    \
    do {                                                                                           \
        int64_t value_ = (value);                                                                  \
        if (value_ != (expected)) {                                                                \
            fprintf(stderr, "%s: %s is %lld\n", WEFT_HERE_, #value, (long long)value_);            \
            WEFT_RETURN(-EPROTO);                                                                  \
        }                                                                                          \
    } while (0)

struct root {
    WEFT_FRAME;
    struct {
        int64_t     n;
        const char *text;
    } in;
    struct square              a, b;
    weft_handle                handle;
    struct weft_spawn_blocking job;
    struct weft_select         sel;
    struct weft_join_all       all;
    struct weft_timeout        limit;
    struct weft_sleep          nap;
    weft_wait                  wait;
    weft_oneshot_sender       *sender;
    weft_oneshot_receiver     *receiver;
    int                        message;
};
WEFT_ASYNC(root)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, square, &self->a, .n = self->in.n);
    EXPECT(n, 9);
    EXPECT(weft_spawn(&self->handle, square, .n = 4), 0);
    WEFT_AWAIT(n, weft_join(&self->handle));
    EXPECT(n, 16);
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, length, .text = self->in.text));
    EXPECT(n, 5);
    WEFT_AWAIT(n, weft_select(&self->sel, weft_sleep(&self->nap, WEFT_S(60)),
                              weft_async(square, &self->a, .n = 5)));
    EXPECT(n, 1);
    EXPECT(weft_future_result(&self->a.weft_frame_.future), 25);
    EXPECT(weft_future_result(&self->nap.future), -ECANCELED);
    WEFT_AWAIT(n, weft_join_all(&self->all, weft_async(square, &self->a, .n = 6),
                                weft_async(square, &self->b, .n = 7)));
    EXPECT(n, 0);
    EXPECT(weft_future_result(&self->b.weft_frame_.future), 49);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_sleep(&self->nap, WEFT_S(60)), WEFT_MS(1)));
    EXPECT(n, -ETIMEDOUT);
    EXPECT(weft_oneshot_open(sizeof self->message, &self->sender, &self->receiver), 0);
    self->message = 8;
    EXPECT(weft_oneshot_send(self->sender, &self->message), 0);
    self->message = 0;
    WEFT_AWAIT(n, weft_oneshot_receive(&self->wait, self->receiver, &self->message));
    EXPECT(n, 0);
    EXPECT(self->message, 8);
    weft_oneshot_receiver_close(self->receiver);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(root, .n = 3, .text = "hello");
}
