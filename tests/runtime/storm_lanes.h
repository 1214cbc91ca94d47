/*
 * storm_lanes.h - short-lived connections, each with bytes of its own: one task writes, one reads,
 * one may copy in between, and the task that opened the lane may end any of them
 */
#ifndef STORM_LANES_H
#define STORM_LANES_H

#include "storm.h"

typedef struct lane {
    uint32_t     id;
    size_t       length, written, read;
    weft_stream *to, *relay_in, *relay_out, *from; /* handles stay here when they are closed */
} lane;

/* ---- writing ---- */

struct lane_writer {
    WEFT_FRAME;
    struct {
        lane    *lane;
        uint32_t seed;
    } in;
    weft_io       io;
    hesitation    why;
    int           op;
    struct iovec  vector[2];
    struct msghdr message;
    unsigned char buffer[STRETCH];
};

static weft_future *begin_lane_write(struct lane_writer *self)
{
    lane        *l = self->in.lane;
    weft_stream *s = l->to;
    weft_io     *io = &self->io;
    size_t       at = pattern_at(l->id, l->written), left = l->length - l->written;
    size_t       size = 1 + rnd(&self->in.seed) % (rnd(&self->in.seed) % 4 ? 500 : STRETCH);

    size = size < left ? size : left;
    memcpy(self->buffer, pattern + at, size);
    self->vector[0] = (struct iovec){self->buffer, size / 3};
    self->vector[1] = (struct iovec){self->buffer + size / 3, size - size / 3};
    self->message = (struct msghdr){.msg_iov = self->vector, .msg_iovlen = 2};
    switch (rnd(&self->in.seed) % 6) {
    case 0:
        return weft_write(io, s, self->buffer, size);
    case 1:
        return weft_write_all(io, s, self->buffer, size);
    case 2:
        return weft_writev(io, s, self->vector, 2);
    case 3:
        return weft_send_file(io, s, pattern_file, (int64_t)at, size);
    case 4:
        return weft_send_message(io, s, &self->message, 0);
    default:
        return weft_write_zero_copy(io, s, self->buffer, size);
    }
}

/* Only the stream's end ends the writer before it is cancelled; the handle may be stale by then. */
WEFT_ASYNC(lane_writer)
{
    lane   *l = self->in.lane;
    int64_t n;

    WEFT_BEGIN();
    while (self->in.lane->written < self->in.lane->length && !WEFT_CANCELLED()) {
        WEFT_AWAIT(n, hesitantly(&self->why, begin_lane_write(self), &self->in.seed));
        l = self->in.lane;
        self->op = row_of(self->io.future.ops);
        n = outcome(&self->why, self->op);
        memset(self->buffer, OURS, sizeof self->buffer); /* what is sent late is wrong */
        if (is_row(self->op, "weft_write_all") || is_row(self->op, "weft_send_file"))
            l->written += self->io.done;
        else
            l->written += n > 0 ? (size_t)n : 0;
        if (n == -EBADF || n == -EPIPE || n == -ECONNRESET)
            break;
        SCHECK(n > 0 || n == -ECANCELED || n == -ENOBUFS || n == -ENOMEM);
    }
    storm.n_bytes += (int64_t)l->written;
    weft_stream_close(l->to);
    WEFT_END(0);
}

/* ---- reading ---- */

struct lane_reader {
    WEFT_FRAME;
    struct {
        lane    *lane;
        uint32_t seed;
        bool     buffered;
    } in;
    weft_io       io;
    weft_reader   reader;
    hesitation    why;
    int           op;
    bool          exact;  /* `done` says how many bytes it has taken */
    bool          ending; /* there may be a rest that is too short for what was asked for */
    char         *taken;
    struct iovec  vector[2];
    struct msghdr message;
    char          ahead[700];
    unsigned char buffer[STRETCH];
};

