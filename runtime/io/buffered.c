/*
 * buffered.c - reading a stream by lines and pieces
 *
 * Purpose     See include/weft/buffered.h.
 * Threads     The reader's owner.
 * Invariants  R1 buffer_[begin_..end_) holds the bytes that were read and not handed out yet. A
 *             pending read appends to it or writes into the caller's memory, so the bytes that it
 *             brings are never lost.
 *             R2 The '\0' of a line takes the place of its "\n". If the last line of the stream has
 *             no "\n", the '\0' goes into the byte behind it.
 * Ordering    None.
 * Failure     The errors of reading the stream.
 */
#include "inner.h"
#include "invariant.h"

#include <string.h>
#include <weft/buffered.h>

enum { LINE, UNTIL, TAKE, PEEK, READ, READ_EXACT, SKIP };

#define MORE INT64_MIN /* bytes are needed */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Moves the buffered bytes to the start of the buffer. */
static void make_room(weft_reader *r)
{
    if (r->begin_ == 0)
        return;
    memmove(r->buffer_, r->buffer_ + r->begin_, weft_reader_buffered(r));
    r->end_ -= r->begin_;
    r->begin_ = 0;
}

/* ---- taking from the buffer: each function returns a result, or MORE ---- */

static char *hand_out(weft_reader *r, size_t size)
{
    char *data = r->buffer_ + r->begin_;

    WF_ASSERT(size <= weft_reader_buffered(r)); /* R1 */
    r->begin_ += size;
    r->seen_ = 0;
    return data;
}

static int64_t hand_out_counted(weft_reader *r, size_t size)
{
    *(char **)r->out_ = hand_out(r, size);
    return (int64_t)size;
}

/* The number of bytes up to and including the delimiter, or 0 if it has not arrived yet. */
static size_t find(weft_reader *r)
{
    const char *begin = r->buffer_ + r->begin_;
    size_t      n = weft_reader_buffered(r);
    const char *found = memchr(begin + r->seen_, r->delimiter_, n - r->seen_);

    r->seen_ = n;
    return found ? (size_t)(found + 1 - begin) : 0;
}

static int64_t give_line(weft_reader *r)
{
    size_t n = find(r), left = weft_reader_buffered(r);
    char  *line;

    if (n == 0 && !r->ended_)
        return left < r->size_ ? MORE : -EMSGSIZE;
    if (n == 0 && left == 0)
        return WEFT_EOF;
    if (n == 0 && left == r->size_)
        return -EMSGSIZE; /* no room for the '\0' */
    if (n == 0)
        make_room(r);
    line = hand_out(r, n ? n : left);
    if (n == 0)
        n = left; /* the last line has no "\n" */
    else if (--n > 0 && line[n - 1] == '\r')
        n--;
    line[n] = '\0';
    *(char **)r->out_ = line;
    return (int64_t)n;
}

static int64_t give_until(weft_reader *r)
{
    size_t n = find(r), left = weft_reader_buffered(r);

    if (n == 0 && !r->ended_)
        return left < r->size_ ? MORE : -EMSGSIZE;
    return hand_out_counted(r, n ? n : left);
}

static int64_t give_take(weft_reader *r)
{
    if (r->wanted_ > r->size_)
        return -EMSGSIZE;
    if (weft_reader_buffered(r) < r->wanted_)
        return r->ended_ ? WEFT_EOF : MORE;
    return hand_out_counted(r, r->wanted_);
}

static int64_t give_peek(weft_reader *r)
{
    if (r->wanted_ > r->size_)
        return -EMSGSIZE;
    if (weft_reader_buffered(r) < r->wanted_ && !r->ended_)
        return MORE;
    *(char **)r->out_ = r->buffer_ + r->begin_;
    return (int64_t)weft_reader_buffered(r);
}

static int64_t give_read(weft_reader *r)
{
    size_t n = least(weft_reader_buffered(r), r->wanted_);

    if (n == 0)
        return r->ended_ || r->wanted_ == 0 ? 0 : MORE;
    memcpy(r->out_, hand_out(r, n), n);
    return (int64_t)n;
}

/* For READ_EXACT and SKIP. */
static int64_t give_all(weft_reader *r)
{
    size_t n = least(weft_reader_buffered(r), r->wanted_ - r->done);

    if (n > 0 && r->kind_ == READ_EXACT)
        memcpy((char *)r->out_ + r->done, hand_out(r, n), n);
    else if (n > 0)
        hand_out(r, n);
    r->done += n;
    if (r->done == r->wanted_)
        return (int64_t)r->done;
    return r->ended_ ? WEFT_EOF : MORE;
}

static int64_t give(weft_reader *r)
{
    switch (r->kind_) {
    case LINE:
        return give_line(r);
    case UNTIL:
        return give_until(r);
    case TAKE:
        return give_take(r);
    case PEEK:
        return give_peek(r);
    case READ:
        return give_read(r);
    default:
        return give_all(r);
    }
}

/* ---- reading from the stream ---- */

