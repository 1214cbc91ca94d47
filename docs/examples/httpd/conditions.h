/*
 * conditions.h - ETag, Last-Modified, and a request's conditions on them (RFC 9110, 8.8 and 13)
 */
#ifndef HTTPD_CONDITIONS_H
#define HTTPD_CONDITIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "fields.h"

/* What tells one state of a file from another. */
struct validators {
    time_t modified;
    char   etag[40]; /* with its quotes; strong */
    char   last_modified[32];
};

void validators_set(struct validators *validators, int64_t size, time_t modified,
                    uint32_t nanoseconds);

/* 200: the conditions hold, or there are none; 304: the client has this state already; 412: it
 * wants another state. The order is that of RFC 9110, 13.2.2. If a condition can't be read,
 * If-Match fails (412), and the others are ignored. */
int conditions_check(const struct fields *fields, const struct validators *validators);

/* Whether a Range field counts: there is no If-Range, or it names exactly this state. */
bool conditions_allow_range(const struct fields *fields, const struct validators *validators);

#endif
