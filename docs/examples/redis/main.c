/*
 * main.c - redisd, a server of a part of Redis: start, wait for a reason to stop, stop
 *
 *     main.c         this
 *     options.c      the command line
 *     server.c       the lock; taking connections; sweeping; commands about the server
 *     connection.c   one client: read, run, log, write
 *     resp.c         the protocol
 *     commands.c     the table of commands
 *     client.c       what commands know of a client
 *     keyspace.c     keys, values, expiry
 *     keys.c, strings.c, lists.c, hashes.c, sets.c    their commands
 *     blocked.c      clients that wait for a list
 *     pubsub.c       messages
 *     transaction.c  MULTI, EXEC, WATCH
 *     append_log.c   the append-only file ...
 *     replay.c       ... and reading it at start
 *     rewrite.c, save.c   ... and writing it anew
 *     table.c, list.c, glob.c, bytes.c                hash tables, lists, patterns, memory
 *     defers.h       what tasks leave to weft_defer
 *
 * Stopping, on SIGINT, SIGTERM or SHUTDOWN: the token ends what waits for a request. What has been
 * read is answered. Then the log is written and synced. The exit status is in server.h.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../say.h"
#include "commands.h"
#include "rewrite.h"

#define STOP_SIGNALS (WEFT_SIGNAL(SIGINT) | WEFT_SIGNAL(SIGTERM))

/* Connections that do not end in time outlive the main task, so this is in no frame. */
static struct server server;

struct serve {
    WEFT_FRAME;
    struct {
        char none;
    } in;
    weft_listener          *listener;
    struct weft_signal_wait signal;
    struct weft_select      select;
    struct weft_timeout     limit;
    weft_wait               wait;
    union { /* one at a time */
        struct sync_folder sync_folder;
        struct replay      replay;
        struct close_log   close_log;
    };
    int64_t result;
};

