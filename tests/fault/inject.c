/*
 * inject.c - runs a function in a process of its own and makes chosen system calls of it fail
 */
#include "inject.h"

#include "../test.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS (15 * 1000) /* the workload takes 50 */
#define TICK_MS  100

const char *const inject_kinds[KINDS] = {"main", "worker", "reactor", "monitor", "blocking"};

/* What the two processes share. */
typedef struct shared {
    int listener; /* the number it will have in the child; -1: not yet known, -2: can't be had */
    uint32_t go;  /* we listen */
    uint32_t armed;
    int64_t  n_failed;
} shared;

/* ---- the child ---- */

static int install(const int *numbers, int n)
{
    struct sock_filter code[CALLS_MAX + 3] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    struct sock_fprog program = {.len = (unsigned short)(n + 3), .filter = code};

    for (int i = 0; i < n; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)numbers[i],
                                                   (uint8_t)(n - i), 0);
    code[n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -2;
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

static void run_child(const int *numbers, int n, inject_body *body, shared *s, int output)
{
    int listener;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(output, STDERR_FILENO);
    close(output);
    listener =
        dup(STDERR_FILENO); /* the next one gets this number. Told before the filter is there: */
    close(listener);        /* a sanitizer maps memory where we write for the first time */
    __atomic_store_n(&s->listener, listener, __ATOMIC_RELEASE);
    if (install(numbers, n) < 0) {
        __atomic_store_n(&s->listener, -2, __ATOMIC_RELEASE);
        _exit(77);
    }
    while (!__atomic_load_n(&s->go, __ATOMIC_ACQUIRE))
        sched_yield();
    close(listener);
    if (!body(&s->armed, &s->n_failed))
        _exit(1);
    exit(0); /* and not _exit(): ASan looks for leaks there */
}

/* ---- ours ---- */

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void read_text(const char *path, char *ret, size_t size)
{
    FILE  *f = fopen(path, "re");
    size_t n = f ? fread(ret, 1, size - 1, f) : 0;

    ret[n] = '\0';
    ret[strcspn(ret, "\n")] = '\0';
    if (f)
        fclose(f);
}

static int kind_of(uint32_t tid)
{
    char path[64], name[32];

    snprintf(path, sizeof path, "/proc/%u/comm", tid);
    read_text(path, name, sizeof name);
    if (strcmp(name, "weft-reactor") == 0)
        return KIND_REACTOR;
    if (strcmp(name, "weft-monitor") == 0)
        return KIND_MONITOR;
    if (strcmp(name, "weft-blocking") == 0 || strcmp(name, "weft-dns") == 0)
        return KIND_BLOCKING;
    return strncmp(name, "weft-", 5) == 0 ? KIND_WORKER : KIND_MAIN;
}

static void show_threads(pid_t pid)
{
    char           path[64];
    DIR           *dir;
    struct dirent *entry;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        char file[128], name[32], call[128], state[64];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%.20s/comm", path, entry->d_name);
        read_text(file, name, sizeof name);
        snprintf(file, sizeof file, "%s/%.20s/syscall", path, entry->d_name);
        read_text(file, call, sizeof call);
        snprintf(file, sizeof file, "%s/%.20s/wchan", path, entry->d_name);
        read_text(file, state, sizeof state);
        fprintf(stderr, "    %s: %s, in %s\n", name, call, state);
    }
    if (dir)
        closedir(dir);
}

/* Whether it counts: futexes are woken without fail, and what is not weft's is left alone. */
static int call_of(const struct seccomp_data *data, const int *numbers, int n)
{
    int op = (int)(data->args[1] & FUTEX_CMD_MASK);

    if (data->nr == SYS_futex && op != FUTEX_WAIT && op != FUTEX_WAIT_BITSET)
        return -1;
    for (int i = 0; i < n; i++)
        if (numbers[i] == data->nr)
            return i;
    return -1;
}

