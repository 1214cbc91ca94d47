/*
 * test_file_bytes.c - transfers at offsets: all of it, in pieces, beyond 4 GiB, without space
 */
#include "../helpers.h"

#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* A file without a name. */
static int temporary(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        test_skip("no O_TMPFILE in /tmp");
    return fd;
}

static char at(size_t i)
{
    return (char)(i * 2654435761u >> 13);
}

#define RUN_IO(...) weft_block_on(rt, __VA_ARGS__)

Test(file_bytes, all_is_written_and_read)
{
    weft_runtime *rt = start(1);
    int           fd = temporary();
    size_t        size = 3 << 20;
    char         *out = malloc(size), *in = calloc(1, size);
    weft_io       io;

    for (size_t i = 0; i < size; i++)
        out[i] = at(i);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, out, size, 100)), size);
    check_eq(io.done, size);
    check_eq(RUN_IO(weft_file_read_exact(&io, fd, in, size, 100)), size);
    check_eq(io.done, size);
    check_eq(memcmp(in, out, size), 0);
    check_eq(RUN_IO(weft_file_read_exact(&io, fd, in, 0, 1 << 30)), 0);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, out, 0, 0)), 0);
    free(in);
    free(out);
    close(fd);
    stop(rt);
}

Test(file_bytes, a_file_that_ends_too_soon_says_how_much_there_was)
{
    weft_runtime *rt = start(1);
    int           fd = temporary();
    char          buffer[16] = "................";
    weft_io       io;

    check_eq(RUN_IO(weft_file_write_all(&io, fd, "0123456789", 10, 0)), 10);
    check_eq(RUN_IO(weft_file_read_exact(&io, fd, buffer, 16, 2)), WEFT_EOF);
    check_eq(io.done, 8);
    check_eq(memcmp(buffer, "23456789........", 16), 0);
    check_eq(RUN_IO(weft_file_read(&io, fd, buffer, 16, 9)), 1);
    check_eq(RUN_IO(weft_file_read(&io, fd, buffer, 16, 10)), 0);
    check_eq(RUN_IO(weft_file_read(&io, fd, buffer, 16, 11)), 0);
    close(fd);
    stop(rt);
}

/* A pipe gives and takes in portions: the loop is what makes it all. */
struct pump {
    WEFT_FRAME;
    struct {
        int  fd;
        bool write;
    } in;
    weft_io io;
    char    bytes[300000];
};
WEFT_ASYNC(pump)
{
    int64_t n;

    WEFT_BEGIN();
    for (size_t i = 0; self->in.write && i < sizeof self->bytes; i++)
        self->bytes[i] = at(i);
    if (self->in.write)
        WEFT_AWAIT(
            n, weft_file_write_all(&self->io, self->in.fd, self->bytes, sizeof self->bytes, -1));
    else
        WEFT_AWAIT(
            n, weft_file_read_exact(&self->io, self->in.fd, self->bytes, sizeof self->bytes, -1));
    for (size_t i = 0; i < sizeof self->bytes; i++)
        check_eq(self->bytes[i], at(i));
    close(self->in.fd);
    WEFT_END(n);
}

Test(file_bytes, short_transfers_are_gone_on_with)
{
    weft_runtime *rt = start(2);
    weft_handle   write, read;
    int           end[2];

    check_eq(pipe2(end, O_CLOEXEC), 0);
    check_eq(weft_spawn_on(rt, &write, pump, .fd = end[1], .write = true), 0);
    check_eq(weft_spawn_on(rt, &read, pump, .fd = end[0], .write = false), 0);
    check_eq(join(rt, &write), 300000);
    check_eq(join(rt, &read), 300000);
    stop(rt);
}

