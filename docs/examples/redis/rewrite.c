/* rewrite.c - see rewrite.h */
#include "rewrite.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../say.h"
#include "commands.h"
#include "defers.h"
#include "save.h"

#define PIECE (256 * 1024) /* bytes of a copy */
#define FEW   (256 * 1024) /* bytes that are copied while no record is written */
#define LAPS  10           /* after so many no record is written, however much is left */

static char *fresh_path(const struct append_log *log)
{
    size_t size = strlen(log->path) + sizeof ".rewrite";
    char  *path = memory_take(size);

    snprintf(path, size, "%s.rewrite", log->path);
    return path;
}

void rewrite_remove_rest(const struct append_log *log)
{
    char *path = fresh_path(log);

    if (unlink(path) < 0 && errno != ENOENT)
        say("redisd: can't remove %s: %s\n", path, strerror(errno));
    memory_give(path);
}

/* ---- the values ---- */

/* Saves some more values, and takes the requests. Returns whether those were the last. */
static bool take_piece(struct fresh_log *fresh)
{
    struct server *server = fresh->server;
    struct buffer  spare = fresh->piece;
    bool           all;

    buffer_clear(&spare, PIECE);
    server_lock(server);
    all = save_some(&server->keys);
    fresh->piece = server->keys.saving.records;
    server->keys.saving.records = spare;
    server_unlock(server);
    return all;
}

static void begin_saving(struct fresh_log *fresh)
{
    struct server *server = fresh->server;

    server_lock(server);
    save_begin(&server->keys);
    fresh->start = fresh->copied = server->log.added;
    server_unlock(server);
}

WEFT_ASYNC(save_keys)
{
    struct fresh_log *fresh = self->in.fresh;
    int64_t           n;

    WEFT_BEGIN();
    begin_saving(fresh);
    do {
        self->all = take_piece(fresh);
        WEFT_AWAIT(
            n, weft_file_write_all(&self->io, fresh->fd, fresh->piece.data, fresh->piece.size, -1));
        if (n < 0)
            WEFT_RETURN(n);
        if (weft_token_is_cancelled(&fresh->server->stop))
            WEFT_RETURN(-ECANCELED);
        fresh->size += fresh->piece.size;
    } while (!self->all);
    WEFT_END(0);
}

/* ---- the records since then ---- */

WEFT_ASYNC(copy_records)
{
    struct fresh_log  *fresh = self->in.fresh;
    struct append_log *log = &fresh->server->log;
    size_t             left;
    int64_t            n;

    WEFT_BEGIN();
    while (fresh->copied < self->in.mark) {
        left = self->in.mark - fresh->copied;
        fresh->piece.size = 0;
        buffer_reserve(&fresh->piece, PIECE);
        WEFT_AWAIT(n, weft_file_read(&self->io, log->fd, fresh->piece.data,
                                     left < PIECE ? left : PIECE,
                                     (int64_t)(fresh->copied - log->base)));
        if (n <= 0)
            WEFT_RETURN(n < 0 ? n : -EIO);
        fresh->piece.size = (size_t)n;
        WEFT_AWAIT(
            n, weft_file_write_all(&self->io, fresh->fd, fresh->piece.data, fresh->piece.size, -1));
        if (n < 0)
            WEFT_RETURN(n);
        if (weft_token_is_cancelled(&fresh->server->stop))
            WEFT_RETURN(-ECANCELED);
        fresh->copied += fresh->piece.size;
        fresh->size += fresh->piece.size;
    }
    WEFT_AWAIT(n, weft_file_sync_data(&self->io, fresh->fd));
    WEFT_END(n);
}

WEFT_ASYNC(catch_up)
{
    struct fresh_log  *fresh = self->in.fresh;
    struct append_log *log = &fresh->server->log;
    int64_t            n;

    WEFT_BEGIN();
    /* What had been added at the start is in the saved values, and belongs to the old file. */
    WEFT_CALL(n, settle_log, &self->settle, .log = log, .mark = fresh->start);
    for (self->laps = 0; n >= 0 && self->laps < LAPS; self->laps++) {
        self->mark = atomic_load(&log->written);
        WEFT_CALL(n, copy_records, &self->copy, .fresh = fresh, .mark = self->mark);
        if (atomic_load(&log->written) - self->mark <= FEW)
            break;
    }
    WEFT_END(n);
}

/* ---- the new file takes the old one's place ---- */

/* The new file has its name. The old one is left in fresh->fd, because closing it removes it, and
 * that takes the disk a while. */
static void exchange(struct fresh_log *fresh, weft_stream *file, uint64_t mark)
{
    struct append_log *log = &fresh->server->log;
    int                old = dup(log->fd);

    weft_stream_close(log->file);
    log->file = file;
    log->fd = fresh->fd;
    fresh->fd = old;
    server_lock(fresh->server);
    log->base = mark - fresh->size;
    atomic_store(&log->synced, mark);
    server_unlock(fresh->server);
}

