/*
 * task_locals.c - a log that names the request, in code that knows nothing of it
 */
#include "expect.h"

struct request {
    int  number;
    char log[64];
};

/* Outside of every request the lines go here. */
static struct request  none;
static weft_task_local request = {.otherwise = &none};

/* A plain function, far below: it finds the request of the task that calls it. */
static void say(const char *text)
{
    struct request *r = weft_task_local_get(&request);
    size_t          n = strlen(r->log);

    snprintf(r->log + n, sizeof r->log - n, "%d:%s;", r->number, text);
}

/* ---- the work: it is not given the request ---- */

struct work {
    WEFT_FRAME;
    struct {
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(work)
{
    WEFT_BEGIN();
    say("begins");
    WEFT_WAIT(weft_sleep(&self->nap, WEFT_MS(1))); /* it may go on in another worker */
    say("ends");
    WEFT_END(0);
}

/* ---- one request ---- */

struct serve {
    WEFT_FRAME;
    struct {
        int number;
    } in;
    struct request               request;
    struct work                  work;
    struct weft_task_local_scope scope;
    char                         expected[64];
};
WEFT_ASYNC(serve)
{
    int64_t n;

    WEFT_BEGIN();
    self->request = (struct request){.number = self->in.number};
    WEFT_AWAIT(n, weft_task_local_scope(&self->scope, &request, &self->request,
                                        weft_async(work, &self->work)));
    snprintf(self->expected, sizeof self->expected, "%d:begins;%d:ends;", self->in.number,
             self->in.number);
    EXPECT(strcmp(self->request.log, self->expected) == 0);
    WEFT_END(n);
}

struct task_locals {
    WEFT_FRAME;
    struct {
    } in;
    weft_handle requests[3];
    int         i;
};
WEFT_ASYNC(task_locals)
{
    int64_t n;

    WEFT_BEGIN();
    for (self->i = 0; self->i < 3; self->i++)
        EXPECT(weft_spawn(&self->requests[self->i], serve, .number = 1 + self->i) == 0);
    for (self->i = 0; self->i < 3; self->i++) {
        WEFT_AWAIT(n, weft_join(&self->requests[self->i]));
        EXPECT(n == 0);
    }
    say("done");
    EXPECT(strcmp(none.log, "0:done;") == 0);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(task_locals);
}
