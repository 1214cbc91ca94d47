/*
 * actors.h - small async functions that several test files spawn
 *
 * Each is named for what it does. A test that must note or check more has a function of its own.
 */
#ifndef ACTORS_H
#define ACTORS_H

#include "helpers.h"

/* No file uses all of them. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"

/* ---- that end at their first poll ---- */

struct returns {
    WEFT_FRAME;
    struct {
        int64_t value;
    } in;
};
WEFT_ASYNC(returns)
{
    WEFT_BEGIN();
    WEFT_END(self->in.value);
}

struct adds {
    WEFT_FRAME;
    struct {
        int64_t a, b;
    } in;
};
WEFT_ASYNC(adds)
{
    WEFT_BEGIN();
    WEFT_END(self->in.a + self->in.b);
}

struct sets {
    WEFT_FRAME;
    struct {
        int64_t *flag;
    } in;
};
WEFT_ASYNC(sets)
{
    WEFT_BEGIN();
    add(self->in.flag, 1);
    WEFT_END(0);
}

/* ---- that block their worker, as a task must not ---- */

/* Blocks until *flag >= value. */
struct blocks {
    WEFT_FRAME;
    struct {
        const int64_t *flag;
        int64_t        value;
        int64_t       *started;
    } in;
};
WEFT_ASYNC(blocks)
{
    WEFT_BEGIN();
    add(self->in.started, 1);
    spin_until(self->in.flag, self->in.value);
    WEFT_END(0);
}

struct pauses {
    WEFT_FRAME;
    struct {
        int64_t ms;
    } in;
};
WEFT_ASYNC(pauses)
{
    WEFT_BEGIN();
    pause_ms(self->in.ms);
    WEFT_END(0);
}

/* ---- that wait ---- */

/* Yields until *until is set. Its task is always ready to run, and a cancel does not end it. */
struct yields {
    WEFT_FRAME;
    struct {
        const int64_t *until;
    } in;
};
WEFT_ASYNC(yields)
{
    WEFT_BEGIN();
    while (!get(self->in.until))
        WEFT_YIELD();
    WEFT_END(0);
}

struct sleeps {
    WEFT_FRAME;
    struct {
        int64_t duration;
    } in;
    struct weft_sleep nap;
};
WEFT_ASYNC(sleeps)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_sleep(&self->nap, self->in.duration));
    WEFT_END(n);
}

struct awaits_fd {
    WEFT_FRAME;
    struct {
        int      fd;
        unsigned events;
    } in;
    weft_io io;
};
WEFT_ASYNC(awaits_fd)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_fd_ready(&self->io, self->in.fd, self->in.events));
    WEFT_END(n);
}

/* ---- that talk to a peer ---- */

struct reads_byte {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    byte;
};
WEFT_ASYNC(reads_byte)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, &self->byte, 1));
    WEFT_END(n);
}

struct accepts {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *stream;
};
WEFT_ASYNC(accepts)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
    WEFT_END(n);
}

/* Sends back what it reads until the peer has ended its half, then closes the stream. */
struct echo {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
    char    buffer[4096];
};
WEFT_ASYNC(echo)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_read(&self->io, self->in.stream, self->buffer, sizeof self->buffer));
        if (n <= 0)
            break;
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, self->buffer, (size_t)n));
        if (n < 0)
            break;
    }
    weft_stream_close(self->in.stream);
    WEFT_END(n);
}

#pragma GCC diagnostic pop

#endif
