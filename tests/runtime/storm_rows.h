/*
 * storm_rows.h - operations of every row of the table, on stages that a thread keeps changing; and
 * operations without a row
 */
#ifndef STORM_ROWS_H
#define STORM_ROWS_H

#include "storm.h"

#include <sys/ioctl.h>

/* ---- rows ---- */

#define STAGES      2 /* of a task: what comes late to one is noticed while the other is in use */
#define ROWS_TASKS  6
#define STAGE_COUNT (STAGES * ROWS_TASKS)

static stage      stages[STAGE_COUNT];
static atomic_int n_stages_taken;

struct rows {
    WEFT_FRAME;
    struct {
        uint32_t seed;
    } in;
    weft_io    io;
    hesitation why;
    stage     *first, *now;
    uint32_t   turn;
    int        row;
};

static weft_future *begin_row(struct rows *self)
{
    stage *s = self->now = self->first + self->turn++ % STAGES;

    check_ours(s->buffer, SIZE);
    memset(s->buffer, 'b', SIZE);
    self->row = (int)(rnd(&self->in.seed) % ROWS);
    if (is_row(self->row, "weft_stream_release")) /* its case wants a stream without bytes */
        return weft_stream_release(&self->io, s->stream);
    return cases[self->row].begin(s, &self->io);
}

static void end_row(struct rows *self, int64_t n)
{
    stage *s = self->now;

    memset(s->buffer, OURS, SIZE);
    if (n < 0) /* some find no file, or one that is there already, and there is RLIMIT_MEMLOCK */
        CHECK(self->row, n == -ECANCELED || n == -ENOENT || n == -EEXIST || n == -ENOBUFS ||
                             n == -ENOMEM ||
                             (is_row(self->row, "weft_file_read_exact") && n == WEFT_EOF));
    if (n >= 0 && is_row(self->row, "weft_file_open"))
        check_eq(close((int)n), 0);
    if (n >= 0 && is_row(self->row, "weft_stream_release") &&
        weft_stream_adopt(NULL, (int)n, &s->stream) < 0) /* the runtime is being stopped */
        check_eq(close((int)n), 0);
    if (n < 0 && is_row(self->row, "weft_file_close"))
        check_eq(close(s->extra), 0);
    if (is_row(self->row, "weft_connect") || is_row(self->row, "weft_accept")) {
        check_eq(s->granted != NULL, n == 0);
        weft_stream_close(s->granted);
        s->granted = NULL;
    }
}

/* Closes the streams and sockets of the runtime before the runtime stops. */
static void leave_stage(stage *s)
{
    weft_stream_close(s->stream);
    weft_stream_close(s->full);
    weft_listener_close(s->listener);
    weft_datagram_close(s->datagram);
    weft_datagram_close(s->sender);
    s->stream = s->full = NULL;
    s->listener = NULL;
    s->datagram = s->sender = NULL;
}

WEFT_ASYNC(rows)
{
    int64_t n;

    WEFT_BEGIN();
    self->first = &stages[STAGES * n_stages_taken++];
    self->turn = 0;
    while (!is_over() && !WEFT_CANCELLED()) {
        WEFT_AWAIT(n, hesitantly(&self->why, begin_row(self), &self->in.seed));
        n = outcome(&self->why, self->row);
        end_row(self, n);
    }
    for (int i = 0; i < STAGES; i++) {
        check_ours(self->first[i].buffer, SIZE);
        leave_stage(&self->first[i]);
    }
    WEFT_END(0);
}

/* Lets some operations of the stage continue, and never waits. The stage's own task must not call
 * it. */
