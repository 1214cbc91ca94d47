/*
 * append_log.h - the append-only file: each command that has changed something, as a request
 *
 * Purpose     Commands add records to memory, in the order in which they ran. A connection that
 *             wants to answer sees to it that the records so far are settled: written, and with
 *             SYNC_ALWAYS on the disk. The first that comes does it for all others.
 * Threads     append_log_add and append_log_group: those that hold the server's lock. The async
 *             functions: any task.
 * Invariants  A1 `pending` and `added` stand under the server's lock. `taken`, `n_done` and the
 *             file's end belong to the task that holds `writing`, a weft_mutex, because that task
 *             awaits the disk meanwhile.
 *             A2 The file is always a beginning of all records in their order. What could not be
 *             written stays in `taken` and is tried first the next time.
 *             A3 No record of a group is written without its EXEC: a torn group is cut at start.
 *             A4 rewrite.c replaces the file. It holds `writing`, `syncing_turn` and, for `base`,
 *             the lock. The new file may have more bytes than all that were ever added, and then
 *             `base` is the negative number.
 * Ordering    `settled` is released after the write and acquired before the answer [log-settled].
 * Failure     While the file can't be written, `broken` is set. Commands that would change
 *             something are refused, those that have changed something get no answer, and reads are
 *             answered. A failed sync is not tried again, since the kernel may have dropped what
 *             it could not write.
 */
#ifndef REDISD_APPEND_LOG_H
#define REDISD_APPEND_LOG_H

#include <stdatomic.h>
#include <weft.h>

#include "bytes.h"

enum sync { SYNC_NO, SYNC_EVERY_SECOND, SYNC_ALWAYS };

struct append_log {
    const char      *path; /* NULL: there is no log, and all calls do nothing */
    enum sync        sync;
    int64_t          growth;   /* in percent, after which the log is rewritten; 0: never */
    int64_t          min_size; /* a smaller file is not rewritten because it has grown */
    pthread_mutex_t *lock;     /* the server's */

    /* -- under the server's lock -- */
    struct buffer pending;
    uint64_t      added;          /* bytes, ever */
    uint64_t      base;           /* `added` where the file begins, modulo 2^64: see A4 */
    uint64_t      rewrite_at;     /* the size at which the log is rewritten */
    bool          rewriting;      /* it has been asked for, and has not ended */
    bool          rewrite_failed; /* the last one has */
    uint64_t      n_rewrites;     /* that succeeded */
    bool          replaying, in_group, group_begun;

    weft_notify rewrite_asked;
    weft_mutex  syncing_turn; /* of the task that syncs beside writes; taken before `writing` */

    /* -- of the task that holds `writing` -- */
    weft_mutex    writing;
    int           fd;   /* also of the task that holds syncing_turn */
    weft_stream  *file; /* the same descriptor; writes by it are made at once */
    struct buffer taken;
    size_t        n_done;    /* bytes of `taken` that are in the file */
    uint64_t      taken_end; /* `added` at the end of `taken` */

    /* -- any thread -- */
    atomic_uint_fast64_t settled; /* what has been added up to here is settled */
    atomic_uint_fast64_t written, synced;
    atomic_bool          broken, lost_sync, syncing;
    atomic_bool          failing; /* and it has been said */
};

/* Adds a record. Under the server's lock. */
void append_log_add(struct append_log *log, const struct slice *argv, size_t argc);

/* Begins and ends a group: its records are replayed together or not at all. Under the lock. */
void append_log_group(struct append_log *log, bool begins);

/* The bytes of the file when all records have been written. Under the lock. */
static inline uint64_t append_log_size(const struct append_log *log)
{
    return log->added - log->base;
}

/* Asks for a rewriting. Returns false if one is under way. Under the lock. */
bool append_log_ask_rewrite(struct append_log *log);

/* Sets the size of the next rewriting from the present one. Under the lock. */
void append_log_plan_rewrite(struct append_log *log);

/* Whether records up to `mark`, a value of `added`, are still to be settled. */
static inline bool append_log_owes(struct append_log *log, uint64_t mark)
{
    return atomic_load_explicit(&log->settled, memory_order_acquire) < mark; /* [log-settled] */
}

/* Settles the records up to `mark`: an async function. Its result is 0 or an error. */
struct settle_log {
    WEFT_FRAME;
    struct {
        struct append_log *log;
        uint64_t           mark;
    } in;
    weft_wait     wait;
    weft_io       io;
    weft_deferred unlock;
};
WEFT_DECLARE_EXTERN(settle_log);

/* With SYNC_EVERY_SECOND: syncs once a second, until the token is cancelled. Tries to write again
 * what could not be written. */
struct sync_log {
    WEFT_FRAME;
    struct {
        struct append_log *log;
        weft_token        *stop;
        weft_tracker      *tracker;
    } in;
    weft_deferred         leave;
    weft_interval         every;
    struct weft_token_run run;
    weft_wait             wait;
    weft_io               io;
    uint64_t              mark;
    struct settle_log     settle;
};
WEFT_DECLARE_EXTERN(sync_log);

/* Writes and syncs what is left. Closes the file if no other task can use it any more. Its result
 * is 0 or an error. */
struct close_log {
    WEFT_FRAME;
    struct {
        struct append_log *log;
        bool               alone;
    } in;
    struct settle_log settle;
    weft_wait         wait;
    weft_io           io;
    int64_t           result;
};
WEFT_DECLARE_EXTERN(close_log);

/* A sync of the file up to `mark` has ended, with this result. By the task that holds
 * syncing_turn. */
void append_log_synced(struct append_log *log, uint64_t mark, int64_t n);

/* Syncs the folder of a file, or a power failure might take the name of a new file away. Its result
 * is 0 or an error. */
struct sync_folder {
    WEFT_FRAME;
    struct {
        const char *path; /* of the file */
    } in;
    char   *folder;
    weft_io io;
    int     fd;
    int64_t result;
};
WEFT_DECLARE_EXTERN(sync_folder);

#endif
