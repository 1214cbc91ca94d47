/*
 * access_log.h - a line for each request, in the common log format, written by a task of its own
 *
 * Workers append lines to a buffer of bounded size and never wait: a line that has no room is lost,
 * and counted. The task writes what has come together in one operation of the reactor's ring, so
 * that a slow disk, or a pipe that is not read, holds nothing up but the log.
 */
#ifndef HTTPD_ACCESS_LOG_H
#define HTTPD_ACCESS_LOG_H

#include <weft.h>

struct access_log;

struct access_entry {
    const char *peer;   /* the client's address */
    const char *method; /* NULL: what came was no request */
    const char *url;
    size_t      url_size;
    bool        is_1_0;
    int         status;
    int64_t     bytes; /* of the body */
};

/* Opens the file, which it appends to, and spawns the task. 0 or -errno: said on standard error.
 * Called before there are connections: opening is a system call of the caller's. `path` is
 * borrowed. */
int access_log_open(struct access_log **ret, const char *path);

/* Appends a line, or counts it as lost. Any thread; never waits for the file. */
void access_log_add(struct access_log *log, const struct access_entry *entry);

/* Opens the file again, by its name: after a rotation (SIGHUP). Any thread, returns at once. */
void access_log_reopen(struct access_log *log);

/* Ends the log: an async function, called when no connection is left. It writes what is there, for
 * two seconds at most. Result: how many lines have been lost in all. */
struct access_log_close {
    WEFT_FRAME;
    struct {
        struct access_log *log;
    } in;
    struct weft_timeout limit;
};
WEFT_DECLARE_EXTERN(access_log_close);

#endif
