/*
 * workload.c - a small program that uses everything the reactor and the pool do
 */
#include "workload.h"

#include "../actors.h"
#include "../sockets.h"

#include <sys/socket.h>
#include <sys/stat.h>

#define BIG  (1 << 20)
#define PART (16 << 10)

static atomic_llong n_bytes; /* allocated and not released */
static atomic_int   n_wrong; /* successes that were none */
static int64_t      n_failed;
static char         big[BIG], back[BIG]; /* the client's */

static void *allocate(void *arg, size_t size)
{
    void *memory = malloc(size);

    (void)arg;
    if (memory)
        n_bytes += (long long)size;
    return memory;
}

static void release(void *arg, void *memory, size_t size)
{
    (void)arg;
    n_bytes -= (long long)size;
    free(memory);
}

/* ---- steps ---- */

struct server {
    WEFT_FRAME;
    struct {
        weft_listener *listener;
    } in;
    weft_io      io;
    weft_stream *stream;
    char         part[PART];
};
WEFT_ASYNC(server)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_accept(&self->io, self->in.listener, &self->stream));
    weft_listener_close(self->in.listener); /* clients in the queue are told */
    if (n == 0) {
        for (;;) {
            WEFT_AWAIT(n, weft_read(&self->io, self->stream, self->part, PART));
            if (n <= 0)
                break;
            WEFT_AWAIT(n, weft_write_all(&self->io, self->stream, self->part, (size_t)n));
            if (n < 0)
                break;
        }
        weft_stream_close(self->stream);
    }
    WEFT_END(n);
}

struct sender {
    WEFT_FRAME;
    struct {
        weft_stream *stream;
    } in;
    weft_io io;
};
WEFT_ASYNC(sender)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_write_zero_copy(&self->io, self->in.stream, big, PART));
    if (n == -ENOBUFS || n == -ENOMEM) /* beyond RLIMIT_MEMLOCK, where the ring itself is not */
        n = 0;
    if (n >= 0)
        WEFT_AWAIT(n, weft_write_all(&self->io, self->in.stream, big + n, BIG - (size_t)n));
    if (n < 0) /* or the answer would be waited for */
        (void)!weft_stream_shutdown(self->in.stream, SHUT_RDWR);
    WEFT_END(n);
}

/* So that writes are short and wait. */
static void make_narrow(weft_stream *stream)
{
    int small = 4096;

    (void)!setsockopt(weft_stream_fd(stream), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
}

struct client {
    WEFT_FRAME;
    struct {
        weft_address address;
    } in;
    weft_io      io;
    weft_stream *stream;
    weft_handle  sender;
    int64_t      n;
};
WEFT_ASYNC(client)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_connect(&self->io, &self->in.address, &self->stream));
    if (n < 0)
        WEFT_RETURN(n);
    make_narrow(self->stream);
    n = weft_spawn(&self->sender, sender, .stream = self->stream);
    if (n == 0) {
        WEFT_AWAIT(self->n, weft_read_exact(&self->io, self->stream, back, BIG));
        if (self->n < 0)
            (void)!weft_stream_shutdown(self->stream, SHUT_RDWR);
        WEFT_AWAIT(n, weft_join(&self->sender));
        n = n < 0 ? n : self->n;
    }
    weft_stream_close(self->stream);
    WEFT_END(n);
}

/* Runs an async function as a task, if it can be had. */
#define TRY(rt, name, ...)                                                                         \
    __extension__({                                                                                \
        weft_handle try_;                                                                          \
        int64_t     n_ = weft_spawn_on(rt, &try_, name, __VA_ARGS__);                              \
        n_ < 0 ? n_ : join(rt, &try_);                                                         \
    })

static int64_t echo(weft_runtime *rt)
{
    weft_address   address = loopback(false);
    weft_listener *listener;
    weft_handle    handle;
    int64_t        n = weft_listen(rt, &address, NULL, &listener), served;

    if (n < 0)
        return n;
    n = weft_listener_address(listener, &address);
    if (n < 0 || (n = weft_spawn_on(rt, &handle, server, .listener = listener)) < 0) {
        weft_listener_close(listener);
        return n;
    }
    n = TRY(rt, client, .address = address);
    if (n < 0)
        weft_cancel(&handle); /* it may wait for a connection that never comes */
    served = join(rt, &handle);
    n_wrong += n == BIG && memcmp(big, back, BIG) != 0;
    return n < 0 ? n : served;
}

