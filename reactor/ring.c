/* ring.c - see ring.h */
#include "ring.h"

#include "driver.h"
#include "invariant.h"
#include "limit.h"
#include "memcheck.h"
#include "timer.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* How many calls in a row may fail, a millisecond apart, before the ring is given up. */
#define ATTEMPTS 16

/* How many opcodes a kernel can report in a probe. */
#define OPS_MOST 256

#define DENIED                                                                                     \
    "it is denied, most likely by a seccomp filter (container runtimes have one); allow "          \
    "io_uring_setup, io_uring_enter and io_uring_register"
#define ABSENT                                                                                     \
    "the kernel is new enough, so a seccomp filter denies it (container runtimes have one), an "   \
    "emulator lacks it (gVisor, qemu-user), or the kernel was built without; allow "               \
    "io_uring_setup, io_uring_enter and io_uring_register"

/* Sets of flags, from the best to the most basic. */
static const struct {
    uint32_t features, flags;
} choices[] = {
    {WF_RING_DEFER_TASKRUN | WF_RING_SINGLE_ISSUER,
     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
    {WF_RING_COOP_TASKRUN | WF_RING_SINGLE_ISSUER,
     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
    {WF_RING_COOP_TASKRUN, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG},
    {0, 0},
};

static int sysctl_disabled(void)
{
    FILE *f = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int   value = 0;

    if (f) {
        if (fscanf(f, "%d", &value) != 1)
            value = 0;
        fclose(f);
    }
    return value;
}

/* Returns the cause and the remedy of an error of setting up a ring. `release` is the kernel's. */
static const char *remedy(int error, const char *release, wf_limit_room *room)
{
    switch (error) {
    case -ENOSYS:
    case -EINVAL:
    case -EOPNOTSUPP:
        if (strverscmp(release, "5.19") < 0)
            return "the kernel is too old; Linux 5.19 or newer is needed";
        return ABSENT;
    case -EPERM:
        return DENIED;
    case -EACCES:
        return "a security module (SELinux, AppArmor, ...) denies it; allow io_uring in its policy";
    case -ENOMEM:
        return wf_limit_remedy("no memory for it", RLIMIT_MEMLOCK, ", or lower WEFT_RING_ENTRIES",
                               room);
    case -EMFILE:
    case -ENFILE:
        return wf_limit_descriptors(error, room);
    case -EAGAIN:
        return wf_limit_remedy("the kernel can't make a thread for it", RLIMIT_NPROC,
                               ", or pids.max of the cgroup", room);
    default:
        return "the kernel's log may say more";
    }
}

#define INSTEAD "; weft uses epoll instead: threads read and write files, and zero-copy writes copy"

static void explain(const weft_config *config, int error)
{
    struct utsname host = {0};
    int            disabled = sysctl_disabled();
    bool           required = config->backend == WEFT_BACKEND_URING;
    weft_log_level level = required ? WEFT_LOG_ERROR : WEFT_LOG_WARNING;
    const char    *instead = required ? "" : INSTEAD;
    wf_limit_room  room;

    uname(&host);
    if (error == -EPERM && disabled)
        wf_log(config, level,
               "start: io_uring is switched off by sysctl kernel.io_uring_disabled=%d; set it to 0"
               "%s%s",
               disabled, disabled == 1 ? " or join the group of kernel.io_uring_group" : "",
               instead);
    else
        wf_log(config, level, "start: io_uring can't be used (%s, Linux %s, %lld entries): %s%s",
               strerror(-error), host.release, (long long)config->ring_entries,
               remedy(error, host.release, &room), instead);
}

/* Sets the features that this kernel has. Returns 0 or -errno. */
static int probe_kernel(wf_ring *ring, uint32_t mask)
{
    uint64_t room[(sizeof(struct io_uring_probe) + OPS_MOST * sizeof(struct io_uring_probe_op)) /
                  sizeof(uint64_t)] = {0};
    struct io_uring_probe *probe = (void *)room;
    int                    r = io_uring_register_probe(&ring->uring, probe, OPS_MOST);

    if (r < 0)
        return r;
    if (!io_uring_opcode_supported(probe, IORING_OP_SOCKET))
        return -EOPNOTSUPP;
    if (io_uring_opcode_supported(probe, WF_RING_OP_FTRUNCATE))
        ring->features |= WF_RING_FTRUNCATE & ~mask;
    if (io_uring_opcode_supported(probe, IORING_OP_SEND_ZC))
        ring->features |= WF_RING_SEND_ZC & ~mask;
    return 0;
}

/* weft needs features of Linux 5.19 that cannot be probed. IORING_OP_SOCKET came with the same
 * version and can be probed, so it stands for them. The call that enters the kernel finds a seccomp
 * filter that allows setting up a ring but not using it. */
static int check_kernel(wf_ring *ring, uint32_t mask)
{
    int r = probe_kernel(ring, mask);

    if (r < 0)
        return r;
    do
        r = io_uring_get_events(&ring->uring);
    while (r == -EINTR);
    return r < 0 ? r : 0;
}

int wf_ring_leave_standard(struct io_uring *uring)
{
    int fd = uring->ring_fd;

    if (fd > STDERR_FILENO)
        return 0;
    fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (fd < 0)
        return -errno;
    close(uring->ring_fd);
    uring->ring_fd = uring->enter_ring_fd = fd;
    return 0;
}

/* Sets up a ring with the best set of flags that the kernel accepts. */
static int set_up(wf_ring *ring, uint32_t mask)
{
    int64_t n = ring->config->ring_entries;
    int     r = -EINVAL;

    for (size_t i = 0; i < sizeof choices / sizeof *choices && r == -EINVAL; i++) {
        struct io_uring_params params = {.flags = choices[i].flags | IORING_SETUP_CQSIZE |
                                                  IORING_SETUP_CLAMP,
                                         .cq_entries = (uint32_t)n * 8};

        if (choices[i].features & mask)
            continue;
        r = io_uring_queue_init_params((unsigned)n, &ring->uring, &params);
        ring->features = choices[i].features;
    }
    return r;
}

/* The kernel returns the memory of a closed ring to the user's RLIMIT_MEMLOCK 20 to 40 ms later
 * (Linux 6.16 to 7.0). So a start soon after a stop has to retry. */
static int set_up_patiently(wf_ring *ring, uint32_t mask)
{
    int64_t until = wf_now() + WF_RING_PATIENCE;
    int     r;

    while ((r = set_up(ring, mask)) == -ENOMEM && wf_now() < until)
        nanosleep(&(struct timespec){.tv_nsec = WEFT_MS(5)}, NULL);
    return r;
}

int wf_ring_open(wf_ring *ring, const weft_config *config)
{
    uint32_t mask = (uint32_t)config->ring_mask;
    int      r;

    if (wf_memcheck_running())
        mask |= WF_RING_DEFER_TASKRUN; /* see enter_under_valgrind */
    *ring = (wf_ring){.config = config};
    r = set_up_patiently(ring, mask);
    if (r == 0 &&
        ((r = wf_ring_leave_standard(&ring->uring)) < 0 || (r = check_kernel(ring, mask)) < 0))
        io_uring_queue_exit(&ring->uring);
    if (r < 0) {
        explain(config, r);
        return r;
    }
    io_uring_ring_dontfork(&ring->uring);
    ring->is_open = true;
    return 0;
}

void wf_ring_close(wf_ring *ring)
{
    if (ring->is_open)
        io_uring_queue_exit(&ring->uring);
    ring->is_open = false;
}

/* ---- entering the kernel ---- */

/* Waits until the kernel has ended the operations that it can end, because it must not write to a
 * buffer after weft has failed its operation. If the descriptor is closed, its number may belong to
 * another file by now, so it is only forgotten. */
static void let_go(wf_ring *ring, int error)
{
    struct io_uring_sync_cancel_reg all = {
        .fd = -1,
        .flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
        .timeout = {.tv_sec = 1},
    };

    if (error == -EBADF || error == -EOPNOTSUPP)
        ring->uring.ring_fd = ring->uring.enter_ring_fd = -1;
    else
        io_uring_register_sync_cancel(&ring->uring, &all);
}

void wf_ring_break(wf_ring *ring, int error)
{
    if (ring->error < 0)
        return;
    /* RELAXED: other threads read it as a hint, in weft_runtime_backend. */
    wf_store(&ring->error, error, RELAXED);
    wf_log(ring->config, WEFT_LOG_ERROR,
           "io_uring has failed for good (%s): the program has closed a descriptor that belongs to "
           "weft, or io_uring was denied after the start; operations that the kernel had fail, and "
           "weft uses epoll from now on, with threads that read and write files",
           strerror(-error));
    let_go(ring, error);
}

/* Takes the result of a call that enters the kernel. Returns whether the kernel was entered. Want
 * of memory passes, so it never breaks the ring. */
static bool entered(wf_ring *ring, int result)
{
    bool wants_memory = result == -EAGAIN || result == -EBUSY || result == -ENOMEM;

    WF_ASSERT(ring->error == 0); /* G2 */
    if (result >= 0 || result == -EINTR || result == -ETIME) {
        ring->n_failed = 0;
        return true;
    }
    if (++ring->n_failed >= ATTEMPTS && !wants_memory)
        /* -EBADFD: the number belongs to a ring of accept_ring.c, which is about to close it. */
        wf_ring_break(ring, result == -EBADFD ? -EBADF : result);
    else if (ring->n_failed > 1)
        nanosleep(&(struct timespec){.tv_nsec = WEFT_MS(1)}, NULL);
    return false;
}

void wf_ring_make_room(wf_ring *ring)
{
    /* -EBUSY says that completions must be collected first. The kernel keeps those that overflow
     * the queue, so it accepts entries again after this. */
    while (ring->error == 0 && io_uring_sq_space_left(&ring->uring) == 0)
        if (!entered(ring, io_uring_submit(&ring->uring)) && ring->error == 0)
            io_uring_get_events(&ring->uring);
}

struct io_uring_sqe *wf_ring_sqe(wf_ring *ring)
{
    wf_ring_make_room(ring);
    return ring->error == 0 ? io_uring_get_sqe(&ring->uring) : &ring->nowhere;
}

uint64_t wf_ring_unseen(const wf_ring *ring, uint32_t nth)
{
    const struct io_uring_sq *sq = &ring->uring.sq;
    unsigned                  head = IO_URING_READ_ONCE(*sq->khead);

    return nth < sq->sqe_tail - head ? sq->sqes[(head + nth) & sq->ring_mask].user_data : 0;
}

/* The number of threads that is asked for beyond the need, so that few calls are made. */
#define STEP 16

/* If the kernel cannot create so many threads it uses fewer, and some operations wait longer. */
static void allow_threads(wf_ring *ring, uint32_t n_extra)
{
    /* The limits of bounded and unbounded threads. 0 leaves a limit unchanged. */
    unsigned most[2] = {0, 0};

    if (ring->n_most == 0 && io_uring_register_iowq_max_workers(&ring->uring, most) == 0)
        ring->n_most = most[0];
    if (ring->n_most == 0)
        return;
    most[0] = ring->n_most + n_extra;
    most[1] = 0;
    if (io_uring_register_iowq_max_workers(&ring->uring, most) == 0)
        ring->n_extra = n_extra;
}

void wf_ring_add_threads(wf_ring *ring, int n)
{
    WF_ASSERT(n >= 0 || ring->n_long >= (uint32_t)-n);
    ring->n_long += (uint32_t)n;
    if (ring->error < 0)
        return;
    if (ring->n_long > ring->n_extra)
        allow_threads(ring, ring->n_long + STEP);
    else if (ring->n_long == 0 && ring->n_extra > 0)
        allow_threads(ring, 0);
}

void wf_ring_flush(wf_ring *ring)
{
    if (ring->error == 0 && io_uring_sq_ready(&ring->uring) > 0)
        entered(ring, io_uring_submit(&ring->uring)); /* if it fails, the next enter submits */
}

/* Valgrind stops all threads while one of them is in io_uring_enter, but not while one is in ppoll.
 * So the reactor waits in ppoll. With WF_RING_DEFER_TASKRUN completions appear only when the
 * reactor enters, and that ppoll would never end. So wf_ring_open masks the feature under
 * valgrind. */
static int enter_under_valgrind(wf_ring *ring, const struct timespec *timeout)
{
    struct pollfd ready = {.fd = ring->uring.ring_fd, .events = POLLIN};

    io_uring_submit(&ring->uring);
    ppoll(&ready, 1, timeout, NULL);
    return io_uring_get_events(&ring->uring);
}

void wf_ring_enter(wf_ring *ring, int64_t until)
{
    struct __kernel_timespec timeout, *given = NULL;
    struct io_uring_cqe     *cqe;

    if (ring->error < 0)
        return;
    if (until == WF_DRIVER_NO_WAIT) {
        entered(ring, io_uring_submit_and_get_events(&ring->uring));
        return;
    }
    if (until != WEFT_FOREVER) {
        int64_t left = until - wf_now();

        left = left > 0 ? left : 0;
        timeout.tv_sec = left / 1000000000;
        timeout.tv_nsec = left % 1000000000;
        given = &timeout;
    }
    if (wf_memcheck_running()) {
        struct timespec limit = {.tv_sec = given ? timeout.tv_sec : 0,
                                 .tv_nsec = given ? timeout.tv_nsec : 0};

        entered(ring, enter_under_valgrind(ring, given ? &limit : NULL));
        return;
    }
    /* No error is handled here. The reactor collects what has come and enters again. */
    entered(ring, io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, given, NULL));
}

static bool has_deferred(const wf_ring *ring)
{
    return IO_URING_READ_ONCE(*ring->uring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

bool wf_ring_has_more(const wf_ring *ring)
{
    return ring->error == 0 && (has_deferred(ring) || io_uring_cq_ready(&ring->uring) > 0);
}

bool wf_ring_run_deferred(wf_ring *ring)
{
    if (ring->error < 0 || !has_deferred(ring))
        return false;
    return entered(ring, io_uring_get_events(&ring->uring));
}
