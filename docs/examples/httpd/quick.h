/*
 * quick.h - reading a plain request without the parser
 *
 * Most requests are a GET of a path with a Host and a few fields that change nothing about the
 * connection. For them a look at each byte is enough. The parser takes every other request.
 */
#ifndef HTTPD_QUICK_H
#define HTTPD_QUICK_H

#include <stddef.h>

/* A plain request, in the bytes that it was read from. */
struct quick {
    const char *url;
    size_t      url_size;
};

/* Reads the request at the start of the input. Returns its size and fills `ret_quick` if it is
 * plain and its head is whole. Returns 0 if the parser has to read it: it may be cut, wrong or
 * unusual. */
size_t quick_read(struct quick *ret_quick, const char *input, size_t size);

#endif