static int decide(const struct seccomp_notif *call, const int *numbers, int n, const injection *in,
                  shared *s, verdict *v)
{
    int i = call_of(&call->data, numbers, n), kind, count;

    if (i < 0 || !__atomic_load_n(&s->armed, __ATOMIC_SEQ_CST))
        return 0;
    kind = kind_of(call->pid);
    count = ++v->counts[i][kind];
    if (in->first == 0 || i != in->call || kind != in->kind || count < in->first ||
        count >= in->first + in->n)
        return 0;
    v->n_injected++;
    return -in->error;
}

/* The child's next call; false: it has no more. */
static bool serve(int listener, const int *numbers, int n, const injection *in, shared *s,
                  verdict *v)
{
    union {
        struct seccomp_notif notif;
        char                 room[512]; /* of a kernel that knows more */
    } call = {0};
    union {
        struct seccomp_notif_resp resp;
        char                      room[512];
    } reply = {0};

    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return errno == ENOENT || errno == EINTR; /* it was interrupted meanwhile */
    reply.resp.id = call.notif.id;
    reply.resp.error = decide(&call.notif, numbers, n, in, s, v);
    if (reply.resp.error == 0)
        reply.resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
    return true;
}

static void supervise(pid_t pid, int pidfd, int listener, const int *numbers, int n,
                      const injection *in, shared *s, verdict *v)
{
    /* Before Linux 6.11 the listener tells of no end before the child has been waited for: its
     * pidfd does. */
    struct pollfd ready[2] = {{.fd = listener, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    int64_t       left = LIMIT_MS * test_slow(), then = now_ms(), now;
    int           status;

    for (; left > 0; then = now) {
        int r = poll(ready, 2, TICK_MS);

        if (r > 0 && (ready[0].revents & POLLHUP || (!ready[0].revents && ready[1].revents)))
            break;
        if (r > 0 && !serve(listener, numbers, n, in, s, v))
            break;
        now = now_ms(); /* both of us may have been stopped for longer */
        left -= now - then < 2 * TICK_MS ? now - then : 2 * TICK_MS;
    }
    v->ended = left > 0;
    if (!v->ended) {
        fprintf(stderr, "it hangs:\n");
        show_threads(pid);
        kill(pid, SIGKILL);
    }
    waitpid(pid, &status, 0);
    v->clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (WIFSIGNALED(status) && v->ended)
        fprintf(stderr, "it died: %s\n", strsignal(WTERMSIG(status)));
    v->n_failed = s->n_failed;
}

static int get_listener(int pidfd, shared *s)
{
    int number, fd = -1;

    while (fd < 0 && (number = __atomic_load_n(&s->listener, __ATOMIC_ACQUIRE)) != -2) {
        sched_yield();
        if (number < 0)
            continue;
        fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
        if (fd < 0 && errno != EBADF) /* else it has not come that far */
            break;
    }
    return fd;
}

static void show_output(int output)
{
    char    text[4096];
    ssize_t n;

    lseek(output, 0, SEEK_SET);
    while ((n = read(output, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)n, stderr);
}

void inject(const int *numbers, int n_numbers, const injection *injection, inject_body *body,
            verdict *ret)
{
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int     output = memfd_create("output", MFD_CLOEXEC), pidfd, listener;
    pid_t   pid;

    check(s != MAP_FAILED);
    check_cmp(output, >=, 0);
    memset(ret, 0, sizeof *ret);
    s->listener = -1;
    pid = fork();
    check_cmp(pid, >=, 0);
    if (pid == 0)
        run_child(numbers, n_numbers, body, s, output);
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    listener = get_listener(pidfd, s);
    if (listener < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        test_skip("no seccomp notifications here");
    }
    __atomic_store_n(&s->go, 1, __ATOMIC_RELEASE);
    supervise(pid, pidfd, listener, numbers, n_numbers, injection, s, ret);
    if (!ret->ended || !ret->clean)
        show_output(output);
    close(listener);
    close(pidfd);
    close(output);
    munmap(s, sizeof *s);
}
