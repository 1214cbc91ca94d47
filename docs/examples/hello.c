/*
 * hello.c - the smallest program: an async main that sleeps, spawns, joins and prints
 *
 * If you know Tokio: `main` is `#[tokio::main] async fn main`, `greet` is an `async fn`, and its
 * frame is the state that the compiler would have made of it. If you know libuv: there is no
 * callback. A body continues after the await once the awaited result is there.
 */
#include <stdio.h>
#include <weft.h>

/* A frame holds what outlives an await, and nothing else. */
struct greet {
    WEFT_FRAME;
    struct {
        const char *name;
        int64_t     after;
    } in; /* the arguments: spawning copies them */
    struct weft_sleep nap;
};
WEFT_ASYNC(greet)
{
    int64_t n; /* a local lives between two awaits, never across one */

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.after)); /* the worker runs other tasks */
    if (n < 0)
        WEFT_RETURN(n);
    printf("hello, %s\n", self->in.name);
    WEFT_END(1);
}

struct hello {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle  world;  /* a task of its own ... */
    struct greet reader; /* ... and a call, whose frame is memory in ours */
    int64_t      greeted;
};
WEFT_ASYNC(hello)
{
    int64_t n;

    WEFT_BEGIN();

    /* A spawned task runs beside us, perhaps on another thread. */
    n = weft_spawn(&self->world, greet, .name = "world", .after = WEFT_MS(100));
    if (n < 0)
        WEFT_RETURN(n);

    /* A call runs inside us: we continue when it has returned. Meanwhile the task sleeps its 100
     * ms. */
    WEFT_CALL(n, greet, &self->reader, .name = "reader", .after = WEFT_MS(5));
    self->greeted = n;

    /* The handle is a future as well. */
    WEFT_AWAIT(n, weft_join(&self->world));
    self->greeted += n;

    printf("greeted %lld\n", (long long)self->greeted);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(hello); /* starts a runtime, runs hello on it, stops it */
}
