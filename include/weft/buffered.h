/*
 * buffered.h - reading a stream by lines and pieces, and copying streams
 *
 * A weft_reader reads a stream ahead into a buffer of the caller's and hands out what the caller
 * asks for, by pointer where it can:
 *
 *     weft_reader_init(&self->in_, conn, self->buffer, sizeof self->buffer);
 *     for (;;) {
 *         WEFT_AWAIT(n, weft_reader_line(&self->in_, &self->line));
 *         if (n < 0)
 *             break;                                  WEFT_EOF: the end
 *         use(self->line, n);
 *     }
 *
 * Each of the reader's functions makes the one future that the reader has. A reader belongs to one
 * task. Making a second future while the first is pending aborts. A pointer that was handed out is
 * valid until the next call.
 *
 * All these futures WITHDRAW, and a cancelled one loses no byte. What has been read from the stream
 * and not been handed out stays in the buffer for the next call.
 *
 * An error of the stream becomes the result unchanged, and the caller may try again. -EMSGSIZE
 * means that what was asked for does not fit into the buffer. Nothing was taken then.
 */
#ifndef WEFT_BUFFERED_H
#define WEFT_BUFFERED_H

#include <weft/net.h>

WEFT_BEGIN_DECLS

/* A stream with a buffer for reading ahead. `future` is the one future that the reader has. `done`
 * is how many bytes weft_reader_read_exact and weft_reader_skip have moved so far. The other fields
 * are weft's. */
