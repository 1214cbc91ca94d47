/* acceptor.c - taking connections, and continuing when that fails */
#include <string.h>

#include "../say.h"
#include "connection.h"

#define PAUSE WEFT_MS(100) /* after an error */

static int spawn(const struct arrival *arrival)
{
    return arrival->server->options.fibers ? connection_fiber_spawn(arrival)
                                           : connection_async_spawn(arrival);
}

static void take(struct acceptor *self)
{
    struct server *server = self->in.server;
    struct arrival arrival = {.server = server, .conn = self->conn};
    enum admission admission = server_admit(server, self->conn, &arrival.client);

    if (admission != TURNED_AWAY) {
        arrival.refused = admission == REFUSED;
        if (spawn(&arrival) == 0)
            return;
        server_forget(server, arrival.client);
    }
    weft_stream_close(self->conn);
}

WEFT_ASYNC_EXTERN(acceptor)
{
    int64_t n;

    WEFT_BEGIN();
    self->failing = false;
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->conn));
        if (n == -ECANCELED)
            break; /* we stop */
        if (n < 0) {
            /* The system lacks a resource for now. A server that gives up takes no more
             * connections. One that tries again at once uses up a CPU. */
            if (!self->failing)
                say("httpd: can't accept: %s; trying again\n", strerror((int)-n));
            self->failing = true;
            WEFT_AWAIT(n, weft_sleep(&self->nap, PAUSE));
            if (n < 0)
                break;
            continue;
        }
        self->failing = false;
        take(self);
    }
    WEFT_END(n == -ECANCELED ? 0 : n);
}
