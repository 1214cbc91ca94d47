/*
 * readers.c - lines and pieces of a stream, and copying one stream into another
 */
#include "expect.h"

struct lines {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_reader reader;
    char       *data;
    char        buffer[256], memory[16];
};
WEFT_ASYNC(lines)
{
    int64_t n;

    WEFT_BEGIN();
    weft_reader_init(&self->reader, self->in.stream, self->buffer, sizeof self->buffer);

    WEFT_AWAIT(n, weft_reader_line(&self->reader, &self->data));
    EXPECT(n == 5 && strcmp(self->data, "first") == 0); /* without its end of line */

    WEFT_AWAIT(n, weft_reader_until(&self->reader, ';', &self->data));
    EXPECT(n == 4 && memcmp(self->data, "a=1;", 4) == 0); /* with its delimiter */

    WEFT_AWAIT(n, weft_reader_peek(&self->reader, 1, &self->data));
    EXPECT(n >= 1 && self->data[0] == '#'); /* it stays for the next call */

    WEFT_AWAIT(n, weft_reader_skip(&self->reader, 1));
    EXPECT(n == 1);

    WEFT_AWAIT(n, weft_reader_take(&self->reader, 4, &self->data));
    EXPECT(n == 4 && memcmp(self->data, "0004", 4) == 0); /* in the reader's buffer */

    WEFT_AWAIT(n, weft_reader_read_exact(&self->reader, self->memory, 4));
    EXPECT(n == 4 && memcmp(self->memory, "body", 4) == 0); /* in memory of ours */

    WEFT_AWAIT(n, weft_reader_read(&self->reader, self->memory, sizeof self->memory));
    EXPECT(n > 0); /* what there is */
    EXPECT(weft_reader_buffered(&self->reader) == 0);
    WEFT_END(0);
}

struct readers {
    WEFT_FRAME;
    struct {
    } in;
    weft_stream          *a, *b, *c, *d;
    weft_io               io;
    struct lines          lines;
    struct weft_copy      copying;
    struct weft_copy_both both;
    struct weft_join_all  all;
    char                  buffer[4096], text[8];
};
WEFT_ASYNC(readers)
{
    int64_t n;

    WEFT_BEGIN();
    EXPECT(weft_stream_pair(NULL, &self->a, &self->b) == 0);
    EXPECT(weft_stream_pair(NULL, &self->c, &self->d) == 0);
    WEFT_AWAIT(n, weft_write_all(&self->io, self->a, "first\r\na=1;#0004bodyrest", 23));
    EXPECT(n == 23);
    WEFT_CALL(n, lines, &self->lines, .stream = self->b);
    EXPECT(n == 0);

    /* b to c, until a has sent its end. */
    WEFT_AWAIT(n, weft_write_all(&self->io, self->a, "copied", 6));
    EXPECT(weft_stream_shutdown(self->a, SHUT_WR) == 0);
    WEFT_AWAIT(n, weft_copy(&self->copying, self->b, self->c, self->buffer, sizeof self->buffer));
    EXPECT(n == 6);
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->d, self->text, 6));
    EXPECT(n == 6 && memcmp(self->text, "copied", 6) == 0);

    /* Both ways, until both have ended: what a proxy does. */
    EXPECT(weft_stream_shutdown(self->d, SHUT_WR) == 0);
    WEFT_AWAIT(n, weft_copy_both(&self->both, self->b, self->c, self->buffer, sizeof self->buffer));
    EXPECT(n == 0);
    weft_stream_close(self->a);
    weft_stream_close(self->b);
    weft_stream_close(self->c);
    weft_stream_close(self->d);
    WEFT_END(0);
}

int main(void)
{
    return weft_main(readers);
}
