/*
 * fuzz_request.c - an HTTP request is read in the same way whole and in pieces, by quick.c and not
 *
 * Purpose     Reads each input four times: whole, whole without quick.c, byte by byte, and in two
 *             pieces. What came of it must be the same. A head that was taken is looked at once
 *             more, by code that knows no more than where lines may end.
 * Threads     One.
 * Invariants  An input's bytes lie in an allocation of their size, so a sanitizer sees a read
 *             behind them.
 * Ordering    None.
 * Failure     abort, after a line that says what was wrong.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "request.h"

#define MAX_BODY 1000
#define N_EVENTS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came of an input: its events, up to a refusal or to the end of the connection. */
struct event {
    int      result;
    size_t   at; /* up to where the input was used; 0 for a refusal */
    unsigned method;
    bool     is_1_0, keep_alive, expects_continue;
    uint64_t content; /* hashes */
    uint64_t url, fields;
};
struct story {
    size_t             n_events;
    enum request_phase phase; /* at the end */
    bool               is_over;
    struct event       events[N_EVENTS];
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "fuzz_request: %s\n", what);
    abort();
}

static void require(bool condition, const char *what)
{
    if (!condition)
        fail(what);
}

static uint64_t hash(const char *at, size_t size)
{
    uint64_t sum = size;

    while (size-- > 0)
        sum = (sum ^ (unsigned char)*at++) * 0x100000001b3;
    return sum;
}

static uint64_t hash_fields(const struct fields *fields)
{
    uint64_t    sum = 0;
    const char *text;
    size_t      size;

    for (enum kept_field field = 0; field < FIELDS; field++) {
        text = "bad", size = 3;
        if (fields_get(fields, field, &text, &size))
            sum += (hash(text, size) + 1) << field;
    }
    return sum;
}

/* ---- what a head may be ---- */

/* A head that was taken ends with the first empty line behind its first line. Every CR is followed
 * by LF, every LF follows CR, and there is no NUL. */
static void check_head(const char *head, const char *end)
{
    const char *at = head;

    while (end - at >= 2 && at[0] == '\r')
        at += 2;
    require(end - at > 4 && memmem(at, (size_t)(end - at), "\r\n\r\n", 4) == end - 4,
            "a head does not end with its empty line");
    for (at = head; at < end; at++) {
        require(*at != '\0', "a head has a NUL");
        require(*at != '\r' || at[1] == '\n', "a head has a lone CR");
        require(*at != '\n' || (at > head && at[-1] == '\r'), "a head has a lone LF");
    }
}

static void check_path(const struct request *request)
{
    const char *path;
    size_t      size;

    path = request_path(request, &size);
    require(size > 0 && (*path == '/' || (size == 1 && *path == '*')), "a path is none");
    require(!memchr(path, '?', size) && !memchr(path, '#', size), "a path has a query");
}

/* ---- reading ---- */

static void tell(struct story *story, const struct request *request, int result, size_t at)
{
    struct event *event = &story->events[story->n_events++];

    *event = (struct event){.result = result};
    if (result < 400) {
        event->at = at;
        event->method = request->method;
        event->is_1_0 = request->is_1_0;
        event->keep_alive = request->keep_alive;
        event->url = hash(request->url, request->url_size);
        event->fields = hash_fields(&request->fields);
        event->expects_continue = result == REQUEST_HEAD && request->expects_continue;
        if (result == REQUEST_COMPLETE && request->body)
            event->content = hash(request->body, request->body_size);
    }
    story->is_over = story->n_events == N_EVENTS || result >= 400 ||
                     (result == REQUEST_COMPLETE && !request->keep_alive);
}

/* Looks at what request_parse has come to; `begin` is where the request began. */
static void take_event(struct story *story, struct request *request, int result, const char *begin,
                       const char *at, const char *input)
{
    bool had_head =
        story->n_events > 0 && story->events[story->n_events - 1].result == REQUEST_HEAD;

    tell(story, request, result, (size_t)(at - input));
    if (result >= 400)
        return;
    if (!had_head)
        check_head(begin, at);
    check_path(request);
    if (result == REQUEST_HEAD && request_keep_body(request) < 0)
        fail("no memory");
    if (result == REQUEST_COMPLETE)
        request_drop_body(request);
}

static void read_piece(struct story *story, struct request *request, const char **begin,
                       const char *input, const char *at, const char *end)
{
    size_t used;
    int    result;

    while (at < end && !story->is_over) {
        result = request_parse(request, at, (size_t)(end - at), &used);
        require(used <= (size_t)(end - at), "more than the input was used");
        at += used;
        if (result == REQUEST_MORE)
            require(at == end, "input is left, and more is wanted");
        else
            take_event(story, request, result, *begin, at, input);
        if (result == REQUEST_COMPLETE)
            *begin = at;
    }
}

/* Reads an input in pieces of this size; the first one may have another size. */
static void read_all(struct story *story, const char *input, size_t size, size_t first,
                     size_t others, bool parser_only)
{
    static struct request request;
    const char           *begin = input, *end = input + size;
    const char           *at, *next;

    *story = (struct story){.n_events = 0};
    request_init(&request, MAX_BODY, parser_only);
    for (at = input; at < end && !story->is_over; at = next) {
        next = at + (at == input ? first : others);
        if (next > end)
            next = end;
        read_piece(story, &request, &begin, input, at, next);
    }
    story->phase = request.phase;
    request_drop_body(&request);
}

/* A refused request has no phase. */
static void require_same(const struct story *a, const struct story *b, const char *what)
{
    require(a->n_events == b->n_events && a->is_over == b->is_over &&
                (a->is_over || a->phase == b->phase),
            what);
    for (size_t i = 0; i < a->n_events; i++)
        require(a->events[i].result == b->events[i].result && a->events[i].at == b->events[i].at &&
                    a->events[i].method == b->events[i].method &&
                    a->events[i].is_1_0 == b->events[i].is_1_0 &&
                    a->events[i].keep_alive == b->events[i].keep_alive &&
                    a->events[i].expects_continue == b->events[i].expects_continue &&
                    a->events[i].content == b->events[i].content &&
                    a->events[i].url == b->events[i].url &&
                    a->events[i].fields == b->events[i].fields,
                what);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct story whole, other;
    const char         *input = (const char *)data;
    size_t              cut = size > 1 ? 1 + (size_t)(hash(input, size) >> 7) % (size - 1) : 1;

    read_all(&whole, input, size, size, 1, false);
    read_all(&other, input, size, size, 1, true);
    require_same(&whole, &other, "quick.c reads it otherwise");
    read_all(&other, input, size, 1, 1, false);
    require_same(&whole, &other, "byte by byte it is read otherwise");
    read_all(&other, input, size, cut, size, false);
    require_same(&whole, &other, "in two pieces it is read otherwise");
    return 0;
}
