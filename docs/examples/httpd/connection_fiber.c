/*
 * connection_fiber.c - a connection as a fiber
 *
 * The loop of connection_async.c as plain functions: the connection is a local variable, an await
 * is a call, and a part that awaits is a function like any other.
 */
#include <stdlib.h>

#include "answer.h"

#define STACK_SIZE (128 << 10) /* the connection takes a quarter of it */

/* Sends what is in the output buffer. */
static int64_t send_output(struct connection *self)
{
    int64_t n = weft_await(connection_send(self));

    if (n == -ETIMEDOUT)
        n = weft_await(connection_send_rest(self));
    self->out.length = 0;
    return n;
}

/* Sends what is in the output buffer, and the body of the request after it. */
static int64_t send_body(struct connection *self)
{
    struct request *request = &self->request;
    int64_t         n = weft_await(connection_send_slowly(self, self->out.bytes, self->out.length));

    self->out.length = 0;
    if (n >= 0)
        n = weft_await(connection_send_slowly(self, request->body, request->body_size));
    answer_drop_body(self);
    return n;
}

static int64_t send_file(struct connection *self)
{
    int64_t n = weft_await(connection_send_file(self));

    connection_file_sent(self, n);
    return n;
}

/* Answers what has been read, as far as there is room. Returns -errno when the client is gone. */
static int64_t answer_input(struct connection *self)
{
    enum wanted wanted;
    int64_t     n = 0;

    while (n >= 0 && connection_can_answer(self)) {
        wanted = answer_next(self);
        if (wanted != WANT_NOTHING)
            n = wanted == WANT_FILE ? send_file(self) : send_body(self);
    }
    return n;
}

/* Listens to a client that has got its last answer. */
static void hear_last_words(struct connection *self)
{
    connection_end_half(self);
    while (weft_await(connection_read_on(self)) > 0 && !connection_is_overdue(self))
        continue;
}

static void converse(struct connection *self)
{
    for (;;) {
        if (self->out.length > 0 && send_output(self) < 0)
            return;
        if (self->closing)
            break;
        if (self->at == self->length)
            connection_take_input(self, weft_await(connection_read(self)));
        if (answer_input(self) < 0)
            return;
    }
    if (connection_listens_on(self))
        hear_last_words(self);
}

static int64_t connection(void *argument)
{
    struct connection self;

    connection_begin(&self, argument);
    free(argument);
    converse(&self);
    connection_end(&self);
    return 0;
}

int connection_fiber_spawn(const struct arrival *arrival)
{
    static const weft_fiber_options options = {.stack_size = STACK_SIZE};

    struct arrival *copy = malloc(sizeof *copy); /* a fiber is given a pointer */
    int             n = -ENOMEM;

    if (copy) {
        *copy = *arrival;
        n = weft_fiber_with(NULL, NULL, "connection", &options, connection, copy);
        if (n < 0)
            free(copy);
    }
    return n;
}
