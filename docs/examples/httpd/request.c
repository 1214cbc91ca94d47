/*
 * request.c - what the parts of a request come to
 *
 * Every part ends where its own framing says, so pipelined requests come out one by one from one
 * buffer.
 */
#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "quick.h"

void request_init(struct request *request, uint64_t max_body, bool parser_only)
{
    request->parser_only = parser_only;
    request->phase = PHASE_IDLE;
    request->url_size = 0;
    request->method = HTTP_UNKNOWN;
    request->max_body = max_body;
    request->body = NULL;
}

/* ---- the head ---- */

/* Takes a plain request that is there as a whole and returns its size; 0 if there is none. */
static size_t parse_quickly(struct request *request, const char *input, size_t size)
{
    struct quick quick;
    size_t       used;

    if (request->parser_only || request->phase != PHASE_IDLE)
        return 0;
    used = quick_read(&quick, input, size);
    if (used == 0)
        return 0;
    memcpy(request->url, quick.url, quick.url_size);
    request->url_size = (uint32_t)quick.url_size;
    request->method = HTTP_GET;
    request->is_1_0 = false;
    request->keep_alive = true;
    request->body_size = 0;
    request->fields.present = 0; /* quick.c takes none of them */
    return used;
}

static int complete(struct request *request)
{
    request->phase = PHASE_IDLE;
    return REQUEST_COMPLETE;
}

static int end_head(struct request *request)
{
    const struct head *head = &request->head;

    request->is_1_0 = head->minor == 0;
    request->keep_alive = head->keep_alive;
    request->expects_continue = head->expects_continue;
    request->is_chunked = head->is_chunked;
    request->content_length = head->content_length;
    if (!head->is_chunked && head->content_length == 0)
        return complete(request);
    if (!head->is_chunked && head->content_length > request->max_body)
        return 413;
    request->phase = PHASE_BODY;
    chunk_begin(&request->chunk);
    return REQUEST_HEAD;
}

static int parse_head(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    int result;

    if (request->phase == PHASE_IDLE) {
        fields_init(&request->fields);
        head_begin(&request->head, request->url, &request->fields);
        request->phase = PHASE_HEAD;
        request->in_trailers = false;
        request->body_size = 0;
    }
    result = head_read(&request->head, input, size, ret_used);
    request->method = request->head.method;
    request->url_size = request->head.url_size;
    if (result == HEAD_DONE)
        return end_head(request);
    return result == HEAD_MORE ? REQUEST_MORE : result;
}

/* ---- the body ---- */

/* 0, or the status to refuse it with. The framing has already limited the length of the body. */
static int take_body(struct request *request, const char *at, size_t size)
{
    size_t room = request->body_room;
    char  *body;

    if (request->body && size > room - request->body_size) {
        while (size > room - request->body_size)
            room *= 2;
        body = realloc(request->body, room);
        if (!body)
            return 503;
        request->body = body;
        request->body_room = room;
    }
    if (request->body)
        memcpy(request->body + request->body_size, at, size);
    request->body_size += size;
    return 0;
}

static int parse_sized(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    uint64_t left = request->content_length - request->body_size;
    int      status;

    *ret_used = size < left ? size : (size_t)left;
    status = take_body(request, input, *ret_used);
    if (status > 0)
        return status;
    return request->body_size == request->content_length ? complete(request) : REQUEST_MORE;
}

static int parse_trailers(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    int result = head_read(&request->head, input, size, ret_used);

    if (result == HEAD_DONE)
        return complete(request);
    return result == HEAD_MORE ? REQUEST_MORE : result;
}

/* Parses to the end of a run of framing or of data. */
static int parse_chunk(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    int result =
        chunk_read(&request->chunk, input, size, request->max_body - request->body_size, ret_used);

    switch (result) {
    case CHUNK_MORE:
        return REQUEST_MORE;
    case CHUNK_DATA:
        result = take_body(request, input, *ret_used);
        return result > 0 ? result : REQUEST_MORE;
    case CHUNK_LAST:
        head_begin_trailers(&request->head);
        request->in_trailers = true;
        return REQUEST_MORE;
    default:
        return result;
    }
}

static int parse_chunked(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    size_t used, n;
    int    result = REQUEST_MORE;

    for (used = 0; used < size && result == REQUEST_MORE; used += n)
        result = (request->in_trailers ? parse_trailers : parse_chunk)(request, input + used,
                                                                       size - used, &n);
    *ret_used = used;
    return result;
}

int request_parse(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    size_t used = parse_quickly(request, input, size);

    if (used > 0) {
        *ret_used = used;
        return REQUEST_COMPLETE;
    }
    if (request->phase != PHASE_BODY)
        return parse_head(request, input, size, ret_used);
    if (request->is_chunked)
        return parse_chunked(request, input, size, ret_used);
    return parse_sized(request, input, size, ret_used);
}

int request_keep_body(struct request *request)
{
    request->body_room = request->is_chunked ? 4096 : (size_t)request->content_length;
    request->body = malloc(request->body_room);
    return request->body ? 0 : -ENOMEM;
}

void request_drop_body(struct request *request)
{
    free(request->body);
    request->body = NULL;
}

const char *request_path(const struct request *request, size_t *ret_size)
{
    return target_path(request->url, request->url_size, ret_size);
}
