/*
 * differential_scenes.h - how the differential tests of sockets set up what a call is tried on
 *
 * Each test has its own kinds of sockets, and makes one anew for each try. The steps that these
 * have in common are here: an address for a kind, a socket bound to it, a limit of descriptors.
 */
#ifndef DIFFERENTIAL_SCENES_H
#define DIFFERENTIAL_SCENES_H

#include "differential.h"

#include <fcntl.h>
#include <sys/resource.h>

/* ---- addresses ---- */

static inline socklen_t size_of_any(const weft_address *a)
{
    return a->u.any.sa_family == AF_UNIX ? a->size_ : size_of(a);
}

/* The address that the socket is bound to. */
static inline weft_address named(int fd)
{
    weft_address a = {0};
    socklen_t    size = sizeof a.u;

    check_eq(getsockname(fd, &a.u.any, &size), 0);
    a.size_ = size;
    return a;
}

/* An IP address, or else the name of a Unix socket. */
static inline weft_address parsed(const char *text)
{
    weft_address a;

    if (weft_address_parse(text, 0, &a) < 0)
        check_eq(weft_address_unix(text, &a), 0);
    return a;
}

/* ---- directories of Unix sockets ---- */

static inline void make_directory(char dir[32])
{
    check(mkdtemp(strcpy(dir, "/tmp/weft-test-XXXXXX")) != NULL);
}

/* For "@" the kernel chooses an abstract name at bind(2). For "/" this function makes a directory,
 * writes its name to `dir`, and returns a path in it. Any other `at` is an IP address. */
static inline weft_address address_in(char dir[32], const char *at)
{
    char path[64];

    if (at[0] != '/')
        return parsed(at[0] == '@' ? "" : at);
    make_directory(dir);
    snprintf(path, sizeof path, "%s/s", dir);
    return parsed(path);
}

/* `dir` is empty where the address needs no directory: then this function does nothing. */
static inline void remove_directory(const char *dir, const weft_address *at)
{
    if (!dir[0])
        return;
    unlink(at->u.un.sun_path);
    rmdir(dir);
}

/* ---- sockets ---- */

/* Skips the test where the machine lacks the address, for example IPv6's. */
static inline int bound_to(const weft_address *a, int type)
{
    int fd = socket(a->u.any.sa_family, type | SOCK_CLOEXEC, 0);

    check_cmp(fd, >=, 0);
    if (bind(fd, &a->u.any, size_of_any(a)) < 0)
        test_skip("no such loopback address");
    return fd;
}

/* A socket's option, or -1 if sockets of its kind have none of this name. */
static inline int option(int fd, int level, int name)
{
    int       value = -1;
    socklen_t size = sizeof value;

    (void)getsockopt(fd, level, name, &value, &size);
    return value;
}

/* ---- limits ---- */

/* While the limit is on, a call that needs a new descriptor fails with EMFILE. */
static inline void limit_descriptors(bool on)
{
    static struct rlimit before;
    struct rlimit        none;

    if (!on) {
        check_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        return;
    }
    check_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){0, before.rlim_max};
    check_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
}

#endif