Test(file_bytes, a_pipe_that_ends_ends_a_read_of_all)
{
    weft_runtime *rt = start(1);
    char          buffer[8];
    int           end[2];
    weft_io       io;

    check_eq(pipe2(end, O_CLOEXEC), 0);
    check_eq(write(end[1], "abc", 3), 3);
    close(end[1]);
    check_eq(RUN_IO(weft_file_read_exact(&io, end[0], buffer, 8, -1)), WEFT_EOF);
    check_eq(io.done, 3);
    close(end[0]);
    stop(rt);
}

Test(file_bytes, all_at_the_files_position_moves_it)
{
    weft_runtime *rt = start(1);
    int           fd = temporary();
    char          buffer[6];
    weft_io       io;

    check_eq(RUN_IO(weft_file_write_all(&io, fd, "abc", 3, -1)), 3);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, "def", 3, -1)), 3);
    check_eq(lseek(fd, 1, SEEK_SET), 1);
    check_eq(RUN_IO(weft_file_read_exact(&io, fd, buffer, 4, -1)), 4);
    check_eq(memcmp(buffer, "bcde", 4), 0);
    check_eq(lseek(fd, 0, SEEK_CUR), 5);
    close(fd);
    stop(rt);
}

Test(file_bytes, pieces_are_gathered_and_scattered)
{
    weft_runtime *rt = start(1);
    int           fd = temporary();
    char          head[4], body[8];
    struct iovec  out[3] = {{"head", 4}, {"", 0}, {"body", 4}};
    struct iovec  in[2] = {{head, 4}, {body, 8}};
    struct iovec  many[1025] = {{0}};
    weft_io       io;

    check_eq(RUN_IO(weft_file_writev(&io, fd, out, 3, 7)), 8);
    check_eq(RUN_IO(weft_file_readv(&io, fd, in, 2, 7)), 8);
    check_eq(memcmp(head, "head", 4), 0);
    check_eq(memcmp(body, "body", 4), 0);
    check_eq(RUN_IO(weft_file_readv(&io, fd, in, 2, 15)), 0);
    check_eq(RUN_IO(weft_file_readv(&io, fd, in, 0, 0)), 0);
    check_eq(RUN_IO(weft_file_readv(&io, fd, many, 1025, 0)), -EINVAL);
    check_eq(RUN_IO(weft_file_writev(&io, fd, many, -1, 0)), -EINVAL);
    close(fd);
    stop(rt);
}

Test(file_bytes, offsets_go_beyond_four_gibibytes)
{
    weft_runtime *rt = start(1);
    int           fd = temporary();
    int64_t       far = (INT64_C(5) << 30) + 3;
    char          buffer[8] = "";
    struct statx  status;
    weft_io       io;

    check_eq(RUN_IO(weft_file_write_all(&io, fd, "far away", 8, far)), 8);
    check_eq(RUN_IO(weft_file_read(&io, fd, buffer, 8, far)), 8);
    check_eq(memcmp(buffer, "far away", 8), 0);
    check_eq(RUN_IO(weft_file_read(&io, fd, buffer, 8, far - 4)), 8);
    check_eq(memcmp(buffer, "\0\0\0\0far ", 8), 0);
    check_eq(RUN_IO(weft_file_stat(&io, fd, STATX_SIZE, &status)), 0);
    check_eq(status.stx_size, far + 8);
    close(fd);
    stop(rt);
}

Test(file_bytes, counts_that_no_kernel_moves_are_cut)
{
    weft_runtime *rt = start(1);
    int           fd = temporary();
    char         *buffer = malloc(100);
    weft_io       io;

    check_eq(RUN_IO(weft_file_write_all(&io, fd, "0123456789", 10, 0)), 10);
    check_eq(RUN_IO(weft_file_read(&io, fd, buffer, SIZE_MAX, 0)), 10);
    check_eq(RUN_IO(weft_file_read(&io, fd, buffer, (size_t)UINT32_MAX + 1, 4)), 6);
    free(buffer);
    close(fd);
    stop(rt);
}