/* Whether the path still leads to the open file. */
static bool is_at(int fd, const char *path)
{
    struct stat open_file, named;

    return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 &&
           open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

/* Opens and locks the file. Another server that has it open is found by the lock. That server may
 * replace the file just then, and its lock goes with the old one. */
static int open_locked(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int          fd, r;

    for (;;) {
        fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
        r = fd < 0 || fcntl(fd, F_SETLK, &whole) < 0 ? -errno : fd;
        if (r >= 0 && is_at(fd, path))
            return fd;
        if (fd >= 0)
            close(fd);
        if (r < 0)
            return r;
    }
}

static int open_log(void)
{
    struct append_log *log = &server.log;
    int                r;

    if (!server.options.append_only)
        return 0;
    log->sync = server.options.sync;
    log->growth = server.options.rewrite_growth;
    log->min_size = server.options.rewrite_min_size;
    log->lock = &server.lock;
    r = log->fd = open_locked(server.options.append_only);
    if (r >= 0)
        r = weft_stream_adopt(NULL, log->fd, &log->file);
    if (r == 0 && !(log->path = realpath(server.options.append_only, NULL)))
        r = -errno; /* the real path, so that a rewriting keeps a symbolic link */
    if (r == 0)
        rewrite_remove_rest(log);
    return r;
}

static void say_why(int64_t error)
{
    const char *path = server.options.append_only;

    if (error == -EAGAIN || error == -EACCES)
        say("redisd: %s is used by another server, or may not be written\n", path);
    else
        say("redisd: can't open %s: %s\n", path, strerror((int)-error));
}

static int listen_on(struct serve *self)
{
    weft_listen_options options = {.no_delay = true, .backlog = 4096};
    char                text[WEFT_ADDRESS_TEXT];
    int                 r;

    r = weft_listen(NULL, &server.options.address, &options, &self->listener);
    if (r < 0) {
        say("redisd: can't listen on %s: %s; choose another --port (0: any free one)\n",
            weft_address_format(&server.options.address, text), strerror(-r));
        return r;
    }
    weft_listener_address(self->listener, &server.options.address);
    return 0;
}

/* Starts the tasks that run as long as the server does. */
static int start_tasks(struct serve *self)
{
    int r;

    for (int i = 0; i < (server.log.path ? 4 : 2); i++)
        weft_tracker_enter(&server.tasks);
    r = weft_spawn(NULL, acceptor, .server = &server, .listener = self->listener);
    if (r < 0)
        return r;
    r = weft_spawn(NULL, sweeper, .server = &server);
    if (r < 0)
        return r;
    if (!server.log.path)
        return 0;
    r = weft_spawn(NULL, rewriter, .server = &server);
    if (r < 0)
        return r;
    return weft_spawn(NULL, sync_log, .log = &server.log, .stop = &server.stop,
                      .tracker = &server.tasks);
}

WEFT_ASYNC(serve)
{
    char    text[WEFT_ADDRESS_TEXT];
    int64_t n;

    WEFT_BEGIN();
    self->result = open_log();
    if (self->result == 0 && server.log.path)
        WEFT_CALL(self->result, sync_folder, &self->sync_folder, .path = server.log.path);
    if (self->result < 0)
        say_why(self->result);
    if (self->result == 0 && server.log.path)
        WEFT_CALL(self->result, replay, &self->replay, .server = &server);
    if (self->result == 0)
        self->result = listen_on(self);
    if (self->result == 0)
        self->result = start_tasks(self);
    if (self->result < 0)
        WEFT_RETURN(self->result);
    printf("listening on %s\n", weft_address_format(&server.options.address, text));
    fflush(stdout);
    WEFT_AWAIT(n, weft_select(&self->select, weft_signal_wait(&self->signal, STOP_SIGNALS),
                              weft_event_wait(&self->wait, &server.stop_asked)));

    weft_token_cancel(&server.stop);
    weft_tracker_close(&server.tasks);
    WEFT_AWAIT(n,
               weft_select(&self->select,
                           weft_timeout(&self->limit, weft_tracker_wait(&self->wait, &server.tasks),
                                        server.options.grace),
                           weft_signal_wait(&self->signal, STOP_SIGNALS)));
    self->result = weft_tracker_count(&server.tasks) > 0 ? EXIT_CUT_OFF : EXIT_STOPPED;
    if (self->result == EXIT_CUT_OFF)
        say("redisd: %llu connections cut off\n",
            (unsigned long long)weft_tracker_count(&server.tasks));
    if (server.log.path) {
        WEFT_CALL(n, close_log, &self->close_log, .log = &server.log,
                  .alone = self->result == EXIT_STOPPED);
        if (n < 0)
            self->result = n;
    }
    WEFT_END(self->result);
}

int main(int argc, char **argv)
{
    static struct serve main_task;
    weft_config         config = {0};
    weft_runtime       *rt;
    int64_t             result;

    say_open();
    weft_signal_block(STOP_SIGNALS); /* from here on they are kept for weft_signal_wait */
    signal(SIGPIPE, SIG_IGN);        /* a closed pipe on our output must not end the server, ... */
    signal(SIGXFSZ, SIG_IGN);        /* ... and neither must a log that has reached a limit */
    options_parse(&server.options, argc, argv);
    pthread_mutex_init(&server.lock, NULL);
    table_seed();
    commands_init();
    server.keys.log = &server.log;
    server_lock(&server);
    server.started = server.keys.now;
    server.keys.now = 0; /* nothing expires while the log is replayed (K2) */
    server_unlock(&server);
    config.current_thread = server.options.threads == 1 ? 1 : WEFT_OFF;
    config.workers = server.options.threads;
    if (weft_runtime_start(&config, &rt) < 0)
        return EXIT_ERROR; /* the log has said why */

    result = weft_block_on(rt, weft_async(serve, &main_task));
    if (weft_runtime_stop(rt, WEFT_S(2)) < 0 || result < 0)
        return EXIT_ERROR;
    keys_clear(&server.keys);
    return (int)result;
}
