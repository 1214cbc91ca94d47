/*
 * test_sweep.c - every system call of the workload, failed in turn
 *
 * First a run that counts the calls of each kind of thread; then runs in which one of them fails:
 * the first, the second, the middle one and the last, with each error that it may fail with, alone
 * and twenty in a row. Each must end by itself and leave nothing behind; and where the library
 * must hide the error (`survived`), every step must have succeeded.
 *
 * TEST_FAULTS=all fails each call in turn, which takes some minutes.
 */
#include "../test.h"

#include "inject.h"
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

enum group { RING, SOCKETS, FILES, THREADS };

static const struct {
    enum group  group;
    int         number;
    const char *name;
    bool        vital; /* to a sanitizer, which ends where it fails */
    int         survived[8], others[8];
} calls[] = {
    /* the ring */
    {RING,
     SYS_io_uring_setup,
     "io_uring_setup",
     false,
     {0},
     {ENOMEM, EPERM, EMFILE, ENFILE, ENOSYS}},
    {RING, SYS_io_uring_register, "io_uring_register", false, {0}, {ENOMEM, EPERM, EINVAL}},
    {RING, SYS_io_uring_enter, "io_uring_enter", false, {EINTR, EAGAIN, EBUSY, ENOMEM, EIO}, {0}},
    {RING, SYS_epoll_create1, "epoll_create1", false, {0}, {EMFILE, ENFILE, ENOMEM}},
    {RING, SYS_epoll_ctl, "epoll_ctl", false, {0}, {ENOMEM, ENOSPC}},
#ifdef SYS_epoll_wait
    {RING, SYS_epoll_wait, "epoll_wait", false, {EINTR}, {0}},
#endif
    {RING,
     SYS_epoll_pwait,
     "epoll_pwait",
     false,
     {EINTR},
     {0}}, /* what newer machines have instead */
    {RING, SYS_eventfd2, "eventfd2", false, {0}, {EMFILE, ENFILE, ENOMEM}},
    /* sockets. A call that need not wait answers no EAGAIN: the next event would be waited for. */
    {SOCKETS, SYS_socket, "socket", false, {0}, {EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES}},
    {SOCKETS, SYS_bind, "bind", false, {0}, {EADDRINUSE, EACCES}},
    {SOCKETS, SYS_listen, "listen", false, {0}, {EADDRINUSE}},
    {SOCKETS,
     SYS_accept4,
     "accept4",
     false,
     {EINTR, EMFILE, ENFILE, ENOMEM, ENOBUFS, ECONNABORTED},
     {EINVAL}},
    {SOCKETS, SYS_connect, "connect", false, {0}, {EINTR, ECONNREFUSED, ENETUNREACH, ETIMEDOUT}},
    {SOCKETS, SYS_recvfrom, "recvfrom", false, {0}, {EINTR, ECONNRESET, ENOMEM, ETIMEDOUT}},
    {SOCKETS, SYS_sendto, "sendto", false, {0}, {EINTR, EPIPE, ECONNRESET, ENOBUFS, ENOMEM}},
    {SOCKETS, SYS_recvmsg, "recvmsg", false, {EINTR}, {ECONNRESET}},
    {SOCKETS, SYS_sendmsg, "sendmsg", false, {EINTR}, {EPIPE}},
    {SOCKETS, SYS_recvmmsg, "recvmmsg", false, {0}, {EINTR, ECONNREFUSED, ENOMEM}},
    {SOCKETS, SYS_sendmmsg, "sendmmsg", false, {0}, {EINTR, ENOBUFS, EPERM, ENOMEM}},
    {SOCKETS, SYS_socketpair, "socketpair", false, {0}, {EMFILE, ENFILE, ENOMEM}},
    {SOCKETS, SYS_getsockname, "getsockname", false, {0}, {ENOBUFS}},
    {SOCKETS, SYS_setsockopt, "setsockopt", false, {0}, {ENOMEM}},
    {SOCKETS, SYS_signalfd4, "signalfd4", false, {0}, {EMFILE, ENFILE, ENOMEM}},
    /* files; close is not among them: it closes whatever it answers */
    {FILES, SYS_openat, "openat", false, {0}, {EINTR, EMFILE, ENFILE, ENOMEM, EACCES}},
    {FILES, SYS_read, "read", false, {0}, {EINTR, EIO}},
    {FILES, SYS_write, "write", false, {EINTR, EAGAIN, ENOMEM, EIO}, {0}},
    {FILES, SYS_sendfile, "sendfile", false, {0}, {EINTR, EIO, ENOMEM, EPIPE}},
    {FILES, SYS_fcntl, "fcntl", false, {0}, {EINVAL}},
#ifdef SYS_poll
    {FILES, SYS_poll, "poll", false, {0}, {EINTR, ENOMEM}},
#endif
    {FILES, SYS_ppoll, "ppoll", false, {0}, {EINTR, ENOMEM}},
    /* threads and memory; brk is not among them: the kernel answers no errno, and libc expects
     * none */
    {THREADS, SYS_clone3, "clone3", false, {0}, {EAGAIN, ENOMEM}},
    {THREADS, SYS_futex, "futex", false, {EINTR, EAGAIN}, {0}},
    {THREADS, SYS_clock_nanosleep, "clock_nanosleep", false, {EINTR}, {0}},
    {THREADS, SYS_sched_getaffinity, "sched_getaffinity", true, {0}, {EINVAL, ESRCH}},
    {THREADS, SYS_sched_setaffinity, "sched_setaffinity", false, {EINVAL, EPERM}, {0}},
    {THREADS, SYS_mmap, "mmap", true, {0}, {ENOMEM}},
    {THREADS, SYS_mprotect, "mprotect", true, {0}, {ENOMEM}},
    {THREADS, SYS_madvise, "madvise", true, {EAGAIN, ENOMEM, EINVAL}, {0}},
};
#define CALLS ((int)(sizeof calls / sizeof *calls))

