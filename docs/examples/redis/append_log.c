/* append_log.c - see append_log.h */
#include "append_log.h"

#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "../say.h"
#include "defers.h"
#include "resp.h"

#define KEEP (256 * 1024) /* bytes of a buffer that is kept for the next records */
/* The reactor writes more than this, so that no worker waits. */
#define WRITE_AT_ONCE (64 * 1024)

/* ---- adding ---- */

static void add(struct append_log *log, const struct slice *argv, size_t argc)
{
    size_t before = log->pending.size;

    put_request(&log->pending, argv, argc);
    log->added += log->pending.size - before;
    if (append_log_size(log) >= log->rewrite_at)
        append_log_ask_rewrite(log);
}

void append_log_add(struct append_log *log, const struct slice *argv, size_t argc)
{
    if (!log->path || log->replaying)
        return;
    if (log->in_group && !log->group_begun) {
        log->group_begun = true;
        add(log, (struct slice[]){SLICE("MULTI")}, 1);
    }
    add(log, argv, argc);
}

void append_log_group(struct append_log *log, bool begins)
{
    if (!begins && log->group_begun)
        add(log, (struct slice[]){SLICE("EXEC")}, 1);
    log->in_group = begins;
    log->group_begun = false;
}

/* ---- when it is rewritten ---- */

bool append_log_ask_rewrite(struct append_log *log)
{
    if (log->rewriting)
        return false;
    log->rewriting = true;
    weft_notify_one(&log->rewrite_asked);
    return true;
}

void append_log_plan_rewrite(struct append_log *log)
{
    uint64_t size = append_log_size(log), at = size + size * (uint64_t)log->growth / 100;

    log->rewrite_at = at > (uint64_t)log->min_size ? at : (uint64_t)log->min_size;
    if (log->growth == 0)
        log->rewrite_at = UINT64_MAX;
}

/* ---- settling ---- */

/* Takes all records that have been added, unless some are left from before. */
static void take(struct append_log *log)
{
    struct buffer spare = log->taken;

    if (log->n_done < log->taken.size)
        return;
    buffer_clear(&spare, KEEP);
    log->n_done = 0;
    pthread_mutex_lock(log->lock);
    log->taken = log->pending;
    log->taken_end = log->added;
    log->pending = spare;
    pthread_mutex_unlock(log->lock);
}

static void complain(struct append_log *log, const char *doing, int64_t error)
{
    atomic_store(&log->broken, true);
    if (!atomic_exchange(&log->failing, true))
        say("redisd: can't %s %s: %s; commands that write are refused\n", doing, log->path,
            strerror((int)-error));
}

/* The bytes have been written, or could not be (n < 0). Returns n. */
static int64_t settle_write(struct append_log *log, int64_t n)
{
    if (n < 0) {
        if (n != -ECANCELED)
            complain(log, "write", n);
        return n;
    }
    if (atomic_load(&log->failing) && !atomic_load(&log->lost_sync)) {
        say("redisd: %s can be written again\n", log->path);
        atomic_store(&log->failing, false);
        atomic_store(&log->broken, false);
    }
    atomic_store(&log->written, log->taken_end);
    return n;
}

void append_log_synced(struct append_log *log, uint64_t mark, int64_t n)
{
    if (n >= 0) {
        atomic_store(&log->synced, mark);
    } else if (n != -ECANCELED && n != -EAGAIN) {
        atomic_store(&log->lost_sync, true);
        complain(log, "sync", n);
    }
}

/* Writes with one system call if that is likely to end soon. A large write, and a write beside a
 * sync, may wait for the disk. Those are left to the reactor. */
static void write_at_once(struct append_log *log)
{
    size_t  left = log->taken.size - log->n_done;
    int64_t n;

    if (left > WRITE_AT_ONCE || left == 0 || atomic_load(&log->syncing))
        return;
    n = weft_stream_try_write(log->file, log->taken.data + log->n_done, left);
    if (n > 0)
        log->n_done += (size_t)n; /* an error comes again with the next write */
}

