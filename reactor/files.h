/*
 * files.h - threads that do what the ring would, where there is none
 *
 * Purpose     Runs the entries that operations on files and paths have prepared, by system calls,
 *             on threads of their own; and waits for descriptors (weft_fd_ready) in an epoll set.
 * Threads     The reactor's thread gives, cancels and takes back. The threads here run entries.
 * Invariants  L1 a job is QUEUED, then RUNNING, then DONE, or it is withdrawn while it is QUEUED.
 *             L2 a job that is done comes back by the reactor's inbox, so the reactor's sleep can't
 *             miss it. L3 what waits for a descriptor holds a duplicate of it, as the ring holds
 *             its file. L4 jobs that may wait for another process (`waits`) get threads beyond the
 *             limit: they hold up no other.
 * Ordering    The mutex; [inbox-1] on the way back.
 * Failure     Without a thread, memory or a descriptor the operation answers -EAGAIN, -ENOMEM,
 *             -EMFILE.
 */
#ifndef WF_FILES_H
#define WF_FILES_H

#include "driver.h"
#include "inbox.h"
#include "rt.h"

#include <liburing.h>
#include <pthread.h>
#include <weft/net.h>

typedef struct wf_file_job {
    wf_submission       back; /* to the reactor */
    struct wf_file_job *next, *prev;
    weft_io            *io;
    struct wf_files    *files;
    int32_t             result;
    uint8_t             state;
    bool                waits;
    int                 interrupt; /* ends a wait for another program; -1: it does not wait */
    int                 set;       /* of a wait for a descriptor: an epoll set with it, or -1 */
    int                 fd;        /* a duplicate of the descriptor while it is waited for, or -1 */
    int                 fd_in;     /* of a splice that waits: a duplicate of the source, or -1 */
    struct io_uring_sqe sqe;
} wf_file_job;

typedef struct wf_files {
    weft_runtime *rt; /* constant */
    wf_driver    *driver;
    wf_inbox     *inbox;
    uint32_t      limit;
    /* -- the reactor's thread -- */
    int          waits;  /* an epoll set of the sets of jobs; -1: none yet */
    wf_file_job *unused; /* reserved, and ended ones; a list by `next` */
    /* -- the lock's -- */
    pthread_mutex_t lock;
    pthread_cond_t  work, gone;
    wf_file_job    *first, *last;
    uint32_t        n_threads, n_idle, n_queued;
    uint32_t        n_waiting; /* jobs with `waits`, queued or running */
    bool            stopping;
    bool            has_left; /* `left` is the thread that ended last, to be joined */
    pthread_t       left;
} wf_files;

void wf_files_init(wf_files *f, weft_runtime *rt, wf_driver *driver, wf_inbox *inbox);
/* Ends the threads; nothing is under way any more. */
void wf_files_stop(wf_files *f);

/* Sees to memory for one job, if there is any, and frees what is not needed. It calls the
 * allocator, so the caller holds no lock. */
void wf_files_reserve(wf_files *f);
/* Takes the reserved job for the operation, whose entry is to be prepared in job->sqe. NULL: memory
 * is short. */
wf_file_job *wf_files_take(wf_files *f, weft_io *io);
/* Begins it. 0; -errno, and the job is gone: no thread, no descriptor. `back.take` gets it when it
 * is done. */
int wf_files_begin(wf_file_job *job);
/* True: it was withdrawn and is gone. False: it ends soon, and comes back. */
bool wf_files_cancel(wf_file_job *job);
/* The job has ended. Its memory serves the next one. */
void wf_files_give_back(wf_file_job *job);

/* Opens the set of waits, which is opened at the first of them otherwise. 0 or -errno. */
int wf_files_open_waits(wf_files *f);
/* Takes the waits that are over: each comes back by the inbox. The reactor's thread. */
void wf_files_take_waits(wf_files *f);

#endif
