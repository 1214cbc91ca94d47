/*
 * bytes.h - which bytes may stand where in a request
 *
 * The names are those of the grammars: RFC 9110 (token, field-value), RFC 3986 (the others).
 */
#ifndef HTTPD_BYTES_H
#define HTTPD_BYTES_H

#include <stdbool.h>

enum byte_kind {
    BYTE_TOKEN = 1,    /* of a method, of a field's name: RFC 9110, 5.6.2 */
    BYTE_VALUE = 2,    /* of a field's value, blanks included: RFC 9110, 5.5 */
    BYTE_VISIBLE = 4,  /* ASCII that has a shape: all that a request target is made of */
    BYTE_REG_NAME = 8, /* of a host's name, without escapes: RFC 3986, 3.2.2 */
    BYTE_PATH = 16,    /* of a path or a query, without escapes: bytes.c says more */
    BYTE_HEX = 32,
    BYTE_DIGIT = 64,
};

extern const unsigned char byte_kinds[256];

static inline bool byte_is(char byte, enum byte_kind kind)
{
    return byte_kinds[(unsigned char)byte] & kind;
}

static inline bool byte_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Returns the first byte that is not of this kind, or `end`. */
static inline const char *bytes_skip(const char *at, const char *end, enum byte_kind kind)
{
    while (at < end && byte_is(*at, kind))
        at++;
    return at;
}

#endif
