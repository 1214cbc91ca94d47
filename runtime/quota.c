/* quota.c - see quota.h */
#include "quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_MOST 4096

/* What is limited: the controller that limits it, and how to read the limit of one group. */
typedef struct kind {
    const char *controller;
    int64_t (*limit_of)(const char *folder, bool is_v2);
} kind;

/* One hierarchy of groups as it is mounted. The texts are parts of a line of mountinfo. */
typedef struct hierarchy {
    bool  is_v2;
    char *root;  /* the group that is at the mount point */
    char *mount; /* the mount point */
} hierarchy;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (; *list; list += strcspn(list, ","), list += *list == ',')
        if (strncmp(list, word, n) == 0 && strchr(",", list[n]))
            return true; /* strchr also finds the NUL at the list's end */
    return false;
}

/* ---- one group ---- */

/* Reads "50000 100000", or "-1" where a file has one number. "max 100000" has none. Returns how
 * many numbers there were. A number that is too large is read as LLONG_MAX. */
static int read_numbers(const char *folder, const char *name, long long ret[2])
{
    char  path[PATH_MOST], text[64] = "", *at = text, *end;
    FILE *f;
    int   n;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "re");
    if (!f)
        return 0;
    if (!fgets(text, sizeof text, f))
        *text = '\0';
    fclose(f);
    for (n = 0; n < 2; n++, at = end) {
        ret[n] = strtoll(at, &end, 10);
        if (end == at || !strchr(" \n", *end)) /* strchr also finds the NUL at the text's end */
            break;
    }
    return n;
}

/* The quota of one group in CPUs, rounded up. */
static int64_t cpus_of(const char *folder, bool is_v2)
{
    long long number[2], period[2];

    if (is_v2 && read_numbers(folder, "cpu.max", number) != 2)
        return INT64_MAX;
    if (!is_v2) {
        if (read_numbers(folder, "cpu.cfs_quota_us", number) < 1 ||
            read_numbers(folder, "cpu.cfs_period_us", period) < 1)
            return INT64_MAX;
        number[1] = period[0];
    }
    if (number[0] <= 0 || number[1] <= 0)
        return INT64_MAX;
    return number[0] / number[1] + (number[0] % number[1] != 0);
}

/* The one number of a file. 0 is a limit. */
static int64_t number_of(const char *folder, const char *name)
{
    long long number[2];

    return read_numbers(folder, name, number) < 1 || number[0] < 0 ? INT64_MAX : number[0];
}

/* Version 1 has huge numbers where there is no limit. */
static int64_t memory_of(const char *folder, bool is_v2)
{
    int64_t n = number_of(folder, is_v2 ? "memory.max" : "memory.limit_in_bytes");

    return n < INT64_C(1) << 60 ? n : INT64_MAX;
}

static int64_t threads_of(const char *folder, bool is_v2)
{
    (void)is_v2;
    return number_of(folder, "pids.max");
}

/* The tightest limit from the group `below` the mount point up to the one at the mount point. */
static int64_t tightest(const char *prefix, const hierarchy *h, const char *below, const kind *k)
{
    char    path[PATH_MOST], *group;
    int64_t limit = INT64_MAX;

    if ((size_t)snprintf(path, sizeof path, "%s%s%s", prefix, h->mount, below) >= sizeof path)
        return limit;
    group = path + strlen(prefix) + strlen(h->mount);
    for (;;) {
        char *slash = strrchr(group, '/');

        limit = least(limit, k->limit_of(path, h->is_v2));
        if (!slash)
            return limit;
        *slash = '\0';
    }
}

/* ---- where the group is ---- */

/* Skips the leading parts ".." of a path and returns their number. In a control group namespace,
 * groups outside of it have such paths. */
static int skip_ups(const char **path)
{
    int n = 0;

    for (; strncmp(*path, "/..", 3) == 0 && strchr("/", (*path)[3]); *path += 3)
        n++; /* strchr also finds the NUL at the path's end */
    return n;
}

/* Returns the way from the group `root` down to `group`: "/a/b", or "" if they are the same.
 * Returns NULL if `group` is elsewhere: then the limits below this mount are those of other
 * processes. `ret_known` is false if there are groups in between whose names can't be known. */
static const char *way_down(const char *root, const char *group, bool *ret_known)
{
    int    root_ups = skip_ups(&root), group_ups = skip_ups(&group);
    size_t n = strcmp(root, "/") == 0 ? 0 : strlen(root);

    *ret_known = root_ups == group_ups;
    if (root_ups > group_ups && n == 0)
        return ""; /* above the root of the namespace */
    if (root_ups != group_ups || strncmp(group, root, n) != 0 || !strchr("/", group[n]))
        return NULL;
    return group + n;
}

static FILE *open_proc(const char *prefix, const char *name)
{
    char path[PATH_MOST];

    snprintf(path, sizeof path, "%s/proc/self/%s", prefix, name);
    return fopen(path, "re");
}

