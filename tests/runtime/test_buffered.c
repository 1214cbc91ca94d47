/* test_buffered.c - lines and pieces of a stream, one by one */
#include "../sockets.h"

#define RUN_IO(...) weft_block_on(rt, __VA_ARGS__)

/* One end of a connection with a reader of this buffer size. The other end is a plain socket. */
typedef struct setting {
    weft_runtime *rt;
    weft_stream  *stream;
    int           peer;
    weft_reader   reader;
    char          buffer[256];
} setting;

static weft_runtime *set_up(setting *s, size_t size)
{
    s->rt = start(1);
    s->peer = pair(s->rt, &s->stream);
    weft_reader_init(&s->reader, s->stream, s->buffer, size);
    return s->rt;
}

static void tear_down(setting *s)
{
    weft_stream_close(s->stream);
    close(s->peer);
    stop(s->rt);
}

static void say(setting *s, const char *text)
{
    raw_write(s->peer, text, strlen(text));
}

static void say_no_more(setting *s)
{
    check_eq(shutdown(s->peer, SHUT_WR), 0);
}

static int64_t line_of(setting *s, const char *expected)
{
    char   *line = NULL;
    int64_t n = weft_block_on(s->rt, weft_reader_line(&s->reader, &line));

    if (n < 0)
        check(!line); /* untouched by failure */
    else
        check_str_eq(line, expected);
    check(n < 0 || n == (int64_t)strlen(expected));
    return n;
}

static int64_t bytes_of(setting *s, weft_future *f, char **data, const char *expected)
{
    int64_t n = weft_block_on(s->rt, f);

    check_eq(n, strlen(expected));
    check_eq(memcmp(*data, expected, (size_t)n), 0);
    return n;
}

Test(buffered, lines_of_both_kinds_and_the_last_one)
{
    setting s;

    set_up(&s, 64);
    say(&s, "one\ntwo\r\n\n\r\n\rthree\r\r\nlast\r");
    say_no_more(&s);
    line_of(&s, "one");
    line_of(&s, "two");
    line_of(&s, "");
    line_of(&s, "");
    line_of(&s, "\rthree\r");
    line_of(&s, "last\r"); /* half an end is none */
    check_eq(line_of(&s, NULL), WEFT_EOF);
    check_eq(line_of(&s, NULL), WEFT_EOF);
    tear_down(&s);
}

Test(buffered, a_stream_that_ends_with_a_newline_has_no_line_behind_it)
{
    setting s;

    set_up(&s, 16);
    say(&s, "a\n");
    say_no_more(&s);
    line_of(&s, "a");
    check_eq(line_of(&s, NULL), WEFT_EOF);
    tear_down(&s);
}

Test(buffered, a_last_line_without_an_end_fits_if_it_is_shorter_than_the_buffer)
{
    setting s;

    set_up(&s, 16);
    say(&s, "x\n0123456789abcde");
    say_no_more(&s);
    line_of(&s, "x");
    line_of(&s, "0123456789abcde");
    check_eq(line_of(&s, NULL), WEFT_EOF);
    tear_down(&s);
}

Test(buffered, a_buffer_of_one_byte_holds_empty_lines_and_tells_the_end)
{
    setting s;

    set_up(&s, 1);
    say(&s, "\n\n");
    line_of(&s, "");
    line_of(&s, "");
    say_no_more(&s);
    check_eq(line_of(&s, NULL), WEFT_EOF);
    tear_down(&s);
}

Test(buffered, a_line_too_long_is_refused_and_not_lost)
{
    setting       s;
    weft_runtime *rt = set_up(&s, 16);
    char         *data;

    say(&s, "0123456789abcde\n0123456789abcd\r\n0123456789abcdef\nshort\n");
    line_of(&s, "0123456789abcde"); /* with its end it fits just so */
    line_of(&s, "0123456789abcd");
    check_eq(line_of(&s, NULL), -EMSGSIZE);
    check_eq(line_of(&s, NULL), -EMSGSIZE);
    check_eq(weft_reader_buffered(&s.reader), 16);
    bytes_of(&s, weft_reader_take(&s.reader, 1, &data), &data, "0");
    bytes_of(&s, weft_reader_until(&s.reader, '\n', &data), &data, "123456789abcdef\n");
    line_of(&s, "short");
    say(&s, "0123456789abcdefgh");
    say_no_more(&s);
    check_eq(RUN_IO(weft_reader_until(&s.reader, '\n', &data)), -EMSGSIZE);
    check_eq(line_of(&s, NULL), -EMSGSIZE); /* all 16 are taken: no place for a '\0' */
    bytes_of(&s, weft_reader_take(&s.reader, 2, &data), &data, "01");
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 16, &data)), 16);
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 17, &data)), -EMSGSIZE);
    bytes_of(&s, weft_reader_take(&s.reader, 16, &data), &data, "23456789abcdefgh");
    check_eq(line_of(&s, NULL), WEFT_EOF);
    tear_down(&s);
}

