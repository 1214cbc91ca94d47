/*
 * files.c - threads that do what the ring would, where there is none
 *
 * Purpose     See files.h.
 * Threads     See files.h.
 * Invariants  See files.h.
 * Ordering    See files.h.
 * Failure     See files.h.
 */
#include "files.h"

#include "clock.h"
#include "descriptor.h"
#include "entry.h"
#include "executor.h"
#include "invariant.h"
#include "own.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SETS 16 /* waits that are taken at once */

enum { QUEUED, RUNNING, DONE };

void wf_files_init(wf_files *f, weft_runtime *rt, wf_driver *driver, wf_inbox *inbox)
{
    pthread_condattr_t monotonic;

    *f = (wf_files){.rt = rt,
                    .driver = driver,
                    .inbox = inbox,
                    .limit = (uint32_t)rt->config.file_threads,
                    .waits = -1};
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->work, &monotonic);
    pthread_cond_init(&f->gone, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static wf_file_job *pop_unused(wf_files *f)
{
    wf_file_job *job = f->unused;

    if (job)
        f->unused = job->next;
    return job;
}

void wf_files_stop(wf_files *f)
{
    pthread_mutex_lock(&f->lock);
    f->stopping = true;
    pthread_cond_broadcast(&f->work);
    while (f->n_threads > 0)
        pthread_cond_wait(&f->gone, &f->lock);
    WF_ASSERT(!f->first && f->n_queued == 0 && f->n_waiting == 0); /* L1 */
    pthread_mutex_unlock(&f->lock);
    if (f->has_left)
        pthread_join(f->left, NULL);
    for (wf_file_job *job; (job = pop_unused(f));)
        wf_release(&f->rt->config.allocator, job, sizeof *job);
    if (f->waits >= 0)
        close(f->waits);
    pthread_cond_destroy(&f->work);
    pthread_cond_destroy(&f->gone);
    pthread_mutex_destroy(&f->lock);
}

void wf_files_reserve(wf_files *f)
{
    wf_file_job *first = pop_unused(f), *job;

    while ((job = pop_unused(f)))
        wf_release(&f->rt->config.allocator, job, sizeof *job);
    if (!first)
        first = wf_alloc(&f->rt->config.allocator, sizeof *first);
    if (first)
        first->next = NULL;
    f->unused = first;
}

wf_file_job *wf_files_take(wf_files *f, weft_io *io)
{
    wf_file_job *job = pop_unused(f);

    if (job)
        *job =
            (wf_file_job){.io = io, .files = f, .interrupt = -1, .set = -1, .fd = -1, .fd_in = -1};
    return job;
}

void wf_files_give_back(wf_file_job *job)
{
    WF_ASSERT(job->state != RUNNING && !job->next && !job->prev); /* L1 */
    if (job->set >= 0)
        close(job->set);
    if (job->interrupt >= 0)
        close(job->interrupt);
    if (job->fd >= 0)
        close(job->fd);
    if (job->fd_in >= 0)
        close(job->fd_in);
    job->next = job->files->unused;
    job->files->unused = job;
}

static void come_back(wf_file_job *job)
{
    wf_files *f = job->files;

    wf_inbox_push_any(f->inbox, &job->back);
    wf_driver_hint(f->driver, WF_DRIVER_NOW);
}

/* ---- threads ---- */

static void enqueue(wf_files *f, wf_file_job *job)
{
    job->prev = f->last;
    if (f->last)
        f->last->next = job;
    else
        f->first = job;
    f->last = job;
    f->n_queued++;
}

static void dequeue(wf_files *f, wf_file_job *job)
{
    WF_ASSERT(job->state == QUEUED && f->n_queued > 0);              /* L1 */
    WF_ASSERT(job->prev ? job->prev->next == job : f->first == job); /* L1 */
    if (job->next)
        job->next->prev = job->prev;
    else
        f->last = job->prev;
    if (job->prev)
        job->prev->next = job->next;
    else
        f->first = job->next;
    job->next = job->prev = NULL;
    f->n_queued--;
}

/* The next job; NULL: the thread is to end. Under the lock. */
static wf_file_job *next_job(wf_files *f)
{
    int64_t         until = wf_now() + WEFT_MS(f->rt->config.blocking_keep_ms);
    struct timespec limit = {until / WEFT_S(1), until % WEFT_S(1)};
    int             r = 0;

    f->n_idle++;
    while (!f->first && !f->stopping && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&f->work, &f->lock, &limit);
    f->n_idle--;
    return f->first;
}

/* Under the lock, which it gives back meanwhile. */
static void run(wf_files *f, wf_file_job *job)
{
    dequeue(f, job);
    job->state = RUNNING;
    pthread_mutex_unlock(&f->lock);
    job->result = wf_entry_run(&job->sqe, job->interrupt);
    pthread_mutex_lock(&f->lock);
    job->state = DONE;
    WF_ASSERT(f->n_waiting >= job->waits); /* L4 */
    f->n_waiting -= job->waits;
    pthread_mutex_unlock(&f->lock);
    come_back(job);
    pthread_mutex_lock(&f->lock);
}

static void *thread_main(void *arg)
{
    wf_files    *f = arg;
    wf_file_job *job;
    pthread_t    before;
    bool         has_before;

    wf_thread_name("files");
    pthread_mutex_lock(&f->lock);
    while ((job = next_job(f)))
        run(f, job);
    before = f->left;
    has_before = f->has_left;
    f->left = pthread_self();
    f->has_left = true;
    if (--f->n_threads == 0)
        pthread_cond_broadcast(&f->gone);
    pthread_mutex_unlock(&f->lock);
    if (has_before) /* a chain: stopping joins the last of it */
        pthread_join(before, NULL);
    return NULL;
}

/* One more thread if jobs would wait without it. `n_others` is how many other jobs may wait. Under
 * the lock. -errno: those have all threads there are. */
static int provide_thread(wf_files *f, uint32_t n_others)
{
    pthread_t thread;
    int       r;

    if (f->n_idle > f->n_queued || f->n_threads >= f->limit + f->n_waiting)
        return 0;
    r = wf_thread_start(&thread, thread_main, f);
    f->n_threads += r == 0;
    return f->n_threads > n_others ? 0 : r;
}

/* Replaces the descriptor of an entry by a duplicate, or by -1 if it is not open: the system call
 * decides whether that matters. Returns 0 or -errno. */
static int hold(int *fd, int *ret_duplicate)
{
    *fd = *ret_duplicate = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return *fd < 0 && errno != EBADF ? -errno : 0;
}

/* As hold, but a terminal is opened once more, without blocking, because a write to a terminal may
 * wait although poll(2) reports room. The master of a pseudo terminal can't be opened again. */
static int hold_to_move(int *fd, int *ret_duplicate)
{
    int own = wf_own_kind(*fd) == WF_OWN_TERMINAL ? wf_descriptor(wf_own_open(*fd)) : -1;

    if (own < 0)
        return hold(fd, ret_duplicate);
    *fd = *ret_duplicate = own;
    return 0;
}

/* What may wait for another program can be ended, and outlives a close of its descriptors. 0 or
 * -errno. */
static int prepare_to_wait(wf_file_job *job)
{
    struct io_uring_sqe *sqe = &job->sqe;
    int                  r;

    job->waits = wf_entry_may_wait(sqe);
    if (!job->waits)
        return 0;
    job->interrupt = wf_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (job->interrupt < 0)
        return -errno;
    if (sqe->opcode == IORING_OP_SPLICE) {
        r = hold(&sqe->fd, &job->fd);
        return r < 0 ? r : hold(&sqe->splice_fd_in, &job->fd_in);
    }
    if (sqe->opcode != IORING_OP_OPENAT)
        return hold_to_move(&sqe->fd, &job->fd);
    return sqe->fd == AT_FDCWD ? 0 : hold(&sqe->fd, &job->fd);
}

static int begin_job(wf_file_job *job)
{
    wf_files *f = job->files;
    int       r = prepare_to_wait(job);

    if (r < 0)
        return r;
    pthread_mutex_lock(&f->lock);
    f->n_waiting += job->waits;
    r = provide_thread(f, f->n_waiting - job->waits);
    if (r == 0) {
        enqueue(f, job);
        pthread_cond_signal(&f->work);
    } else {
        f->n_waiting -= job->waits;
    }
    pthread_mutex_unlock(&f->lock);
    return r;
}

static bool cancel_job(wf_file_job *job)
{
    wf_files *f = job->files;
    uint64_t  one = 1;
    bool      withdrawn;

    pthread_mutex_lock(&f->lock);
    withdrawn = job->state == QUEUED;
    if (withdrawn) {
        dequeue(f, job);
        f->n_waiting -= job->waits;
    } else if (job->interrupt >= 0) {
        (void)!write(job->interrupt, &one, sizeof one);
    }
    pthread_mutex_unlock(&f->lock);
    return withdrawn;
}

/* ---- waits for descriptors ---- */

int wf_files_open_waits(wf_files *f)
{
    if (f->waits < 0)
        f->waits = wf_descriptor(epoll_create1(EPOLL_CLOEXEC));
    return f->waits < 0 ? -errno : 0;
}

static void wait_is_over(wf_file_job *job, int32_t result)
{
    WF_ASSERT(job->state == QUEUED && job->fd >= 0); /* L1 L3 */
    job->result = result;
    job->state = DONE;
    come_back(job);
}

/* A set of its own for each wait, since a set takes a descriptor once. Files have no readiness:
 * they are always ready, as for poll(2). */
static int begin_wait(wf_file_job *job)
{
    wf_files          *f = job->files;
    uint32_t           events = job->sqe.poll32_events;
    struct epoll_event event = {.events = events};
    struct epoll_event inner = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = job};

    if (wf_files_open_waits(f) < 0 ||
        (job->fd = fcntl(job->sqe.fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0 ||
        (job->set = wf_descriptor(epoll_create1(EPOLL_CLOEXEC))) < 0)
        return -errno;
    if (epoll_ctl(job->set, EPOLL_CTL_ADD, job->fd, &event) < 0) {
        if (errno != EPERM)
            return -errno;
        if (!(events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)))
            return -EINVAL; /* as the ring: the wait would not end */
        wait_is_over(job, (int32_t)(events & (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)));
        return 0;
    }
    return epoll_ctl(f->waits, EPOLL_CTL_ADD, job->set, &inner) < 0 ? -errno : 0;
}

void wf_files_take_waits(wf_files *f)
{
    struct epoll_event event[SETS], shown;
    int                n;

    if (f->waits < 0)
        return;
    n = epoll_wait(f->waits, event, SETS, 0);
    for (int i = 0; i < n; i++) {
        wf_file_job *job = event[i].data.ptr;

        if (job->state == QUEUED && epoll_wait(job->set, &shown, 1, 0) == 1) {
            epoll_ctl(f->waits, EPOLL_CTL_DEL, job->set, NULL);
            wait_is_over(job, (int32_t)shown.events);
        } else if (job->state == QUEUED) { /* what it showed has gone again */
            struct epoll_event again = {.events = EPOLLIN | EPOLLONESHOT, .data.ptr = job};

            epoll_ctl(f->waits, EPOLL_CTL_MOD, job->set, &again);
        }
    }
}

static bool cancel_wait(wf_file_job *job)
{
    if (job->state == DONE)
        return false;
    epoll_ctl(job->files->waits, EPOLL_CTL_DEL, job->set, NULL);
    return true;
}

/* ---- both ---- */

int wf_files_begin(wf_file_job *job)
{
    int r = job->sqe.opcode == IORING_OP_POLL_ADD ? begin_wait(job) : begin_job(job);

    if (r < 0)
        wf_files_give_back(job);
    return r;
}

bool wf_files_cancel(wf_file_job *job)
{
    bool withdrawn = job->sqe.opcode == IORING_OP_POLL_ADD ? cancel_wait(job) : cancel_job(job);

    if (withdrawn)
        wf_files_give_back(job);
    return withdrawn;
}