Test(file_bytes, bad_offsets_and_descriptors_are_errors)
{
    weft_runtime *rt = start(1);
    int           fd = temporary(), dir = open("/", O_RDONLY | O_CLOEXEC);
    char          byte = 0;
    struct iovec  piece = {&byte, 1};
    weft_io       io;

    check_eq(RUN_IO(weft_file_read(&io, fd, &byte, 1, -2)), -EINVAL);
    check_eq(RUN_IO(weft_file_read_exact(&io, dir, &byte, 1, 0)), -EISDIR);
    check_eq(RUN_IO(weft_file_read_exact(&io, 9999, &byte, 1, 0)), -EBADF);
    check_eq(RUN_IO(weft_file_write_all(&io, 9999, &byte, 1, 0)), -EBADF);
    check_eq(RUN_IO(weft_file_readv(&io, 9999, &piece, 1, 0)), -EBADF);
    check_eq(RUN_IO(weft_file_writev(&io, 9999, &piece, 1, 0)), -EBADF);
    check_eq(RUN_IO(weft_file_sync(&io, 9999)), -EBADF);
    check_eq(RUN_IO(weft_file_sync_data(&io, 9999)), -EBADF);
    check_eq(RUN_IO(weft_file_allocate(&io, 9999, 0, 0, 1)), -EBADF);
    check_eq(RUN_IO(weft_file_truncate(&io, 9999, 0)), -EBADF);
    check_eq(RUN_IO(weft_file_allocate(&io, fd, 0, 0, 0)), -EINVAL);
    check_eq(RUN_IO(weft_file_truncate(&io, fd, -1)), -EINVAL);
    close(dir);
    close(fd);
    stop(rt);
}

/* lseek(2) succeeds on an eventfd, but pread(2) does not. */
Test(file_bytes, an_offset_where_there_is_none_is_an_error)
{
    weft_runtime *rt = start(1);
    int           fd = eventfd(5, EFD_CLOEXEC);
    uint64_t      value = 0;
    struct iovec  piece = {&value, sizeof value};
    weft_io       io;

    check_eq(RUN_IO(weft_file_read(&io, fd, &value, sizeof value, 0)), -ESPIPE);
    check_eq(RUN_IO(weft_file_read_exact(&io, fd, &value, sizeof value, 8)), -ESPIPE);
    check_eq(RUN_IO(weft_file_readv(&io, fd, &piece, 1, 0)), -ESPIPE);
    check_eq(RUN_IO(weft_file_write(&io, fd, &value, sizeof value, 0)), -ESPIPE);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, &value, sizeof value, 8)), -ESPIPE);
    check_eq(RUN_IO(weft_file_writev(&io, fd, &piece, 1, 0)), -ESPIPE);
    check_eq(RUN_IO(weft_file_read(&io, fd, &value, sizeof value, -1)), sizeof value);
    check_eq(value, 5);
    close(fd);
    stop(rt);
}

/* read(2) of no bytes waits there for an event, which must not block the worker. */
Test(file_bytes, a_read_of_nothing_blocks_no_worker)
{
    weft_runtime *rt = start(1);
    int           fd = inotify_init1(IN_CLOEXEC);
    char          byte;
    weft_io       io;

    check_eq(RUN_IO(weft_file_read(&io, fd, &byte, 0, -1)), 0);
    check_eq(RUN_IO(weft_file_read_exact(&io, fd, &byte, 0, -1)), 0);
    close(fd);
    stop(rt);
}

/* ---- the file itself ---- */

