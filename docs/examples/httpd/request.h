/*
 * request.h - one request at a time, parsed from whatever pieces the socket yields
 *
 * The parser is head.c for heads and trailers and chunk.c for the framing of chunked bodies. It
 * keeps its state between pieces, so an input buffer may be reused as soon as request_parse has
 * seen it. A plain request that is there as a whole is read without it (quick.h). A request is read
 * without allocating, except for a body that the caller wants (request_keep_body).
 */
#ifndef HTTPD_REQUEST_H
#define HTTPD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "fields.h"
#include "head.h"

/* What request_parse has reached. A value from 400 on is the status to refuse the request with. */
enum {
    REQUEST_MORE,     /* all input is used up, and the request is not complete */
    REQUEST_HEAD,     /* its head is complete, a body follows */
    REQUEST_COMPLETE, /* it is complete: answer it, then parse on */
};

enum request_phase { PHASE_IDLE, PHASE_HEAD, PHASE_BODY };

struct request {
    struct head        head;
    struct chunk       chunk;
    bool               parser_only; /* plain requests, too, are read by the parser */
    enum request_phase phase;
    uint32_t           url_size;
    unsigned           method;           /* HTTP_UNKNOWN until it has been read */
    bool               is_1_0;           /* valid from REQUEST_HEAD on */
    bool               keep_alive;       /* so is this: the client would send another one */
    bool               expects_continue; /* it waits for "100 Continue" before it sends the body */
    bool               is_chunked;
    bool               in_trailers;
    struct fields      fields;         /* valid from REQUEST_HEAD on */
    uint64_t           content_length; /* of a body that is not chunked */
    uint64_t           max_body;
    uint64_t           body_size; /* bytes of body so far, kept or not */
    char              *body;      /* NULL: not kept */
    size_t             body_room;
    char               url[URL_MAX]; /* the request target, as it came */
};

void request_init(struct request *request, uint64_t max_body, bool parser_only);

/* Parses up to the end of the input or the next event. *ret_used: how many bytes are done with. The
 * events do not depend on where the input was cut. At REQUEST_HEAD the head is used up, at
 * REQUEST_COMPLETE the request. After a refusal nothing more can be parsed. */
int request_parse(struct request *request, const char *input, size_t size, size_t *ret_used);

/* At REQUEST_HEAD: keeps the body that follows. 0 or -ENOMEM. */
int request_keep_body(struct request *request);
/* Forgets a body that was kept. */
void request_drop_body(struct request *request);

/* Whether a part of a request has come that is not answered yet. Empty lines before it do not
 * count. */
static inline bool request_has_begun(const struct request *request)
{
    return request->phase == PHASE_BODY ||
           (request->phase == PHASE_HEAD && head_has_begun(&request->head));
}

/* The path that is asked for: without "http://host" and query, not decoded. */
const char *request_path(const struct request *request, size_t *ret_size);

static inline bool request_is(const struct request *request, int method)
{
    return request->method == (unsigned)method;
}

/* HTTP/1.0: a client that wants to keep the connection must be told that it is kept. */
static inline bool request_is_1_0(const struct request *request)
{
    return request->is_1_0;
}

#endif
