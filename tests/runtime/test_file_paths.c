/*
 * test_file_paths.c - names in the file system
 */
#include "../helpers.h"
#include "libc.h"

#include <limits.h>

static char path[] = "/tmp/weft-test-XXXXXX";
static int  dir;

static void make_dir(void)
{
    check(mkdtemp(path) != NULL);
    dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check_cmp(dir, >=, 0);
}

static void remove_dir(void)
{
    close(dir);
    check_eq(rmdir(path), 0); /* it is empty: each test leaves nothing behind */
}

static void make_file(const char *name, const char *text)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

    check_cmp(fd, >=, 0);
    check_eq(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static bool exists(const char *name)
{
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#define RUN_IO(...) weft_block_on(rt, __VA_ARGS__)

Test(file_paths, are_opened_below_a_directory)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    int           n, fd;
    char          far[PATH_MAX + 10];

    make_dir();
    n = n_fds();
    make_file("a", "x");
    fd = (int)RUN_IO(weft_file_open_at(&io, dir, "a", O_RDONLY, 0));
    check_cmp(fd, >=, 0);
    check_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
    check_eq(RUN_IO(weft_file_open_at(&io, dir, "b", O_RDONLY, 0)), -ENOENT);
    check_eq(RUN_IO(weft_file_open_at(&io, dir, "a", O_CREAT | O_EXCL | O_RDWR, 0600)), -EEXIST);
    check_eq(RUN_IO(weft_file_open_at(&io, dir, ".", O_WRONLY, 0)), -EISDIR);
    check_eq(RUN_IO(weft_file_open_at(&io, dir, "a/b", O_RDONLY, 0)), -ENOTDIR);
    check_eq(RUN_IO(weft_file_open_at(&io, 9999, "a", O_RDONLY, 0)), -EBADF);
    memset(far, 'n', sizeof far - 1);
    far[sizeof far - 1] = '\0';
    check_eq(RUN_IO(weft_file_open(&io, far, O_RDONLY, 0)), -ENAMETOOLONG);
    check_eq(n_fds(), n);
    unlinkat(dir, "a", 0);
    remove_dir();
    stop(rt);
}

static void compare(const struct statx *x, const struct stat *s)
{
    check_eq(x->stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    check_eq(x->stx_mode, s->st_mode);
    check_eq(x->stx_size, s->st_size);
    check_eq(x->stx_ino, s->st_ino);
    check_eq(x->stx_nlink, s->st_nlink);
    check_eq(x->stx_uid, s->st_uid);
    check_eq(x->stx_gid, s->st_gid);
    check_eq(x->stx_blocks, s->st_blocks);
    check_eq(x->stx_mtime.tv_sec, s->st_mtim.tv_sec);
    check_eq(x->stx_mtime.tv_nsec, s->st_mtim.tv_nsec);
}

Test(file_paths, stat_says_what_stat_says)
{
    weft_runtime *rt = start(1);
    struct stat   expected;
    struct statx  got, none;
    weft_io       io;
    int           fd;

    make_dir();
    make_file("a", "some bytes");
    check_eq(symlinkat("a", dir, "link"), 0);
    fd = openat(dir, "a", O_RDONLY | O_CLOEXEC);

    check_eq(RUN_IO(weft_path_stat(&io, dir, "link", 0, STATX_BASIC_STATS, &got)), 0);
    check_eq(fstatat(dir, "link", &expected, 0), 0);
    compare(&got, &expected);
    check_eq(got.stx_size, 10);
    check_eq(RUN_IO(weft_path_stat(&io, dir, "link", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &got)),
             0);
    check_eq(fstatat(dir, "link", &expected, AT_SYMLINK_NOFOLLOW), 0);
    compare(&got, &expected);
    check(S_ISLNK(got.stx_mode));
    check_eq(RUN_IO(weft_file_stat(&io, fd, STATX_BASIC_STATS, &got)), 0);
    check_eq(fstat(fd, &expected), 0);
    compare(&got, &expected);
    check_eq(RUN_IO(weft_path_stat(&io, AT_FDCWD, "/", 0, STATX_BASIC_STATS, &got)), 0);
    check_eq(stat("/", &expected), 0);
    compare(&got, &expected);

    memset(&got, 7, sizeof got);
    none = got;
    check_eq(RUN_IO(weft_path_stat(&io, dir, "b", 0, STATX_BASIC_STATS, &got)), -ENOENT);
    check_eq(RUN_IO(weft_file_stat(&io, 9999, STATX_BASIC_STATS, &got)), -EBADF);
    check_eq(memcmp(&got, &none, sizeof got), 0); /* untouched by failure */
    close(fd);
    unlinkat(dir, "a", 0);
    unlinkat(dir, "link", 0);
    remove_dir();
    stop(rt);
}

Test(file_paths, are_unlinked)
{
    weft_runtime *rt = start(1);
    weft_io       io;

    make_dir();
    make_file("a", "");
    check_eq(mkdirat(dir, "sub", 0700), 0);
    check_eq(RUN_IO(weft_path_unlink(&io, dir, "a", 0)), 0);
    check(!exists("a"));
    check_eq(RUN_IO(weft_path_unlink(&io, dir, "a", 0)), -ENOENT);
    check_eq(RUN_IO(weft_path_unlink(&io, dir, "sub", 0)), -EISDIR);
    make_file("sub/b", "");
    check_eq(RUN_IO(weft_path_unlink(&io, dir, "sub", AT_REMOVEDIR)), -ENOTEMPTY);
    check_eq(RUN_IO(weft_path_unlink(&io, dir, "sub/b", 0)), 0);
    check_eq(RUN_IO(weft_path_unlink(&io, dir, "sub", AT_REMOVEDIR)), 0);
    check(!exists("sub"));
    remove_dir();
    stop(rt);
}

Test(file_paths, are_renamed)
{
    weft_runtime *rt = start(1);
    weft_io       io;
    int           sub;

    make_dir();
    make_file("a", "a");
    make_file("b", "b");
    check_eq(mkdirat(dir, "sub", 0700), 0);
    sub = openat(dir, "sub", O_RDONLY | O_CLOEXEC);
    check_eq(RUN_IO(weft_path_rename(&io, dir, "a", dir, "b", RENAME_NOREPLACE)), -EEXIST);
    check_eq(RUN_IO(weft_path_rename(&io, dir, "none", dir, "c", 0)), -ENOENT);
    check_eq(RUN_IO(weft_path_rename(&io, dir, "a", dir, "sub", 0)), -EISDIR);
    check_eq(RUN_IO(weft_path_rename(&io, dir, "a", sub, "moved", 0)), 0);
    check(!exists("a") && exists("sub/moved"));
    check_eq(RUN_IO(weft_path_rename(&io, sub, "moved", dir, "b", 0)), 0);
    check(exists("b") && !exists("sub/moved"));
    close(sub);
    unlinkat(dir, "b", 0);
    unlinkat(dir, "sub", AT_REMOVEDIR);
    remove_dir();
    stop(rt);
}

Test(file_paths, directories_are_made)
{
    weft_runtime *rt = start(1);
    struct stat   status;
    weft_io       io;

    make_dir();
    umask(0);
    check_eq(RUN_IO(weft_path_make_dir(&io, dir, "sub", 0750)), 0);
    check_eq(fstatat(dir, "sub", &status, 0), 0);
    check_eq(status.st_mode, S_IFDIR | 0750);
    check_eq(RUN_IO(weft_path_make_dir(&io, dir, "sub", 0750)), -EEXIST);
    check_eq(RUN_IO(weft_path_make_dir(&io, dir, "no/such", 0750)), -ENOENT);
    unlinkat(dir, "sub", AT_REMOVEDIR);
    remove_dir();
    stop(rt);
}

Test(file_paths, are_linked)
{
    weft_runtime *rt = start(1);
    struct stat   status;
    char          target[8] = "";
    weft_io       io;

    make_dir();
    make_file("a", "");
    check_eq(RUN_IO(weft_path_link(&io, dir, "a", dir, "hard", 0)), 0);
    check_eq(fstatat(dir, "a", &status, 0), 0);
    check_eq(status.st_nlink, 2);
    check_eq(RUN_IO(weft_path_link(&io, dir, "a", dir, "hard", 0)), -EEXIST);
    check_eq(RUN_IO(weft_path_link(&io, dir, "none", dir, "b", 0)), -ENOENT);
    check_eq(RUN_IO(weft_path_symlink(&io, "a", dir, "soft")), 0);
    check_eq(readlinkat(dir, "soft", target, sizeof target), 1);
    check_str_eq(target, "a");
    check_eq(RUN_IO(weft_path_symlink(&io, "a", dir, "soft")), -EEXIST);
    unlinkat(dir, "a", 0);
    unlinkat(dir, "hard", 0);
    unlinkat(dir, "soft", 0);
    remove_dir();
    stop(rt);
}
