/* test_styles_streams.c - buffered reading and copying, as async functions and as fibers do it */
#include "../sockets.h"
#include "../styles.h"

/* Three streams of the runtime's and their other ends. The part of a line has come through one. */
struct scene {
    weft_stream *part, *a, *b;
    int          part_peer, a_peer, b_peer;
    weft_reader  in_part, in_a;
    char         part_buffer[64], a_buffer[64];
};

struct state {
    struct weft_copy      copy;
    struct weft_copy_both both;
    char                 *data;
    char                  memory[64];
};

#include "style_rows.h"

static void set_up(struct scene *s, weft_runtime *rt, style style)
{
    (void)style;
    s->part_peer = pair(rt, &s->part);
    s->a_peer = pair(rt, &s->a);
    s->b_peer = pair(rt, &s->b);
    weft_reader_init(&s->in_part, s->part, s->part_buffer, sizeof s->part_buffer);
    weft_reader_init(&s->in_a, s->a, s->a_buffer, sizeof s->a_buffer);
    raw_write(s->part_peer, "li", 2);
}

static void tear_down(struct scene *s)
{
    weft_stream_close(s->part);
    weft_stream_close(s->a);
    weft_stream_close(s->b);
    close(s->part_peer);
    if (s->a_peer >= 0)
        close(s->a_peer);
    close(s->b_peer);
}

/* ---- a row for each wait ---- */

BEGIN(line, weft_reader_line(&s->in_part, &state->data))
BEGIN(until, weft_reader_until(&s->in_part, '\n', &state->data))
BEGIN(reader_take, weft_reader_take(&s->in_part, 5, &state->data))
BEGIN(reader_peek, weft_reader_peek(&s->in_part, 5, &state->data))
DO(send_rest, raw_write(s->part_peer, "ne\n", 3))
DO(end_part, shutdown(s->part_peer, SHUT_WR))

BEGIN(reader_read, weft_reader_read(&s->in_a, state->memory, 64))
BEGIN(reader_read_exact, weft_reader_read_exact(&s->in_a, state->memory, 3))
BEGIN(reader_skip, weft_reader_skip(&s->in_a, 3))
DO(send_a, raw_write(s->a_peer, "abc", 3))
DO(end_a, shutdown(s->a_peer, SHUT_WR))
DO(reset_a, raw_reset(s->a_peer); s->a_peer = -1)

BEGIN(copy, weft_copy(&state->copy, s->a, s->b, state->memory, 64))
DO(send_and_end_a, send_a(s); end_a(s))
BEGIN(copy_both, weft_copy_both(&state->both, s->a, s->b, state->memory, 64))
DO(end_both, end_a(s); shutdown(s->b_peer, SHUT_WR))

/* A line is ended by '\0'. What was read until the newline is not. */
TAKE(measure_line, (int64_t)strlen(state->data))
TAKE(check_memory, memcmp(state->memory, "abc", 3) == 0 ? 3 : -EIO)

static const row rows[] = {
    {"weft_reader_line", begin_line, send_rest, .result = 4, .take = measure_line,
     .or_else = end_part, .other = 2},
    {"weft_reader_until", begin_until, send_rest, .result = 5, .or_else = end_part, .other = 2},
    {"weft_reader_take", begin_reader_take, send_rest, .result = 5, .or_else = end_part,
     .other = WEFT_EOF},
    {"weft_reader_peek", begin_reader_peek, send_rest, .result = 5, .or_else = end_part,
     .other = 2},
    {"weft_reader_read", begin_reader_read, send_a, .result = 3, .or_else = end_a, .other = 0},
    {"weft_reader_read_exact", begin_reader_read_exact, send_a, .result = 3, .take = check_memory,
     .or_else = end_a, .other = WEFT_EOF},
    {"weft_reader_skip", begin_reader_skip, send_a, .result = 3, .or_else = reset_a,
     .other = -ECONNRESET},
    {"weft_copy", begin_copy, send_and_end_a, .result = 3, .or_else = reset_a,
     .other = -ECONNRESET},
    {"weft_copy_both", begin_copy_both, end_both, .result = 0, .or_else = reset_a,
     .other = -ECONNRESET},
};

ROW_CASES(styles_streams)

/* ---- a conversation ---- */

#define LINES_SENT 50

/* Sends back each line, by itself, and returns how many these were. */
struct echoes_lines {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_reader reader;
    weft_io     io;
    char        buffer[128];
    char       *line;
    int64_t     count;
};
BODY(echoes_lines)
{
    int64_t n;

    WEFT_BEGIN();
    self->count = 0;
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);
    for (;;) {
        AWAIT(n, weft_reader_line(&self->reader, &self->line));
        if (n < 0)
            break;
        AWAIT(n, weft_write_all(&self->io, self->in.stream, self->line, (size_t)n));
        self->count++;
    }
    weft_stream_close(self->in.stream);
    WEFT_END(n == WEFT_EOF ? self->count : n);
}

TEST_STYLES(styles_streams, a_server_of_lines)
{
    weft_stream *stream;
    int          peer = pair(rt, &stream);
    weft_handle  handle;
    char         text[32], answer[32];

    check_eq(SPAWN_STYLE(style, rt, &handle, echoes_lines, .stream = stream), 0);
    for (int i = 0; i < LINES_SENT; i++) {
        int n = snprintf(text, sizeof text, "line %d\n", i);

        raw_write(peer, text, (size_t)n);
        raw_read(peer, answer, (size_t)n - 1);
        check_eq(memcmp(text, answer, (size_t)n - 1), 0);
    }
    close(peer);
    check_eq(join(rt, &handle), LINES_SENT);
}
