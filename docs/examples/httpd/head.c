/*
 * head.c - see head.h
 *
 *     EMPTY <-> EMPTY_LF                               empty lines before the request
 *     EMPTY -> METHOD -> TARGET -> VERSION -> VERSION_LF -> LINE
 *     LINE -> NAME -> BLANKS -> VALUE -> VALUE_LF -> LINE     a field
 *     LINE -> LAST_LF -> END                           the empty line behind them
 *
 * Each state has a function that takes as many bytes as it can and returns where it has stopped.
 * What becomes of an input does not depend on where it was cut.
 */
#include "head.h"

#include <string.h>
#include <strings.h>

#include "bytes.h"

enum state {
    EMPTY,
    EMPTY_LF,
    METHOD,
    TARGET,
    VERSION,
    VERSION_LF,
    LINE,
    NAME,
    BLANKS,
    VALUE,
    VALUE_LF,
    LAST_LF,
    END,
};

static const char *refuse(struct head *head, const char *at, int status)
{
    head->status = status;
    return at;
}

static const char *go_on(struct head *head, const char *at, enum state state)
{
    head->state = (uint8_t)state;
    return at;
}

static void count(uint8_t *n)
{
    *n += *n < UINT8_MAX;
}

/* ---- words ---- */

#define WORD_TOO_LONG UINT8_MAX

static void word_add(struct head *head, const char *at, size_t size)
{
    if (head->word_size == WORD_TOO_LONG)
        return;
    if (size > sizeof head->word - head->word_size) {
        head->word_size = WORD_TOO_LONG;
        return;
    }
    memcpy(head->word + head->word_size, at, size);
    head->word_size += (uint8_t)size;
}

static bool word_is(const struct head *head, const char *word)
{
    return head->word_size == strlen(word) && !strncasecmp(head->word, word, head->word_size);
}

/* ---- the request line ---- */