/* READ and READ_EXACT read straight into the caller's memory: give() has emptied the buffer. */
static void begin_read(weft_reader *r)
{
    r->direct_ = r->kind_ == READ || r->kind_ == READ_EXACT;
    if (r->direct_) {
        weft_read(&r->io_, r->stream_, (char *)r->out_ + r->done, r->wanted_ - r->done);
        return;
    }
    make_room(r);
    weft_read(&r->io_, r->stream_, r->buffer_ + r->end_, r->size_ - r->end_);
}

/* Takes the result of the finished read. Returns a result for the reader, or MORE. */
static int64_t end_read(weft_reader *r)
{
    int64_t n = weft_future_result(&r->io_.future);

    if (n < 0)
        return n;
    if (n == 0)
        r->ended_ = true;
    if (!r->direct_)
        r->end_ += (size_t)n;
    else if (r->kind_ == READ)
        return n;
    else
        r->done += (size_t)n;
    WF_ASSERT(r->begin_ <= r->end_ && r->end_ <= r->size_); /* R1 */
    return MORE;
}

/* Cancels the read, which WITHDRAWS. If it returns bytes all the same, end_read() puts them where
 * they belong. */
static weft_poll reader_withdraw(weft_reader *r, weft_context *cx)
{
    int64_t result = -ECANCELED;

    if (weft_future_is_pending(&r->io_.future) &&
        (weft_poll_is_ready(weft_future_cancel(&r->io_.future)) ||
         weft_poll_is_ready(weft_future_poll_inner(&r->io_.future, cx)))) {
        result = end_read(r);
        if (result <= 0)
            result = -ECANCELED;
    }
    return weft_ready(&r->future, result);
}

static weft_poll reader_poll(weft_future *future, weft_context *cx)
{
    weft_reader *r = weft_container(future, weft_reader, future);
    int64_t      result = MORE;

    if (weft_future_is_cancelled(future))
        return reader_withdraw(r, cx);
    if (!weft_future_is_pending(&r->io_.future)) {
        if (!weft_context_spend(cx))
            return WEFT_PENDING;
        result = give(r);
        if (result == MORE)
            begin_read(r);
    }
    while (result == MORE) {
        if (!weft_poll_is_ready(weft_future_poll_inner(&r->io_.future, cx)))
            return WEFT_PENDING;
        result = end_read(r);
        if (result == MORE)
            result = give(r);
        if (result == MORE)
            begin_read(r);
    }
    return weft_ready(future, result);
}

static void reader_cancel(weft_future *future)
{
    (void)future; /* the next poll withdraws the read */
}

static const weft_future *reader_inner(const weft_future *future, uint32_t i)
{
    return i == 0 ? &weft_container(future, weft_reader, future)->io_.future : NULL;
}

static const wf_outer_ops reader_ops = {{sizeof(weft_reader),
                                         WEFT_FUTURE_WITHDRAWS | WEFT_FUTURE_SHOWS_, "weft_reader",
                                         reader_poll, reader_cancel},
                                        reader_inner,
                                        false,
                                        NULL,
                                        NULL};

/* ---- the interface ---- */

WEFT_API void weft_reader_init(weft_reader *reader, weft_stream *stream, void *buffer, size_t size)
{
    if (size == 0)
        weft_misuse_("weft_reader_init", "the size of the buffer is 0", "weft_reader");
    *reader = (weft_reader){.stream_ = stream, .buffer_ = buffer, .size_ = size};
}

static weft_future *reader_future(weft_reader *r, int kind, size_t wanted, void *out)
{
    if (weft_future_is_pending(&r->future))
        weft_misuse_("weft_reader", "its last future is still pending", "weft_reader");
    weft_future_init(&r->future, &reader_ops.ops);
    r->kind_ = (uint8_t)kind;
    r->wanted_ = wanted;
    r->out_ = out;
    r->done = 0;
    return &r->future;
}

static weft_future *delimited(weft_reader *r, int kind, char delimiter, char **ret)
{
    if (r->delimiter_ != (unsigned char)delimiter)
        r->seen_ = 0;
    r->delimiter_ = (unsigned char)delimiter;
    return reader_future(r, kind, 0, ret);
}

WEFT_API weft_future *weft_reader_line(weft_reader *reader, char **ret_line)
{
    return delimited(reader, LINE, '\n', ret_line);
}

WEFT_API weft_future *weft_reader_until(weft_reader *reader, char delimiter, char **ret_data)
{
    return delimited(reader, UNTIL, delimiter, ret_data);
}

WEFT_API weft_future *weft_reader_take(weft_reader *reader, size_t size, char **ret_data)
{
    return reader_future(reader, TAKE, size, ret_data);
}

WEFT_API weft_future *weft_reader_peek(weft_reader *reader, size_t size, char **ret_data)
{
    return reader_future(reader, PEEK, size, ret_data);
}

WEFT_API weft_future *weft_reader_read(weft_reader *reader, void *memory, size_t size)
{
    return reader_future(reader, READ, size, memory);
}

WEFT_API weft_future *weft_reader_read_exact(weft_reader *reader, void *memory, size_t size)
{
    return reader_future(reader, READ_EXACT, size, memory);
}

WEFT_API weft_future *weft_reader_skip(weft_reader *reader, size_t size)
{
    return reader_future(reader, SKIP, size, NULL);
}
