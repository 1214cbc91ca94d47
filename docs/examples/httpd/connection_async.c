/*
 * connection_async.c - a connection as an async function
 *
 * What lives across an await is in the frame. A part that awaits is an async function of its own,
 * with a frame within the caller's.
 */
#include "answer.h"

/* Sends what is in the output buffer, and the body of the request after it. */
struct body_answer {
    WEFT_FRAME;
    struct {
        struct connection *connection;
    } in;
};
WEFT_ASYNC(body_answer)
{
    struct connection *connection = self->in.connection;
    struct request    *request = &connection->request;
    int64_t            n;

    WEFT_BEGIN();
    WEFT_AWAIT(n,
               connection_send_slowly(connection, connection->out.bytes, connection->out.length));
    connection->out.length = 0;
    if (n >= 0)
        WEFT_AWAIT(n, connection_send_slowly(connection, request->body, request->body_size));
    answer_drop_body(connection);
    WEFT_END(n);
}

/* Listens to a client that has got its last answer. */
struct last_words {
    WEFT_FRAME;
    struct {
        struct connection *connection;
    } in;
};
WEFT_ASYNC(last_words)
{
    struct connection *connection = self->in.connection;
    int64_t            n;

    WEFT_BEGIN();
    connection_end_half(connection);
    do
        WEFT_AWAIT(n, connection_read_on(connection));
    while (n > 0 && !connection_is_overdue(connection));
    WEFT_END(0);
}

struct connection_task {
    WEFT_FRAME;
    struct {
        struct arrival arrival;
    } in;
    union { /* one at a time */
        struct body_answer body;
        struct last_words  last;
    };
    struct connection connection;
};
WEFT_ASYNC(connection_task)
{
    struct connection *connection = &self->connection;
    enum wanted        wanted;
    int64_t            n;

    WEFT_BEGIN();
    connection_begin(connection, &self->in.arrival);
    for (;;) {
        if (connection->out.length > 0) {
            WEFT_AWAIT(n, connection_send(connection));
            if (n == -ETIMEDOUT)
                WEFT_AWAIT(n, connection_send_rest(connection));
            connection->out.length = 0;
            if (n < 0)
                goto out;
        }
        if (connection->closing)
            break;
        if (connection->at == connection->length) {
            WEFT_AWAIT(n, connection_read(connection));
            connection_take_input(connection, n);
        }
        while (connection_can_answer(connection)) {
            wanted = answer_next(connection);
            if (wanted == WANT_NOTHING)
                continue;
            if (wanted == WANT_FILE) {
                WEFT_AWAIT(n, connection_send_file(connection));
                connection_file_sent(connection, n);
            } else {
                WEFT_CALL(n, body_answer, &self->body, .connection = connection);
            }
            if (n < 0)
                goto out;
        }
    }
    if (connection_listens_on(connection))
        WEFT_CALL(n, last_words, &self->last, .connection = connection);
out:
    connection_end(connection);
    WEFT_END(0);
}

int connection_async_spawn(const struct arrival *arrival)
{
    return weft_spawn(NULL, connection_task, .arrival = *arrival);
}
