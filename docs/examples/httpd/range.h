/*
 * range.h - which part of a file a request wants: one range of bytes (RFC 9110, 14)
 */
#ifndef HTTPD_RANGE_H
#define HTTPD_RANGE_H

#include <stddef.h>
#include <stdint.h>

/* Reads the value of a Range field for a file of `length` bytes.
 *
 * Returns 206 and the part in *ret_first, *ret_size, or 416: no byte of the file is in the range,
 * or 200: the whole file is to be sent, because the field says nothing that is understood here:
 * other units than bytes, several ranges, an end before its beginning. */
int range_read(const char *text, size_t size, int64_t length, int64_t *ret_first,
               int64_t *ret_size);

#endif
