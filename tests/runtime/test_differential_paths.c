/*
 * test_differential_paths.c - an operation on a path does and returns what its system call does
 */
#include "differential.h"
#include "libc.h"

#include <fcntl.h>

/* ---- a directory, made alike for each try ---- */

typedef struct tree {
    char path[32];
    int  dir;
} tree;

#define INSIDE "/tree"

static tree make_tree(void)
{
    tree t = {.path = "/tmp/weft-test-XXXXXX"};
    int  fd;

    check(mkdtemp(t.path) != NULL);
    strcat(t.path, INSIDE); /* what others do in /tmp is not seen by ".." */
    check_eq(mkdir(t.path, 0700), 0);
    t.dir = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fd = openat(t.dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    check_eq(write(fd, "0123456789", 10), 10);
    close(fd);
    check_eq(mkdirat(t.dir, "empty", 0700), 0);
    check_eq(mkdirat(t.dir, "full", 0700), 0);
    check_eq(mkdirat(t.dir, "full/inner", 0700), 0);
    check_eq(symlinkat("file", t.dir, "link"), 0);
    check_eq(symlinkat("none", t.dir, "dangling"), 0);
    check_eq(symlinkat("loop", t.dir, "loop"), 0);
    check_eq(mkfifoat(t.dir, "fifo", 0600), 0);
    return t;
}

static const char *const names[] = {"full/inner", "full/new", "empty/new", "file", "empty", "full",
                                    "link",       "dangling", "loop",      "fifo", "new",   "none"};

/* A hash of the present state of the tree. */
static uint64_t hash_tree(const tree *t)
{
    uint64_t h = 0;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct stat st = {0};
        char        text[64];
        ssize_t     n = readlinkat(t->dir, names[i], text, sizeof text);

        if (fstatat(t->dir, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        h = hash(h, names[i], strlen(names[i]));
        h = hash(h, text, n > 0 ? (size_t)n : 0);
        h = hash(h, &st.st_mode, sizeof st.st_mode);
        h = hash(h, &st.st_nlink, sizeof st.st_nlink);
        if (S_ISREG(st.st_mode))
            h = hash(h, &st.st_size, sizeof st.st_size);
    }
    return h;
}

static void remove_tree(tree *t)
{
    static const char *const inside[] = {"/inner", "/new", ""}; /* of what any of them has become */
    char                     name[64];

    for (size_t i = 0; i < 3 * sizeof names / sizeof *names; i++) {
        snprintf(name, sizeof name, "%s%s", names[i / 3], inside[i % 3]);
        if (unlinkat(t->dir, name, 0) < 0)
            unlinkat(t->dir, name, AT_REMOVEDIR);
    }
    close(t->dir);
    check_eq(rmdir(t->path), 0);
    t->path[strlen(t->path) - strlen(INSIDE)] = '\0';
    check_eq(rmdir(t->path), 0);
}

/* ---- operations ---- */

typedef struct operation {
    const char *name;
    int64_t (*plain)(int dir, const char *path, const char *other, int flags, struct statx *st);
    weft_future *(*weft)(weft_io *io, int dir, const char *path, const char *other, int flags,
                         struct statx *st);
    const int *flags; /* ended by -1 */
    bool       two, opens;
} operation;

#define OPERATION(name, plain, weft)                                                               \
    static int64_t plain_##name(int dir, const char *path, const char *other, int flags,           \
                                struct statx *st)                                                  \
    {                                                                                              \
        (void)other, (void)flags, (void)st;                                                        \
        return answer(plain);                                                                      \
    }                                                                                              \
    static weft_future *weft_##name(weft_io *io, int dir, const char *path, const char *other,     \
                                    int flags, struct statx *st)                                   \
    {                                                                                              \
        (void)other, (void)flags, (void)st;                                                        \
        return weft;                                                                               \
    }
#define SEEN (STATX_TYPE | STATX_MODE | STATX_SIZE | STATX_NLINK)

OPERATION(open_, openat(dir, path, flags | O_CLOEXEC, 0640),
          weft_file_open_at(io, dir, path, flags, 0640))
OPERATION(stat_, statx(dir, path, flags, SEEN, st), weft_path_stat(io, dir, path, flags, SEEN, st))
OPERATION(unlink_, unlinkat(dir, path, flags), weft_path_unlink(io, dir, path, flags))
OPERATION(make_dir_, mkdirat(dir, path, (mode_t)flags),
          weft_path_make_dir(io, dir, path, (unsigned)flags))
OPERATION(symlink_, symlinkat("target", dir, path), weft_path_symlink(io, "target", dir, path))
OPERATION(rename_, syscall(SYS_renameat2, dir, path, dir, other, flags),
          weft_path_rename(io, dir, path, dir, other, (unsigned)flags))
OPERATION(link_, linkat(dir, path, dir, other, flags),
          weft_path_link(io, dir, path, dir, other, flags))

static const int open_flags[] = {O_RDONLY,
                                 O_WRONLY,
                                 O_RDWR,
                                 O_RDONLY | O_NONBLOCK,
                                 O_WRONLY | O_NONBLOCK,
                                 O_WRONLY | O_APPEND,
                                 O_WRONLY | O_TRUNC,
                                 O_RDONLY | O_CREAT,
                                 O_WRONLY | O_CREAT | O_EXCL,
                                 O_RDONLY | O_DIRECTORY,
                                 O_RDONLY | O_NOFOLLOW,
                                 O_PATH,
                                 O_PATH | O_NOFOLLOW,
                                 O_RDWR | O_TMPFILE,
                                 O_ACCMODE,
                                 -1};