/* Reads a line without its newline. The caller frees it in the end. */
static bool read_line(FILE *f, char **line, size_t *size)
{
    if (!f || getline(line, size, f) < 0)
        return false;
    (*line)[strcspn(*line, "\n")] = '\0';
    return true;
}

/* The process's group in the line "4:cpu,cpuacct:/group", or in "0::/group" of version 2. NULL: the
 * line is of another hierarchy. */
static const char *group_in(char *line, bool is_v2, const kind *k)
{
    char *number = strsep(&line, ":"), *controllers = strsep(&line, ":");

    if (!line)
        return NULL;
    if (is_v2)
        return strcmp(number, "0") == 0 && !*controllers ? line : NULL;
    return has_word(controllers, k->controller) ? line : NULL;
}

/* Parses a line of mountinfo, see proc(5): "35 25 0:30 /root /mount options - cgroup source
 * rw,cpu,cpuacct". The source may be empty. */
static bool is_hierarchy(char *line, hierarchy *h, const kind *k)
{
    char *rest = strstr(line, " - "), *type, *options;

    if (!rest)
        return false;
    *rest = '\0';
    rest += strlen(" - ");
    for (int i = 0; i < 3; i++)
        strsep(&line, " ");
    h->root = strsep(&line, " ");
    h->mount = strsep(&line, " ");
    type = strsep(&rest, " ");
    strsep(&rest, " ");
    options = strsep(&rest, " ");
    if (!h->mount)
        return false;
    h->is_v2 = strcmp(type, "cgroup2") == 0;
    return h->is_v2 || (strcmp(type, "cgroup") == 0 && options && has_word(options, k->controller));
}

/* The kernel writes a space as "\040" there, and a few other characters likewise. */
static void unescape(char *path)
{
    char *to = path;

    for (; *path; to++) {
        unsigned code;

        if (*path == '\\' && strspn(path + 1, "01234567") >= 3 &&
            sscanf(path + 1, "%3o", &code) == 1) {
            *to = (char)code;
            path += 4;
        } else {
            *to = *path++;
        }
    }
    *to = '\0';
}

/* ---- all groups ---- */

/* Whether the groups can be read there: another file system may be mounted on top. */
static bool is_reachable(const char *prefix, const hierarchy *h)
{
    char path[PATH_MOST];

    snprintf(path, sizeof path, "%s%s/cgroup.procs", prefix, h->mount);
    return access(path, F_OK) == 0;
}

/* Lowers the limit to the one that the process's group has in one hierarchy. Returns whether all
 * its limits can be seen there. */
static bool limit_in(const char *prefix, const hierarchy *h, const kind *k, int64_t *limit)
{
    FILE       *f = open_proc(prefix, "cgroup");
    char       *line = NULL;
    size_t      size = 0;
    const char *group, *below = NULL;
    bool        known = false;

    while (!below && read_line(f, &line, &size))
        if ((group = group_in(line, h->is_v2, k)))
            below = way_down(h->root, group, &known);
    if (below)
        *limit = least(*limit, tightest(prefix, h, below, k));
    free(line);
    if (f)
        fclose(f);
    return below && known && is_reachable(prefix, h);
}

/* Returns whether a hierarchy with the process's group can be seen. */
static bool find_limit(const char *prefix, const kind *k, int64_t *ret)
{
    FILE     *f = open_proc(prefix, "mountinfo");
    char     *line = NULL;
    size_t    size = 0;
    hierarchy h;
    bool      found = false;

    *ret = INT64_MAX;
    while (read_line(f, &line, &size)) {
        if (!is_hierarchy(line, &h, k))
            continue;
        unescape(h.root);
        unescape(h.mount);
        found |= limit_in(prefix, &h, k, ret);
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

static const kind cpu = {"cpu", cpus_of}, memory = {"memory", memory_of},
                  threads = {"pids", threads_of};

int64_t wf_quota_cpus(const char *prefix)
{
    int64_t limit;

    (void)find_limit(prefix, &cpu, &limit);
    return limit;
}

int64_t wf_quota_memory(const char *prefix)
{
    int64_t limit;

    (void)find_limit(prefix, &memory, &limit);
    return limit;
}

int64_t wf_quota_threads(const char *prefix)
{
    int64_t limit;

    (void)find_limit(prefix, &threads, &limit);
    return limit;
}

bool wf_quota_is_visible(const char *prefix)
{
    FILE   *mounts = open_proc(prefix, "mountinfo"), *groups = open_proc(prefix, "cgroup");
    bool    has_proc = mounts != NULL, has_groups = groups && fgetc(groups) != EOF;
    int64_t limit;

    if (mounts)
        fclose(mounts);
    if (groups)
        fclose(groups);
    return has_proc && (!has_groups || find_limit(prefix, &cpu, &limit));
}
