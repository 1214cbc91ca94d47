/*
 * rewrite.h - BGREWRITEAOF: the log is written anew, without what has been overwritten
 *
 * Purpose     The new file gets the values of one instant, and then a copy of the records that the
 *             old file has got since. When little is left to copy, no record is written for a
 *             moment, and the new file takes the old one's name. Commands run all the time.
 * Threads     The rewriter's task. The command: under the server's lock.
 * Invariants  R1 The old file has all records until the new one has its name. So after a crash at
 *             any point one of them has the name, and is complete.
 *             R2 The new file is on the disk before it gets the name, and the name is on the disk
 *             before another record is written to it.
 * Ordering    By the server's lock, and by the mutexes of the log.
 * Failure     The old file stays in use. What has been written of the new one is removed, after a
 *             crash at the next start.
 */
#ifndef REDISD_REWRITE_H
#define REDISD_REWRITE_H

#include "server.h"

/* The new file, and how far it is. */
struct fresh_log {
    struct server *server;
    char          *path;
    int            fd;     /* -1: it is not open */
    uint64_t       size;   /* bytes of the file */
    uint64_t       start;  /* a value of `added`: the instant of its values */
    uint64_t       copied; /* the same: the records up to here have been copied */
    struct buffer  piece;  /* that is being written */
};

/* Writes the values of one instant. */
struct save_keys {
    WEFT_FRAME;
    struct {
        struct fresh_log *fresh;
    } in;
    weft_io io;
    bool    all;
};

/* Copies the records up to `mark` from the old file, and waits until they are on the disk. */
struct copy_records {
    WEFT_FRAME;
    struct {
        struct fresh_log *fresh;
        uint64_t          mark;
    } in;
    weft_io io;
};

/* Copies records until few are left. */
struct catch_up {
    WEFT_FRAME;
    struct {
        struct fresh_log *fresh;
    } in;
    int      laps;
    uint64_t mark;
    union { /* one at a time */
        struct settle_log   settle;
        struct copy_records copy;
    };
};

/* Copies the rest, and puts the new file in the place of the old one. */
struct replace_log {
    WEFT_FRAME;
    struct {
        struct fresh_log *fresh;
    } in;
    weft_wait     wait;
    weft_deferred unlock, unlock_turn;
    weft_io       io;
    weft_stream  *file;
    uint64_t      mark;
    union { /* one at a time */
        struct copy_records copy;
        struct sync_folder  sync_folder;
    };
};

struct rewrite_log {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    struct fresh_log fresh;
    weft_deferred    end;
    weft_io          io;
    int64_t          result;
    union { /* one at a time */
        struct save_keys   save_keys;
        struct catch_up    catch_up;
        struct replace_log replace_log;
    };
};

/* Rewrites the log when that is asked for: an async function, until the server stops. */
struct rewriter {
    WEFT_FRAME;
    struct {
        struct server *server;
    } in;
    weft_deferred         leave;
    weft_wait             wait;
    struct weft_token_run run;
    struct rewrite_log    rewrite;
};
WEFT_DECLARE_EXTERN(rewriter);

/* Removes what a server that was killed has left of a new file. The log is locked. */
void rewrite_remove_rest(const struct append_log *log);

#endif
