/*
 * http.h - HTTP/1.1 plaintext for the peers in C and C++: keep-alive and pipelining, nothing else
 *
 * Answers as README.md says. A head is what ends with an empty line; requests have no bodies. The
 * Date is formatted once a second by each thread.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HTTP_ANSWER = 256 /* no answer is longer */ };

static inline const char *http_date(void)
{
    static __thread char   text[64];
    static __thread time_t second;
    time_t                 now = time(NULL);
    struct tm              tm;

    if (now != second) {
        gmtime_r(&now, &tm);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        second = now;
    }
    return text;
}

static inline size_t http_answer(char *out, const char *head)
{
    static const char found[] = "GET /plaintext ";
    const char       *body = "Hello, World!", *status = "200 OK";

    if (memcmp(head, found, sizeof found - 1) != 0)
        body = "", status = "404 Not Found";
    return (size_t)snprintf(out, HTTP_ANSWER,
                            "HTTP/1.1 %s\r\nServer: peer\r\nDate: %s\r\n"
                            "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                            status, http_date(), strlen(body), body);
}

/* Answers the requests in `text` that have come whole, as far as `room` lets it: how much of the
 * text that was; *out_size grows by the answers. */
static inline size_t http_answers(const char *text, size_t size, char *out, size_t room,
                                  size_t *out_size)
{
    size_t      taken = 0;
    const char *end;

    while (*out_size + HTTP_ANSWER <= room &&
           (end = (const char *)memmem(text + taken, size - taken, "\r\n\r\n", 4))) {
        *out_size += http_answer(out + *out_size, text + taken);
        taken = (size_t)(end + 4 - text);
    }
    return taken;
}

#endif
