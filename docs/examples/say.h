/*
 * say.h - one line to standard error that never waits
 *
 * A task that prints with stdio blocks its worker as long as standard error takes nothing: a pipe
 * whose reader has stopped, a terminal after Ctrl-S. A server that runs is worth more than its log,
 * so a line that has no room is dropped.
 */
#ifndef EXAMPLES_SAY_H
#define EXAMPLES_SAY_H

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Call it first in main(). A standard descriptor that is closed would soon be a client's socket,
 * and log lines would go to that client. */
static inline void say_open(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR); /* the lowest one that is free */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Writes a line of up to 511 bytes, or drops it. Any thread. Never waits: poll(2) answers only when
 * a pipe has a free page, which is more than a line takes. */
static inline __attribute__((format(printf, 1, 2))) void say(const char *format, ...)
{
    struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
    char          line[512];
    va_list       arguments;
    int           n;

    va_start(arguments, format);
    n = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (n >= (int)sizeof line)
        n = (int)sizeof line - 1;
    /* A socket may have room for less than a line. There the call itself must not wait. */
    if (n <= 0 || send(STDERR_FILENO, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return;
    if (poll(&writable, 1, 0) == 1 && writable.revents == POLLOUT)
        n = (int)write(STDERR_FILENO, line, (size_t)n);
}

#endif