WEFT_ASYNC(replace_log)
{
    struct fresh_log  *fresh = self->in.fresh;
    struct append_log *log = &fresh->server->log;
    int64_t            n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &log->syncing_turn));
    if (n < 0)
        WEFT_RETURN(n);
    weft_defer(&self->unlock_turn, unlock_mutex, &log->syncing_turn);
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &log->writing));
    if (n < 0)
        WEFT_RETURN(n);
    weft_defer(&self->unlock, unlock_mutex, &log->writing);
    if (log->n_done < log->taken.size || atomic_load(&log->lost_sync))
        WEFT_RETURN(-EIO);

    self->mark = atomic_load(&log->written); /* all that the old file has */
    WEFT_CALL(n, copy_records, &self->copy, .fresh = fresh, .mark = self->mark);
    if (n < 0)
        WEFT_RETURN(n);
    n = weft_stream_adopt(NULL, fresh->fd, &self->file);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_AWAIT(n, weft_path_rename(&self->io, AT_FDCWD, fresh->path, AT_FDCWD, log->path, 0));
    if (n < 0) {
        weft_stream_close(self->file);
        fresh->fd = -1;
        WEFT_RETURN(n);
    }
    exchange(fresh, self->file, self->mark);
    WEFT_CALL(n, sync_folder, &self->sync_folder, .path = log->path);
    /* Each error breaks the log, because no later sync is of the folder (R2). */
    append_log_synced(log, self->mark, n == -EAGAIN || n == -ECANCELED ? -EIO : n);
    WEFT_END(n);
}

/* ---- from the beginning to the end ---- */

/* The new file is for the same users as the old one. It is locked before it has the name. */
static int64_t prepare(int fd, int old)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat  status;

    if (fstat(old, &status) < 0 || fchmod(fd, status.st_mode & 07777) < 0 ||
        fcntl(fd, F_SETLK, &whole) < 0)
        return -errno;
    return 0;
}

/* Also if the task is cancelled. */
static void end(void *rewrite)
{
    struct rewrite_log *self = rewrite;
    struct server      *server = self->in.server;
    struct append_log  *log = &server->log;

    if (self->result < 0 && self->result != -ECANCELED)
        say("redisd: can't rewrite %s: %s\n", log->path, strerror((int)-self->result));
    server_lock(server);
    save_give_up(&server->keys);
    log->rewriting = false;
    log->rewrite_failed = self->result < 0;
    log->n_rewrites += self->result >= 0;
    append_log_plan_rewrite(log);
    server_unlock(server);
    buffer_free(&self->fresh.piece);
    memory_give(self->fresh.path);
}

WEFT_ASYNC(rewrite_log)
{
    struct append_log *log = &self->in.server->log;
    struct fresh_log  *fresh = &self->fresh;
    int64_t            n;

    WEFT_BEGIN();
    *fresh = (struct fresh_log){.server = self->in.server, .path = fresh_path(log), .fd = -1};
    self->result = -ECANCELED;
    weft_defer(&self->end, end, self);
    WEFT_AWAIT(n, weft_path_unlink(&self->io, AT_FDCWD, fresh->path, 0)); /* mostly there is none */
    WEFT_AWAIT(n,
               weft_file_open(&self->io, fresh->path,
                              O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600));
    if (n >= 0) {
        fresh->fd = (int)n;
        n = prepare(fresh->fd, log->fd);
    }
    if (n >= 0)
        WEFT_CALL(n, save_keys, &self->save_keys, .fresh = fresh);
    if (n >= 0)
        WEFT_CALL(n, catch_up, &self->catch_up, .fresh = fresh);
    if (n >= 0)
        WEFT_CALL(n, replace_log, &self->replace_log, .fresh = fresh);
    self->result = n;
    if (n < 0)
        WEFT_AWAIT(n, weft_path_unlink(&self->io, AT_FDCWD, fresh->path, 0));
    if (fresh->fd >= 0)
        WEFT_AWAIT(n, weft_file_close(&self->io, fresh->fd));
    WEFT_END(self->result);
}

WEFT_ASYNC_EXTERN(rewriter)
{
    struct server *server = self->in.server;
    int64_t        n;

    WEFT_BEGIN();
    weft_defer(&self->leave, leave_tracker, &server->tasks);
    for (;;) {
        WEFT_AWAIT(n, weft_token_run(&self->run, &server->stop,
                                     weft_notify_wait(&self->wait, &server->log.rewrite_asked)));
        if (n < 0)
            break;
        WEFT_CALL(n, rewrite_log, &self->rewrite, .server = server);
    }
    WEFT_END(0);
}

/* ---- the command ---- */

void bgrewriteaof_command(struct client *client, const struct slice *argv, size_t argc)
{
    struct append_log *log = &client->server->log;

    (void)argv;
    (void)argc;
    if (!log->path)
        put_error(&client->out, "ERR there is no append-only file");
    else if (!append_log_ask_rewrite(log))
        put_error(&client->out, "ERR Background append only file rewriting already in progress");
    else
        put_status(&client->out, "Background append only file rewriting started");
}