struct filer {
    WEFT_FRAME;
    struct {
        const char *path;
    } in;
    weft_io io;
    int     fd;
    char    part[PART];
    int64_t n;
};
WEFT_ASYNC(filer)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_file_open(&self->io, self->in.path, O_RDWR | O_TRUNC, 0));
    if (n < 0)
        WEFT_RETURN(n);
    self->fd = (int)n;
    WEFT_AWAIT(n, weft_file_write(&self->io, self->fd, big, PART, 0));
    if (n == PART)
        WEFT_AWAIT(n, weft_file_read(&self->io, self->fd, self->part, PART, 0));
    if (n == PART)
        n_wrong += memcmp(big, self->part, PART) != 0;
    self->n = n;
    WEFT_AWAIT(n, weft_file_close(&self->io, self->fd));
    WEFT_END(n < 0 ? n : self->n);
}

/* A file into a stream, a file into a pipe, and what the file is like. */
struct mover {
    WEFT_FRAME;
    struct {
        const char *path;
        int         pipe;
    } in;
    weft_io      io;
    weft_stream *to, *from;
    struct statx stat;
    int          fd;
    int64_t      n;
    char         part[PART];
};
WEFT_ASYNC(mover)
{
    int64_t n;

    WEFT_BEGIN();
    n = weft_stream_pair(NULL, &self->to, &self->from);
    if (n < 0)
        WEFT_RETURN(n);
    WEFT_AWAIT(n, weft_file_open(&self->io, self->in.path, O_RDWR, 0));
    self->fd = (int)n;
    if (n >= 0)
        WEFT_AWAIT(n, weft_file_write_all(&self->io, self->fd, big, PART, 0));
    if (n == PART)
        WEFT_AWAIT(n, weft_send_file(&self->io, self->to, self->fd, 0, PART));
    if (n == PART)
        WEFT_AWAIT(n, weft_read_exact(&self->io, self->from, self->part, PART));
    n_wrong += n == PART && memcmp(big, self->part, PART) != 0;
    if (n >= 0)
        WEFT_AWAIT(n, weft_splice(&self->io, self->fd, 0, self->in.pipe, -1, 100, 0));
    n_wrong += n >= 0 && n != 100;
    if (n >= 0)
        WEFT_AWAIT(n,
                   weft_path_stat(&self->io, AT_FDCWD, self->in.path, 0, STATX_SIZE, &self->stat));
    n_wrong += n == 0 && self->stat.stx_size != PART;
    self->n = n;
    if (self->fd >= 0)
        WEFT_AWAIT(n, weft_file_close(&self->io, self->fd));
    weft_stream_close(self->to);
    weft_stream_close(self->from);
    WEFT_END(n < 0 ? n : self->n);
}

/* ---- datagrams ---- */

struct courier {
    WEFT_FRAME;
    struct {
        weft_datagram *from, *to;
        weft_address   address;
    } in;
    weft_io     io;
    weft_packet packets[2];
    char        part[2][8];
    int64_t     left;
};
WEFT_ASYNC(courier)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_send_to(&self->io, self->in.from, "alone", 5, &self->in.address));
    if (n >= 0)
        WEFT_AWAIT(n, weft_receive_from(&self->io, self->in.to, self->part[0], 8, NULL));
    n_wrong += n >= 0 && (n != 5 || memcmp(self->part[0], "alone", 5) != 0);
    for (int i = 0; i < 2; i++)
        self->packets[i] = (weft_packet){self->part[i], 5, 0, self->in.address};
    if (n >= 0)
        WEFT_AWAIT(n, weft_send_batch(&self->io, self->in.from, self->packets, 2));
    for (self->left = n; n > 0 && self->left > 0; self->left -= n)
        WEFT_AWAIT(n, weft_receive_batch(&self->io, self->in.to, self->packets, (int)self->left));
    WEFT_END(n);
}

static int64_t post(weft_runtime *rt)
{
    weft_address   address = loopback(false);
    weft_datagram *from = NULL, *to = NULL;
    int64_t        n = weft_datagram_bind(rt, &address, NULL, &from);

    if (n == 0)
        n = weft_datagram_bind(rt, &address, NULL, &to);
    if (n == 0)
        n = weft_datagram_local_address(to, &address);
    if (n == 0)
        n = TRY(rt, courier, .from = from, .to = to, .address = address);
    weft_datagram_close(from);
    weft_datagram_close(to);
    return n;
}

struct napper {
    WEFT_FRAME;
    struct {
        int n;
    } in;
    struct weft_sleep nap;
    int64_t           begin;
};
WEFT_ASYNC(napper)
{
    int64_t n = 0;

    WEFT_BEGIN();
    for (; self->in.n > 0; self->in.n--) {
        self->begin = weft_now();
        WEFT_AWAIT(n, weft_sleep(&self->nap, WEFT_MS(1)));
        n_wrong += n == 0 && weft_now() - self->begin < WEFT_MS(1);
    }
    WEFT_END(n);
}

