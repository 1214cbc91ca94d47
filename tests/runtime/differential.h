/*
 * differential.h - runs an operation of weft and its system call in two equal worlds
 *
 * A world is a descriptor of some kind, with its file or its other end. The test compares the
 * result, or that the call waits. It also compares the bytes in the buffer; the descriptor's
 * position, flags and unread bytes; and the bytes that the file has now or that the other end got.
 * docs/operations.md lists where weft and the system call may differ.
 */
#ifndef DIFFERENTIAL_H
#define DIFFERENTIAL_H

#include "../sockets.h"

#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/utsname.h>

#define WAITS INT64_MIN /* the call would wait for another program */

/* Seconds that a case may take. It sleeps and is woken thousands of times. Where other programs
 * have the CPUs, each time costs tens of ms, and the usual limit ended cases that did not hang. */
#define MANY_WAITS 600

/* ---- what has come of a call ---- */

typedef struct outcome {
    int64_t  result, position, flags, unread;
    uint64_t buffer, content, peer; /* hashes */
} outcome;

static inline uint64_t hash(uint64_t h, const void *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        h = (h ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* The first field that differs, or NULL. */
static inline const char *difference(const outcome *a, const outcome *b)
{
    return a->result != b->result       ? "result"
           : a->position != b->position ? "position"
           : a->flags != b->flags       ? "flags"
           : a->unread != b->unread     ? "unread bytes"
           : a->buffer != b->buffer     ? "buffer"
           : a->content != b->content   ? "content"
           : a->peer != b->peer         ? "other end"
                                        : NULL;
}

/* ---- worlds ---- */

typedef struct world {
    int fd;
    int peer;    /* the other end, or -1 */
    int content; /* the file, for a look at its bytes, or -1 */
} world;

static inline uint64_t hash_content(int fd)
{
    static char bytes[1 << 16];
    uint64_t    h = 0;
    ssize_t     n;

    for (off_t at = 0; fd >= 0 && (n = pread(fd, bytes, sizeof bytes, at)) > 0; at += n)
        h = hash(h + 1, bytes, (size_t)n);
    return h;
}

/* All that the other end got; `least` bytes are waited for. */
static inline uint64_t hash_peer(int fd, int64_t least)
{
    static char bytes[1 << 16];
    uint64_t    h = 0;
    ssize_t     n;

    while (fd >= 0 && poll(&(struct pollfd){fd, POLLIN, 0}, 1, least > 0 ? 5000 : 0) > 0) {
        if ((n = read(fd, bytes, sizeof bytes)) <= 0)
            break;
        h = hash(h, bytes, (size_t)n);
        least -= n;
    }
    return h;
}

static inline void look(const world *w, int64_t result, int64_t sent, const char *buffer,
                        size_t size, outcome *ret)
{
    int unread = 0;

    *ret = (outcome){.result = result};
    ret->position = lseek(w->fd, 0, SEEK_CUR);
    ret->flags = fcntl(w->fd, F_GETFL);
    ret->unread = ioctl(w->fd, FIONREAD, &unread) < 0 ? -1 : unread;
    ret->buffer = hash(0, buffer, size);
    ret->content = hash_content(w->content);
    ret->peer = hash_peer(w->peer, sent);
}

/* ---- calls that may wait ---- */

/* Ticks since they were set. It is atomic because a worker may run the handler. Workers have the
 * signal mask of the thread that started the runtime. The kernel prefers the main thread, but gives
 * a tick to a worker while the main thread is still in the handler of the tick before. */
static atomic_int n_ticks;

static inline void on_tick(int signal)
{
    (void)signal; /* it interrupts a call that waits */
    n_ticks++;
}

/* Until it is called with 0, calls that wait end with -EINTR after a while. */
static inline void set_tick(int ms)
{
    struct sigaction action = {.sa_handler = on_tick};
    struct itimerval tick = {{ms / 1000, ms % 1000 * 1000}, {ms / 1000, ms % 1000 * 1000}};

    if (ms > 0)
        n_ticks = 0;
    check_eq(sigaction(SIGALRM, &action, NULL), 0);
    check_eq(setitimer(ITIMER_REAL, &tick, NULL), 0);
}

/* The system call's result, in the form in which weft returns it. */
static inline int64_t answer(int64_t r)
{
    return r >= 0 ? r : errno == EINTR ? WAITS : -errno;
}

/* How long a call that waits is left waiting, in ms. On a busy machine a thread may need longer for
 * what it can do before it waits. */
static int patience_ms = 1;
static int patience_most_ms =
    1000; /* 1 where differences are wanted, and need not be tried again */

/* Whether a tick may have interrupted the system call earlier than weft: it waits, or a long read
 * of /dev/zero ends in its middle. Then both are tried again with more patience, which this
 * function raises, three times at most. */
static inline bool needs_patience(const outcome *plain, const outcome *weft)
{
    if (n_ticks == 0 || !difference(plain, weft) || patience_ms >= patience_most_ms) {
        patience_ms = 1;
        return false;
    }
    patience_ms *= 10;
    return true;
}

/* Returns WAITS if the future does not end: soon where the system call waits, else after 2 s, when
 * it must hang. */
static inline int64_t run_weft(weft_runtime *rt, weft_future *future, bool waits)
{
    struct weft_timeout limit;
    int64_t             r;

    r = weft_block_on(rt,
                      weft_timeout(&limit, future, waits ? WEFT_MS(3 * patience_ms) : WEFT_S(2)));
    return r == -ETIMEDOUT ? WAITS : r;
}

/* ---- the list of differences ---- */

typedef struct listed {
    char text[1024];
    int  n_used;
} listed;

static listed list[64];
static int    n_listed;

/* Rows `| kinds | arguments | operations | ... |` below the page's heading that has the test's
 * name; names are in backquotes. */
static inline void read_list(const char *test)
{
    FILE *f = fopen(OPERATIONS_PAGE, "re");
    char  line[1024];
    bool  in_list = false;

    check(f != NULL);
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#')
            in_list = strstr(line, test) != NULL;
        else if (in_list && strncmp(line, "| `", 3) == 0) {
            check_cmp(n_listed, <, 64);
            snprintf(list[n_listed++].text, sizeof list->text, "%s", line);
        }
    }
    fclose(f);
}

/* The list was made on newer kernels. On Linux 6.1 some rows do not differ. */
static inline bool is_kernel_of_list(void)
{
    struct utsname name;
    int            major = 0, minor = 0;

    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 12));
}

