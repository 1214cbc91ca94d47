/* stderr.c - see stderr.h */
#include "stderr.h"

#include "order.h"
#include "write_signal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MOST 1024
#define WORDS     "were dropped: standard error had no room"

static uint64_t n_dropped; /* one for the process, as there is one standard error */

/* Another writer may fill the room between poll and write, so this is best effort. */
static ssize_t write_if_room(const char *text, size_t n)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&out, 1, 0) == 1)
        return write(STDERR_FILENO, text, n);
    errno = EAGAIN;
    return -1;
}

/* Writes to a pipe or a device. Opening it once more gives an open file of weft's own, whose
 * O_NONBLOCK is not shared. Opening may fail: another user owns it, or there is no /proc. */
static ssize_t write_device(const char *text, size_t n)
{
    int     fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), error;
    ssize_t written;

    if (fd < 0)
        return write_if_room(text, n);
    written = write(fd, text, n);
    error = errno;
    close(fd);
    errno = error;
    return written;
}

/* A file may be as large as RLIMIT_FSIZE allows. A line of the log must not end the host. */
static ssize_t write_file(const char *text, size_t n)
{
    wf_write_signal quiet;
    int64_t         r;

    wf_write_signal_begin(&quiet, SIGXFSZ);
    r = wf_write_signal_end(&quiet, write(STDERR_FILENO, text, n), n);
    if (r < 0)
        errno = (int)-r;
    return r < 0 ? -1 : (ssize_t)r;
}

static ssize_t write_at_once(const char *text, size_t n)
{
    struct stat st;

    if (fstat(STDERR_FILENO, &st) < 0)
        return -1;
    if (S_ISSOCK(st.st_mode))
        return send(STDERR_FILENO, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode))
        return write_device(text, n);
    return write_file(text, n);
}

bool wf_stderr_write(const char *text, size_t n)
{
    wf_write_signal quiet;

    wf_write_signal_begin(&quiet, SIGPIPE);
    return wf_write_signal_end(&quiet, write_at_once(text, n), n) == (int64_t)n;
}

void wf_stderr_log(void *arg, weft_log_level level, const char *line)
{
    char     text[LINE_MOST + 128];
    uint64_t n = wf_swap(&n_dropped, 0, RELAXED); /* a counter */
    int      before = 0, length;

    (void)arg, (void)level;
    if (n > 0)
        before = snprintf(text, sizeof text, "weft: %llu lines " WORDS "\n", (unsigned long long)n);
    length = snprintf(text + before, sizeof text - (size_t)before, "weft: %.*s\n", LINE_MOST, line);
    if (!wf_stderr_write(text, (size_t)(before + length)))
        wf_add(&n_dropped, n + 1, RELAXED); /* a counter */
}

void wf_stderr_tell_dropped(void)
{
    char     text[128];
    uint64_t n = wf_swap(&n_dropped, 0, RELAXED); /* a counter */
    int      length;

    if (n == 0)
        return;
    length = snprintf(text, sizeof text, "weft: %llu lines " WORDS "\n", (unsigned long long)n);
    if (!wf_stderr_write(text, (size_t)length))
        wf_add(&n_dropped, n, RELAXED); /* a counter */
}
