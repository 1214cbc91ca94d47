/* own.c - see own.h */
#include "own.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Whether this is the multiplexer of pseudo terminals. Opening it again would make another
 * terminal. */
static bool is_master(const struct stat *st)
{
    return st->st_rdev == makedev(5, 2);
}

static int kind_of_device(int fd, const struct stat *st)
{
    return isatty(fd) && !is_master(st) ? WF_OWN_TERMINAL : WF_OWN_DEVICE;
}

int wf_own_kind(int fd)
{
    struct stat st;
    int         type = 0;
    socklen_t   size = sizeof type;

    if (fstat(fd, &st) < 0)
        return -errno;
    switch (st.st_mode & S_IFMT) {
    case S_IFSOCK:
        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ? -errno : type;
    case S_IFIFO:
        return WF_OWN_PIPE;
    case S_IFCHR:
        return kind_of_device(fd, &st);
    case S_IFREG:
        return WF_OWN_FILE;
    default:
        return -EINVAL;
    }
}

int wf_own_open(int fd)
{
    int  flags = fcntl(fd, F_GETFL);
    char path[32];

    if (flags < 0)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    flags &= O_ACCMODE | O_APPEND | O_DIRECT;
    return open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Replaces the shared open file by one of weft's own. */
static bool reopen(int fd)
{
    int own = wf_own_open(fd);
    int close_on_exec = fcntl(fd, F_GETFD) & FD_CLOEXEC ? O_CLOEXEC : 0, r;

    if (own < 0)
        return false;
    r = dup3(own, fd, close_on_exec);
    close(own);
    return r >= 0;
}

int wf_own_begin(wf_socket *s, int kind)
{
    int flags = fcntl(s->fd, F_GETFL);

    if (flags < 0)
        return -errno;
    s->is_file = kind == WF_OWN_FILE;
    if (flags & O_NONBLOCK || s->is_file)
        return 0;
    s->came_blocking = true;
    if ((kind == WF_OWN_PIPE || kind == WF_OWN_TERMINAL) && reopen(s->fd))
        return 0;
    if (fcntl(s->fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

void wf_own_end(const wf_socket *s)
{
    int flags = s->came_blocking ? fcntl(s->fd, F_GETFL) : -1;

    if (flags >= 0)
        (void)fcntl(s->fd, F_SETFL, flags & ~O_NONBLOCK);
}