/* Each row must have been used, but for those of older kernels. Some rows are the ring's: without
 * it the operation is the system call. */
static inline void check_list(weft_runtime *rt)
{
    if (weft_runtime_backend(rt) != WEFT_BACKEND_URING || !is_kernel_of_list())
        return;
    for (int i = 0; i < n_listed; i++)
        if (list[i].n_used == 0 && !strstr(list[i].text, "only before Linux"))
            test_fail(__FILE__, __LINE__, "no case differs as listed: %s", list[i].text);
}

/* Whether the nth cell of the row has the name, or `any`, in backquotes. */
static inline bool has_name(const char *row, int nth, const char *name)
{
    char        quoted[320];
    const char *end, *found;

    snprintf(quoted, sizeof quoted, "`%s`", name);
    while (nth-- >= 0)
        row = strchr(row, '|') + 1;
    end = strchr(row, '|');
    found = strstr(row, quoted);
    if (!found || found > end)
        found = strstr(row, "`any`");
    return found && found < end;
}

/* A kind may have several names, "socket|O_NONBLOCK": a row may list any of them. */
static inline bool has_kind(const char *row, const char *kind)
{
    char names[160], *rest = names, *name;
    bool has = false;

    snprintf(names, sizeof names, "%s", kind);
    while ((name = strsep(&rest, "|")))
        has |= has_name(row, 0, name);
    return has;
}

static inline bool lists(const listed *row, const char *kind, const char *argument,
                         const char *operation)
{
    return has_kind(row->text, kind) && has_name(row->text, 1, argument) &&
           has_name(row->text, 2, operation);
}

/* Whether a word of the text is this number. */
static inline bool has_number(const char *text, int64_t number)
{
    for (; *text; text++)
        if (text[0] == ' ' && text[1] >= '0' && text[1] <= '9' && atoll(text + 1) == number)
            return true;
    return false;
}

/* Whether the nth cell of the row names the result: "-EBADF", "waits", "0", "a count". */
static inline bool tells(const char *row, int nth, int64_t result)
{
    static const struct {
        int         code;
        const char *name;
    } errors[] = {
        {EAGAIN, "-EAGAIN"},         {EBADF, "-EBADF"},   {ECONNREFUSED, "-ECONNREFUSED"},
        {EINVAL, "-EINVAL"},         {EMFILE, "-EMFILE"}, {ENOTCONN, "-ENOTCONN"},
        {ENOTSOCK, "-ENOTSOCK"},     {EPIPE, "-EPIPE"},   {ESPIPE, "-ESPIPE"},
        {EOPNOTSUPP, "-EOPNOTSUPP"},
    };
    char cell[512] = "";

    while (nth-- >= 0)
        row = strchr(row, '|') + 1;
    sscanf(row, "%511[^|]", cell);
    if (result == WAITS)
        return strstr(cell, "waits");
    if (result >= 0)
        return strstr(cell, "a count") || has_number(cell, result);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].code == -result)
            return strstr(cell, errors[i].name);
    return false;
}

/* Whether weft may wait where the system call gave this result. */
static inline bool may_wait(const char *kind, const char *argument, const char *operation,
                            int64_t result)
{
    bool may = result == WAITS;

    for (int i = 0; i < n_listed; i++)
        may |= lists(&list[i], kind, argument, operation) && tells(list[i].text, 4, WAITS);
    return may;
}

/* Set where a case's own system calls are wrong, so that it wants differences. Hundreds of lines
 * about these would hide the line of a difference that another case has found. */
static bool wants_differences;

/* 1 and a line on standard error if the outcomes differ and no row says so. */
static inline int compare(const char *kind, const char *argument, const char *operation,
                          const outcome *plain, const outcome *weft)
{
    const char *field = difference(plain, weft);
    listed     *row = NULL;

    for (int i = 0; field && i < n_listed; i++)
        if (lists(&list[i], kind, argument, operation) && tells(list[i].text, 3, plain->result) &&
            tells(list[i].text, 4, weft->result))
            row = &list[i];
    if (row)
        row->n_used++;
    if (!field || row)
        return 0;
    if (!wants_differences)
        fprintf(stderr,
                "%s of %s, %s: %s differs: %" PRId64 " is the system call's result, %" PRId64
                " weft's\n",
                operation, kind, argument, field, plain->result, weft->result);
    return 1;
}

#endif
