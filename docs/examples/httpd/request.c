/*
 * request.c - the callbacks of the parser, and what they make of a request
 *
 * A callback pauses the parser where its caller has something to do: after a head with a body, and
 * after each request. Pipelined requests therefore come out one by one, from one buffer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "quick.h"
#include "request.h"

#ifdef HTTPD_LLHTTP
#define CALLBACK_PAUSE(parser) HPE_PAUSED
#define CALLBACK_REFUSE        (-1)
#define should_keep_alive      llhttp_should_keep_alive
typedef llhttp_settings_t settings;
#else
#define CALLBACK_PAUSE(parser) (http_parser_pause(parser, 1), 0)
#define CALLBACK_REFUSE        (-1)
#define should_keep_alive      http_should_keep_alive
typedef http_parser_settings settings;
#endif

static int refuse(struct request *request, int status)
{
    request->refused = status;
    return CALLBACK_REFUSE;
}

static int on_begin(request_parser *parser)
{
    struct request *request = parser->data;

    request->phase = PHASE_HEAD;
    request->url_size = 0;
    request->expects_continue = false;
    request->has_host = false;
    request->in_name = false;
    request->name_size = 0;
    request->body_size = 0;
    return 0;
}

static int on_url(request_parser *parser, const char *at, size_t size)
{
    struct request *request = parser->data;

    if (size > URL_MAX - request->url_size)
        return refuse(request, 414);
    memcpy(request->url + request->url_size, at, size);
    request->url_size += (uint32_t)size;
    return 0;
}

/* Names and values arrive in pieces as well: a name has ended when its value begins. */
static int on_name(request_parser *parser, const char *at, size_t size)
{
    struct request *request = parser->data;

    if (!request->in_name)
        request->name_size = 0;
    request->in_name = true;
    while (size-- > 0 && request->name_size < sizeof request->name)
        request->name[request->name_size++] = *at++;
    return 0;
}

static int on_value(request_parser *parser, const char *at, size_t size)
{
    struct request *request = parser->data;

    (void)at;
    (void)size;
    if (request->in_name && request->name_size == 4 && !strncasecmp(request->name, "host", 4))
        request->has_host = true;
    if (request->in_name && request->name_size == 6 && !strncasecmp(request->name, "expect", 6))
        request->expects_continue = true; /* no other expectation is in use */
    request->in_name = false;
    return 0;
}

static int on_head(request_parser *parser)
{
    struct request *request = parser->data;
    bool            chunked = parser->flags & F_CHUNKED;
    bool            sized = parser->content_length != 0 && parser->content_length != UINT64_MAX;

    if (parser->http_major != 1)
        return refuse(request, parser->http_major == 0 ? 400 : 505);
    if (parser->method == HTTP_CONNECT)
        return refuse(request, 501);
    if (!request->has_host && parser->http_minor > 0)
        return refuse(request, 400);
    if (!chunked && sized && parser->content_length > request->max_body)
        return refuse(request, 413);

    request->method = parser->method;
    request->is_1_0 = parser->http_minor == 0;
    parser->upgrade = 0; /* an offer, not a demand: we go on with HTTP/1.1 */
    if (!chunked && !sized)
        return 0;
    request->phase = PHASE_BODY;
    return CALLBACK_PAUSE(parser);
}

static int on_body(request_parser *parser, const char *at, size_t size)
{
    struct request *request = parser->data;
    size_t          room = request->body_room;
    char           *body;

    if (size > request->max_body - request->body_size)
        return refuse(request, 413);
    if (request->body && size > room - request->body_size) {
        while (size > room - request->body_size)
            room *= 2;
        body = realloc(request->body, room);
        if (!body)
            return refuse(request, 503);
        request->body = body;
        request->body_room = room;
    }
    if (request->body)
        memcpy(request->body + request->body_size, at, size);
    request->body_size += size;
    return 0;
}

