/*
 * access_log.c - see access_log.h
 *
 * Purpose     Two buffers: workers fill one, the task writes the other. A channel with room for one
 *             message wakes the task; a message that finds it full need not be sent.
 * Threads     access_log_add and access_log_reopen any, the rest is the task's and its owner's.
 * Invariants  L1 Under `lock` stand `fill`, `used`, `lost` and `reopen`; what the task writes is
 *             the other buffer, which is its own.
 *             L2 A wake follows each change under the lock, so the task sees it, or has not slept.
 * Ordering    By the lock and the channel.
 * Failure     Lines that can't be written are lost and counted. The first of a row is said.
 */
#include "access_log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../say.h"

#define BUFFER_SIZE (256 * 1024)
#define LINE_SIZE   1024 /* a longer URL is cut in the log */
#define FLAGS       (O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY)

struct access_log {
    const char         *path;
    weft_mpsc_sender   *wake;
    weft_mpsc_receiver *woken;
    weft_handle         task;
    int                 fd;
    pthread_mutex_t     lock;
    int                 fill; /* which buffer takes lines */
    size_t              used, n_lines;
    uint64_t            lost;
    bool                reopen;
    char                buffer[2][BUFFER_SIZE];
};

static void wake(struct access_log *log)
{
    /* -EAGAIN: the task has not taken the last one yet. */
    int r = weft_mpsc_try_send(log->wake, "");

    (void)r;
}

/* ---- lines ---- */

/* Returns "[01/Jan/1970:00:00:00 +0000]", which each thread makes once a second. */
static const char *stamp(void)
{
    static _Thread_local time_t second = -1;
    static _Thread_local char   text[40];

    time_t    now = time(NULL);
    struct tm tm;

    if (now != second && localtime_r(&now, &tm)) {
        strftime(text, sizeof text, "[%d/%b/%Y:%H:%M:%S %z]", &tm);
        second = now;
    }
    return text;
}

/* A target that was read has only visible bytes, no quotes and no backslash (target.h). So it can
 * end neither its quotes nor its line. */
static size_t line_of(char *line, const struct access_entry *entry)
{
    const size_t room = LINE_SIZE - 64; /* the rest of the line has room behind it */
    size_t       n = (size_t)snprintf(line, room, "%s - - %s \"", entry->peer, stamp());
    size_t       size = entry->url_size;

    if (entry->method) {
        n += (size_t)snprintf(line + n, room - n, "%s ", entry->method);
        if (size > room - n)
            size = room - n;
        memcpy(line + n, entry->url, size);
        n += size;
        n += (size_t)snprintf(line + n, 16, " HTTP/1.%d", entry->is_1_0 ? 0 : 1);
    } else {
        line[n++] = '-';
    }
    return n + (size_t)snprintf(line + n, LINE_SIZE - n, "\" %d %lld\n", entry->status,
                                (long long)entry->bytes);
}

void access_log_add(struct access_log *log, const struct access_entry *entry)
{
    char   line[LINE_SIZE];
    size_t size = line_of(line, entry);
    bool   first;

    pthread_mutex_lock(&log->lock);
    first = log->used == 0;
    if (size <= BUFFER_SIZE - log->used) {
        memcpy(log->buffer[log->fill] + log->used, line, size);
        log->used += size;
        log->n_lines++;
    } else {
        log->lost++;
    }
    pthread_mutex_unlock(&log->lock);
    if (first)
        wake(log);
}

void access_log_reopen(struct access_log *log)
{
    pthread_mutex_lock(&log->lock);
    log->reopen = true;
    pthread_mutex_unlock(&log->lock);
    wake(log);
}

/* ---- the task ---- */

struct writer {
    WEFT_FRAME;
    struct {
        struct access_log *log;
    } in;
    weft_wait   wait;
    weft_io     io;
    const char *bytes;
    size_t      size, n_lines;
    bool        reopen, failing, ends;
    char        message;
};

