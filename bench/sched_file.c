/*
 * sched_file.c - what reading a file costs that is in the page cache, or that is not
 *
 * Purpose     32 tasks read one file, 4 KiB at random or 128 KiB in the file's order. A cold file
 *             is dropped from the page cache before each round, and read once in it.
 * Threads     Any worker.
 * Invariants  The file is that of the environment's BENCH_FILE, or a small one of our own. Each 4
 *             KiB of it begin with their number, and each read is checked for it.
 * Ordering    Relaxed sums: the count-down comes after them.
 * Failure     See bench.h.
 */
#include "sched_parts.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    READERS = 32,
    STAMPED = 4096,
    OWN_BLOCKS = 1024,
    COLD_MOST = 4096, /* reads in a round */
    STEP = 7919       /* prime: its multiples meet all blocks before one comes again */
};

struct reads {
    struct bench_run *run;
    struct countdown  ended;
    int               fd;
    bool              random, cold;
    int64_t           size, blocks;
    int64_t           most; /* cold: reads in a round */
    _Atomic int64_t   next, ops;
};

/* ---- the file ---- */

static int64_t result_of(int64_t r)
{
    return r < 0 ? -errno : r;
}

static int own_file(void)
{
    char     name[] = "/var/tmp/weft-bench-XXXXXX"; /* a disk, where /tmp may be memory */
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
    reads->most = reads->blocks < COLD_MOST ? reads->blocks : COLD_MOST;
}

/* How many of the file's pages are in the page cache. */
static int64_t resident(const struct reads *reads)
{
    size_t         size = (size_t)(reads->blocks * reads->size);
    size_t         page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page;
    unsigned char *is_there = malloc(pages);
    void          *map = mmap(NULL, size, PROT_READ, MAP_SHARED, reads->fd, 0);
    int64_t        n = 0;

    must(is_there && map != MAP_FAILED ? 0 : -ENOMEM);
    must(result_of(mincore(map, size, is_there)));
    for (size_t i = 0; i < pages; i++)
        n += is_there[i] & 1;
    munmap(map, size);
    free(is_there);
    return n;
}

/* Empties the page cache of the file, for a round in which nothing of it is there. */
static void make_cold(struct reads *reads)
{
    must(result_of(fsync(reads->fd)));
    must(-posix_fadvise(reads->fd, 0, 0, POSIX_FADV_DONTNEED));
    expect("pages left in the cache", resident(reads), 0);
    atomic_store_explicit(&reads->next, 0, memory_order_relaxed);
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

/* The next block to read, or -1 when there is none. */
static int64_t choose(struct reads *reads, uint64_t *x)
{
    int64_t n;

    if (!reads->cold && !bench_more(reads->run))
        return -1;
    if (reads->cold || !reads->random) {
        n = atomic_fetch_add_explicit(&reads->next, 1, memory_order_relaxed);
        return reads->cold && n >= reads->most ? -1
                                               : n * (reads->random ? STEP : 1) % reads->blocks;
    }
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
    while ((self->block = choose(reads, &self->in.x)) >= 0) {
        WEFT_AWAIT(n, weft_file_read(&self->io, reads->fd, self->buffer, (size_t)reads->size,
                                     self->block * reads->size));
        expect("bytes read", n, reads->size);
        check(self->buffer, self->block * reads->size);
        atomic_fetch_add_explicit(&reads->ops, 1, memory_order_relaxed);
    }
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

static void read_round(struct reads *reads)
{
    weft_handle handle;

    must(weft_spawn_on(reads->run->rt, &handle, read_file, .reads = reads));
    must(weft_block_on(reads->run->rt, weft_join(&handle)));
}

void bench_file(struct bench_run *run, int size)
{
    struct reads reads = {.run = run, .random = size == STAMPED};

    open_file(&reads, size);
    bench_start(run);
    read_round(&reads);
    run->ops = atomic_load(&reads.ops);
    close(reads.fd);
}

void bench_cold_file(struct bench_run *run, int size)
{
    struct reads reads = {.run = run, .random = size == STAMPED, .cold = true};
    int64_t      ns = 0, begin;

    open_file(&reads, size);
    /* Reading ahead would make pages warm that are yet to be read. */
    if (reads.random)
        must(-posix_fadvise(reads.fd, 0, 0, POSIX_FADV_RANDOM));
    bench_start(run);
    do {
        make_cold(&reads);
        begin = weft_now();
        read_round(&reads);
        ns += weft_now() - begin;
    } while (bench_more(run));
    run->ns = ns;
    run->ops = atomic_load(&reads.ops);
    close(reads.fd);
}
