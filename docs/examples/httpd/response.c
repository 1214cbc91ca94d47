/*
 * response.c - composing answers: memcpy of constant pieces, no printf on the hot path
 */
#include "response.h"

#include <stdio.h>
#include <time.h>

#define PUT(at, literal) put(at, literal, sizeof literal - 1)

static const struct {
    int         status;
    const char *line;
} status_lines[] = {
    {200, "200 OK"},
    {206, "206 Partial Content"},
    {301, "301 Moved Permanently"},
    {304, "304 Not Modified"},
    {400, "400 Bad Request"},
    {403, "403 Forbidden"},
    {404, "404 Not Found"},
    {405, "405 Method Not Allowed"},
    {408, "408 Request Timeout"},
    {412, "412 Precondition Failed"},
    {413, "413 Content Too Large"},
    {414, "414 URI Too Long"},
    {416, "416 Range Not Satisfiable"},
    {417, "417 Expectation Failed"},
    {431, "431 Request Header Fields Too Large"},
    {500, "500 Internal Server Error"},
    {501, "501 Not Implemented"},
    {503, "503 Service Unavailable"},
    {505, "505 HTTP Version Not Supported"},
};

static const char *status_line(int status)
{
    size_t i = 0;

    while (i < sizeof status_lines / sizeof *status_lines - 1 && status_lines[i].status != status)
        i++;
    return status_lines[i].line;
}

/* Each of these three copies something to `at` and returns the place behind it. */
static char *put(char *at, const void *bytes, size_t size)
{
    memcpy(at, bytes, size);
    return at + size;
}

static char *put_text(char *at, const char *text)
{
    return put(at, text, strlen(text));
}

static char *put_number(char *at, int64_t number)
{
    char  digits[20];
    char *first = digits + sizeof digits;

    do
        *--first = (char)('0' + number % 10);
    while (number /= 10);
    return put(at, first, (size_t)(digits + sizeof digits - first));
}

#define OK_LINES  "HTTP/1.1 200 OK\r\nServer: weft\r\nDate: "
#define DATE_LINE "Thu, 01 Jan 1970 00:00:00 GMT\r\n"

/* Returns OK_LINES and a date. Each thread makes its own once a second, so nothing is shared and
 * nothing is locked. */
static inline __attribute__((always_inline)) const char *first_lines(void)
{
    static _Thread_local time_t second = -1;
    static _Thread_local char   lines[sizeof OK_LINES DATE_LINE] = OK_LINES;

    time_t    now = time(NULL);
    struct tm tm;

    if (now != second) {
        gmtime_r(&now, &tm);
        strftime(lines + sizeof OK_LINES - 1, sizeof DATE_LINE, "%a, %d %b %Y %H:%M:%S GMT\r\n",
                 &tm);
        second = now;
    }
    return lines;
}

/* All but the length and the empty line. */
static inline __attribute__((always_inline)) char *put_fields(char                  *at,
                                                              const struct response *response)
{
    const char *lines = first_lines();

    if (response->status == 200) {
        at = put(at, lines, sizeof OK_LINES DATE_LINE - 1);
    } else {
        at = PUT(at, "HTTP/1.1 ");
        at = put_text(at, status_line(response->status));
        at = PUT(at, "\r\nServer: weft\r\nDate: ");
        at = put(at, lines + sizeof OK_LINES - 1, sizeof DATE_LINE - 1);
    }
    if (response->type) {
        at = PUT(at, "Content-Type: ");
        at = put_text(at, response->type);
        at = PUT(at, "\r\n");
    }
    if (response->location) {
        at = PUT(at, "Location: ");
        at = put_text(at, response->location);
        at = PUT(at, "\r\n");
    }
    if (response->extra)
        at = put_text(at, response->extra);
    if (response->persistence == PERSIST_SAID)
        at = PUT(at, "Connection: keep-alive\r\n");
    else if (response->persistence == PERSIST_CLOSE)
        at = PUT(at, "Connection: close\r\n");
    return at;
}

void output_head(struct output *out, const struct response *response)
{
    char *at = put_fields(out->bytes + out->length, response);

    at = PUT(at, "Content-Length: ");
    at = put_number(at, response->length);
    at = PUT(at, "\r\n\r\n");
    out->length = (uint32_t)(at - out->bytes);
}

void output_not_modified(struct output *out, const struct response *response)
{
    char *at = put_fields(out->bytes + out->length, response);

    at = PUT(at, "\r\n");
    out->length = (uint32_t)(at - out->bytes);
}

void output_text(struct output *out, const struct response *response, const char *text,
                 bool head_only)
{
    struct response whole = *response;

    whole.length = (int64_t)strlen(text);
    output_head(out, &whole);
    if (!head_only)
        output_put(out, text, (size_t)whole.length);
}

void output_status(struct output *out, int status, enum persistence persistence, const char *extra,
                   bool head_only)
{
    struct response response = {.status = status, .persistence = persistence, .extra = extra};
    char            text[64];

    snprintf(text, sizeof text, "%s\n", status_line(status));
    response.type = "text/plain";
    output_text(out, &response, text, head_only);
}
