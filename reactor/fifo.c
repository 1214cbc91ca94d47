/* fifo.c - see fifo.h */
#include "fifo.h"

#include "calls.h"
#include "descriptor.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

/* The time between two looks is 1 ms at first, and doubles up to this. */
#define LONGEST_MS 16

static bool is_fifo_at(int dir, const char *path, int flags)
{
    struct stat st;

    return fstatat(dir, path, &st, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) == 0 &&
           S_ISFIFO(st.st_mode);
}

/* Waits for the next look. Returns 1 if poll(2) reports an event of `fd` (-1: none) meanwhile, 0,
 * or -errno. */
static int pause_until_look(int fd, int interrupt, int *ms)
{
    struct pollfd fds[] = {{fd, POLLIN, 0}, {interrupt, POLLIN, 0}};

    if (poll(fds, 2, *ms) < 0 && errno != EINTR)
        return -errno;
    *ms = *ms < LONGEST_MS ? *ms * 2 : LONGEST_MS;
    return fds[0].revents ? 1 : fds[1].revents ? -ECANCELED : 0;
}

/* tee(2) copies a byte without taking it. It returns 0 if no writer has the FIFO open. */
static bool has_writer(int fd, int copy)
{
    return tee(fd, copy, 1, SPLICE_F_NONBLOCK) != 0;
}

/* A writer that writes or leaves is an event. One that only opens the FIFO is seen by a look. */
static int wait_for_writer(int fd, int interrupt)
{
    int copy[2], ms = 1, r = 0;

    if (pipe2(copy, O_CLOEXEC) < 0)
        return -errno;
    copy[0] = wf_descriptor(copy[0]);
    copy[1] = wf_descriptor(copy[1]);
    if (copy[0] < 0 || copy[1] < 0)
        r = -EMFILE;
    while (r == 0 && !has_writer(fd, copy[1]))
        r = pause_until_look(fd, interrupt, &ms);
    for (int i = 0; i < 2; i++)
        if (copy[i] >= 0)
            close(copy[i]);
    return r < 0 ? r : 0;
}

/* Opens the FIFO for writing again and again, until it has a reader. The path may lead elsewhere by
 * then, so the FIFO is opened through `held`, an O_PATH descriptor of it. Without /proc only the
 * path is left. */
static int wait_for_reader(int held, int dir, const char *path, int flags, int interrupt)
{
    char of_held[32];
    int  fd, r = 0, ms = 1;

    snprintf(of_held, sizeof of_held, "/proc/self/fd/%d", held);
    if (access(of_held, F_OK) == 0) {
        path = of_held;
        flags &= ~O_NOFOLLOW;
    }
    do
        r = pause_until_look(-1, interrupt, &ms);
    while (r == 0 && (fd = openat(dir, path, flags | O_NONBLOCK)) < 0 && errno == ENXIO);
    if (r < 0)
        return r;
    return fd < 0 ? -errno : fd;
}

/* Without a reader, an open for writing that does not wait answers ENXIO. */
static int open_without_waiting(int dir, const char *path, int flags, mode_t mode, int interrupt)
{
    int fd = openat(dir, path, flags | O_NONBLOCK, mode), held, r = -ENXIO;

    if (fd >= 0 || errno != ENXIO)
        return fd < 0 ? -errno : fd;
    held = wf_descriptor(openat(dir, path, O_PATH | O_CLOEXEC | (flags & O_NOFOLLOW)));
    if (held < 0)
        return -errno;
    if (wf_type_of(held) == S_IFIFO)
        r = wait_for_reader(held, dir, path, flags & ~O_CREAT, interrupt);
    close(held);
    return r;
}

/* The rest of the open, once there is a descriptor. 0 or -errno. */
static int finish_open(int fd, int flags, int interrupt)
{
    int r = 0, status;

    if ((flags & O_ACCMODE) == O_RDONLY && wf_type_of(fd) == S_IFIFO)
        r = wait_for_writer(fd, interrupt);
    if (r < 0)
        return r;
    status = fcntl(fd, F_GETFL);
    return fcntl(fd, F_SETFL, status & ~O_NONBLOCK) < 0 ? -errno : 0;
}

int32_t wf_fifo_open(int dir, const char *path, int flags, mode_t mode, int interrupt)
{
    int fd, r;

    if (!is_fifo_at(dir, path, flags)) {
        fd = openat(dir, path, flags, mode);
        return fd < 0 ? -errno : fd;
    }
    fd = open_without_waiting(dir, path, flags, mode, interrupt);
    if (fd < 0)
        return fd;
    r = finish_open(fd, flags, interrupt);
    if (r < 0)
        close(fd);
    return r < 0 ? r : fd;
}