/* The end has been seen while the buffer was full: the last line needs one byte more. */
Test(buffered, the_last_line_finds_place_for_its_end)
{
    setting       s;
    weft_runtime *rt = set_up(&s, 8);
    char         *data;

    say(&s, "01234567");
    say_no_more(&s);
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 8, &data)), 8);
    bytes_of(&s, weft_reader_take(&s.reader, 1, &data), &data, "0");
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 8, &data)), 7); /* the end */
    s.buffer[8] = '!';
    line_of(&s, "1234567");
    check_eq(s.buffer[8], '!');
    tear_down(&s);

    set_up(&s, 8);
    say(&s, "01234567");
    say_no_more(&s);
    s.buffer[8] = '!';
    check_eq(weft_block_on(s.rt, weft_reader_until(&s.reader, '\n', &data)), -EMSGSIZE);
    s.reader.ended_ = true; /* as if the end had come with the last byte */
    check_eq(line_of(&s, NULL), -EMSGSIZE);
    check_eq(s.buffer[8], '!');
    tear_down(&s);
}

Test(buffered, until_any_delimiter)
{
    setting s;
    char   *data;

    set_up(&s, 32);
    say(&s,
        "a;bb,c;\xff"
        "d\xff");
    bytes_of(&s, weft_reader_until(&s.reader, ';', &data), &data, "a;");
    bytes_of(&s, weft_reader_until(&s.reader, ',', &data), &data, "bb,");
    bytes_of(&s, weft_reader_until(&s.reader, '\xff', &data), &data, "c;\xff");
    bytes_of(&s, weft_reader_until(&s.reader, '\xff', &data), &data, "d\xff");
    say(&s, "rest");
    say_no_more(&s);
    bytes_of(&s, weft_reader_until(&s.reader, ';', &data), &data, "rest");
    bytes_of(&s, weft_reader_until(&s.reader, ';', &data), &data, "");
    tear_down(&s);
}

Test(buffered, what_was_searched_for_one_delimiter_is_searched_for_another)
{
    setting             s;
    weft_runtime       *rt = set_up(&s, 32);
    struct weft_timeout limit;
    char               *data;

    say(&s, "ab,cd");
    check_eq(RUN_IO(weft_timeout(&limit, weft_reader_until(&s.reader, ';', &data), WEFT_MS(20))),
             -ETIMEDOUT);
    check_eq(weft_reader_buffered(&s.reader), 5);
    bytes_of(&s, weft_reader_until(&s.reader, ',', &data), &data, "ab,");
    tear_down(&s);
}

Test(buffered, take_peek_skip_and_read)
{
    setting       s;
    weft_runtime *rt = set_up(&s, 16);
    char         *data, memory[40];

    say(&s, "0123456789");
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 4, &data)), 10);
    check_eq(memcmp(data, "0123456789", 10), 0);
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 0, &data)), 10);
    bytes_of(&s, weft_reader_take(&s.reader, 3, &data), &data, "012");
    bytes_of(&s, weft_reader_take(&s.reader, 0, &data), &data, "");
    check_eq(RUN_IO(weft_reader_skip(&s.reader, 2)), 2);
    check_eq(RUN_IO(weft_reader_read(&s.reader, memory, 3)), 3);
    check_eq(memcmp(memory, "567", 3), 0);
    check_eq(RUN_IO(weft_reader_read(&s.reader, memory, 30)), 2);
    check_eq(memcmp(memory, "89", 2), 0);
    check_eq(RUN_IO(weft_reader_read(&s.reader, memory, 0)), 0);
    say(&s, "abc");
    check_eq(RUN_IO(weft_reader_read(&s.reader, memory, 30)), 3); /* past the buffer */
    check_eq(memcmp(memory, "abc", 3), 0);
    check_eq(weft_reader_buffered(&s.reader), 0);
    check_eq(RUN_IO(weft_reader_take(&s.reader, 17, &data)), -EMSGSIZE);
    say(&s, "0123456789abcdefghijklmnopqrstuvwxyz0123456789");
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 1, &data)), 16);
    check_eq(RUN_IO(weft_reader_read_exact(&s.reader, memory, 20)), 20); /* more than it holds */
    check_eq(memcmp(memory, "0123456789abcdefghij", 20), 0);
    check_eq(RUN_IO(weft_reader_skip(&s.reader, 20)), 20);
    bytes_of(&s, weft_reader_take(&s.reader, 6, &data), &data, "456789");
    tear_down(&s);
}

