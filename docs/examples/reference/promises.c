/*
 * promises.c - a result that one thread gives, and any number of tasks and threads wait for
 */
#include "expect.h"

/* A name that is looked up once for all that want it. */
struct lookup {
    weft_promise done;
    char         address[16]; /* written before `done` is completed */
};

/* ---- the task that gives the result ---- */

/* The deferred call of a task that ends early: in any other case there is a result already. */
static void give_up(void *done)
{
    weft_promise_complete(done, -EIO);
}

struct look_up {
    WEFT_FRAME;
    struct {
        struct lookup *lookup;
        bool           fails;
    } in;
    weft_deferred     give_up;
    struct weft_sleep nap;
};
WEFT_ASYNC(look_up)
{
    int64_t n;

    WEFT_BEGIN();
    weft_defer(&self->give_up, give_up, &self->in.lookup->done);
    WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
    if (n < 0 || self->in.fails)
        WEFT_RETURN(-ECANCELED);
    strcpy(self->in.lookup->address, "192.0.2.7");
    EXPECT(weft_promise_complete(&self->in.lookup->done, 0) == 0);
    EXPECT(weft_promise_complete(&self->in.lookup->done, -EIO) == -EALREADY);
    WEFT_END(0);
}

/* ---- a task that waits for it ---- */

struct use {
    WEFT_FRAME;
    struct {
        struct lookup *lookup;
    } in;
    weft_wait wait;
};
WEFT_ASYNC(use)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_promise_get(&self->wait, &self->in.lookup->done));
    if (n == 0)
        EXPECT(strcmp(self->in.lookup->address, "192.0.2.7") == 0);
    WEFT_END(n);
}

struct promises {
    WEFT_FRAME;
    struct {
    } in;
    struct lookup found, lost;
    weft_handle   users[3];
    weft_wait     wait;
    int           i;
};
WEFT_ASYNC(promises)
{
    int64_t n;

    WEFT_BEGIN();
    self->found = self->lost = (struct lookup){0};
    for (self->i = 0; self->i < 3; self->i++)
        EXPECT(weft_spawn(&self->users[self->i], use, .lookup = &self->found) == 0);
    EXPECT(weft_promise_try_get(&self->found.done, &n) == -EAGAIN);
    EXPECT(weft_spawn(NULL, look_up, .lookup = &self->found) == 0);
    EXPECT(weft_spawn(NULL, look_up, .lookup = &self->lost, .fails = true) == 0);
    for (self->i = 0; self->i < 3; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->users[self->i]));
        EXPECT(n == 0);
    }
    EXPECT(weft_promise_try_get(&self->found.done, &n) == 0 && n == 0);
    WEFT_AWAIT(n, weft_promise_get(&self->wait, &self->lost.done));
    EXPECT(n == -EIO);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(promises);
}
