/*
 * head.h - the head of a request, read strictly and byte by byte
 *
 * Between this server and its clients stand proxies, each with a reading of its own. Where two
 * parties read a head differently, a request can hide from one of them. So nothing is taken here
 * that RFC 9112 forbids, nothing is repaired, and of what it leaves to the recipient the strict
 * choice is made: lines end with CR LF and are not folded.
 */
#ifndef HTTPD_HEAD_H
#define HTTPD_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fields.h"
#include "target.h"

#define HEAD_MAX 8192 /* bytes of a head, empty lines before it included: beyond, 431 */
#define URL_MAX  2048 /* of its request target: beyond, 414 */

/* The methods of RFC 9110, and PATCH. Requests with CONNECT or with any other method get 501. */
enum http_method {
    HTTP_UNKNOWN,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_CONNECT,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_PATCH,
};

/* What head_read has reached. A value from 400 on is the status to refuse the request with. */
enum { HEAD_MORE, HEAD_DONE };

struct head {
    /* -- how far the head has been read -- */
    uint8_t  state, field; /* head.c */
    bool     is_trailers;
    bool     has_gap; /* of the value: blanks follow what has been read of it */
    uint8_t  version_size;
    uint8_t  word_size; /* 255: the word is too long to be one that matters */
    char     word[24];  /* the method, a field's name, or a member of its list */
    uint32_t size;      /* bytes of the head so far */
    int      status;    /* that the head is refused with; 0: none */

    /* -- what its fields say so far; counts end at 255 -- */
    struct host host;
    uint8_t     n_hosts;
    uint8_t     n_lengths; /* Content-Length */
    uint8_t     n_codings; /* Transfer-Encoding: members of its lists, empty ones included */
    bool        chunked_last;
    bool        says_close, says_keep; /* Connection */
    bool        expects_other;         /* Expect: something else than 100-continue */

    /* -- valid at HEAD_DONE; the method, the version and the target as soon as they are read -- */
    unsigned method; /* of enum http_method */
    uint8_t  major, minor;
    bool     is_chunked;
    bool     keep_alive;
    bool     expects_continue;
    uint64_t content_length; /* UINT64_MAX stands for all that is more */
    uint32_t url_size;
    char    *url;

    struct fields *fields; /* where the values go that are kept */
};

/* The name of a method of enum http_method; "-" for HTTP_UNKNOWN. */
const char *head_method_name(unsigned method);

/* A new head begins. `url` has URL_MAX bytes and takes the request target; `fields` are empty and
 * take the values that are kept. */
void head_begin(struct head *head, char *url, struct fields *fields);

/* Whether more than empty lines has been read. */
bool head_has_begun(const struct head *head);

/* The trailer fields of a chunked body begin. They are checked in the same way, and ignored. */
void head_begin_trailers(struct head *head);

/* Reads on, up to the end of the input or of the head. *ret_used: the bytes that belong to it. */
int head_read(struct head *head, const char *input, size_t size, size_t *ret_used);

#endif
