/*
 * fail_accept.c - for tests: LD_PRELOADed, makes accept4(2) fail for a while, then lets it through
 *
 * FAIL_ACCEPT is how many calls fail in a row, with EINVAL: an error that weft hands on. They begin
 * with the second call, so that the acceptor has been at work before.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int accept4(int fd, struct sockaddr *address,
                                                   socklen_t *size, int flags)
{
    static atomic_int calls;
    const char       *text = getenv("FAIL_ACCEPT");
    int               call = atomic_fetch_add(&calls, 1);

    if (text && call > 0 && call <= atoi(text)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address, size, flags);
}
