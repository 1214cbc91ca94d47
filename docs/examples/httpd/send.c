/* send.c - see send.h */
#include "send.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

int send_queued(weft_stream *conn)
{
    int n = 0;

    return ioctl(weft_stream_fd(conn), SIOCOUTQ, &n) < 0 ? 0 : n;
}

static weft_future *write_some(struct send_rest *self)
{
    return weft_timeout(&self->limit,
                        weft_write(&self->io, self->in.conn, self->in.bytes, self->in.size),
                        self->in.patience / SEND_STEPS);
}

/* For how long the client may keep the answer waiting in all. */
static int64_t time_for(const struct send_rest *self)
{
    int64_t taken = self->owed - (int64_t)self->in.size - self->queued;

    return self->in.patience + (taken > 0 ? taken * WEFT_MS(1) / self->in.rate * 1000 : 0);
}

/* Called after a write, or after a step in which none was possible. Whether to continue. */
static bool goes_on(struct send_rest *self, int64_t written)
{
    int64_t now = weft_now();
    int     queued = send_queued(self->in.conn);

    if (written > 0 || queued < self->queued)
        self->moved = now;
    self->queued = queued;
    return now - self->moved < self->in.patience && now - self->begun < time_for(self);
}

WEFT_ASYNC_EXTERN(send_rest)
{
    int64_t n;

    WEFT_BEGIN();
    self->begun = self->moved = weft_now();
    self->queued = send_queued(self->in.conn);
    self->owed = (int64_t)self->in.size + self->queued;
    while (self->in.size > 0) {
        WEFT_AWAIT(n, write_some(self));
        if (n < 0 && n != -ETIMEDOUT)
            WEFT_RETURN(n);
        if (n > 0) {
            self->in.bytes += n;
            self->in.size -= (size_t)n;
        }
        if (!goes_on(self, n))
            WEFT_RETURN(-ETIMEDOUT);
    }
    WEFT_END(0);
}
