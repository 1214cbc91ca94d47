/*
 * files.c - finding a file, and streaming it through the connection's output buffer
 *
 * A small file joins the answers that already wait in the buffer; a large one passes through it
 * piece by piece, so that no connection holds more than its buffer, however slow its client is.
 */
#include "files.h"

#include <stdio.h>
#include <string.h>

#include "mime.h"
#include "range.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int file_name(char *ret_name, const char *path, size_t size)
{
    static const char well_known[] = "/.well-known/";
    const char       *end = path + size;
    char             *to = ret_name;

    if (size == 0 || *path != '/')
        return 400;
    if (size >= sizeof well_known - 1 && !memcmp(path, well_known, sizeof well_known - 1)) {
        to = mempcpy(to, well_known + 1, sizeof well_known - 2);
        path += sizeof well_known - 2;
    }
    for (path++; path < end; path++) {
        char c = *path;

        if (c == '%') {
            if (end - path < 3 || hex(path[1]) < 0 || hex(path[2]) < 0)
                return 400;
            c = (char)(hex(path[1]) << 4 | hex(path[2]));
            path += 2;
        }
        if ((unsigned char)c < ' ')
            return 400; /* no NUL that would cut the name short */
        if (c == '/' && to == ret_name)
            return 403; /* "/%2fetc" is absolute */
        if (c == '.' && (to == ret_name || to[-1] == '/'))
            return 403; /* "..", "." or a hidden file */
        *to++ = c;
    }
    if (to == ret_name || to[-1] == '/') {
        memcpy(to, "index.html", 10);
        to += 10;
    }
    *to = '\0';
    return 0;
}

static int status_of_error(int64_t error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
    case -ENAMETOOLONG:
    case -ELOOP:
    case -ENXIO: /* a pipe or a socket */
        return 404;
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
    case -ECANCELED: /* by the kernel, when it can't make a thread for the call */
        return 503;
    default:
        return 500;
    }
}

/* ---- the head of the answer ---- */

static bool head_only(const struct file_answer *self)
{
    return request_is(self->in.request, HTTP_HEAD);
}

static void answer_status(struct file_answer *self, int status, const char *extra)
{
    self->status = status;
    output_status(self->in.out, status, self->in.persistence, extra, head_only(self));
}

/* Copies bytes of a URL into a field that browsers read. Some browsers take a backslash for a slash
 * and drop control bytes, so "/\host/" would lead to another site. Bytes that RFC 3986 does not
 * allow are therefore encoded. Returns the new end, NULL if there is no room. */
static char *put_url(char *to, const char *limit, const char *bytes, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";

    for (const char *end = bytes + size; bytes < end; bytes++) {
        unsigned char c = (unsigned char)*bytes;

        if (limit - to < 4)
            return NULL;
        if (c > ' ' && c < 0x7f && !strchr("\"<>\\^`{|}", c)) {
            *to++ = (char)c;
        } else {
            *to++ = '%';
            *to++ = digits[c >> 4];
            *to++ = digits[c & 15];
        }
    }
    return to;
}

/* It is a directory: redirects to the same path with a slash, so that relative links in it work.
 * The path begins with one slash, so it stays on this site. */
static void answer_directory(struct file_answer *self, const char *path, size_t size)
{
    const struct request *request = self->in.request;
    struct response       response = {.status = 301, .persistence = self->in.persistence};
    const char           *url_end = request->url + request->url_size;
    const char           *query = path + size;
    const char           *limit = self->name + LOCATION_MAX;
    char                 *to;

    if (path[size - 1] == '/') { /* "/x/" is index.html in it, and that is a directory as well */
        answer_status(self, 404, NULL);
        return;
    }
    to = put_url(self->name, limit, path, size);
    if (to)
        *to++ = '/';
    if (to && query >= request->url && query < url_end && *query == '?')
        to = put_url(to, limit, query, (size_t)(url_end - query));
    if (!to) {
        answer_status(self, 414, NULL);
        return;
    }
    *to = '\0';
    self->status = response.status;
    response.location = self->name;
    output_head(self->in.out, &response);
}

/* Decides which part of the file is sent, and with which status. */
static void choose_part(struct file_answer *self, const struct validators *validators)
{
    const struct fields *fields = &self->in.request->fields;
    const char          *text;
    size_t               length;
    int64_t              size = self->end;

    self->status = conditions_check(fields, validators);
    if (self->status != 200 || head_only(self) ||
        !fields_get(fields, FIELD_RANGE, &text, &length) || fields_is_bad(fields, FIELD_RANGE) ||
        !conditions_allow_range(fields, validators))
        return;
    self->status = range_read(text, length, self->end, &self->offset, &size);
    if (self->status == 206)
        self->end = self->offset + size;
}

