/*
 * response.c - composing answers: memcpy of constant pieces, no printf on the hot path
 */
#include "response.h"

#include <stdio.h>
#include <time.h>

#define PUT(out, literal) output_put(out, literal, sizeof literal - 1)

static const struct {
    int         status;
    const char *line;
} status_lines[] = {
    {200, "200 OK"},
    {301, "301 Moved Permanently"},
    {400, "400 Bad Request"},
    {403, "403 Forbidden"},
    {404, "404 Not Found"},
    {405, "405 Method Not Allowed"},
    {408, "408 Request Timeout"},
    {413, "413 Content Too Large"},
    {414, "414 URI Too Long"},
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

static void put_text(struct output *out, const char *text)
{
    output_put(out, text, strlen(text));
}

static void put_number(struct output *out, int64_t number)
{
    char  digits[20];
    char *at = digits + sizeof digits;

    do
        *--at = (char)('0' + number % 10);
    while (number /= 10);
    output_put(out, at, (size_t)(digits + sizeof digits - at));
}

/* Made anew once a second, by each thread: nothing is shared, so nothing is locked. */
static void put_date(struct output *out)
{
    static _Thread_local time_t second = -1;
    static _Thread_local char   date[40];

    time_t    now = time(NULL);
    struct tm tm;

    if (now != second) {
        gmtime_r(&now, &tm);
        strftime(date, sizeof date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        second = now;
    }
    output_put(out, date, sizeof "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n" - 1);
}

void output_head(struct output *out, const struct response *response)
{
    if (response->status == 200) {
        PUT(out, "HTTP/1.1 200 OK\r\nServer: weft\r\n");
    } else {
        PUT(out, "HTTP/1.1 ");
        put_text(out, status_line(response->status));
        PUT(out, "\r\nServer: weft\r\n");
    }
    put_date(out);
    if (response->type) {
        PUT(out, "Content-Type: ");
        put_text(out, response->type);
        PUT(out, "\r\n");
    }
    if (response->location) {
        PUT(out, "Location: ");
        output_put(out, response->location, response->location_size);
        PUT(out, "/\r\n");
    }
    if (response->extra)
        put_text(out, response->extra);
    if (response->persistence == PERSIST_SAID)
        PUT(out, "Connection: keep-alive\r\n");
    else if (response->persistence == PERSIST_CLOSE)
        PUT(out, "Connection: close\r\n");
    PUT(out, "Content-Length: ");
    put_number(out, response->length);
    PUT(out, "\r\n\r\n");
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