/* Takes the buffer that has been filled. */
static void writer_take(struct writer *self)
{
    struct access_log *log = self->in.log;

    pthread_mutex_lock(&log->lock);
    self->bytes = log->buffer[log->fill];
    self->size = log->used;
    self->n_lines = log->n_lines;
    self->reopen = log->reopen;
    log->fill ^= 1;
    log->used = log->n_lines = 0;
    log->reopen = false;
    pthread_mutex_unlock(&log->lock);
}

/* The taken buffer has been written, or could not be (n < 0). */
static void writer_settle(struct writer *self, const char *doing, int64_t n)
{
    struct access_log *log = self->in.log;

    if (n < 0 && n != -ECANCELED && !self->failing)
        say("httpd: can't %s %s: %s\n", doing, log->path, strerror((int)-n));
    self->failing = n < 0;
    if (n >= 0)
        return;
    pthread_mutex_lock(&log->lock);
    log->lost += self->n_lines;
    pthread_mutex_unlock(&log->lock);
}

/* Lines of which the end is among the bytes. */
static size_t lines_in(const char *bytes, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++)
        n += bytes[i] == '\n';
    return n;
}

WEFT_ASYNC(writer)
{
    struct access_log *log = self->in.log;
    int64_t            n;

    WEFT_BEGIN();
    self->failing = false;
    do {
        WEFT_AWAIT(n, weft_mpsc_receive(&self->wait, log->woken, &self->message));
        self->ends = n < 0; /* WEFT_EOF: the log is being closed, and this buffer is the last */
        writer_take(self);
        if (self->size > 0) {
            WEFT_AWAIT(n, weft_file_write_all(&self->io, log->fd, self->bytes, self->size, -1));
            if (n < 0) /* a pipe that is not read has taken the first of them */
                self->n_lines = lines_in(self->bytes + self->io.done, self->size - self->io.done);
            writer_settle(self, "write", n);
        }
        if (self->reopen) {
            self->n_lines = 0;
            WEFT_AWAIT(n, weft_file_open(&self->io, log->path, FLAGS, 0644));
            writer_settle(self, "open", n);
            if (n >= 0) { /* else the old file is better than none */
                dup3((int)n, log->fd, O_CLOEXEC);
                WEFT_AWAIT(n, weft_file_close(&self->io, (int)n));
            }
        }
    } while (!self->ends);
    WEFT_END(0);
}

/* ---- opening and closing ---- */

static void log_free(struct access_log *log)
{
    weft_mpsc_receiver_close(log->woken);
    close(log->fd);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

int access_log_open(struct access_log **ret, const char *path)
{
    struct access_log *log = malloc(sizeof *log);
    int                r = -ENOMEM;

    if (log) {
        memset(log, 0, offsetof(struct access_log, buffer));
        log->path = path;
        pthread_mutex_init(&log->lock, NULL);
        /* A named pipe that no process reads is an error, and nothing to wait for. The writes
         * wait. */
        log->fd = open(path, FLAGS | O_NONBLOCK, 0644);
        if (log->fd >= 0)
            fcntl(log->fd, F_SETFL, O_APPEND);
        r = log->fd < 0 ? -errno : weft_mpsc_open(1, 1, &log->wake, &log->woken);
        if (r == 0) {
            r = weft_spawn(&log->task, writer, .log = log);
            if (r < 0)
                weft_mpsc_sender_close(log->wake);
        }
        if (r < 0)
            log_free(log);
    }
    if (r < 0)
        say("httpd: can't open the access log %s: %s\n", path, strerror(-r));
    else
        *ret = log;
    return r;
}

WEFT_ASYNC_EXTERN(access_log_close)
{
    struct access_log *log = self->in.log;
    int64_t            n;

    WEFT_BEGIN();
    weft_mpsc_sender_close(log->wake);
    WEFT_AWAIT(n, weft_timeout(&self->limit, weft_join(&log->task), WEFT_S(2)));
    if (n == -ETIMEDOUT) { /* a pipe that is not read: what is left is lost */
        weft_cancel(&log->task);
        WEFT_AWAIT(n, weft_join(&log->task));
    }
    n = (int64_t)log->lost;
    log_free(log);
    WEFT_END(n);
}