static const int stat_flags[] = {0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, -1};
static const int unlink_flags[] = {0, AT_REMOVEDIR, 0x40000, -1};
static const int modes[] = {0700, 0, 01777, -1};
static const int zero[] = {0, -1};
static const int rename_flags[] = {0, 1 /* RENAME_NOREPLACE */, 2 /* RENAME_EXCHANGE */, -1};
static const int link_flags[] = {0, AT_SYMLINK_FOLLOW, -1};

static const operation operations[] = {
    {"weft_file_open_at", plain_open_, weft_open_, open_flags, false, true},
    {"weft_path_stat", plain_stat_, weft_stat_, stat_flags, false, false},
    {"weft_path_unlink", plain_unlink_, weft_unlink_, unlink_flags, false, false},
    {"weft_path_make_dir", plain_make_dir_, weft_make_dir_, modes, false, false},
    {"weft_path_symlink", plain_symlink_, weft_symlink_, zero, false, false},
    {"weft_path_rename", plain_rename_, weft_rename_, rename_flags, true, false},
    {"weft_path_link", plain_link_, weft_link_, link_flags, true, false},
};

static char long_name[300];

static const char *const paths[] = {"file", "empty", "full",   "link",      "dangling", "loop",
                                    "fifo", "new",   "file/x", "empty/new", "empty/",   "file/",
                                    ".",    "..",    "/",      "",          long_name};
static const char *const others[] = {"new", "file", "empty", "full", "link", "file/x", "full/new"};

/* Notes what the tree does not show: the file that was opened, and the status that was returned. */
static void look_at(const operation *op, int64_t r, const struct statx *st, const tree *t,
                    outcome *ret)
{
    *ret = (outcome){.result = r, .content = hash_tree(t)};
    if (op->opens && r >= 0) {
        struct stat opened;

        check_eq(fstat((int)r, &opened), 0);
        ret->result = opened.st_mode;
        ret->flags = fcntl((int)r, F_GETFL);
        ret->unread = fcntl((int)r, F_GETFD);
        ret->position = lseek((int)r, 0, SEEK_CUR);
        close((int)r);
    }
    ret->buffer = hash(hash(st->stx_mode, &st->stx_size, sizeof st->stx_size), &st->stx_nlink,
                       sizeof st->stx_nlink);
}

static int try(weft_runtime *rt, const operation *op, const char *path, const char *other,
               int flags)
{
    tree         a, b;
    struct statx st;
    char         argument[64];
    outcome      plain, weft;
    int64_t      r;
    weft_io      io;

    do {
        a = make_tree(), b = make_tree();
        st = (struct statx){0};
        set_tick(patience_ms);
        r = op->plain(a.dir, path, other, flags, &st);
        set_tick(0);
        look_at(op, r, &st, &a, &plain);
        st = (struct statx){0};
        r = run_weft(rt, op->weft(&io, b.dir, path, other, flags, &st), r == WAITS);
        look_at(op, r, &st, &b, &weft);
        remove_tree(&a);
        remove_tree(&b);
    } while (needs_patience(&plain, &weft));
    snprintf(argument, sizeof argument, "%.20s %#o", other, (unsigned)flags);
    return compare(path, argument, op->name, &plain, &weft);
}

static int run(weft_runtime *rt, const operation *op)
{
    int n_bad = 0;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (size_t j = 0; j < (op->two ? sizeof others / sizeof *others : 1); j++)
            for (const int *flags = op->flags; *flags >= 0; flags++)
                n_bad += try(rt, op, paths[i], others[j], *flags);
    return n_bad;
}

static weft_runtime *begin(void)
{
    read_list("`test_differential_paths.c`");
    umask(022);
    memset(long_name, 'x', sizeof long_name - 1);
    return start(1);
}

Test(differential_paths, operations_do_what_the_system_calls_do, .timeout = MANY_WAITS)
{
    weft_runtime *rt = begin();
    int           n_bad = 0, n = n_fds();

    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        n_bad += run(rt, &operations[i]);
    check_eq(n_bad, 0);
    check_eq(n_fds(), n);
    stop(rt);
}

/* ---- the test itself: it must see what these do wrong ---- */

OPERATION(wrong_result, fstatat(dir, path, &(struct stat){0}, flags) < 0 ? -1 : 1,
          weft_path_stat(io, dir, path, flags, SEEN, st))
OPERATION(wrong_file, openat(dir, path, flags, 0640), weft_file_open_at(io, dir, path, flags, 0640))
OPERATION(wrong_mode, mkdirat(dir, path, (mode_t)flags ^ 1),
          weft_path_make_dir(io, dir, path, (unsigned)flags))

Test(differential_paths, a_difference_is_seen, .timeout = MANY_WAITS)
{
    static const operation wrong[] = {
        {"weft_path_stat", plain_wrong_result, weft_wrong_result, zero, false, false},
        {"weft_file_open_at", plain_wrong_file, weft_wrong_file, zero, false, true},
        {"weft_path_make_dir", plain_wrong_mode, weft_wrong_mode, modes, false, false},
    };
    weft_runtime *rt = begin();

    wants_differences = true;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_cmp(run(rt, &wrong[i]), >, 0);
    stop(rt);
}
