/*
 * sched_file.c - what reading a file costs that is in the page cache
 *
 * Purpose     32 tasks read one file, 4 KiB at random or 128 KiB in the file's order.
 * Threads     Any worker.
 * Invariants  The file is that of the environment's BENCH_FILE, or a small one of our own. Each 4
 *             KiB of it begin with their number, and each read is checked for it.
 * Ordering    Relaxed sums: the count-down comes after them.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READERS = 32, STAMPED = 4096, OWN_BLOCKS = 1024 };

struct reads {
    struct bench_run *run;
    struct countdown  ended;
    int               fd;
    bool              random;
    int64_t           size, blocks;
    _Atomic int64_t   next, ops;
};

/* ---- the file ---- */

static int64_t result_of(int64_t r)
{
    return r < 0 ? -errno : r;
}

static int own_file(void)
{
    char     name[] = "/tmp/weft-bench-XXXXXX";
    int      fd = mkostemp(name, O_CLOEXEC);
    uint64_t block[STAMPED / sizeof(uint64_t)] = {0};

    must(result_of(fd));
    unlink(name);
    for (uint64_t i = 0; i < OWN_BLOCKS; i++) {
        block[0] = htole64(i);
        expect("bytes written", result_of(write(fd, block, sizeof block)), sizeof block);
    }
    return fd;
}

static void open_file(struct reads *reads, int64_t size)
{
    const char *path = getenv("BENCH_FILE");
    struct stat status;

    reads->fd = path ? open(path, O_RDONLY | O_CLOEXEC) : own_file();
    must(result_of(reads->fd));
    must(result_of(fstat(reads->fd, &status)));
    reads->size = size;
    reads->blocks = status.st_size / size;
}

/* ---- reading ---- */

struct reader {
    WEFT_FRAME;
    struct {
        struct reads *reads;
        uint64_t      x;
    } in;
    weft_io io;
    char   *buffer;
    int64_t block;
};

static int64_t choose(struct reads *reads, uint64_t *x)
{
    if (!reads->random)
        return atomic_fetch_add_explicit(&reads->next, 1, memory_order_relaxed) % reads->blocks;
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17; /* xorshift64 */
    return (int64_t)(*x >> 16) % reads->blocks;
}

static void check(const char *buffer, int64_t at)
{
    uint64_t stamp;

    memcpy(&stamp, buffer, sizeof stamp);
    expect("the block's stamp", (int64_t)le64toh(stamp), at / STAMPED);
}

WEFT_ASYNC(reader)
{
    struct reads *reads = self->in.reads;
    int64_t       n;

    WEFT_BEGIN();
    self->buffer = malloc((size_t)reads->size);
    must(self->buffer ? 0 : -ENOMEM);
    do {
        self->block = choose(reads, &self->in.x);
        WEFT_AWAIT(n, weft_file_read(&self->io, reads->fd, self->buffer, (size_t)reads->size,
                                     self->block * reads->size));
        expect("bytes read", n, reads->size);
        check(self->buffer, self->block * reads->size);
        atomic_fetch_add_explicit(&reads->ops, 1, memory_order_relaxed);
    } while (bench_more(reads->run));
    free(self->buffer);
    countdown_down(&reads->ended);
    WEFT_END(0);
}

struct read_file {
    WEFT_FRAME;
    struct {
        struct reads *reads;
    } in;
};

WEFT_ASYNC(read_file)
{
    struct reads *reads = self->in.reads;
    int64_t       n;

    WEFT_BEGIN();
    countdown_begin(&reads->ended, READERS);
    for (n = 0; n < READERS; n++)
        must(weft_spawn(NULL, reader, .reads = reads, .x = UINT64_C(88172645463325252) + n));
    WEFT_AWAIT(n, countdown_wait(&reads->ended));
    countdown_end(&reads->ended);
    WEFT_END(n);
}

void bench_file(struct bench_run *run, int size)
{
    struct reads reads = {.run = run, .random = size == STAMPED};
    weft_handle  handle;

    open_file(&reads, size);
    bench_start(run);
    must(weft_spawn_on(run->rt, &handle, read_file, .reads = &reads));
    must(weft_block_on(run->rt, weft_join(&handle)));
    run->ops = atomic_load(&reads.ops);
    close(reads.fd);
}
