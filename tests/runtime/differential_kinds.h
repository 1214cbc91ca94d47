/*
 * differential_kinds.h - the kinds of descriptors that operations are tried on, each made anew for
 * each try
 */
#ifndef DIFFERENTIAL_KINDS_H
#define DIFFERENTIAL_KINDS_H

#include "differential.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const char bytes[] = "0123456789";

static int temporary(int flags)
{
    char path[] = "/tmp/weft-test-XXXXXX";
    int  fd = mkstemp(path), r;

    for (int i = 0; i < 10; i++)
        check_eq(write(fd, bytes, 10), 10);
    r = open(path, flags | O_CLOEXEC);
    check_cmp(r, >=, 0);
    unlink(path);
    close(fd);
    return r;
}

/* Opens the same file once more, to read its bytes. */
static int again(int fd)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static world file_of(int flags)
{
    world w = {.fd = temporary(flags), .peer = -1};

    w.content = again(w.fd);
    lseek(w.fd, 10, SEEK_SET);
    return w;
}

static world file(void)
{
    return file_of(O_RDWR);
}

static world file_read_only(void)
{
    return file_of(O_RDONLY);
}

static world file_write_only(void)
{
    return file_of(O_WRONLY);
}

static world file_append(void)
{
    return file_of(O_RDWR | O_APPEND);
}

static world memory_file(void)
{
    world w = {.fd = memfd_create("weft", MFD_CLOEXEC), .peer = -1};

    check_eq(write(w.fd, bytes, 10), 10);
    w.content = again(w.fd);
    lseek(w.fd, 3, SEEK_SET);
    return w;
}

static world opened(const char *path, int flags)
{
    return (world){.fd = open(path, flags | O_CLOEXEC), .peer = -1, .content = -1};
}

static world directory(void)
{
    return opened("/", O_RDONLY | O_DIRECTORY);
}

static world null_device(void)
{
    return opened("/dev/null", O_RDWR);
}

static world zero_device(void)
{
    return opened("/dev/zero", O_RDWR);
}

static world proc_file(void)
{
    return opened("/proc/version", O_RDONLY);
}

static world path_only(void)
{
    return opened("/", O_PATH);
}

static world closed(void)
{
    return (world){.fd = 900, .peer = -1, .content = -1};
}

static world pipe_end(int end, int flags)
{
    int fd[2];

    check_eq(pipe2(fd, O_CLOEXEC | flags), 0);
    return (world){.fd = fd[end], .peer = fd[!end], .content = -1};
}

static world pipe_with_bytes(void)
{
    world w = pipe_end(0, 0);

    check_eq(write(w.peer, bytes, 10), 10);
    return w;
}

static world pipe_empty(void)
{
    return pipe_end(0, 0);
}

static world pipe_empty_nonblock(void)
{
    return pipe_end(0, O_NONBLOCK);
}

static world no_peer(world w)
{
    close(w.peer);
    w.peer = -1;
    return w;
}

static world pipe_ended(void)
{
    return no_peer(pipe_with_bytes());
}

static world pipe_to_write(void)
{
    return pipe_end(1, 0);
}

static world pipe_broken(void)
{
    return no_peer(pipe_to_write());
}

static world pipe_full_nonblock(void)
{
    static char zeros[4096];
    world       w = pipe_end(1, O_NONBLOCK);

    while (write(w.fd, zeros, sizeof zeros) > 0)
        ;
    return w;
}

static world pipe_full(void)
{
    world w = pipe_full_nonblock();

    check_eq(fcntl(w.fd, F_SETFL, 0), 0);
    return w;
}

static world fifo(void)
{
    char  path[] = "/tmp/weft-test-XXXXXX", name[64];
    world w = {.peer = -1, .content = -1};

    check(mkdtemp(path) != NULL);
    snprintf(name, sizeof name, "%s/fifo", path);
    check_eq(mkfifo(name, 0600), 0);
    w.fd = open(name, O_RDWR | O_CLOEXEC);
    check_eq(write(w.fd, bytes, 10), 10);
    unlink(name);
    rmdir(path);
    return w;
}

static world socket_of(int domain, int type)
{
    int fd[2];

    check_eq(socketpair(domain, type | SOCK_CLOEXEC, 0, fd), 0);
    return (world){.fd = fd[0], .peer = fd[1], .content = -1};
}