static int numbers[CALLS];
static int n_runs, n_reached;

static void run_one(const injection *in, bool survived)
{
    verdict v;

    inject(numbers, CALLS, in, workload, &v);
    n_runs++;
    n_reached += v.n_injected > 0;
    if (v.ended && v.clean &&
        (!survived || v.n_failed == 0 || (v.n_failed < 0 && in->error != EINTR)))
        return;
    test_fail(__FILE__, __LINE__, "%s of %s, calls %d to %d fail with %s: %s, %d steps failed",
              calls[in->call].name, inject_kinds[in->kind], in->first, in->first + in->n - 1,
              strerror(in->error),
              !v.ended  ? "hangs"
              : v.clean ? "ends"
                        : "leaves something",
              (int)v.n_failed);
}

static void run_error(int call, int kind, int count, int error, bool survived)
{
    injection  in = {.call = call, .kind = kind, .n = 1, .error = error};
    const int  at[] = {1, 2, (count + 1) / 2, count};
    const bool all = getenv("TEST_FAULTS") && strcmp(getenv("TEST_FAULTS"), "all") == 0;

    if (TEST_SANITIZED) { /* a run takes ten times as long */
        in.first = count / 2 + 1;
        run_one(&in, survived);
        return;
    }
    if (all) {
        for (in.first = 1; in.first <= count; in.first++)
            run_one(&in, survived);
    } else {
        for (int i = 0; i < 4; i++) {
            in.first = at[i];
            if (in.first <= count && (i == 0 || at[i] > at[i - 1]))
                run_one(&in, survived);
        }
    }
    if (calls[call].vital && kind == KIND_BLOCKING)
        return; /* glibc's getaddrinfo does not check what malloc gave it */
    in.first = 1;
    in.n = 20;
    if (count > 1)
        run_one(&in, false);
    if (survived ? calls[call].number != SYS_io_uring_enter || error != EIO : error == EINTR)
        return; /* what must be survived is tried for as long as it takes */
    in.n = 1 << 20;
    for (int i = 0; i < 3; i++) {
        in.first = at[i];
        run_one(&in, false);
    }
}

static void run_call(int call, const int counts[KINDS])
{
    for (int kind = 0; kind < KINDS; kind++) {
        for (int i = 0; counts[kind] > 0 && calls[call].survived[i]; i++)
            run_error(call, kind, counts[kind], calls[call].survived[i], true);
        for (int i = 0; counts[kind] > 0 && calls[call].others[i]; i++)
            run_error(call, kind, counts[kind], calls[call].others[i], false);
    }
}

static void count_calls(verdict *ret)
{
    injection none = {0};

    for (int i = 0; i < CALLS; i++)
        numbers[i] = calls[i].number;
    inject(numbers, CALLS, &none, workload, ret);
    check(ret->ended);
    check(ret->clean);
    check_eq(ret->n_failed, 0);
}

static void sweep(enum group group)
{
    verdict v;

    test_skip_under_valgrind("it makes calls of its own");
    count_calls(&v);
    for (int i = 0; i < CALLS; i++)
        if (calls[i].group == group && !(TEST_SANITIZED && calls[i].vital))
            run_call(i, v.counts[i]);
    printf("%d runs, %d met their fault\n", n_runs, n_reached);
    check_cmp(n_reached, >, 0);
}

Test(sweep, each_call_on_the_ring, .timeout = 400)
{
    sweep(RING);
}

Test(sweep, each_call_on_sockets, .timeout = 400)
{
    sweep(SOCKETS);
}

Test(sweep, each_call_on_files, .timeout = 400)
{
    sweep(FILES);
}

Test(sweep, each_call_for_threads_and_memory, .timeout = 400)
{
    sweep(THREADS);
}
