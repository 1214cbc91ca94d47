/*
 * resp.h - the protocol, RESP2: requests are parsed, answers are written
 *
 * Purpose     A request is an array of bulk strings, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", or a line of
 *             words. It may come in any pieces. The parser goes on where it has stopped, so that a
 *             large request which comes in many pieces is read once.
 * Threads     The owner.
 * Invariants  Nothing is allocated for what a request only announces: arguments take memory when
 *             they have come.
 * Ordering    None.
 * Failure     After a protocol error the rest of the stream can't be understood. The connection is
 *             told, and closed.
 */
#ifndef REDISD_RESP_H
#define REDISD_RESP_H

#include "bytes.h"

#define MAX_LINE (64 * 1024) /* bytes of a request that is a line of words */

struct resp_limits {
    int64_t max_arguments; /* of a request */
    int64_t max_bulk;      /* bytes of an argument */
    int64_t max_request;   /* bytes of a request */
};

/* A request that is being read. All zero: none has begun. */
struct request {
    size_t  at;     /* bytes that have been parsed */
    int64_t n_left; /* arguments that are still to come */
    int64_t bulk;   /* bytes of the argument at hand; -1: its head is still to come */
    bool    begun;  /* n_left is known */
    size_t  argc, room;
    struct {
        size_t at, size;
    } * place;          /* where in the request its arguments are */
    struct slice *argv; /* the same once the request is complete */
};

enum { REQUEST_MORE, REQUEST_COMPLETE, REQUEST_WRONG };

/*
 * Reads on in a request that begins at `data`. Bytes that were seen before must be the same.
 *
 * Returns: REQUEST_MORE, the request goes on behind the data. REQUEST_COMPLETE: it is the first
 *          request->at bytes, and its arguments are argv, which point into `data`. It may have no
 *          arguments. REQUEST_WRONG, and *ret_error says why.
 */
int request_parse(struct request *request, const char *data, size_t size,
                  const struct resp_limits *limits, const char **ret_error);

/* Forgets the request, so that the next one can be read. */
void request_next(struct request *request);
void request_free(struct request *request);

/* Writes a request. */
void put_request(struct buffer *out, const struct slice *argv, size_t argc);

/* ---- answers ---- */

void put_status(struct buffer *out, const char *text); /* "+OK" */
void put_number(struct buffer *out, int64_t number);
void put_bulk(struct buffer *out, struct slice slice);
void put_nil(struct buffer *out);       /* no string */
void put_nil_array(struct buffer *out); /* no array */
void put_array(struct buffer *out, size_t n);

/* "-ERR ...". The text has its code in front, and no line break. */
void put_error(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline void put_text(struct buffer *out, const char *text)
{
    put_bulk(out, (struct slice){text, strlen(text)});
}

static inline void put_ok(struct buffer *out)
{
    buffer_add(out, SLICE("+OK\r\n"));
}

#endif