static void stir(stage *s, int udp, uint32_t *seed)
{
    char rest[4096];
    int  n = 0;

    switch (rnd(seed) % 8) {
    case 0:
        send(s->peer, sent, SIZE, MSG_DONTWAIT | MSG_NOSIGNAL);
        break;
    case 1:
        while (recv(s->full_peer, rest, sizeof rest, MSG_DONTWAIT) == sizeof rest)
            ;
        break;
    case 2:
        if (poll(&(struct pollfd){s->pipe[1], POLLOUT, 0}, 1, 0) == 1)
            check_eq(write(s->pipe[1], sent, SIZE), SIZE);
        break;
    case 3:
        if (ioctl(s->packed[0], FIONREAD, &n) == 0 && n > 50000)
            check_eq(read(s->packed[0], rest, sizeof rest), sizeof rest);
        break;
    case 4:
        sendto(udp, sent, SIZE, MSG_DONTWAIT, &s->datagram_address.u.any,
               sizeof s->datagram_address.u.v4);
        break;
    case 5:
        recv(s->receiver, rest, sizeof rest, MSG_DONTWAIT);
        break;
    case 6: /* paths: what was made goes, what was moved comes back */
        unlinkat(s->dir, "other", 0);
        unlinkat(s->dir, "new", 0);
        unlinkat(s->dir, "sub", AT_REMOVEDIR);
        close(openat(s->dir, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        break;
    default:
        n = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        connect(n, &s->address.u.any, sizeof s->address.u.v4);
        if (s->connected >= 0)
            raw_reset(s->connected);
        s->connected = n;
    }
}

/* ---- what is no row ---- */

/* These are quick: they pause, lest they be all that is cancelled. */
#define PAUSE WEFT_US(100)

struct storm_job {
    int64_t value;
};
WEFT_BLOCKING(storm_job)
{
    if (self->value % 4 == 0)
        usleep(50);
    return self->value;
}

struct others {
    WEFT_FRAME;
    struct {
        uint32_t seed;
    } in;
    hesitation                 why;
    int                        kind;
    int64_t                    value;
    struct weft_sleep          nap;
    weft_interval              interval;
    struct weft_spawn_blocking job;
    struct weft_resolve        resolution;
};

static weft_future *begin_other(struct others *self)
{
    self->kind = STORM_NAP + (int)(rnd(&self->in.seed) % 5);
    self->value = rnd(&self->in.seed) % 1000;
    switch (self->kind) {
    case STORM_NAP:
        self->value = weft_now() + WEFT_US(rnd(&self->in.seed) % 300);
        return weft_sleep_until(&self->nap, self->value);
    case STORM_INTERVAL:
        return weft_interval_tick(&self->interval);
    case STORM_JOB:
        return weft_spawn_blocking(&self->job, storm_job, .value = self->value);
    case STORM_NAMED_JOB:
        return weft_spawn_blocking_on(&self->job, storm.pool, storm_job, .value = self->value);
    default:
        return weft_resolve(&self->resolution, "127.0.0.1", 7);
    }
}

static void end_other(struct others *self, int64_t n)
{
    bool is_job = self->kind == STORM_JOB || self->kind == STORM_NAMED_JOB;

    if (n == -ECANCELED || (n == -ESHUTDOWN && storm.stopping))
        return;
    if (self->kind == STORM_NAP)
        SCHECK(n == 0 && weft_now() >= self->value);
    else
        SCHECK(is_job ? n == self->value : n >= 0);
}

WEFT_ASYNC(others)
{
    int64_t n;

    WEFT_BEGIN();
    weft_interval_start(&self->interval, WEFT_US(300), WEFT_INTERVAL_SKIP);
    while (!is_over() && !WEFT_CANCELLED()) {
        WEFT_AWAIT(n, hesitantly(&self->why, begin_other(self), &self->in.seed));
        n = outcome(&self->why, self->kind);
        end_other(self, n);
        WEFT_AWAIT(n, weft_sleep(&self->why.nap, PAUSE));
    }
    WEFT_END(0);
}

/* ---- messages: numbered, each taken once ---- */

struct sender {
    WEFT_FRAME;
    struct {
        uint32_t          seed;
        weft_mpsc_sender *to;
    } in;
    hesitation why;
    weft_wait  wait;
    int64_t    next;
};
WEFT_ASYNC(sender)
{
    int64_t n;

    WEFT_BEGIN();
    self->next = 0;
    while (!is_over() && !WEFT_CANCELLED()) {
        WEFT_AWAIT(n, hesitantly(&self->why, weft_mpsc_send(&self->wait, self->in.to, &self->next),
                                 &self->in.seed));
        n = outcome(&self->why, STORM_SEND);
        SCHECK(n == 0 || n == -ECANCELED || n == -EPIPE);
        self->next += n == 0;
        if (n == -EPIPE)
            break;
        WEFT_AWAIT(n, weft_sleep(&self->why.nap, PAUSE));
    }
    weft_mpsc_sender_close(self->in.to);
    WEFT_END(self->next);
}

struct receiver {
    WEFT_FRAME;
    struct {
        uint32_t            seed;
        weft_mpsc_receiver *from;
        weft_mpsc_sender   *to;
    } in;
    hesitation  why;
    weft_wait   wait;
    weft_handle sender;
    int64_t     next, got;
};
WEFT_ASYNC(receiver)
{
    int64_t n;

    WEFT_BEGIN();
    self->next = 0;
    self->sender = (weft_handle){0};
    n = weft_spawn(&self->sender, sender, .seed = new_seed(), .to = self->in.to);
    if (n < 0)
        weft_mpsc_sender_close(self->in.to);
    while (n != WEFT_EOF && !WEFT_CANCELLED()) {
        WEFT_AWAIT(n,
                   hesitantly(&self->why, weft_mpsc_receive(&self->wait, self->in.from, &self->got),
                              &self->in.seed));
        n = outcome(&self->why, STORM_RECEIVE);
        SCHECK(n == 0 || n == -ECANCELED || n == WEFT_EOF);
        SCHECK(n < 0 || self->got == self->next++);
    }
    weft_mpsc_receiver_close(self->in.from);
    if (WEFT_CANCELLED() || weft_handle_is_empty(&self->sender)) {
        if (!weft_handle_is_empty(&self->sender))
            weft_detach(&self->sender);
        WEFT_RETURN(0);
    }
    WEFT_AWAIT(n, weft_join(&self->sender));
    SCHECK(n == self->next || n == -ECANCELED);
    WEFT_END(0);
}

/* ---- oneshots that are given up ---- */

struct listens {
    WEFT_FRAME;
    struct {
        uint32_t seed;
    } in;
    hesitation             why, other;
    weft_oneshot_receiver *from;
    weft_wait              wait;
    char                   none;
};
WEFT_ASYNC(listens)
{
    int64_t n;

    WEFT_BEGIN();
    while (!is_over() && !WEFT_CANCELLED()) {
        bell(&self->other);
        WEFT_AWAIT(n, hesitantly(&self->why,
                                 weft_oneshot_receive(&self->wait, self->other.bell, &self->none),
                                 &self->in.seed));
        n = outcome(&self->why, STORM_ONESHOT);
        weft_oneshot_receiver_close(self->other.bell);
        SCHECK(n == 0 || n == -ECANCELED);
        WEFT_AWAIT(n, weft_sleep(&self->why.nap, PAUSE));
    }
    WEFT_END(0);
}

#endif
