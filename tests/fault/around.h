/*
 * around.h - what tests of the process around a runtime share: limits, children, an echo server
 */
#ifndef AROUND_H
#define AROUND_H

#include "../actors.h"
#include "../sockets.h"
#include "workload.h"

#include <sys/resource.h>
#include <sys/wait.h>

static inline void limit_files(rlim_t n)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static inline void check_workload(void)
{
    uint32_t armed;
    int64_t  n_failed;

    check(workload(&armed, &n_failed));
    check_eq(n_failed, 0);
}

/* A process of its own, which ends with status 0 or has failed. Forked beside threads, it ends with
 * _exit: the leak checker, which runs at exit, needs locks that those threads may have held. */
static inline pid_t fork_child(void)
{
    pid_t pid = fork();

    check_cmp(pid, >=, 0);
    return pid;
}

static inline void check_child(pid_t pid)
{
    int status;

    check_eq(waitpid(pid, &status, 0), pid);
    check_eq(status, 0);
}

/* ---- an echo server ---- */

struct server {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *stream;
};
WEFT_ASYNC(server)
{
    int64_t n;

    WEFT_BEGIN();
    for (;;) {
        WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
        if (n < 0)
            break;
        n = weft_spawn(NULL, echo, .stream = self->stream);
        if (n < 0)
            weft_stream_close(self->stream);
    }
    WEFT_END(n);
}

static inline void serve(weft_runtime *rt, weft_listener **ret, weft_address *ret_address)
{
    *ret = listen_on(rt, false, ret_address);
    check_eq(weft_spawn_on(rt, NULL, server, .listener = *ret), 0);
}

/* All streams have ended by themselves. */
static inline void end_server(weft_runtime *rt, weft_listener *listener)
{
    weft_listener_close(listener);
    EVENTUALLY(counters(rt).streams_open == 0);
    stop(rt);
}

static inline void check_echo(int fd, char what)
{
    char byte = 0;

    raw_write(fd, &what, 1);
    raw_read(fd, &byte, 1);
    check_eq(byte, what);
}

#endif
