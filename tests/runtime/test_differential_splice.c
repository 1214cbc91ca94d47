/*
 * test_differential_splice.c - weft_splice does and returns what splice(2) does, between any two
 * kinds of descriptors
 */
#include "differential_kinds.h"

/* ---- the call ---- */

#define MANY (300 << 10) /* more than a pipe has room for */

typedef struct argument {
    const char *name;
    size_t      size;
    int64_t     in, out; /* offsets */
    unsigned    flags;
} argument;

static const argument arguments[] = {
    {"5 bytes", 5, -1, -1, 0},
    {"0 bytes", 0, -1, -1, 0},
    {"many bytes", MANY, -1, -1, 0},
    {"3 GiB", (size_t)3 << 30, -1, -1, 0},
    {"5 bytes from an offset", 5, 7, -1, 0},
    {"5 bytes to an offset", 5, -1, 7, 0},
    {"5 bytes from and to an offset", 5, 7, 7, 0},
    {"5 bytes past the end", 5, 5000, -1, 0},
    {"0 bytes from an offset", 0, 7, -1, 0},
    {"5 bytes from a negative offset", 5, -2, -1, 0},
    {"5 bytes to a negative offset", 5, -1, -2, 0},
    {"5 bytes from the largest offset", 5, INT64_MAX, -1, 0},
    {"5 bytes to the largest offset", 5, -1, INT64_MAX, 0},
    {"5 bytes, not waiting", 5, -1, -1, SPLICE_F_NONBLOCK},
    {"5 bytes, unknown flag", 5, -1, -1, 0x100},
    {"0 bytes, unknown flag", 0, -1, -1, 0x100},
};

/* Where the bytes of `in` go. */
typedef enum way { TO_ANOTHER, TO_ITSELF, TO_ITS_PEER } way;

typedef struct both {
    world in, out;
    int   fd; /* to which */
} both;

static both make(size_t in, size_t out, way where)
{
    both b = {.in = kinds[in].make(), .out = {-1, -1, -1}};

    if (where == TO_ANOTHER)
        b.out = kinds[out].make();
    b.fd = where == TO_ANOTHER ? b.out.fd : where == TO_ITSELF ? b.in.fd : b.in.peer;
    return b;
}

/* Notes the state of both ends. */
static void look_at(both *b, int64_t r, outcome ret[2])
{
    int64_t sent = r > 0 && r < 1000 ? r : 0;

    look(&b->out, r, sent, NULL, 0, &ret[1]);
    look(&b->in, r, 0, NULL, 0, &ret[0]);
    let_go(&b->in);
    let_go(&b->out);
}

typedef int64_t plain_splice(int in, loff_t *at_in, int out, loff_t *at_out, size_t size,
                             unsigned flags);

static int64_t the_call(int in, loff_t *at_in, int out, loff_t *at_out, size_t size, unsigned flags)
{
    return answer(splice(in, at_in, out, at_out, size, flags));
}

static void run_plain(plain_splice *call, both b, const argument *a, outcome ret[2])
{
    loff_t  in = a->in, out = a->out;
    int64_t r;

    set_tick(patience_ms);
    r = call(b.in.fd, in == -1 ? NULL : &in, b.fd, out == -1 ? NULL : &out, a->size, a->flags);
    set_tick(0);
    look_at(&b, r, ret);
}

static void run_by_weft(weft_runtime *rt, both b, const argument *a, bool waits, outcome ret[2])
{
    weft_io io;
    int64_t r =
        run_weft(rt, weft_splice(&io, b.in.fd, a->in, b.fd, a->out, a->size, a->flags), waits);

    look_at(&b, r, ret);
}

/* ---- running it ---- */

/* 1 if the outcomes differ and no row says so. */
static int try(weft_runtime *rt, plain_splice *call, size_t in, size_t out, way where,
               const argument *a)
{
    static const char *const ways[] = {"", "itself", "its other end"};
    char                     name[96];
    outcome                  plain[2], weft[2];
    int                      end; /* the one that differs, if one does */

    snprintf(name, sizeof name, "from %s|to %s", kinds[in].name,
             where == TO_ANOTHER ? kinds[out].name : ways[where]);
    do {
        run_plain(call, make(in, out, where), a, plain);
        run_by_weft(rt, make(in, out, where), a,
                    may_wait(name, a->name, "weft_splice", plain->result), weft);
        end = difference(&plain[0], &weft[0]) ? 0 : 1;
    } while (needs_patience(&plain[end], &weft[end]));
    return compare(name, a->name, "weft_splice", &plain[0], &weft[0]) ||
           compare(name, a->name, "weft_splice", &plain[1], &weft[1]);
}

