/* resp.c - see resp.h */
#include "resp.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_HEAD 32 /* bytes of "*123\r\n" or "$123\r\n": more is no number */

/* ---- requests ---- */

static void add_argument(struct request *request, size_t at, size_t size)
{
    if (request->argc == request->room) {
        request->room = request->room > 0 ? 2 * request->room : 8;
        request->place = memory_resize(request->place, request->room * sizeof *request->place);
        request->argv = memory_resize(request->argv, request->room * sizeof *request->argv);
    }
    request->place[request->argc].at = at;
    request->place[request->argc].size = size;
    request->argc++;
}

static int complete(struct request *request, const char *data)
{
    for (size_t i = 0; i < request->argc; i++)
        request->argv[i] = (struct slice){data + request->place[i].at, request->place[i].size};
    return REQUEST_COMPLETE;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* A line of words, for people who type. */
static int parse_line(struct request *request, const char *data, size_t size,
                      const char **ret_error)
{
    const char *end = memchr(data, '\n', size);
    size_t      at = 0, begin;

    if (!end || end - data > MAX_LINE) {
        *ret_error = "ERR Protocol error: too big inline request";
        return size > MAX_LINE ? REQUEST_WRONG : REQUEST_MORE;
    }
    request->at = (size_t)(end - data) + 1;
    while (at < request->at - 1) {
        begin = at;
        while (at < request->at - 1 && !is_blank(data[at]))
            at++;
        if (at > begin)
            add_argument(request, begin, at - begin);
        else
            at++;
    }
    return complete(request, data);
}

/*
 * Reads "*123\r\n" or "$123\r\n". `mark` is its first byte.
 *
 * Returns: REQUEST_COMPLETE, and the number. REQUEST_MORE. REQUEST_WRONG: it is no number.
 */
static int parse_head(struct request *request, const char *data, size_t size, int64_t *ret_number)
{
    const char *begin = data + request->at + 1;
    size_t      left = size - request->at - 1;
    const char *end = memchr(begin, '\r', left < MAX_HEAD ? left : MAX_HEAD);

    if (!end)
        return left < MAX_HEAD ? REQUEST_MORE : REQUEST_WRONG;
    if ((size_t)(end - begin) + 1 == left)
        return REQUEST_MORE; /* the '\n' is still to come */
    if (end[1] != '\n' || !slice_number((struct slice){begin, (size_t)(end - begin)}, ret_number))
        return REQUEST_WRONG;
    request->at += (size_t)(end - begin) + 3;
    return REQUEST_COMPLETE;
}

static int parse_argument(struct request *request, const char *data, size_t size,
                          const struct resp_limits *limits, const char **ret_error)
{
    int result;

    if (request->bulk < 0) {
        if (request->at == size)
            return REQUEST_MORE;
        *ret_error = "ERR Protocol error: expected '$'";
        if (data[request->at] != '$')
            return REQUEST_WRONG;
        *ret_error = "ERR Protocol error: invalid bulk length";
        result = parse_head(request, data, size, &request->bulk);
        if (result != REQUEST_COMPLETE)
            return result;
        if (request->bulk < 0 || request->bulk > limits->max_bulk)
            return REQUEST_WRONG;
        *ret_error = "ERR Protocol error: too big request";
        if (request->at + (size_t)request->bulk > (size_t)limits->max_request)
            return REQUEST_WRONG;
    }
    if (size - request->at < (size_t)request->bulk + 2)
        return REQUEST_MORE;
    *ret_error = "ERR Protocol error: an argument is longer than announced";
    if (memcmp(data + request->at + request->bulk, "\r\n", 2) != 0)
        return REQUEST_WRONG;
    add_argument(request, request->at, (size_t)request->bulk);
    request->at += (size_t)request->bulk + 2;
    request->bulk = -1;
    request->n_left--;
    return REQUEST_COMPLETE;
}

int request_parse(struct request *request, const char *data, size_t size,
                  const struct resp_limits *limits, const char **ret_error)
{
    int result;

    if (!request->begun) {
        if (size == 0)
            return REQUEST_MORE;
        if (*data != '*')
            return parse_line(request, data, size, ret_error);
        *ret_error = "ERR Protocol error: invalid multibulk length";
        result = parse_head(request, data, size, &request->n_left);
        if (result != REQUEST_COMPLETE)
            return result;
        if (request->n_left > limits->max_arguments)
            return REQUEST_WRONG;
        request->begun = true;
        request->bulk = -1;
    }
    while (request->n_left > 0) {
        result = parse_argument(request, data, size, limits, ret_error);
        if (result != REQUEST_COMPLETE)
            return result;
    }
    return complete(request, data);
}

void request_next(struct request *request)
{
    if (request->room > 1024) /* a rare large request keeps no memory */
        request_free(request);
    request->at = request->argc = 0;
    request->begun = false;
}

void request_free(struct request *request)
{
    memory_give(request->place);
    memory_give(request->argv);
    *request = (struct request){0};
}

/* ---- writing ---- */

static void put_head(struct buffer *out, char mark, int64_t number)
{
    char         text[NUMBER_TEXT];
    struct slice digits = number_text(number, text);
    char        *at;

    buffer_reserve(out, digits.size + 3);
    at = out->data + out->size;
    *at++ = mark;
    at = (char *)mempcpy(at, digits.data, digits.size);
    *at++ = '\r';
    *at++ = '\n';
    out->size = (size_t)(at - out->data);
}

void put_status(struct buffer *out, const char *text)
{
    buffer_add(out, SLICE("+"));
    buffer_add(out, (struct slice){text, strlen(text)});
    buffer_add(out, SLICE("\r\n"));
}

void put_number(struct buffer *out, int64_t number)
{
    put_head(out, ':', number);
}

void put_bulk(struct buffer *out, struct slice slice)
{
    put_head(out, '$', (int64_t)slice.size);
    buffer_add(out, slice);
    buffer_add(out, SLICE("\r\n"));
}

void put_nil(struct buffer *out)
{
    buffer_add(out, SLICE("$-1\r\n"));
}

void put_nil_array(struct buffer *out)
{
    buffer_add(out, SLICE("*-1\r\n"));
}

void put_array(struct buffer *out, size_t n)
{
    put_head(out, '*', (int64_t)n);
}

void put_error(struct buffer *out, const char *format, ...)
{
    char    text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *at = text; *at; at++)
        if (*at == '\r' || *at == '\n') /* from a client's bytes */
            *at = ' ';
    buffer_add(out, SLICE("-"));
    buffer_add(out, (struct slice){text, strlen(text)});
    buffer_add(out, SLICE("\r\n"));
}

void put_request(struct buffer *out, const struct slice *argv, size_t argc)
{
    put_array(out, argc);
    for (size_t i = 0; i < argc; i++)
        put_bulk(out, argv[i]);
}
