/* quota.c - see quota.h */
#include "quota.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MOST 1024

/* One hierarchy of groups: where it is mounted, and which group of it the process is in. */
typedef struct hierarchy {
    bool is_v2;
    char root[PATH_MOST];  /* the group that is at the mount point */
    char mount[PATH_MOST]; /* the mount point */
    char group[PATH_MOST]; /* the process's group, from /proc/self/cgroup */
} hierarchy;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (; *list; list += strcspn(list, ",\n"), list += *list == ',') {
        if (*list == '\n')
            break;
        if (strncmp(list, word, n) == 0 && strchr(",\n", list[n]))
            return true; /* strchr also finds the NUL at the list's end */
    }
    return false;
}

/* ---- one group ---- */

/* Reads "max 100000", "50000 100000", or "-1" where a file has one number. Returns how many numbers
 * there were. */
static int read_numbers(const char *folder, const char *name, long long ret[2])
{
    char  path[PATH_MOST * 4];
    FILE *f;
    int   n;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    f = fopen(path, "re");
    if (!f)
        return 0;
    n = fscanf(f, "%lld %lld", &ret[0], &ret[1]);
    fclose(f);
    return n;
}

/* The quota of one group in CPUs, rounded up. */
static int64_t quota_of(const char *folder, bool is_v2)
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
    return (number[0] + number[1] - 1) / number[1];
}

/* The tightest quota from the process's group up to the one at the mount point. */
static int64_t quota_in(const char *prefix, const hierarchy *h)
{
    char    path[PATH_MOST * 3], *group;
    size_t  n_root = strcmp(h->root, "/") == 0 ? 0 : strlen(h->root);
    bool    is_below = strncmp(h->group, h->root, n_root) == 0;
    int64_t quota = INT64_MAX;

    snprintf(path, sizeof path, "%s%s", prefix, h->mount);
    group = path + strlen(path);
    if (is_below)
        snprintf(group, sizeof path - (size_t)(group - path), "%s", h->group + n_root);
    for (;;) {
        char *slash = strrchr(group, '/');

        quota = least(quota, quota_of(path, h->is_v2));
        if (!slash)
            return quota;
        *slash = '\0';
    }
}

/* ---- which groups ---- */

/* Finds the line "4:cpu,cpuacct:/group", or "0::/group" of version 2. */
static bool find_group(const char *prefix, hierarchy *h)
{
    char  path[PATH_MOST], line[PATH_MOST * 2], *controllers, *group;
    FILE *f;
    bool  found = false;

    snprintf(path, sizeof path, "%s/proc/self/cgroup", prefix);
    f = fopen(path, "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (!(controllers = strchr(line, ':')) || !(group = strchr(controllers + 1, ':')))
            continue;
        *group++ = '\0';
        found = h->is_v2 ? strcmp(line, "0:") == 0 : has_word(controllers + 1, "cpu");
        if (found)
            snprintf(h->group, sizeof h->group, "%.*s", PATH_MOST - 1, group);
    }
    if (f)
        fclose(f);
    return found;
}

/* Parses a line of mountinfo, see proc(5): "35 25 0:30 /root /mount options - cgroup source
 * rw,cpu,cpuacct". */
static bool is_hierarchy(const char *line, hierarchy *h)
{
    const char *rest = strstr(line, " - ");
    char        type[16], options[PATH_MOST];

    if (!rest || sscanf(rest, " - %15s %*s %1023s", type, options) != 2 ||
        sscanf(line, "%*s %*s %*s %1023s %1023s", h->root, h->mount) != 2)
        return false;
    h->is_v2 = strcmp(type, "cgroup2") == 0;
    return h->is_v2 || (strcmp(type, "cgroup") == 0 && has_word(options, "cpu"));
}

int64_t wf_quota_cpus(const char *prefix)
{
    hierarchy h;
    char      path[PATH_MOST], line[PATH_MOST * 4];
    FILE     *f;
    int64_t   quota = INT64_MAX;

    snprintf(path, sizeof path, "%s/proc/self/mountinfo", prefix);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (is_hierarchy(line, &h) && find_group(prefix, &h))
            quota = least(quota, quota_in(prefix, &h));
    if (f)
        fclose(f);
    return quota;
}
