/*
 * buffered.h - reading a stream by lines and pieces, and copying streams
 *
 * A weft_reader reads a stream ahead into a buffer of yours and hands out what you ask for, by pointer
 * where it can:
 *
 *     weft_reader_init(&self->in_, conn, self->buffer, sizeof self->buffer);
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_reader_line(&self->in_, &self->line));
 *         if (n < 0)
 *             break;                                  -EPIPE: the end
 *         use(self->line, n);
 *     }
 *
 * Each function makes the reader's one future; a reader belongs to one task, and making a second
 * future while the first is pending aborts. All WITHDRAW, and a cancelled one loses no byte: what has
 * been read from the stream and not been handed out stays in the buffer for the next call. Pointers
 * handed out are valid until the next call. Errors of the stream are answered as they are and may be
 * followed by another try. -EMSGSIZE: what was asked for does not fit into the buffer; nothing was
 * taken.
 */
#ifndef WEFT_BUFFERED_H
#define WEFT_BUFFERED_H

#include <weft/net.h>

WEFT_BEGIN_DECLS

typedef struct weft_reader {
    weft_future  future;
    size_t       done; /* of read_exact and skip: bytes moved so far */
    weft_stream *stream_;
    char        *buffer_;
    size_t       size_;
    size_t       begin_, end_; /* what has been read and not handed out */
    size_t       seen_;        /* of that, what has been searched in vain */
    void        *out_;
    size_t       wanted_;
    int          delimiter_;
    uint8_t      kind_;
    bool         ended_;  /* the stream */
    bool         direct_; /* the pending read goes into the caller's memory */
    weft_io      io_;
} weft_reader;

/* A reader of the stream with a buffer of yours, not empty; plain data until a future of it is polled. The stream
 * stays yours. */
WEFT_API void weft_reader_init(weft_reader *reader, weft_stream *stream, void *buffer, size_t size);

/* How many bytes have been read ahead. With 0 the stream can be read without the reader. */
static inline size_t weft_reader_buffered(const weft_reader *reader)
{
    return reader->end_ - reader->begin_;
}

/* The next line: *ret_line without its "\n" or "\r\n", ended by '\0'. Returns its length. If the
 * stream does not end in a newline, the remaining bytes are the last line. A line with its
 * newline must fit into the buffer; the last one without a newline must be shorter than it.
 * -EPIPE: there is no more line.
 * -EMSGSIZE: the line does not fit; nothing was taken. */
WEFT_API weft_future *weft_reader_line(weft_reader *reader, char **ret_line);

/* Everything up to the delimiter, and with it: *ret_data and the count. At the end of the stream what is
 * left, without a delimiter; then 0. */
WEFT_API weft_future *weft_reader_until(weft_reader *reader, char delimiter, char **ret_data);

/* Exactly `size` bytes: *ret_data and size. -EPIPE: the stream ends before; what there is stays. */
WEFT_API weft_future *weft_reader_take(weft_reader *reader, size_t size, char **ret_data);

/* Looks at what comes next without taking it: *ret_data and how many bytes there are, at least `size`; fewer
 * where the stream ends. */
WEFT_API weft_future *weft_reader_peek(weft_reader *reader, size_t size, char **ret_data);

/* Into memory of yours, which is borrowed until READY. Some: at least one byte, from the buffer if it has
 * any; 0 at the end of the stream (or if size is 0). */
WEFT_API weft_future *weft_reader_read(weft_reader *reader, void *memory, size_t size);
/* Exactly `size`, which may be more than the buffer holds: size, or an error (-EPIPE: the stream ended
 * before), with reader->done bytes read. */
WEFT_API weft_future *weft_reader_read_exact(weft_reader *reader, void *memory, size_t size);
/* Takes `size` bytes and forgets them: size, or an error (-EPIPE), with reader->done bytes taken. */
WEFT_API weft_future *weft_reader_skip(weft_reader *reader, size_t size);

/* ---- copying ---- */

typedef struct weft_copying {
    weft_future  future;
    uint64_t     done; /* bytes written so far */
    char        *data; /* read, but not (known to be) written: after an error or a cancel */
    size_t       left;
    weft_stream *from_, *to_;
    char        *buffer_;
    size_t       size_;
    bool         writing_;
    weft_io      io_;
} weft_copying;

/* Copies what comes from one stream to another until the end of the first, through a buffer of yours, which
 * is borrowed until READY. The count, or the first error; `done` says how much has been written, and
 * data/left what has been read but not written (in the buffer). Closes nothing and shuts nothing
 * down. WITHDRAWS. */
WEFT_API weft_future *weft_copy(weft_copying *copying, weft_stream *from, weft_stream *to,
                                void *buffer, size_t size);

typedef struct weft_copying_both {
    weft_future  future;
    weft_copying from_a, from_b; /* `done`, `data` and `left` of each direction */
    bool         turn_;
} weft_copying_both;

/* Copies both ways at once. When one stream ends, the other's writing half is shut down once all has
 * been written to it; the other way goes on until it ends too. 0, or the first error of either way, which
 * ends the other. Each way uses half of the buffer (2 bytes at least). Closes nothing. WITHDRAWS. */
WEFT_API weft_future *weft_copy_both(weft_copying_both *both, weft_stream *a, weft_stream *b,
                                     void *buffer, size_t size);

WEFT_END_DECLS

#endif
