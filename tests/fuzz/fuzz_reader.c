/*
 * fuzz_reader.c - a buffered reader answers as a cursor in the bytes would, however they arrive
 *
 * The first byte says how large the buffer is, the second how many bytes of script follow; the rest
 * is what the stream brings. The script says what is asked of the reader, and how each read of the
 * stream ends: with so many bytes, late, with an error, or given up while it waits. What is handed
 * out is compared with the bytes themselves. Lines are also read from a stream that brings all that
 * there is room for: the answers must be those of the split one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <weft/buffered.h>

/* The reader under test reads from here, and not from a socket. */
static weft_future *fuzz_read(weft_io *io, weft_stream *stream, void *buffer, size_t size);
#define weft_read fuzz_read
#include "../../runtime/io/buffered.c"
#undef weft_read

#define REQUIRE(condition)                                                                         \
    ((condition) ? (void)0 : (fprintf(stderr, "%d: false: %s\n", __LINE__, #condition), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the stream ---- */

static struct source {
    const uint8_t *bytes, *script;
    size_t         n, at, n_script, script_at;
    bool           whole;   /* reads bring all that there is room for */
    bool           late;    /* the read has been PENDING once */
    bool           give_up; /* cancel the read that is PENDING */
    void          *memory;  /* of the read */
    size_t         size;
} source;

static uint8_t next_of_script(void)
{
    return source.script_at < source.n_script ? source.script[source.script_at++] : 0xff;
}

static weft_poll source_poll(weft_future *future, weft_context *cx)
{
    size_t  n = source.n - source.at;
    uint8_t how = source.whole ? 0xff : next_of_script();

    (void)cx;
    if (weft_future_is_cancelled(future))
        return weft_ready(future, -ECANCELED);
    if (how % 8 < 2 && !source.late) {
        source.late = true;
        source.give_up = how % 8 == 1;
        return WEFT_PENDING;
    }
    source.late = false;
    if (how % 8 == 2)
        return weft_ready(future, -EIO);
    if (how != 0xff && n > (size_t)how / 8 + 1)
        n = (size_t)how / 8 + 1;
    n = least(n, source.size);
    if (n > 0)
        memcpy(source.memory, source.bytes + source.at, n);
    source.at += n;
    return weft_ready(future, (int64_t)n);
}

static void source_cancel(weft_future *future)
{
    (void)future;
}

static weft_future *fuzz_read(weft_io *io, weft_stream *stream, void *buffer, size_t size)
{
    static const weft_future_ops ops = {sizeof(weft_io), WEFT_FUTURE_WITHDRAWS, "source",
                                        source_poll, source_cancel};

    (void)stream;
    REQUIRE(size > 0); /* its 0 would be taken for the end */
    weft_future_init(&io->future, &ops);
    source.memory = buffer;
    source.size = size;
    source.late = false;
    return &io->future;
}

/* ---- an executor ---- */

static int64_t run(weft_future *future)
{
    weft_waker   noop = weft_waker_noop();
    weft_context cx;

    for (;;) {
        weft_context_init(&cx, &noop, NULL);
        source.give_up = false;
        if (weft_poll_is_ready(weft_future_poll(future, &cx)))
            return weft_future_result(future);
        if (source.give_up) {
            if (!weft_poll_is_ready(weft_future_cancel(future)))
                REQUIRE(weft_poll_is_ready(weft_future_poll(future, &cx))); /* it WITHDRAWS */
            return weft_future_result(future);
        }
    }
}

/* ---- the cursor ---- */

static struct cursor {
    const uint8_t *bytes;
    size_t         left, room; /* of the stream; in the buffer */
} cursor;

static void cursor_move(size_t n)
{
    REQUIRE(n <= cursor.left);
    cursor.bytes += n;
    cursor.left -= n;
}

/* How many bytes up to and with the delimiter; 0: there is none. */
static size_t cursor_find(uint8_t delimiter)
{
    const uint8_t *found = cursor.left > 0 ? memchr(cursor.bytes, delimiter, cursor.left) : NULL;

    return found ? (size_t)(found - cursor.bytes) + 1 : 0;
}

static bool is_end(int64_t n)
{
    return n == WEFT_EOF;
}

/* What has nothing to do with the bytes, and took none of them. */
static bool is_accident(int64_t n)
{
    return n == -EIO || n == -ECANCELED;
}

static void check_line(int64_t n, const char *line)
{
    size_t taken = cursor_find('\n'), length = taken > 0 ? taken - 1 : cursor.left;

    if (is_accident(n))
        return;
    if (is_end(n)) {
        REQUIRE(cursor.left == 0);
        return;
    }
    if (n == -EMSGSIZE) { /* exactly how long a line may be the tests of buffered say */
        REQUIRE(length + 1 >= cursor.room);
        return;
    }
    REQUIRE(n >= 0 && length <= cursor.room);
    if (taken > 0 && length > 0 && cursor.bytes[length - 1] == '\r')
        length--;
    REQUIRE((size_t)n == length && (taken > 0 || length > 0));
    REQUIRE(memcmp(line, cursor.bytes, length) == 0 && line[length] == '\0');
    cursor_move(taken > 0 ? taken : length);
}

static void check_until(int64_t n, const char *data, uint8_t delimiter)
{
    size_t taken = cursor_find(delimiter);

    if (is_accident(n))
        return;
    if (n == -EMSGSIZE) {
        REQUIRE(taken > cursor.room || (taken == 0 && cursor.left >= cursor.room));
        return;
    }
    REQUIRE(n >= 0 && (size_t)n == (taken > 0 ? taken : cursor.left));
    REQUIRE(n == 0 || memcmp(data, cursor.bytes, (size_t)n) == 0);
    cursor_move((size_t)n);
}

static void check_take(int64_t n, const char *data, size_t wanted)
{
    if (is_accident(n))
        return;
    if (n == -EMSGSIZE)
        REQUIRE(wanted > cursor.room);
    else if (n < 0)
        REQUIRE(is_end(n) && wanted > cursor.left);
    else
        REQUIRE((size_t)n == wanted && memcmp(data, cursor.bytes, wanted) == 0);
    if (n > 0)
        cursor_move((size_t)n);
}

static void check_peek(int64_t n, const char *data, size_t wanted)
{
    if (is_accident(n))
        return;
    if (n == -EMSGSIZE) {
        REQUIRE(wanted > cursor.room);
        return;
    }
    REQUIRE(n >= 0 && (size_t)n <= cursor.left);
    REQUIRE((size_t)n >= wanted || (size_t)n == cursor.left);
    REQUIRE(n == 0 || memcmp(data, cursor.bytes, (size_t)n) == 0);
}

static void check_read(int64_t n, const uint8_t *memory, size_t wanted)
{
    if (is_accident(n))
        return;
    REQUIRE(n >= 0 && (size_t)n <= wanted && (size_t)n <= cursor.left);
    REQUIRE(n > 0 || wanted == 0 || cursor.left == 0);
    REQUIRE(n == 0 || memcmp(memory, cursor.bytes, (size_t)n) == 0);
    cursor_move((size_t)n);
}

/* Of read_exact and skip; `memory` is NULL for the latter. */
static void check_all(int64_t n, size_t done, const uint8_t *memory, size_t wanted)
{
    REQUIRE(done <= wanted && done <= cursor.left);
    REQUIRE(n < 0 || ((size_t)n == wanted && done == wanted));
    REQUIRE(n >= 0 || is_accident(n) || (is_end(n) && done == cursor.left));
    REQUIRE(!memory || done == 0 || memcmp(memory, cursor.bytes, done) == 0);
    cursor_move(done);
}

/* ---- one input ---- */

/* One call of the reader, made as the script says. False: the stream has ended. */
static bool step(weft_reader *reader)
{
    uint8_t  what = next_of_script();
    size_t   wanted = what == 0xff ? 1 : next_of_script() % 80;
    uint8_t *memory = malloc(wanted + (wanted == 0)), delimiter = (uint8_t)wanted;
    char    *data = NULL;
    int64_t  n;

    REQUIRE(memory);
    switch (what % 7) {
    case LINE:
        n = run(weft_reader_line(reader, &data));
        check_line(n, data);
        break;
    case UNTIL:
        n = run(weft_reader_until(reader, (char)delimiter, &data));
        check_until(n, data, delimiter);
        break;
    case TAKE:
        n = run(weft_reader_take(reader, wanted, &data));
        check_take(n, data, wanted);
        break;
    case PEEK:
        n = run(weft_reader_peek(reader, wanted, &data));
        check_peek(n, data, wanted);
        break;
    case READ:
        n = run(weft_reader_read(reader, memory, wanted));
        check_read(n, memory, wanted);
        break;
    case READ_EXACT:
        n = run(weft_reader_read_exact(reader, memory, wanted));
        check_all(n, reader->done, memory, wanted);
        break;
    default:
        n = run(weft_reader_skip(reader, wanted));
        check_all(n, reader->done, NULL, wanted);
    }
    free(memory);
    return cursor.left > 0 || source.script_at < source.n_script;
}

static void begin(weft_reader *reader, const uint8_t *data, size_t size, char *buffer)
{
    size_t n_script = least(data[1], size - 2), room = (size_t)data[0] % 96 + 1;

    source = (struct source){.script = data + 2,
                             .n_script = n_script,
                             .bytes = data + 2 + n_script,
                             .n = size - 2 - n_script};
    cursor = (struct cursor){source.bytes, source.n, room};
    weft_reader_init(reader, NULL, buffer, room);
}

/* The next line: its length, or an error that is the same however the bytes come; then it is taken
 * in part. */
static int64_t next_line(weft_reader *reader, char **line)
{
    char   *byte;
    int64_t n;

    do
        n = run(weft_reader_line(reader, line));
    while (is_accident(n));
    if (n == -EMSGSIZE)
        while (is_accident(run(weft_reader_take(reader, 1, &byte))))
            ;
    return n;
}

/* Reads both in turn, line by line; the source is that of one of them at a time. */
static void compare_lines(const uint8_t *data, size_t size)
{
    size_t        room = (size_t)data[0] % 96 + 1;
    char         *buffer[2] = {malloc(room), malloc(room)}, *line[2];
    weft_reader   reader[2];
    struct source state[2];
    int64_t       n[2];

    REQUIRE(buffer[0] && buffer[1]);
    for (int i = 0; i < 2; i++) {
        begin(&reader[i], data, size, buffer[i]);
        state[i] = source;
        state[i].whole = i == 1;
    }
    for (size_t most = size + 2; most > 0; most--) {
        for (int i = 0; i < 2; i++) {
            source = state[i];
            n[i] = next_line(&reader[i], &line[i]);
            state[i] = source;
        }
        REQUIRE(n[0] == n[1]);
        if (is_end(n[0]))
            break;
        REQUIRE(n[0] < 0 || memcmp(line[0], line[1], (size_t)n[0]) == 0);
    }
    free(buffer[0]);
    free(buffer[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weft_reader reader;
    char       *buffer;

    if (size < 2)
        return 0;
    buffer = malloc((size_t)data[0] % 96 + 1);
    REQUIRE(buffer);
    begin(&reader, data, size, buffer);
    for (size_t most = 2 * size; most > 0 && step(&reader); most--)
        ;
    free(buffer);
    compare_lines(data, size);
    return 0;
}
