/*
 * files.c - files, paths, and waiting for descriptors of other libraries
 */
#include "expect.h"
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

struct contents {
    WEFT_FRAME;
    struct {
        int dir;
    } in;
    weft_io      io;
    int          fd;
    struct statx info;
    struct iovec vector[2];
    char         text[16];
};
WEFT_ASYNC(contents)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_open_at(&self->io, self->in.dir, "data", O_RDWR | O_CREAT, 0600));
    EXPECT(n >= 0);
    self->fd = (int)n;

    WEFT_AWAIT(n, weft_file_write_all(&self->io, self->fd, "0123456789", 10, 0));
    EXPECT(n == 10);
    WEFT_AWAIT(n, weft_file_write(&self->io, self->fd, "ab", 2, 10)); /* perhaps fewer */
    EXPECT(n == 2);
    WEFT_AWAIT(n, weft_file_sync_data(&self->io, self->fd)); /* the bytes are on the disk */
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_file_sync(&self->io, self->fd)); /* and all that is known of the file */
    EXPECT(n == 0);

    WEFT_AWAIT(n, weft_file_read_exact(&self->io, self->fd, self->text, 4, 8));
    EXPECT(n == 4 && memcmp(self->text, "89ab", 4) == 0);
    WEFT_AWAIT(n, weft_file_read(&self->io, self->fd, self->text, sizeof self->text, 12));
    EXPECT(n == 0); /* the end of the file */

    self->vector[0] = (struct iovec){.iov_base = self->text, .iov_len = 4};
    self->vector[1] = (struct iovec){.iov_base = self->text + 4, .iov_len = 4};
    WEFT_AWAIT(n, weft_file_readv(&self->io, self->fd, self->vector, 2, 0));
    EXPECT(n == 8);
    WEFT_AWAIT(n, weft_file_writev(&self->io, self->fd, self->vector, 2, 12));
    EXPECT(n == 8);

    WEFT_AWAIT(n, weft_file_truncate(&self->io, self->fd, 5));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_file_stat(&self->io, self->fd, STATX_SIZE, &self->info));
    EXPECT(n == 0 && self->info.stx_size == 5);
    WEFT_AWAIT(n, weft_file_allocate(&self->io, self->fd, 0, 0, 4096));
    EXPECT(n == 0 || n == -EOPNOTSUPP); /* not every file system can */
    WEFT_AWAIT(n, weft_file_close(&self->io, self->fd));
    WEFT_END(n);
}

struct paths {
    WEFT_FRAME;
    struct {
        int dir;
    } in;
    weft_io      io;
    struct statx info;
};
WEFT_ASYNC(paths)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_path_make_dir(&self->io, self->in.dir, "folder", 0700));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_path_rename(&self->io, self->in.dir, "data", self->in.dir, "folder/a", 0));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_path_link(&self->io, self->in.dir, "folder/a", self->in.dir, "b", 0));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_path_symlink(&self->io, "folder/a", self->in.dir, "c"));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_path_stat(&self->io, self->in.dir, "c", AT_SYMLINK_NOFOLLOW, STATX_MODE,
                                 &self->info));
    EXPECT(n == 0 && S_ISLNK(self->info.stx_mode));
    WEFT_AWAIT(n, weft_path_unlink(&self->io, self->in.dir, "c", 0));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_path_unlink(&self->io, self->in.dir, "b", 0));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_path_unlink(&self->io, self->in.dir, "folder/a", 0));
    EXPECT(n == 0);
    WEFT_AWAIT(n, weft_path_unlink(&self->io, self->in.dir, "folder", AT_REMOVEDIR));
    WEFT_END(n);
}

/* Sends a file into a stream, and moves it through a pipe, without copying it into our memory. */
struct moves {
    WEFT_FRAME;
    struct {
    } in;
    weft_stream *a, *b;
    weft_io      io;
    int          fd, pipe[2];
    char         text[8];
};
WEFT_ASYNC(moves)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_open(&self->io, "/proc/self/exe", O_RDONLY, 0));
    EXPECT(n >= 0);
    self->fd = (int)n;
    EXPECT(weft_stream_pair(NULL, &self->a, &self->b) == 0 && pipe2(self->pipe, O_CLOEXEC) == 0);
    WEFT_AWAIT(n, weft_send_file(&self->io, self->a, self->fd, 0, 4));
    EXPECT(n == 4);
    WEFT_AWAIT(n, weft_read_exact(&self->io, self->b, self->text, 4));
    EXPECT(n == 4 && memcmp(self->text, "\177ELF", 4) == 0);
    weft_stream_close(self->a);
    weft_stream_close(self->b);

    WEFT_AWAIT(n, weft_splice(&self->io, self->fd, 0, self->pipe[1], -1, 4, 0));
    EXPECT(n == 4);
    WEFT_AWAIT(n, weft_file_close(&self->io, self->fd));
    EXPECT(n == 0);

    /* The pipe belongs to another library, for example. Wait until it can be read, then let the
     * library read it. */
    WEFT_AWAIT(n, weft_fd_ready(&self->io, self->pipe[0], POLLIN));
    EXPECT(n & POLLIN);
    EXPECT(read(self->pipe[0], self->text, sizeof self->text) == 4);
    close(self->pipe[0]);
    close(self->pipe[1]);
    WEFT_END(0);
}

struct files {
    WEFT_FRAME;
    struct {
        int dir;
    } in;
    struct contents contents;
    struct paths    paths;
    struct moves    moves;
};
WEFT_ASYNC(files)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_CALL(n, contents, &self->contents, .dir = self->in.dir);
    EXPECT(n == 0);
    WEFT_CALL(n, paths, &self->paths, .dir = self->in.dir);
    EXPECT(n == 0);
    WEFT_CALL(n, moves, &self->moves);
    WEFT_END(n);
}

int main(void)
{
    char name[] = "/tmp/weft-files-XXXXXX";
    int  dir, status;

    EXPECT(mkdtemp(name));
    dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT(dir >= 0);
    status = weft_main(files, .dir = dir);
    close(dir);
    return rmdir(name) < 0 || status;
}