static world with_bytes(world w)
{
    check_eq(send(w.peer, bytes, 10, 0), 10);
    while (poll(&(struct pollfd){w.fd, POLLIN, 0}, 1, 1000) == 0)
        ;
    return w;
}

static world socket_with_bytes(void)
{
    return with_bytes(socket_of(AF_UNIX, SOCK_STREAM));
}

static world socket_empty(void)
{
    return socket_of(AF_UNIX, SOCK_STREAM);
}

static world socket_empty_nonblock(void)
{
    return socket_of(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
}

static world socket_ended(void)
{
    return no_peer(socket_of(AF_UNIX, SOCK_STREAM));
}

static world datagram_socket(void)
{
    return with_bytes(socket_of(AF_UNIX, SOCK_DGRAM));
}

static world udp(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          size = sizeof at;
    world              w = {.content = -1};

    w.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    w.peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    check_eq(bind(w.fd, (struct sockaddr *)&at, size), 0);
    check_eq(bind(w.peer, (struct sockaddr *)&at, size), 0);
    check_eq(getsockname(w.fd, (struct sockaddr *)&at, &size), 0);
    check_eq(connect(w.peer, (struct sockaddr *)&at, size), 0);
    check_eq(getsockname(w.peer, (struct sockaddr *)&at, &size), 0);
    check_eq(connect(w.fd, (struct sockaddr *)&at, size), 0);
    return with_bytes(w);
}

static world tcp(void)
{
    weft_address at;
    int          listener = raw_listen(false, 1, &at);
    world        w = {.content = -1};

    w.peer = raw_connect(&at);
    w.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    return with_bytes(w);
}

static world terminal_empty(void)
{
    world w = {.peer = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), .content = -1};

    if (w.peer < 0)
        test_skip("no terminals");
    check_eq(grantpt(w.peer), 0);
    check_eq(unlockpt(w.peer), 0);
    w.fd = open(ptsname(w.peer), O_RDWR | O_NOCTTY | O_CLOEXEC);
    return w;
}

static world terminal_with_line(void)
{
    world w = terminal_empty();

    check_eq(write(w.peer, "0123456789\n", 11), 11);
    while (poll(&(struct pollfd){w.fd, POLLIN, 0}, 1, 1000) == 0)
        ;
    hash_peer(w.peer, 12); /* its echo */
    return w;
}

static const struct {
    const char *name;
    world (*make)(void);
    bool stream; /* weft makes a stream of it */
} kinds[] = {
    {"file", file, true},
    {"read-only file", file_read_only, true},
    {"write-only file", file_write_only, true},
    {"O_APPEND file", file_append, true},
    {"memory file", memory_file, true},
    {"proc file", proc_file, true},
    {"directory", directory, false},
    {"/dev/null", null_device, true},
    {"/dev/zero", zero_device, true},
    {"O_PATH", path_only, false},
    {"closed", closed, false},
    {"pipe", pipe_with_bytes, true},
    {"empty pipe", pipe_empty, true},
    {"empty O_NONBLOCK pipe", pipe_empty_nonblock, true},
    {"ended pipe", pipe_ended, true},
    {"pipe to write", pipe_to_write, true},
    {"broken pipe", pipe_broken, true},
    {"full pipe", pipe_full, true},
    {"full O_NONBLOCK pipe", pipe_full_nonblock, true},
    {"FIFO", fifo, true},
    {"socket", socket_with_bytes, true},
    {"empty socket", socket_empty, true},
    {"empty O_NONBLOCK socket", socket_empty_nonblock, true},
    {"ended socket", socket_ended, true},
    {"TCP socket", tcp, true},
    {"datagram socket", datagram_socket, false},
    {"UDP socket", udp, false},
    {"terminal", terminal_with_line, true},
    {"empty terminal", terminal_empty, true},
};

/* ---- around a try ---- */

static inline void fill(char *buffer, size_t size)
{
    for (size_t i = 0; i < size; i++)
        buffer[i] = (char)('A' + i % 23);
}

static inline void let_go(const world *w)
{
    if (w->fd >= 0)
        close(w->fd);
    if (w->peer >= 0)
        close(w->peer);
    if (w->content >= 0)
        close(w->content);
}

#endif