static weft_future *begin_lane_read(struct lane_reader *self)
{
    weft_stream *s = self->in.lane->from;
    weft_io     *io = &self->io;
    size_t       size = 1 + rnd(&self->in.seed) % (rnd(&self->in.seed) % 4 ? 700 : STRETCH);

    check_ours(self->buffer, sizeof self->buffer); /* what came late is wrong */
    self->taken = (char *)self->buffer;
    self->exact = false;
    if (self->in.buffered) {
        switch (self->ending ? 0 : rnd(&self->in.seed) % 4) {
        case 0:
            return weft_reader_read(&self->reader, self->buffer, size);
        case 1:
            self->exact = true;
            return weft_reader_read_exact(&self->reader, self->buffer, size);
        case 2:
            return weft_reader_take(&self->reader, 1 + size % sizeof self->ahead, &self->taken);
        default:
            return weft_reader_until(&self->reader, 'x', &self->taken);
        }
    }
    self->vector[0] = (struct iovec){self->buffer, size / 3};
    self->vector[1] = (struct iovec){self->buffer + size / 3, size - size / 3};
    self->message = (struct msghdr){.msg_iov = self->vector, .msg_iovlen = 2};
    switch (rnd(&self->in.seed) % 5) {
    case 0:
        return weft_read(io, s, self->buffer, size);
    case 1:
        self->exact = true;
        return weft_read_exact(io, s, self->buffer, size);
    case 2:
        return weft_readv(io, s, self->vector, 2);
    case 3:
        return weft_peek(io, s, self->buffer, size);
    default:
        return weft_receive_message(io, s, &self->message, 0);
    }
}

/* How many bytes the operation has moved, also when it failed or was cancelled. */
static size_t lane_bytes(const struct lane_reader *self, int64_t n)
{
    if (self->exact)
        return self->in.buffered ? self->reader.done : self->io.done;
    return n > 0 ? (size_t)n : 0;
}

WEFT_ASYNC(lane_reader)
{
    lane   *l = self->in.lane;
    size_t  size;
    int64_t n;

    WEFT_BEGIN();
    weft_reader_init(&self->reader, l->from, self->ahead, sizeof self->ahead);
    memset(self->buffer, OURS, sizeof self->buffer);
    self->ending = false;
    while (!WEFT_CANCELLED()) {
        WEFT_AWAIT(n, hesitantly(&self->why, begin_lane_read(self), &self->in.seed));
        l = self->in.lane;
        self->op = self->in.buffered ? STORM_READER : row_of(self->io.future.ops);
        n = outcome(&self->why, self->op);
        size = lane_bytes(self, n);
        check_pattern(l->id, l->read, self->taken, size);
        l->read += self->op < ROWS && is_row(self->op, "weft_peek") ? 0 : size;
        memset(self->buffer, OURS, sizeof self->buffer);
        if (n == 0 || n == -EBADF || n == -ECONNRESET)
            break;
        self->ending = n == WEFT_EOF;
        SCHECK(n > 0 || n == -ECANCELED || n == WEFT_EOF || n == -EMSGSIZE);
    }
    weft_stream_close(l->from);
    WEFT_END(0);
}

/* ---- copying in between ---- */

struct lane_relay {
    WEFT_FRAME;
    struct {
        lane    *lane;
        uint32_t seed;
        bool     both;
    } in;
    weft_io               io;
    struct weft_copy      copy;
    struct weft_copy_both both;
    hesitation            why;
    char                 *data; /* what has been read and not been written */
    size_t                left;
    char                  buffer[4096];
};

