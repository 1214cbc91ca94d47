/*
 * fail_sync.c - for tests: LD_PRELOADed, makes the first fdatasync(2) fail, as a disk does
 *
 * The kernel tells of an error once, so the next call succeeds although bytes may be lost. weft
 * calls the function where it has no io_uring.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    static atomic_int calls;

    if (atomic_fetch_add(&calls, 1) == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}
