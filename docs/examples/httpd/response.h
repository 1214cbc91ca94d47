/*
 * response.h - answers, collected in one buffer and written at once
 *
 * Answers to pipelined requests follow each other in the buffer, so that a batch of requests costs
 * one read and one write. RESPONSE_ROOM is what a head and a short body need: keep that much free.
 */
#ifndef HTTPD_RESPONSE_H
#define HTTPD_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "request.h"

#define OUTPUT_SIZE   16384
#define LOCATION_MAX  URL_MAX
#define RESPONSE_ROOM (LOCATION_MAX + 1024)

enum persistence {
    PERSIST,       /* HTTP/1.1: nothing need be said */
    PERSIST_SAID,  /* HTTP/1.0: "Connection: keep-alive" */
    PERSIST_CLOSE, /* "Connection: close" */
};

struct output {
    uint32_t length;
    char     bytes[OUTPUT_SIZE];
};

struct response {
    int              status;
    enum persistence persistence;
    const char      *type;     /* Content-Type; NULL: none */
    int64_t          length;   /* Content-Length */
    const char      *extra;    /* more header fields, each with its line end; NULL: none */
    const char      *location; /* of a redirect, LOCATION_MAX bytes at most; NULL: none */
};

static inline void output_init(struct output *out)
{
    out->length = 0;
}

static inline size_t output_room(const struct output *out)
{
    return OUTPUT_SIZE - out->length;
}

static inline void output_put(struct output *out, const void *bytes, size_t size)
{
    memcpy(out->bytes + out->length, bytes, size);
    out->length += (uint32_t)size;
}

/* Appends status line and header fields. */
void output_head(struct output *out, const struct response *response);

/* The same for a 304, which has neither body nor length. */
void output_not_modified(struct output *out, const struct response *response);

/* Appends a whole answer whose body is text. The body is left out for a HEAD request. */
void output_text(struct output *out, const struct response *response, const char *text,
                 bool head_only);

/* Appends an answer that only has the status. `extra`: more header fields, each with its line end;
 * NULL: none. */
void output_status(struct output *out, int status, enum persistence persistence, const char *extra,
                   bool head_only);

#endif
