/*
 * replay.c - reading the log at start
 *
 * Each request of the file is run as if a client had sent it. A process that was killed may leave a
 * record that is not complete, or a transaction without its EXEC. No client was told of those, so
 * they are cut off. Anything else that is wrong is damage that no crash explains. The server says
 * where it is and does not start, because going on would lose what follows.
 */
#include <fcntl.h>
#include <unistd.h>

#include "../say.h"
#include "commands.h"

#define PIECE (256 * 1024) /* bytes of a read */

static const struct resp_limits limits = {INT32_MAX, INT64_MAX / 4, INT64_MAX / 2};

/* Runs the complete requests in the input. Returns 0, or -EILSEQ. */
static int64_t run_piece(struct replay *self)
{
    struct client *client = self->client;
    const char    *error;
    int            result;

    for (;;) {
        result = request_parse(&self->request, self->input.data + self->at,
                               self->input.size - self->at, &limits, &error);
        if (result == REQUEST_MORE)
            break;
        if (result == REQUEST_WRONG || self->request.argc == 0)
            return -EILSEQ;
        client->out.size = 0;
        command_answer(client, self->request.argv, self->request.argc);
        if (client->out.size == 0 || client->out.data[0] == '-')
            return -EILSEQ;
        self->at += self->request.at;
        request_next(&self->request);
        self->n_run++;
        if (!client->in_multi)
            self->complete = self->read - (int64_t)(self->input.size - self->at);
    }
    buffer_drop(&self->input, self->at);
    self->at = 0;
    return 0;
}

/* The file has been read. Cuts off what is torn. */
static int64_t cut_tail(struct replay *self)
{
    struct append_log *log = &self->in.server->log;
    int64_t            torn = self->read - self->complete;

    if (torn > 0) {
        if (ftruncate(log->fd, self->complete) < 0 || fsync(log->fd) < 0) {
            say("redisd: can't cut off the end of %s: %s\n", log->path, strerror(errno));
            return -errno;
        }
        say("redisd: %s ended in the middle of a record: cut off %lld bytes at %lld\n", log->path,
            (long long)torn, (long long)self->complete);
    }
    log->added = (uint64_t)self->complete;
    atomic_store(&log->settled, log->added);
    atomic_store(&log->written, log->added);
    atomic_store(&log->synced, log->added);
    append_log_plan_rewrite(log);
    return 0;
}

static void end(struct replay *self)
{
    client_end(self->client);
    memory_give(self->client);
    buffer_free(&self->input);
    request_free(&self->request);
    self->in.server->log.replaying = false;
}

WEFT_ASYNC_EXTERN(replay)
{
    struct append_log *log = &self->in.server->log;
    int64_t            n;

    WEFT_BEGIN();
    self->client = memory_take(sizeof *self->client);
    client_init(self->client, self->in.server, NULL);
    self->input = (struct buffer){0};
    self->request = (struct request){0};
    self->read = self->complete = 0;
    self->at = 0;
    self->n_run = 0;
    log->replaying = true;
    do {
        buffer_reserve(&self->input, PIECE);
        WEFT_AWAIT(n, weft_file_read(&self->io, log->fd, self->input.data + self->input.size, PIECE,
                                     self->read));
        if (n <= 0)
            break;
        self->read += n;
        self->input.size += (size_t)n;
        n = run_piece(self);
    } while (n == 0);
    if (n == -EILSEQ)
        say("redisd: %s is damaged behind byte %lld, and can't be used\n", log->path,
            (long long)self->complete);
    else if (n < 0)
        say("redisd: can't read %s: %s\n", log->path, strerror((int)-n));
    else
        n = cut_tail(self);
    end(self);
    WEFT_END(n);
}