static void answer_regular(struct file_answer *self)
{
    struct response   response = {.persistence = self->in.persistence};
    struct validators validators;
    int64_t           size = (int64_t)self->st.stx_size;
    char              extra[256];
    int               n;

    self->end = size;
    validators_set(&validators, size, self->st.stx_mtime.tv_sec, self->st.stx_mtime.tv_nsec);
    choose_part(self, &validators);
    if (self->status == 412) {
        answer_status(self, 412, NULL);
    } else if (self->status == 416) {
        snprintf(extra, sizeof extra, "Content-Range: bytes */%lld\r\n", (long long)size);
        answer_status(self, 416, extra);
    } else {
        n = snprintf(extra, sizeof extra,
                     "Accept-Ranges: bytes\r\nLast-Modified: %s\r\nETag: %s\r\n",
                     validators.last_modified, validators.etag);
        if (self->status == 206)
            snprintf(extra + n, sizeof extra - (size_t)n, "Content-Range: bytes %lld-%lld/%lld\r\n",
                     (long long)self->offset, (long long)self->end - 1, (long long)size);
        response.status = self->status;
        response.extra = extra;
        response.length = self->end - self->offset;
        response.type = self->status == 304 ? NULL : mime_type(self->name);
        if (self->status == 304)
            output_not_modified(self->in.out, &response);
        else
            output_head(self->in.out, &response);
    }
    if ((self->status != 200 && self->status != 206) || head_only(self))
        self->end = self->offset;
}

/* Appends the head of the answer for the file. No body follows if end == offset. */
static void answer_head(struct file_answer *self, int64_t stat_result)
{
    const char *path;
    size_t      size;

    self->offset = self->end = 0;
    if (stat_result < 0) {
        answer_status(self, status_of_error(stat_result), NULL);
    } else if (S_ISDIR(self->st.stx_mode)) {
        path = request_path(self->in.request, &size);
        answer_directory(self, path, size);
    } else if (!S_ISREG(self->st.stx_mode)) {
        answer_status(self, 404, NULL);
    } else {
        answer_regular(self);
    }
}

/* ---- the file ---- */

/* The name of the file, or an error status that has been answered. */
static bool find_name(struct file_answer *self)
{
    const char *path;
    size_t      size;
    int         status;

    path = request_path(self->in.request, &size);
    status = file_name(self->name, path, size);
    if (status != 0)
        answer_status(self, status, NULL);
    return status == 0;
}

static weft_future *next_piece(struct file_answer *self)
{
    struct output *out = self->in.out;
    size_t         size = output_room(out);

    if ((int64_t)size > self->end - self->offset)
        size = (size_t)(self->end - self->offset);
    return weft_file_read(&self->io, self->fd, out->bytes + out->length, size, self->offset);
}

static weft_future *send_output(struct file_answer *self)
{
    const struct output *out = self->in.out;

    return weft_timeout(&self->limit,
                        weft_write_all(&self->io, self->in.conn, out->bytes, out->length),
                        self->in.patience / SEND_STEPS);
}

static weft_future *send_the_rest(struct file_answer *self)
{
    const struct output *out = self->in.out;

    return weft_async(send_rest, &self->rest, .conn = self->in.conn,
                      .bytes = out->bytes + self->io.done, .size = out->length - self->io.done,
                      .patience = self->in.patience, .rate = self->in.rate);
}

WEFT_ASYNC_EXTERN(file_answer)
{
    struct output *out = self->in.out; /* an alias: set again at every poll, so always valid */
    int64_t        n;

    WEFT_BEGIN();
    self->n_sent = 0;
    if (!find_name(self))
        WEFT_RETURN(FILE_SENT);
    /* O_NONBLOCK: opening a pipe among the files must not hold us up. */
    WEFT_AWAIT(n, weft_file_open_at(&self->io, self->in.root, self->name,
                                    O_RDONLY | O_NONBLOCK | O_NOCTTY, 0));
    if (n < 0) {
        answer_status(self, status_of_error(n), NULL);
        WEFT_RETURN(FILE_SENT);
    }
    self->fd = (int)n;
    self->result = FILE_SENT;
    WEFT_AWAIT(n, weft_file_stat(&self->io, self->fd, STATX_BASIC_STATS, &self->st));
    answer_head(self, n);

    while (self->offset < self->end && self->result == FILE_SENT) {
        if (output_room(out) == 0) {
            WEFT_AWAIT(n, send_output(self));
            if (n == -ETIMEDOUT)
                WEFT_AWAIT(n, send_the_rest(self));
            out->length = 0;
            self->result = n < 0 ? n : FILE_SENT;
        } else {
            WEFT_AWAIT(n, next_piece(self));
            if (n > 0) {
                out->length += (uint32_t)n;
                self->offset += n;
                self->n_sent += n;
            } else { /* earlier answers in the buffer are good and have to arrive */
                self->result = FILE_CUT_SHORT;
            }
        }
    }
    WEFT_AWAIT(n, weft_file_close(&self->io, self->fd));
    WEFT_END(self->result);
}