#define N_KINDS     (sizeof kinds / sizeof *kinds)
#define N_ARGUMENTS (sizeof arguments / sizeof *arguments)

/* Some say no more here than others do. */
static bool is_tried(size_t kind)
{
    static const char *const others[] = {"read-only file",  "write-only file", "O_APPEND file",
                                         "full pipe",       "ended pipe",      "ended socket",
                                         "datagram socket", "empty terminal"};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(others[i], kinds[kind].name) == 0)
            return false;
    return true;
}

static bool is_pipe(size_t kind)
{
    return strstr(kinds[kind].name, "pipe") || strstr(kinds[kind].name, "FIFO");
}

/* Of two errors, either may be returned. Without the ring weft waits for a socket first. */
static bool is_unclear(weft_runtime *rt, size_t in, size_t out, const argument *a)
{
    bool by_ring = weft_runtime_backend(rt) == WEFT_BACKEND_URING;

    return (a->flags > 0xf && strcmp(kinds[out].name, "closed") == 0) ||
           (!by_ring && strcmp(kinds[in].name, "empty socket") == 0 &&
            (a->flags & SPLICE_F_NONBLOCK || strstr(kinds[out].name, "broken") ||
             strstr(kinds[out].name, "full")));
}

static int run_from(weft_runtime *rt, plain_splice *call, size_t in, const argument *a)
{
    int n_bad = 0;

    for (size_t out = 0; out < N_KINDS; out++)
        if (is_tried(out) && (is_pipe(in) || is_pipe(out) || a < arguments + 2) &&
            !is_unclear(rt, in, out, a))
            n_bad += try(rt, call, in, out, TO_ANOTHER, a);
    n_bad += try(rt, call, in, in, TO_ITSELF, a);
    if ((is_pipe(in) || a < arguments + 2) && a->flags <= 0xf)
        n_bad += try(rt, call, in, in, TO_ITS_PEER, a);
    return n_bad;
}

/* How many cases differ and are not listed. */
static int run(weft_runtime *rt, plain_splice *call)
{
    int n_bad = 0;

    for (size_t in = 0; in < N_KINDS; in++)
        for (size_t i = 0; is_tried(in) && i < N_ARGUMENTS; i++)
            n_bad += run_from(rt, call, in, &arguments[i]);
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_splice.c`");
    signal(SIGPIPE, SIG_IGN);
    return start(1);
}

Test(differential_splice, it_does_what_the_system_call_does, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();
    int           n = n_fds();

    check_eq(run(rt, the_call), 0);
    check_eq(n_fds(), n);
    check_list(rt);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

static int64_t another_result(int in, loff_t *at_in, int out, loff_t *at_out, size_t size,
                              unsigned flags)
{
    int64_t n = the_call(in, at_in, out, at_out, size, flags);

    return n == -EINVAL ? -ESPIPE : n;
}

static int64_t another_offset(int in, loff_t *at_in, int out, loff_t *at_out, size_t size,
                              unsigned flags)
{
    if (at_out)
        *at_out += 1;
    return the_call(in, at_in, out, at_out, size, flags);
}

static int64_t fewer_bytes(int in, loff_t *at_in, int out, loff_t *at_out, size_t size,
                           unsigned flags)
{
    int64_t n = the_call(in, at_in, out, at_out, size > 0 ? size - 1 : 0, flags);

    return n > 0 ? n + 1 : n;
}

static size_t kind(const char *name)
{
    size_t i = 0;

    while (strcmp(kinds[i].name, name) != 0)
        i++;
    return i;
}

Test(differential_splice, a_difference_is_seen, .timeout = MANY_WAITS)
{
    const argument     *to_an_offset = &arguments[5];
    plain_splice *const wrong[] = {another_result, another_offset, fewer_bytes};
    weft_runtime       *rt = begin();

    wants_differences = true;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int n = run_from(rt, wrong[i], kind("file"), arguments);

        n += run_from(rt, wrong[i], kind("pipe"), to_an_offset);
        check_cmp(n, >, 0);
    }
    stop(rt);
}
