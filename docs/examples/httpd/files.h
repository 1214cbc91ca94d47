/*
 * files.h - static files: the ones below the server's root directory
 */
#ifndef HTTPD_FILES_H
#define HTTPD_FILES_H

#include <sys/stat.h>
#include <weft.h>

#include "conditions.h"
#include "request.h"
#include "response.h"
#include "send.h"

enum { FILE_SENT, FILE_CUT_SHORT };

/* Answers with a file: an async function that a connection calls. It appends to the connection's
 * output buffer, writes it out as often as it is full, and leaves the rest there.
 *
 * Result: FILE_SENT; FILE_CUT_SHORT: the file has become shorter than was promised, so the
 * connection must be closed after what is in the buffer; or -errno: the connection is of no more
 * use. */
struct file_answer {
    WEFT_FRAME;
    struct {
        weft_stream          *conn;
        struct output        *out;
        const struct request *request; /* a GET or a HEAD; borrowed */
        int                   root;    /* the directory */
        enum persistence      persistence;
        int64_t               patience, rate; /* for a slow client, see send.h */
    } in;
    weft_io             io;
    struct weft_timeout limit;
    struct send_rest    rest;
    struct statx        st;
    int64_t             offset, end; /* of the part of the file that is sent */
    int64_t             n_sent;      /* bytes of body, for the log */
    int64_t             result;
    int                 status; /* of the answer, for the log */
    int                 fd;
    char name[URL_MAX + 16]; /* decoded, relative to the root; then the new location */
};
WEFT_DECLARE_EXTERN(file_answer);

/* Decodes the path of a URL to the name of a file below the root, index.html for a directory. 0, or
 * the status to answer with: a name never leads upwards, nor to a hidden file, except below
 * /.well-known/ (RFC 8615). `ret_name` takes `size` + 16 bytes. */
int file_name(char *ret_name, const char *path, size_t size);

#endif