/* A copy that was cancelled has something left, which is written first. */
WEFT_ASYNC(lane_relay)
{
    const struct weft_copy *copy;
    lane                   *l = self->in.lane;
    int64_t                 n;

    WEFT_BEGIN();
    self->left = 0;
    do {
        l = self->in.lane;
        if (self->left > 0) {
            WEFT_AWAIT(n,
                       hesitantly(&self->why,
                                  weft_write_all(&self->io, l->relay_out, self->data, self->left),
                                  &self->in.seed));
            n = outcome(&self->why, row_of(self->io.future.ops));
            self->data += self->io.done;
            self->left -= self->io.done;
            if (n > 0)
                n = -ECANCELED; /* go on copying */
        } else if (self->in.both) {
            WEFT_AWAIT(n, hesitantly(&self->why,
                                     weft_copy_both(&self->both, l->relay_in, l->relay_out,
                                                    self->buffer, sizeof self->buffer),
                                     &self->in.seed));
            n = outcome(&self->why, STORM_COPY_BOTH);
            copy = &self->both.from_a;
            self->data = copy->data;
            self->left = copy->left;
        } else {
            WEFT_AWAIT(n, hesitantly(&self->why,
                                     weft_copy(&self->copy, l->relay_in, l->relay_out, self->buffer,
                                               sizeof self->buffer),
                                     &self->in.seed));
            n = outcome(&self->why, STORM_COPY);
            copy = &self->copy;
            self->data = copy->data;
            self->left = copy->left;
        }
    } while (n == -ECANCELED && !WEFT_CANCELLED());
    SCHECK(n >= 0 || n == -ECANCELED || n == -EPIPE || n == -ECONNRESET || n == -EBADF);
    l = self->in.lane;
    weft_stream_close(l->relay_in);
    weft_stream_close(l->relay_out);
    WEFT_END(0);
}

/* ---- opening, ending ---- */

enum fate {
    FATE_WRITER_CANCELLED,
    FATE_READER_CANCELLED,
    FATE_RELAY_CANCELLED,
    FATE_WRITER_CLOSED, /* its stream, by another task */
    FATE_READER_CLOSED,
    FATE_RELAY_CLOSED,
    FATE_NONE /* and what is above it */
};

struct lanes {
    WEFT_FRAME;
    struct {
        uint32_t seed;
    } in;
    weft_io        io;
    hesitation     why;
    weft_listener *listener;
    weft_address   address;
    lane          *lane;
    enum fate      fate;
    bool           relayed;
    int            i;
    weft_handle    handle[3]; /* writer, reader, relay */
};

static bool same_address(const weft_stream *a, const weft_stream *b)
{
    weft_address local, peer;

    return weft_stream_local_address(a, &local) == 0 && weft_stream_peer_address(b, &peer) == 0 &&
           weft_address_port(&local) == weft_address_port(&peer);
}

/* Starts the tasks, each of which closes its streams. False: the runtime is being stopped. */
static bool lane_begin(struct lanes *self)
{
    uint32_t *seed = &self->in.seed;
    lane     *l = self->lane;

    self->relayed = rnd(seed) % 3 == 0;
    self->fate = (enum fate)(rnd(seed) % 12);
    l->id = (uint32_t)++storm.n_lanes;
    l->length = rnd(seed) % (rnd(seed) % 8 ? 3000 : 200000);
    l->written = l->read = 0;
    for (int i = 0; i < 3; i++)
        self->handle[i] = (weft_handle){0};
    if (self->relayed) {
        l->relay_in = l->from; /* to -> relay_in, relay_out -> from */
        if (weft_stream_pair(NULL, &l->relay_out, &l->from) < 0)
            return false;
    }
    return weft_spawn(&self->handle[0], lane_writer, .lane = l, .seed = rnd(seed)) == 0 &&
           weft_spawn(&self->handle[1], lane_reader, .lane = l, .seed = rnd(seed),
                      .buffered = rnd(seed) % 2) == 0 &&
           (!self->relayed || weft_spawn(&self->handle[2], lane_relay, .lane = l, .seed = rnd(seed),
                                         .both = rnd(seed) % 2) == 0);
}

static void lane_strike(struct lanes *self)
{
    switch (self->fate) {
    case FATE_WRITER_CANCELLED:
        weft_cancel(&self->handle[0]);
        break;
    case FATE_READER_CANCELLED:
        weft_cancel(&self->handle[1]);
        break;
    case FATE_RELAY_CANCELLED:
        if (self->relayed)
            weft_cancel(&self->handle[2]);
        break;
    case FATE_WRITER_CLOSED:
        weft_stream_close(self->lane->to);
        break;
    case FATE_READER_CLOSED:
        weft_stream_close(self->lane->from);
        break;
    case FATE_RELAY_CLOSED:
        if (self->relayed)
            weft_stream_close(self->lane->relay_in);
        break;
    default:
        break;
    }
}