Test(buffered, an_early_end_says_how_much_there_was)
{
    setting       s;
    weft_runtime *rt = set_up(&s, 16);
    char         *data, memory[16];

    say(&s, "0123456");
    say_no_more(&s);
    check_eq(RUN_IO(weft_reader_take(&s.reader, 8, &data)), WEFT_EOF);
    check_eq(weft_reader_buffered(&s.reader), 7); /* still there */
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 8, &data)), 7);
    bytes_of(&s, weft_reader_take(&s.reader, 2, &data), &data, "01");
    check_eq(RUN_IO(weft_reader_read_exact(&s.reader, memory, 6)), WEFT_EOF);
    check_eq(s.reader.done, 5);
    check_eq(memcmp(memory, "23456", 5), 0);
    check_eq(RUN_IO(weft_reader_skip(&s.reader, 1)), WEFT_EOF);
    check_eq(s.reader.done, 0);
    check_eq(RUN_IO(weft_reader_skip(&s.reader, 0)), 0);
    check_eq(RUN_IO(weft_reader_read(&s.reader, memory, 1)), 0);
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 1, &data)), 0);
    tear_down(&s);
}

Test(buffered, an_error_of_the_stream_is_answered)
{
    setting s;

    set_up(&s, 16);
    say(&s, "half a ");
    check_eq(weft_block_on(s.rt, weft_reader_peek(&s.reader, 7, &(char *){NULL})), 7);
    raw_reset(s.peer);
    check_eq(line_of(&s, NULL), -ECONNRESET);
    check_eq(weft_reader_buffered(&s.reader), 7);
    s.peer = dup(0);
    tear_down(&s);
}

TEST_ABORTS(buffered, a_second_future_while_the_first_is_pending, "still pending")
{
    setting       s;
    weft_waker    noop = weft_waker_noop();
    weft_context  cx;
    weft_runtime *rt = set_up(&s, 16);
    char         *line;

    weft_context_init(&cx, &noop, rt);
    check(!weft_poll_is_ready(weft_future_poll(weft_reader_line(&s.reader, &line), &cx)));
    weft_reader_skip(&s.reader, 1);
}

/* ---- manners ---- */

struct glutton {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_reader reader;
    char        buffer[4096], *line;
    int64_t     n_lines;
};
WEFT_ASYNC(glutton)
{
    int64_t n;

    WEFT_BEGIN();
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);
    for (self->n_lines = 0;; self->n_lines++) {
        WEFT_AWAIT(n, weft_reader_line(&self->reader, &self->line));
        if (n < 0)
            break;
    }
    WEFT_END(self->n_lines);
}

/* Lines that are there already cost budget, so their reader yields. */
Test(buffered, lines_at_hand_spend_budget)
{
    weft_runtime  *rt = start(1);
    static char    lines[4000];
    struct glutton frame;
    struct watched polls;
    weft_stream   *s;
    int            peer = pair(rt, &s);

    memset(lines, '\n', sizeof lines);
    raw_write(peer, lines, sizeof lines);
    shutdown(peer, SHUT_WR);
    EVENTUALLY(recv(weft_stream_fd(s), lines, sizeof lines, MSG_PEEK | MSG_DONTWAIT) ==
               sizeof lines);
    check_eq(weft_block_on(rt, watched(&polls, weft_async(glutton, &frame, .stream = s))),
             sizeof lines);
    check_cmp(polls.n_polls, >=, sizeof lines / WEFT_BUDGET_DEFAULT);
    weft_stream_close(s);
    close(peer);
    stop(rt);
}

Test(buffered, cancelled_it_withdraws_at_once)
{
    setting       s;
    weft_runtime *rt = set_up(&s, 16);
    weft_waker    noop = weft_waker_noop();
    weft_context  cx;
    weft_future  *f;
    char         *line;

    weft_context_init(&cx, &noop, rt);
    say(&s, "par");
    check_eq(RUN_IO(weft_reader_peek(&s.reader, 3, &line)), 3);
    f = weft_reader_line(&s.reader, &line);
    check(!weft_poll_is_ready(weft_future_poll(f, &cx)));
    say(&s, "tial\n");
    check(!weft_poll_is_ready(weft_future_cancel(f)));
    check(weft_poll_is_ready(weft_future_poll(f, &cx)));
    check_eq(weft_future_result(f), -ECANCELED);
    line_of(&s, "partial");
    f = weft_reader_line(&s.reader, &line);
    check(weft_poll_is_ready(weft_future_cancel(f))); /* before its first poll */
    say(&s, "more\n");
    line_of(&s, "more");
    tear_down(&s);
}