static const char *const methods[] = {
    [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",       [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",     [HTTP_DELETE] = "DELETE",   [HTTP_CONNECT] = "CONNECT",
    [HTTP_TRACE] = "TRACE", [HTTP_OPTIONS] = "OPTIONS", [HTTP_PATCH] = "PATCH",
};

const char *head_method_name(unsigned method)
{
    return methods[method] ? methods[method] : "-";
}

/* Upper and lower case are different methods. */
static unsigned find_method(const struct head *head)
{
    for (unsigned i = HTTP_UNKNOWN + 1; i < sizeof methods / sizeof *methods; i++)
        if (head->word_size == strlen(methods[i]) &&
            !memcmp(head->word, methods[i], head->word_size))
            return i;
    return HTTP_UNKNOWN;
}

static const char *read_method(struct head *head, const char *at, const char *end)
{
    const char *stop = bytes_skip(at, end, BYTE_TOKEN);

    word_add(head, at, (size_t)(stop - at));
    if (stop == end)
        return stop;
    if (*stop != ' ' || head->word_size == 0)
        return refuse(head, stop, 400);
    head->method = find_method(head);
    return go_on(head, stop + 1, TARGET);
}

static const char *read_target(struct head *head, const char *at, const char *end)
{
    const char *stop = bytes_skip(at, end, BYTE_VISIBLE);
    size_t      size = (size_t)(stop - at);

    if (size > URL_MAX - head->url_size)
        return refuse(head, at, 414);
    memcpy(head->url + head->url_size, at, size);
    head->url_size += (uint32_t)size;
    if (stop == end)
        return stop;
    if (*stop != ' ' || head->url_size == 0)
        return refuse(head, stop, 400);
    return go_on(head, stop + 1, VERSION);
}

static const char *read_version(struct head *head, const char *at, const char *end)
{
    static const char form[] = "HTTP/0.0\r";
    char              expected = form[head->version_size];

    (void)end;
    if (expected == '0' ? !byte_is(*at, BYTE_DIGIT) : *at != expected)
        return refuse(head, at, 400);
    head->version_size++;
    if (head->version_size == sizeof "HTTP/0" - 1)
        head->major = (uint8_t)(*at - '0');
    else if (head->version_size == sizeof "HTTP/0.0" - 1)
        head->minor = (uint8_t)(*at - '0');
    else if (head->version_size == sizeof form - 1)
        return go_on(head, at + 1, VERSION_LF);
    return at + 1;
}

static const char *end_request_line(struct head *head, const char *at)
{
    if (head->major != 1)
        return refuse(head, at, 505);
    if (!target_is_valid(head->method, head->url, head->url_size))
        return refuse(head, at, 400);
    return go_on(head, at, LINE);
}

/* ---- fields ---- */

enum field { OTHER, KEPT, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT };

static enum field find_field(const struct head *head)
{
    static const char *const names[] = {
        [HOST] = "host",
        [CONTENT_LENGTH] = "content-length",
        [TRANSFER_ENCODING] = "transfer-encoding",
        [CONNECTION] = "connection",
        [EXPECT] = "expect",
    };

    for (enum field field = HOST; field <= EXPECT; field++)
        if (word_is(head, names[field]))
            return field;
    return fields_begin(head->fields, head->word, head->word_size) ? KEPT : OTHER;
}

static void begin_value(struct head *head)
{
    head->field = head->is_trailers ? OTHER : (uint8_t)find_field(head);
    head->word_size = 0;
    head->has_gap = false;
    if (head->field == HOST) {
        count(&head->n_hosts);
        host_begin(&head->host);
    } else if (head->field == CONTENT_LENGTH) {
        count(&head->n_lengths);
    }
}

/* A member of a list has been read; lists may have empty ones. */
static void end_member(struct head *head)
{
    if (head->field == TRANSFER_ENCODING) {
        count(&head->n_codings);
        head->chunked_last = word_is(head, "chunked");
    } else if (head->field == CONNECTION) {
        head->says_close |= word_is(head, "close");
        head->says_keep |= word_is(head, "keep-alive");
    } else if (head->word_size > 0) {
        head->expects_continue |= word_is(head, "100-continue");
        head->expects_other |= !word_is(head, "100-continue");
    }
    head->word_size = 0;
    head->has_gap = false;
}

static void take_digit(struct head *head, char byte)
{
    uint64_t digit = (uint64_t)(byte - '0');

    if (__builtin_mul_overflow(head->content_length, 10, &head->content_length) ||
        __builtin_add_overflow(head->content_length, digit, &head->content_length))
        head->content_length = UINT64_MAX;
}

/* Takes a byte of a value that matters; it is neither a blank nor the end. False: it is not
 * allowed. */
static bool take_byte(struct head *head, char byte)
{
    bool has_gap = head->has_gap;

    head->has_gap = false;
    if (head->field == HOST) {
        host_byte(&head->host, byte);
        return !has_gap;
    }
    if (head->field == CONTENT_LENGTH) {
        head->word_size = 1; /* it is not empty */
        take_digit(head, byte);
        return !has_gap && byte_is(byte, BYTE_DIGIT);
    }
    if (byte == ',') {
        end_member(head);
        return true;
    }
    if (has_gap && head->word_size > 0)
        word_add(head, " ", 1);
    word_add(head, &byte, 1);
    return true;
}

static const char *end_value(struct head *head, const char *at)
{
    if (head->field == HOST && !host_is_valid(&head->host))
        return refuse(head, at, 400);
    if (head->field == CONTENT_LENGTH && head->word_size == 0)
        return refuse(head, at, 400);
    if (head->field >= TRANSFER_ENCODING)
        end_member(head);
    return go_on(head, at, LINE);
}

static const char *read_line(struct head *head, const char *at, const char *end)
{
    (void)end;
    head->word_size = 0;
    return *at == '\r' ? go_on(head, at + 1, LAST_LF) : go_on(head, at, NAME);
}

/* A name is followed by its colon at once. A line that begins with a blank has no name. It is
 * folded, which RFC 9112 no longer allows. */
static const char *read_name(struct head *head, const char *at, const char *end)
{
    const char *stop = bytes_skip(at, end, BYTE_TOKEN);

    word_add(head, at, (size_t)(stop - at));
    if (stop == end)
        return stop;
    if (*stop != ':' || head->word_size == 0)
        return refuse(head, stop, 400);
    begin_value(head);
    return go_on(head, stop + 1, BLANKS);
}

static const char *read_blanks(struct head *head, const char *at, const char *end)
{
    while (at < end && byte_is_blank(*at))
        at++;
    return at < end ? go_on(head, at, VALUE) : at;
}

static const char *read_value(struct head *head, const char *at, const char *end)
{
    const char *begin = at;

    if (head->field <= KEPT)
        at = bytes_skip(at, end, BYTE_VALUE);
    if (head->field == KEPT)
        fields_value(head->fields, begin, (size_t)(at - begin));
    for (; at < end && byte_is(*at, BYTE_VALUE); at++) {
        if (byte_is_blank(*at))
            head->has_gap = true;
        else if (!take_byte(head, *at))
            return refuse(head, at, 400);
    }
    if (at == end)
        return at;
    return *at == '\r' ? go_on(head, at + 1, VALUE_LF) : refuse(head, at, 400);
}

/* ---- the end ---- */

/* RFC 9112, 6.1 and 6.3. Content-Length beside Transfer-Encoding, or two of them, is how requests
 * are smuggled: none of these is repaired. */
static int check_framing(struct head *head)
{
    if (head->n_lengths > 1 || (head->n_lengths > 0 && head->n_codings > 0))
        return 400;
    if (head->n_codings > 0 && !head->chunked_last)
        return 400; /* its end can't be told */
    if (head->n_codings > 1)
        return 501; /* it ends like a chunked body, but is also coded otherwise */
    head->is_chunked = head->n_codings > 0;
    return 0;
}

static int check(struct head *head)
{
    int status;

    if (head->is_trailers)
        return 0;
    if (head->n_hosts > 1 || (head->n_hosts == 0 && head->minor > 0))
        return 400;
    status = check_framing(head);
    if (status > 0)
        return status;
    if (head->method == HTTP_UNKNOWN || head->method == HTTP_CONNECT)
        return 501;
    return head->expects_other && head->minor > 0 ? 417 : 0;
}

static const char *end_head(struct head *head, const char *at)
{
    bool has_body;

    head->status = check(head);
    has_body = head->is_chunked || head->content_length > 0;
    /* HTTP/1.0 has neither chunks nor "100 Continue". A chunked body is read all the same, but an
     * old proxy may have seen another end of it. So nothing is read behind it. */
    if (head->minor == 0)
        head->keep_alive = head->says_keep && !head->says_close && !head->is_chunked;
    else
        head->keep_alive = !head->says_close;
    head->expects_continue = head->expects_continue && head->minor > 0 && has_body;
    return go_on(head, at, END);
}

/* ---- reading ---- */

static const char *read_empty(struct head *head, const char *at, const char *end)
{
    (void)end;
    return *at == '\r' ? go_on(head, at + 1, EMPTY_LF) : go_on(head, at, METHOD);
}

/* CR has been read: nothing but LF may follow. */
static const char *read_lf(struct head *head, const char *at, const char *end)
{
    (void)end;
    if (*at++ != '\n')
        return refuse(head, at, 400);
    if (head->state == EMPTY_LF)
        return go_on(head, at, EMPTY);
    if (head->state == VERSION_LF)
        return end_request_line(head, at);
    return head->state == VALUE_LF ? end_value(head, at) : end_head(head, at);
}

static const char *(*const readers[])(struct head *, const char *at, const char *end) = {
    [EMPTY] = read_empty,   [EMPTY_LF] = read_lf,     [METHOD] = read_method,
    [TARGET] = read_target, [VERSION] = read_version, [VERSION_LF] = read_lf,
    [LINE] = read_line,     [NAME] = read_name,       [BLANKS] = read_blanks,
    [VALUE] = read_value,   [VALUE_LF] = read_lf,     [LAST_LF] = read_lf,
};

void head_begin(struct head *head, char *url, struct fields *fields)
{
    *head = (struct head){.state = EMPTY, .url = url, .fields = fields};
}

bool head_has_begun(const struct head *head)
{
    return head->state > EMPTY_LF;
}

void head_begin_trailers(struct head *head)
{
    head->state = LINE;
    head->is_trailers = true;
    head->size = 0;
}

int head_read(struct head *head, const char *input, size_t size, size_t *ret_used)
{
    size_t      room = HEAD_MAX - head->size;
    const char *at = input;
    const char *end = input + (size < room ? size : room);

    while (at < end && head->state != END && head->status == 0)
        at = readers[head->state](head, at, end);
    *ret_used = (size_t)(at - input);
    head->size += (uint32_t)*ret_used;
    if (head->status > 0)
        return head->status;
    if (head->state == END)
        return HEAD_DONE;
    return head->size == HEAD_MAX ? 431 : HEAD_MORE;
}