/* Each byte that was written must have been read once, unless the reader was ended. A stop may have
 * ended it: it cancels the tasks in turn, perhaps the caller after the reader. */
static void lane_verify(const struct lanes *self)
{
    const lane *l = self->lane;
    bool        cut =
        self->fate == FATE_READER_CANCELLED || self->fate == FATE_READER_CLOSED ||
        (self->relayed && (self->fate == FATE_RELAY_CANCELLED || self->fate == FATE_RELAY_CLOSED));

    SCHECK(l->read <= l->written);
    if (storm.stopping)
        return;
    SCHECK(cut || l->read == l->written);
    SCHECK(self->fate < FATE_NONE || l->written == l->length);
}

static void lane_abandon(lane *l)
{
    weft_stream_close(l->to);
    weft_stream_close(l->relay_in);
    weft_stream_close(l->relay_out);
    weft_stream_close(l->from);
}

static void lanes_give_up(struct lanes *self)
{
    for (int i = 0; i < 3; i++)
        if (!weft_handle_is_empty(&self->handle[i]))
            weft_detach(&self->handle[i]);
    weft_listener_close(self->listener);
}

static lane       all_lanes[64];
static atomic_int n_all_lanes;

WEFT_ASYNC(lanes)
{
    weft_address address = loopback(false);
    int64_t      n;

    WEFT_BEGIN();
    self->lane = &all_lanes[n_all_lanes++]; /* its tasks may outlive us */
    for (self->i = 0; self->i < 3; self->i++)
        self->handle[self->i] = (weft_handle){0};
    if (weft_listen(NULL, &address, NULL, &self->listener) < 0)
        WEFT_RETURN(-1);
    SCHECK(weft_listener_address(self->listener, &self->address) == 0);
    while (!is_over() && !WEFT_CANCELLED()) {
        *self->lane = (lane){0};
        if (rnd(&self->in.seed) % 2) {
            if (weft_stream_pair(NULL, &self->lane->to, &self->lane->from) < 0)
                break;
        } else {
            do { /* a cancelled one may leave a dead connection for the listener */
                WEFT_AWAIT(n, hesitantly(&self->why,
                                         weft_connect(&self->io, &self->address, &self->lane->to),
                                         &self->in.seed));
                n = outcome(&self->why, row_of(self->io.future.ops));
                SCHECK(n == 0 || n == -ECANCELED);
            } while (n < 0 && !WEFT_CANCELLED());
            do {
                if (n == 0 && self->lane->from) /* a dead one */
                    weft_stream_close(self->lane->from), self->lane->from = NULL;
                WEFT_AWAIT(n, hesitantly(&self->why,
                                         weft_accept(&self->io, self->listener, &self->lane->from),
                                         &self->in.seed));
                n = outcome(&self->why, row_of(self->io.future.ops));
                SCHECK(n == 0 || n == -ECANCELED);
            } while (!WEFT_CANCELLED() &&
                     (n < 0 || !same_address(self->lane->to, self->lane->from)));
            if (WEFT_CANCELLED()) {
                lane_abandon(self->lane);
                break;
            }
        }
        if (!lane_begin(self)) {
            lane_abandon(self->lane);
            break;
        }
        for (self->i = (int)(rnd(&self->in.seed) % 16); self->i > 0; self->i--)
            WEFT_YIELD();
        lane_strike(self);
        for (self->i = 0; self->i < 3 && !WEFT_CANCELLED();) {
            if (weft_handle_is_empty(&self->handle[self->i])) {
                self->i++;
                continue;
            }
            WEFT_AWAIT(n,
                       hesitantly(&self->why, weft_join(&self->handle[self->i]), &self->in.seed));
            n = outcome(&self->why, STORM_JOIN);
            SCHECK(n == 0 || n == -ECANCELED);
        }
        if (!WEFT_CANCELLED())
            lane_verify(self);
    }
    lanes_give_up(self);
    WEFT_END(0);
}

#endif
