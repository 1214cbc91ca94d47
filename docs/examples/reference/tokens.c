/*
 * tokens.c - trees of cancellation tokens
 */
#include "expect.h"

/* A request has a token below that of its connection. It ends with either. */
struct request {
    WEFT_FRAME;
    struct {
        weft_token *connection;
        weft_token *ret_token; /* where the connection finds the request's token */
    } in;
    struct weft_token_run run;
    struct weft_sleep     nap;
};
WEFT_ASYNC(request)
{
    weft_future *work;
    int64_t      n;

    WEFT_BEGIN();
    weft_token_begin(self->in.ret_token, self->in.connection);
    work = weft_sleep(&self->nap, WEFT_S(100)); /* stands for the request's work */
    WEFT_AWAIT(n, weft_token_run(&self->run, self->in.ret_token, work));
    EXPECT(n == -ECANCELED && weft_token_is_cancelled(self->in.ret_token));
    weft_token_end(self->in.ret_token);
    WEFT_END(0);
}

/* Waits for the token beside its other work, here a sleep. */
struct watches {
    WEFT_FRAME;
    struct {
        weft_token *server;
    } in;
    struct weft_select sel;
    weft_wait          wait;
    struct weft_sleep  nap;
};
WEFT_ASYNC(watches)
{
    int64_t n;

    WEFT_BEGIN();
    weft_sleep(&self->nap, WEFT_S(100));
    WEFT_AWAIT(n, weft_select(&self->sel, weft_token_cancelled(&self->wait, self->in.server),
                              &self->nap.future));
    EXPECT(n == 0);
    WEFT_END(0);
}

struct tour {
    WEFT_FRAME;
    struct {
    } in;
    weft_token  server, connection, token[2];
    weft_handle request[2], watcher;
};
WEFT_ASYNC(tour)
{
    int64_t n;

    WEFT_BEGIN();
    self->server = (weft_token){0};
    weft_token_begin(&self->connection, &self->server);
    for (int i = 0; i < 2; i++)
        EXPECT(weft_spawn(&self->request[i], request, .connection = &self->connection,
                          .ret_token = &self->token[i]) == 0);
    EXPECT(weft_spawn(&self->watcher, watches, .server = &self->server) == 0);
    WEFT_YIELD();
    weft_token_cancel(&self->connection); /* ends the requests, and not the server */
    WEFT_AWAIT(n, weft_join(&self->request[0]));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_join(&self->request[1]));
    EXPECT(n == 0 && !weft_token_is_cancelled(&self->server));
    weft_token_end(&self->connection);
    weft_token_cancel(&self->server);
    WEFT_AWAIT(n, weft_join(&self->watcher));
    EXPECT(n == 0);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(tour);
}
