/*
 * chunk.h - the framing of a chunked body (RFC 9112, 7.1), read strictly and byte by byte
 *
 * Trailer fields are not part of it: head.h reads them.
 */
#ifndef HTTPD_CHUNK_H
#define HTTPD_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#define EXTENSIONS_MAX 8192 /* bytes of a body's chunk extensions, which are ignored: beyond, 431 */

/* What chunk_read has reached. A value from 400 on is the status to refuse the request with. */
enum {
    CHUNK_MORE, /* all input is used up */
    CHUNK_DATA, /* the bytes that are used are bytes of the body */
    CHUNK_LAST, /* the last chunk has been read, its line included */
};

struct chunk {
    uint8_t  state;
    uint32_t n_extra; /* bytes of extensions, and of zeros before sizes */
    uint64_t left;    /* of the chunk's data */
};

void chunk_begin(struct chunk *chunk);

/* Reads framing, or data if the input begins with some. A chunk with more than `room` bytes is
 * refused with 413 as soon as its size says so. */
int chunk_read(struct chunk *chunk, const char *input, size_t size, uint64_t room,
               size_t *ret_used);

#endif
