/*
 * files.c - finding a file, and streaming it through the connection's output buffer
 *
 * A small file joins the answers that already wait in the buffer; a large one passes through it
 * piece by piece, so that no connection holds more than its buffer, however slow its client is.
 */
#include "files.h"

#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *content_type(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".txt", "text/plain; charset=utf-8"},
        {".md", "text/markdown; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".woff2", "font/woff2"},
        {".pdf", "application/pdf"},
        {".wasm", "application/wasm"},
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof types / sizeof *types; i++)
        if (!strcasecmp(dot, types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int file_name(char *ret_name, const char *path, size_t size)
{
    const char *end = path + size;
    char       *to = ret_name;

    if (size == 0 || *path != '/')
        return 400;
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
    case -ENXIO: /* a pipe or a socket */
        return 404;
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        return 503;
    default:
        return 500;
    }
}

static void answer_status(struct file_answer *self, int status)
{
    output_status(self->in.out, status, self->in.persistence, NULL, self->in.head_only);
}

/* Appends the head of the answer. True: the contents of the file are to follow. */
static bool answer_head(struct file_answer *self)
{
    struct response response = {.status = 200, .persistence = self->in.persistence};
    struct stat     st;

    /* The file is open, so its attributes are in memory: this doesn't block. */
    if (fstat(self->fd, &st) < 0) {
        answer_status(self, 500);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        response.status = 301; /* to the same path with a slash, so that relative links work */
        response.location = self->in.path;
        response.location_size = self->in.path_size;
        output_head(self->in.out, &response);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        answer_status(self, 404);
        return false;
    }
    self->size = response.length = st.st_size;
    response.type = content_type(self->name);
    output_head(self->in.out, &response);
    return !self->in.head_only;
}

static weft_future *next_piece(struct file_answer *self)
{
    struct output *out = self->in.out;
    size_t         size = output_room(out);

    if ((int64_t)size > self->size - self->offset)
        size = (size_t)(self->size - self->offset);
    return weft_file_read(&self->io, self->fd, out->bytes + out->length, size, self->offset);
}

static weft_future *send_output(struct file_answer *self)
{
    struct output *out = self->in.out;

    return weft_timeout(&self->limit,
                        weft_write_all(&self->io, self->in.conn, out->bytes, out->length),
                        self->in.write_limit);
}

WEFT_ASYNC_EXTERN(file_answer)
{
    struct output *out = self->in.out; /* an alias: set again at every poll, so always valid */
    int64_t        n;

    WEFT_BEGIN();
    n = file_name(self->name, self->in.path, self->in.path_size);
    if (n != 0) {
        answer_status(self, (int)n);
        WEFT_RETURN(0);
    }
    /* O_NONBLOCK: a pipe among the files must not hold us up. */
    WEFT_AWAIT(n, weft_file_open(&self->io, self->name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0));
    if (n < 0) {
        answer_status(self, status_of_error(n));
        WEFT_RETURN(0);
    }
    self->fd = (int)n;
    self->offset = 0;
    self->result = 0;
    if (!answer_head(self))
        self->size = 0;

    while (self->offset < self->size) {
        if (output_room(out) == 0) {
            WEFT_AWAIT(n, send_output(self));
            if (n < 0) {
                self->result = n;
                break;
            }
            out->length = 0;
        }
        WEFT_AWAIT(n, next_piece(self));
        if (n <= 0) {
            self->result = n < 0 ? n : -EIO; /* got shorter, and its length has been promised */
            break;
        }
        out->length += (uint32_t)n;
        self->offset += n;
    }
    close(self->fd); /* of a file that was only read: nothing to wait for */
    WEFT_END(self->result);
}