WEFT_ASYNC_EXTERN(settle_log)
{
    struct append_log *log = self->in.log;
    int64_t            n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &log->writing));
    if (n < 0)
        WEFT_RETURN(n);
    weft_defer(&self->unlock, unlock_mutex, &log->writing);
    while (append_log_owes(log, self->in.mark)) {
        if (atomic_load(&log->lost_sync))
            WEFT_RETURN(-EIO);
        /* Other connections that are ready run first, and add their records. One write, and one
         * sync, then does for all of them. */
        WEFT_YIELD();
        take(log);
        write_at_once(log);
        n = 0;
        if (log->n_done < log->taken.size) {
            WEFT_AWAIT(n, weft_file_write_all(&self->io, log->fd, log->taken.data + log->n_done,
                                              log->taken.size - log->n_done, -1));
            log->n_done += self->io.done;
        }
        if (settle_write(log, n) < 0)
            WEFT_RETURN(n);
        if (log->sync == SYNC_ALWAYS) {
            WEFT_AWAIT(n, weft_file_sync_data(&self->io, log->fd));
            append_log_synced(log, log->taken_end, n);
            if (n < 0)
                WEFT_RETURN(n);
        }
        atomic_store_explicit(&log->settled, log->taken_end,
                              memory_order_release); /* [log-settled] */
    }
    WEFT_END(0);
}

/* ---- once a second, and at the end ---- */

static uint64_t added_now(struct append_log *log)
{
    uint64_t added;

    pthread_mutex_lock(log->lock);
    added = log->added;
    pthread_mutex_unlock(log->lock);
    return added;
}

WEFT_ASYNC_EXTERN(sync_log)
{
    struct append_log *log = self->in.log;
    int64_t            n;

    WEFT_BEGIN();
    weft_defer(&self->leave, leave_tracker, self->in.tracker);
    weft_interval_start(&self->every, WEFT_S(1), WEFT_INTERVAL_SKIP);
    for (;;) {
        WEFT_AWAIT(n, weft_token_run(&self->run, self->in.stop, weft_interval_tick(&self->every)));
        if (n < 0)
            break;
        /* Expired keys add records, too, and no connection waits for those. */
        self->mark = added_now(log);
        if (append_log_owes(log, self->mark))
            WEFT_CALL(n, settle_log, &self->settle, .log = log, .mark = self->mark);
        if (log->sync != SYNC_EVERY_SECOND || atomic_load(&log->lost_sync) ||
            atomic_load(&log->written) == atomic_load(&log->synced))
            continue;
        WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &log->syncing_turn)); /* A4 */
        if (n < 0)
            break;
        self->mark = atomic_load(&log->written);
        atomic_store(&log->syncing, true);
        WEFT_AWAIT(n, weft_file_sync_data(&self->io, log->fd));
        atomic_store(&log->syncing, false);
        append_log_synced(log, self->mark, n);
        weft_mutex_unlock(&log->syncing_turn);
    }
    WEFT_END(0);
}

WEFT_ASYNC_EXTERN(close_log)
{
    struct append_log *log = self->in.log;
    int64_t            n;

    WEFT_BEGIN();
    WEFT_CALL(self->result, settle_log, &self->settle, .log = log, .mark = added_now(log));
    WEFT_AWAIT(n, weft_mutex_lock(&self->wait, &log->syncing_turn));
    if (n >= 0) {
        WEFT_AWAIT(n, weft_file_sync_data(&self->io, log->fd));
        weft_mutex_unlock(&log->syncing_turn);
    }
    if (n < 0 && self->result >= 0)
        self->result = n;
    /* The kernel tells of an error once: a later sync says nothing of what an earlier one lost. */
    if (self->result >= 0 && atomic_load(&log->lost_sync))
        self->result = -EIO;
    if (self->result < 0)
        say("redisd: can't write the end of %s: %s\n", log->path, strerror((int)-self->result));
    if (self->in.alone) {
        weft_stream_close(log->file);
        buffer_free(&log->pending);
        buffer_free(&log->taken);
    }
    WEFT_END(self->result);
}

/* ---- the name of the file ---- */

WEFT_ASYNC_EXTERN(sync_folder)
{
    int64_t n;

    WEFT_BEGIN();
    self->folder = strdup(self->in.path);
    if (!self->folder)
        WEFT_RETURN(-ENOMEM);
    WEFT_AWAIT(
        n, weft_file_open(&self->io, dirname(self->folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0));
    free(self->folder);
    if (n < 0)
        WEFT_RETURN(n);
    self->fd = (int)n;
    WEFT_AWAIT(self->result, weft_file_sync(&self->io, self->fd));
    WEFT_AWAIT(n, weft_file_close(&self->io, self->fd));
    WEFT_END(self->result);
}