static int on_complete(request_parser *parser)
{
    struct request *request = parser->data;

    request->keep_alive = should_keep_alive(parser);
    request->phase = PHASE_IDLE;
    return CALLBACK_PAUSE(parser);
}

static const settings callbacks = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void request_init(struct request *request, uint64_t max_body, bool parser_only)
{
#ifdef HTTPD_LLHTTP
    llhttp_init(&request->parser, HTTP_REQUEST, &callbacks);
#else
    http_parser_init(&request->parser, HTTP_REQUEST);
#endif
    request->parser.data = request;
    request->parser_only = parser_only;
    request->phase = PHASE_IDLE;
    request->refused = 0;
    request->head_size = 0;
    request->url_size = 0;
    request->max_body = max_body;
    request->body = NULL;
}

/* A method that looks like one is not implemented; anything else is no HTTP at all. */
static int refuse_method(const struct request *request, const char *input, size_t size)
{
    size_t n = 0;

    while (n < size && input[n] >= 'A' && input[n] <= 'Z')
        n++;
    return request->head_size == 0 && n > 0 && n < size && input[n] == ' ' ? 501 : 400;
}

/* Takes a plain request that is there as a whole and returns its size; 0 if there is none. The
 * parser sees nothing of it and goes on waiting for the first byte of a request. */
static size_t parse_quickly(struct request *request, const char *input, size_t size)
{
    struct quick quick;
    size_t       used;

    if (request->parser_only || request->phase != PHASE_IDLE || request->head_size > 0)
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
    return used;
}

static int parse(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    request_parser *parser = &request->parser;
    bool            in_head = request->phase != PHASE_BODY;
    int             error;
    size_t          used;

#ifdef HTTPD_LLHTTP
    if (llhttp_get_errno(parser) == HPE_PAUSED)
        llhttp_resume(parser);
    error = (int)llhttp_execute(parser, input, size);
    used = error == HPE_OK ? size : (size_t)(llhttp_get_error_pos(parser) - input);
#else
    http_parser_pause(parser, 0);
    used = http_parser_execute(parser, &callbacks, input, size);
    error = (int)HTTP_PARSER_ERRNO(parser);
#endif
    *ret_used = used;
    if (request->refused)
        return request->refused;
    if (error == HPE_INVALID_METHOD)
        return refuse_method(request, input, size);
    if (error == HPE_INVALID_VERSION)
        return 505;
    if (error != HPE_OK && error != HPE_PAUSED)
        return 400;

    if (in_head && (request->head_size += (uint32_t)used) > HEAD_MAX)
        return 431;
    if (error == HPE_OK)
        return REQUEST_MORE;
    if (request->phase == PHASE_BODY)
        return REQUEST_HEAD;
    request->head_size = 0;
    return REQUEST_COMPLETE;
}

int request_parse(struct request *request, const char *input, size_t size, size_t *ret_used)
{
    size_t used = parse_quickly(request, input, size);

    if (used == 0)
        return parse(request, input, size, ret_used);
    *ret_used = used;
    return REQUEST_COMPLETE;
}

int request_keep_body(struct request *request)
{
    bool sized = !(request->parser.flags & F_CHUNKED);

    request->body_room = sized ? (size_t)request->parser.content_length : 4096;
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
    const char *path = request->url;
    const char *end = path + request->url_size;
    const char *at;

    if (end - path > 7 && *path != '/' && !strncasecmp(path, "http://", 7)) {
        path = memchr(path + 7, '/', (size_t)(end - path) - 7);
        if (!path)
            path = "/", end = path + 1;
    }
    if ((at = memchr(path, '#', (size_t)(end - path))))
        end = at;
    if ((at = memchr(path, '?', (size_t)(end - path))))
        end = at;
    while (end - path > 1 && path[0] == '/' && path[1] == '/')
        path++; /* "//host" would be a place elsewhere in a redirect */
    *ret_size = (size_t)(end - path);
    return path;
}
