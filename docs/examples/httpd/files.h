/*
 * files.h - static files: the ones below the server's working directory
 */
#ifndef HTTPD_FILES_H
#define HTTPD_FILES_H

#include <weft.h>

#include "response.h"

/* Answers with a file: an async function that a connection calls. It appends to the connection's
 * output buffer, writes it out as often as it is full, and leaves the rest there. Result: 0; or
 * -errno when the answer has begun and can't be completed: the connection must be closed. */
struct file_answer {
    WEFT_FRAME;
    struct {
        weft_stream     *conn;
        struct output   *out;
        const char      *path; /* as it came: encoded, not terminated; borrowed */
        size_t           path_size;
        enum persistence persistence;
        bool             head_only;
        int64_t          write_limit; /* how long one write may take */
    } in;
    weft_io     io;
    weft_limit  limit;
    int64_t     offset, size;
    int64_t     result;
    int         fd;
    char        name[URL_MAX + 16]; /* decoded, relative to the working directory */
    const char *type;
};
WEFT_DECLARE_EXTERN(file_answer);

/* Decodes the path of a URL to the name of a file below the working directory, index.html for a
 * directory. 0, or the status to answer with: a name never leads upwards, nor to a hidden file.
 * `ret_name` takes `size` + 16 bytes. */
int file_name(char *ret_name, const char *path, size_t size);

#endif