static void resized(int64_t ring_mask)
{
    weft_runtime *rt = start_with(&(weft_config){.workers = 1, .ring_mask = ring_mask});
    int           fd = temporary();
    struct stat   status;
    weft_io       io;

    check_eq(RUN_IO(weft_file_write_all(&io, fd, "0123456789", 10, 0)), 10);
    check_eq(RUN_IO(weft_file_truncate(&io, fd, 4)), 0);
    check_eq(fstat(fd, &status), 0);
    check_eq(status.st_size, 4);
    check_eq(RUN_IO(weft_file_truncate(&io, fd, INT64_C(5) << 30)), 0);
    check_eq(fstat(fd, &status), 0);
    check_eq(status.st_size, INT64_C(5) << 30);
    check_eq(RUN_IO(weft_file_truncate(&io, fd, -1)), -EINVAL);
    check_eq(RUN_IO(weft_file_truncate(&io, 9999, 1)), -EBADF);
    close(fd);
    stop(rt);
}

Test(file_bytes, a_file_is_cut_and_grown)
{
    resized(0);
}

Test(file_bytes, a_file_is_cut_and_grown_without_the_operation)
{
    resized(8 | 1); /* 1: valgrind needs it */
}

Test(file_bytes, space_is_allocated_and_the_disk_written_to)
{
    weft_runtime *rt = start(1);
    int           fd = temporary();
    struct stat   status;
    weft_io       io;

    check_eq(RUN_IO(weft_file_allocate(&io, fd, 0, 4096, 100000)), 0);
    check_eq(fstat(fd, &status), 0);
    check_eq(status.st_size, 104096);
    check_cmp(status.st_blocks * 512, >=, 100000);
    check_eq(RUN_IO(weft_file_allocate(&io, fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20)), 0);
    check_eq(fstat(fd, &status), 0);
    check_eq(status.st_size, 104096);
    check_eq(RUN_IO(weft_file_sync(&io, fd)), 0);
    check_eq(RUN_IO(weft_file_sync_data(&io, fd)), 0);
    close(fd);
    stop(rt);
}

/* ---- no space ---- */

Test(file_bytes, a_full_device_is_an_error)
{
    weft_runtime *rt = start(1);
    int           fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    struct iovec  piece = {"x", 1};
    weft_io       io;

    check_eq(RUN_IO(weft_file_write(&io, fd, "x", 1, 0)), -ENOSPC);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, "x", 1, 0)), -ENOSPC);
    check_eq(RUN_IO(weft_file_writev(&io, fd, &piece, 1, 0)), -ENOSPC);
    close(fd);
    stop(rt);
}

Test(file_bytes, a_full_disk_says_how_much_it_took)
{
    size_t        size = 4 << 20, space = 1 << 20;
    char         *buffer = calloc(1, size);
    weft_runtime *rt;
    weft_io       io;
    int           fd;

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, "") < 0 ||
        mount("small", "/mnt", "tmpfs", 0, "size=1m") < 0)
        test_skip("may not mount a small file system");
    rt = start(1);
    fd = open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    check_cmp(fd, >=, 0);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, buffer, size, 0)), -ENOSPC);
    check_eq(io.done, space);
    check_eq(RUN_IO(weft_file_write(&io, fd, buffer, size, (int64_t)space)), -ENOSPC);
    check_eq(RUN_IO(weft_file_allocate(&io, fd, 0, 0, (int64_t)size)), -ENOSPC);
    check_eq(RUN_IO(weft_file_truncate(&io, fd, 0)), 0);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, buffer, space / 2, 0)), space / 2);
    close(fd);
    stop(rt);
    free(buffer);
}

Test(file_bytes, a_limit_on_the_size_is_an_error_and_no_signal)
{
    struct rlimit limit = {1 << 20, 1 << 20};
    weft_runtime *rt = start(1);
    int           fd = temporary();
    static char   buffer[64 << 10];
    weft_io       io;

    check_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    check_eq(RUN_IO(weft_file_write_all(&io, fd, buffer, sizeof buffer, (1 << 20) - 100)), -EFBIG);
    check_eq(io.done, 100);
    check_eq(RUN_IO(weft_file_write(&io, fd, buffer, 1, 1 << 20)), -EFBIG);
    close(fd);
    stop(rt);
}
