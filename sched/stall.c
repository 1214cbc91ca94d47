/* stall.c - see stall.h */
#include "stall.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __GLIBC__

typedef struct stall {
    uintptr_t mutex;
    pid_t     holder; /* the kernel's number of the thread that has locked it */
} stall;

/* Reads a small file of the thread's folder in /proc. Returns its length, or -1. */
static ssize_t read_file(pid_t thread, const char *name, char *text, size_t size)
{
    char    path[64];
    ssize_t n = -1;
    int     fd;

    snprintf(path, sizeof path, "/proc/self/task/%d/%s", (int)thread, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, size - 1);
        close(fd);
    }
    text[n > 0 ? n : 0] = 0;
    return n;
}

static bool exists(pid_t thread)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%d", (int)thread);
    return thread > 0 && access(path, F_OK) == 0;
}

/* The file begins with the number of the system call in which the thread sleeps and its arguments.
 * pthread_mutex_lock waits by FUTEX_WAIT. The other waits of glibc use FUTEX_WAIT_BITSET. */
static bool waits_in_lock(pid_t thread, uintptr_t *ret_word)
{
    char      text[256];
    long      number;
    uintptr_t word;
    unsigned  operation;

    if (read_file(thread, "syscall", text, sizeof text) <= 0 ||
        sscanf(text, "%ld 0x%" SCNxPTR " 0x%x", &number, &word, &operation) != 3)
        return false;
    *ret_word = word;
    operation &= FUTEX_CMD_MASK;
    return number == SYS_futex && (operation == FUTEX_WAIT || operation == FUTEX_LOCK_PI);
}

/* The kernel copies the mutex, since the thread may have left it and freed its memory. Something
 * else than a mutex of glibc has hardly the number of a thread where a mutex has its holder. */
static bool find_stall(pid_t thread, stall *ret)
{
    pthread_mutex_t copy;
    uintptr_t       word;
    struct iovec    from, to = {&copy, sizeof copy};

    if (!waits_in_lock(thread, &word))
        return false;
    from = (struct iovec){(void *)word, sizeof copy};
    if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)sizeof copy ||
        !exists(copy.__data.__owner))
        return false;
    *ret = (stall){word, copy.__data.__owner};
    return true;
}

/* "worker 1", or the thread's number and name. */
static void name_thread(const wf_executor *s, pid_t thread, char *text, size_t size)
{
    char name[32];

    for (uint32_t i = 0; i < s->idle.n_slots; i++)
        if (wf_load(&s->workers[i]->kernel_id, RELAXED) == thread) { /* it stays as it is */
            snprintf(text, size, "worker %u", i);
            return;
        }
    read_file(thread, "comm", name, sizeof name);
    name[strcspn(name, "\n")] = 0;
    snprintf(text, size, "thread %d (%s)", (int)thread, name);
}

bool wf_stall_text(const wf_executor *s, const wf_worker *w, char text[WF_STALL_TEXT])
{
    pid_t thread = wf_load(&w->kernel_id, RELAXED); /* it stays as it is */
    char  holder[64];
    stall found;

    if (thread == 0 || !find_stall(thread, &found))
        return false;
    name_thread(s, found.holder, holder, sizeof holder);
    snprintf(
        text, WF_STALL_TEXT,
        "it waits for the pthread_mutex_t at %p, which %s has locked; a task that holds a mutex "
        "across an await needs weft_mutex",
        (void *)found.mutex, found.holder == thread ? "this worker itself" : holder);
    return true;
}

#else

bool wf_stall_text(const wf_executor *s, const wf_worker *w, char text[WF_STALL_TEXT])
{
    (void)s;
    (void)w;
    (void)text;
    return false;
}

#endif