struct square {
    int64_t n;
};
WEFT_BLOCKING(square)
{
    pause_ms(1);
    return self->n * self->n;
}

struct jobber {
    WEFT_FRAME;
    struct {
        int64_t n;
    } in;
    struct weft_spawn_blocking job;
};
WEFT_ASYNC(jobber)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_spawn_blocking(&self->job, square, .n = self->in.n));
    n_wrong += n >= 0 && n != self->in.n * self->in.n;
    WEFT_END(n);
}

struct signalled {
    WEFT_FRAME;
    struct {
        uint64_t set;
    } in;
    struct weft_signal_wait signal;
};
WEFT_ASYNC(signalled)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_signal_wait(&self->signal, self->in.set));
    WEFT_END(n);
}

struct resolver {
    WEFT_FRAME;
    struct {
        const char *host;
    } in;
    struct weft_resolve resolution;
};
WEFT_ASYNC(resolver)
{
    int64_t n;

    WEFT_BEGIN();
    WEFT_AWAIT(n, weft_resolve(&self->resolution, self->in.host, 80));
    WEFT_END(n);
}

/* ---- all of it ---- */

#define JOBS 4

static void note(int64_t result)
{
    n_failed += result < 0;
}

static void run_steps(weft_runtime *rt, const char *path, const int *ends)
{
    weft_handle job[JOBS], watch, signal;
    int         spawned[JOBS], watches, waits;

    for (int i = 0; i < JOBS; i++)
        note(spawned[i] = weft_spawn_on(rt, &job[i], jobber, .n = i));
    note(watches = weft_spawn_on(rt, &watch, awaits_fd, .fd = ends[0], .events = POLLIN));
    note(waits = weft_spawn_on(rt, &signal, signalled, .set = WEFT_SIGNAL(SIGUSR1)));
    note(echo(rt));
    note(TRY(rt, filer, .path = path));
    note(TRY(rt, mover, .path = path, .pipe = ends[1]));
    note(post(rt));
    note(TRY(rt, napper, .n = 3));
    note(TRY(rt, resolver, .host = "localhost"));
    kill(getpid(), SIGUSR1);
    while (write(ends[1], "x", 1) != 1) /* ours may fail too */
        ;
    if (watches == 0)
        note(join(rt, &watch));
    if (waits == 0)
        note(join(rt, &signal));
    for (int i = 0; i < JOBS; i++)
        if (spawned[i] == 0)
            note(join(rt, &job[i]));
}

static bool is_clean(int n_before, const char *text)
{
    bool clean = n_bytes == 0 && n_fds() == n_before && n_wrong == 0;

    for (int i = 0; i < 1000 && n_weft_threads() > 0; i++)
        pause_ms(1); /* joined, but the kernel has not taken them off yet */
    clean = clean && n_weft_threads() == 0;
    if (!clean)
        fprintf(stderr, "%lld bytes and %d descriptors left, %d threads, %d wrong results\n%s",
                (long long)n_bytes, n_fds() - n_before, n_weft_threads(), n_wrong, text);
    return clean;
}

bool workload(uint32_t *armed, int64_t *ret_failed)
{
    struct lines  log = LINES;
    weft_config   config = {.workers = 2,
                            .blocking_threads = 2,
                            .log = lines_add,
                            .log_arg = &log,
                            .allocator = {allocate, release, NULL}};
    weft_runtime *rt;
    char          path[] = "/tmp/weft-fault-XXXXXX";
    int           ends[2], n_before = n_fds(), file = mkstemp(path), r;

    check_cmp(file, >=, 0);
    close(file);
    check_eq(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < BIG; i++)
        big[i] = (char)(i * 7 + i / 251);
    check_eq(weft_signal_block(WEFT_SIGNAL(SIGUSR1)), 0);

    __atomic_store_n(armed, 1, __ATOMIC_SEQ_CST);
    r = weft_runtime_start(&config, &rt);
    if (r == 0) {
        run_steps(rt, path, ends);
        r = weft_runtime_stop(rt, WEFT_S(5) * test_slow());
    } else {
        n_failed = -1;
        r = log.n == 1 ? 0 : -EPROTO; /* it must say why, once */
    }
    __atomic_store_n(armed, 0, __ATOMIC_SEQ_CST);

    unlink(path);
    close(ends[0]);
    close(ends[1]);
    if (r < 0)
        fprintf(stderr, "start or stop: %s\n%s", strerror(-r), log.text);
    *ret_failed = n_failed;
    return is_clean(n_before, log.text) && r == 0;
}