typedef struct weft_reader {
    weft_future  future;
    size_t       done;
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

/*
 * Makes a reader of the stream with a buffer of the caller's. The buffer must not be empty, or the
 * function aborts. The caller still owns the stream. The reader borrows the stream and the buffer
 * as long as it is used. It is plain data until a future of it is polled.
 */
WEFT_API void weft_reader_init(weft_reader *reader, weft_stream *stream, void *buffer, size_t size);

/* Returns how many bytes have been read ahead. If it returns 0, the stream can be read without the
 * reader. */
static inline size_t weft_reader_buffered(const weft_reader *reader)
{
    return reader->end_ - reader->begin_;
}

/*
 * Reads the next line. *ret_line is the line without its "\n" or "\r\n", ended by '\0', and is
 * valid until the next call. If the stream does not end in a newline, the remaining bytes are the
 * last line. A line with its newline must fit into the buffer. A last line without a newline must
 * be shorter than the buffer.
 *
 * Returns: the length of the line.
 * Errors:  WEFT_EOF, there is no more line. -EMSGSIZE, the line does not fit. Nothing was taken
 *          then. Others as weft_read gives them.
 * Cancel:  WITHDRAWS; no byte is lost.
 */
WEFT_API weft_future *weft_reader_line(weft_reader *reader, char **ret_line);

/*
 * Reads everything up to the delimiter, and the delimiter with it. *ret_data points to the bytes
 * and is valid until the next call. At the end of the stream it reads what is left, without a
 * delimiter.
 *
 * Returns: how many bytes there are. 0, the stream has ended and nothing is left.
 * Errors:  -EMSGSIZE, the bytes up to the delimiter do not fit into the buffer. Nothing was taken
 *          then. Others as weft_read gives them.
 * Cancel:  WITHDRAWS; no byte is lost.
 */
WEFT_API weft_future *weft_reader_until(weft_reader *reader, char delimiter, char **ret_data);

/*
 * Reads exactly `size` bytes and hands them out by pointer. *ret_data points to them and is valid
 * until the next call.
 *
 * Returns: `size`.
 * Errors:  WEFT_EOF, the stream ended before. What was read stays in the buffer. -EMSGSIZE, `size`
 *          is larger than the buffer. Nothing was taken then. Others as weft_read gives them.
 * Cancel:  WITHDRAWS; no byte is lost.
 */
WEFT_API weft_future *weft_reader_take(weft_reader *reader, size_t size, char **ret_data);

/*
 * Looks at the next bytes, at least `size` of them, without taking them. *ret_data points to them
 * and is valid until the next call.
 *
 * Returns: how many bytes there are, at least `size`. It is fewer where the stream ends.
 * Errors:  -EMSGSIZE, `size` is larger than the buffer. Others as weft_read gives them.
 * Cancel:  WITHDRAWS; no byte is lost.
 */
WEFT_API weft_future *weft_reader_peek(weft_reader *reader, size_t size, char **ret_data);

/*
 * Reads at least one byte into memory of the caller's, and at most `size`. It takes what the buffer
 * has, or reads the stream if the buffer is empty. The memory is borrowed until READY.
 *
 * Returns: how many bytes were read. 0, at the end of the stream or if `size` is 0.
 * Errors:  as weft_read gives them.
 * Cancel:  WITHDRAWS; no byte is lost.
 */
WEFT_API weft_future *weft_reader_read(weft_reader *reader, void *memory, size_t size);

/*
 * Reads exactly `size` bytes into memory of the caller's. `size` may be more than the buffer holds.
 * The memory is borrowed until READY. After an error or a cancel reader->done bytes are in the
 * memory.
 *
 * Returns: `size`.
 * Errors:  WEFT_EOF, the stream ended before. Others as weft_read gives them.
 * Cancel:  WITHDRAWS; reader->done bytes are read then.
 */
WEFT_API weft_future *weft_reader_read_exact(weft_reader *reader, void *memory, size_t size);

/*
 * Skips exactly `size` bytes of the stream. `size` may be more than the buffer holds. After an
 * error or a cancel reader->done bytes are skipped.
 *
 * Returns: `size`.
 * Errors:  WEFT_EOF, the stream ended before. Others as weft_read gives them.
 * Cancel:  WITHDRAWS; reader->done bytes are skipped then.
 */
WEFT_API weft_future *weft_reader_skip(weft_reader *reader, size_t size);

/* ---- copying ---- */

/* The state of a weft_copy, in memory of the caller. `done` is how many bytes have been written so
 * far. After an error or a cancel the `left` bytes at `data`, in the buffer, have been read but are
 * not known to be written. The other fields are weft's. */
struct weft_copy {
    weft_future  future;
    uint64_t     done;
    char        *data;
    size_t       left;
    weft_stream *from_, *to_;
    char        *buffer_;
    size_t       size_;
    bool         writing_;
    weft_io      io_;
};

/*
 * Copies from one stream to another until the first one ends. The buffer must not be empty, or the
 * function aborts. It is borrowed until READY. copying->done is how many bytes have been written.
 * After an error or a cancel copying->data and copying->left are what has been read but not
 * written. The function closes nothing and shuts nothing down.
 *
 * Returns: how many bytes were written.
 * Errors:  the first error of reading or writing, as weft_read and weft_write_all give it.
 * Cancel:  WITHDRAWS; copying->done bytes are written then.
 */
WEFT_API weft_future *weft_copy(struct weft_copy *copying, weft_stream *from, weft_stream *to,
                                void *buffer, size_t size);

/* The state of a weft_copy_both, in memory of the caller. Each direction has its own `done`, `data`
 * and `left`. `from_a` is the copy from the first stream to the second, and `from_b` the copy
 * back. */
struct weft_copy_both {
    weft_future      future;
    struct weft_copy from_a, from_b;
    bool             turn_;
};

/*
 * Copies both ways between two streams, at once. When one stream ends and all its bytes are
 * written, the writing half of the other is shut down. The other direction goes on until it ends,
 * too. An error of either direction ends the other. Each direction uses half of the buffer, which
 * must be at least 2 bytes, or the function aborts. The buffer is borrowed until READY. The
 * function closes nothing.
 *
 * A limit for silence is a select between the copy, marked by weft_keep, and a sleep. When the
 * sleep has won, both->from_a.done + both->from_b.done tells whether bytes have moved since.
 *
 * Returns: 0.
 * Errors:  the first error of either direction, as weft_read and weft_write_all give it.
 * Cancel:  WITHDRAWS; `done`, `data` and `left` of each direction say what has been written.
 */
WEFT_API weft_future *weft_copy_both(struct weft_copy_both *both, weft_stream *a, weft_stream *b,
                                     void *buffer, size_t size);

WEFT_END_DECLS

#endif
