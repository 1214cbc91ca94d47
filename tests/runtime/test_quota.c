/*
 * test_quota.c - the CPU quota of control groups, read from imitations of /proc and /sys
 */
#include "../test.h"

#include "quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char root[] = "/tmp/weft-quota-XXXXXX";

static void put(const char *path, const char *text)
{
    char  full[512];
    FILE *f;

    if (strstr(root, "XXXXXX"))
        check(mkdtemp(root) != NULL);
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    f = fopen(full, "we");
    check(f != NULL);
    fputs(text, f);
    fclose(f);
}

/* Returns the limit that the tree gives, and removes the tree. */
static int64_t read_tree(int64_t (*limit)(const char *prefix))
{
    char    command[128];
    int64_t n = limit(root);

    snprintf(command, sizeof command, "rm -r %s", root);
    check_eq(system(command), 0);
    strcpy(root, "/tmp/weft-quota-XXXXXX"); /* for the next tree */
    return n;
}

static int64_t quota(void)
{
    return read_tree(wf_quota_cpus);
}

#define V1_MOUNT                                                                                   \
    "35 25 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define V1_OTHER "36 25 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
#define V2_MOUNT "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

Test(quota, version_2_counts_the_tightest_group_up_to_the_root)
{
    put("/proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n" V2_MOUNT);
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
    put("/sys/fs/cgroup/cpu.max", "900000 100000\n");
    check_eq(quota(), 3);
}

Test(quota, version_1_counts_the_tightest_group_up_to_the_root)
{
    put("/proc/self/mountinfo", V1_OTHER V1_MOUNT);
    put("/proc/self/cgroup", "5:cpuset:/other\n4:cpu,cpuacct:/a/b\n1:name=systemd:/x\n0::/x\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "50000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "50000\n");
    put("/sys/fs/cgroup/cpuset/other/cpu.cfs_quota_us", "1\n");
    check_eq(quota(), 1);
}

/* A container sees its own group at the mount point, but its path from outside. */
Test(quota, a_group_that_is_itself_the_mount_point_counts)
{
    put("/proc/self/mountinfo",
        "35 25 0:30 /docker/x /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpuacct,cpu\n");
    put("/proc/self/cgroup", "4:cpuacct,cpu:/docker/x\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    check_eq(quota(), 2);
}

Test(quota, both_versions_side_by_side_count)
{
    put("/proc/self/mountinfo",
        V1_MOUNT "31 23 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/b\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "700000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/unified/b/cpu.max", "600000 100000\n");
    check_eq(quota(), 6);
}

/* The only group has this cpu.max, or no such file if the text is NULL. */
static int64_t quota_of(const char *cpu_max)
{
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/proc/self/cgroup", "0::/\n");
    if (cpu_max)
        put("/sys/fs/cgroup/cpu.max", cpu_max);
    return quota();
}

Test(quota, a_part_of_a_cpu_counts_as_a_whole_one)
{
    check_eq(quota_of("1000 100000\n"), 1);
    check_eq(quota_of("100000 100000\n"), 1);
    check_eq(quota_of("100001 100000\n"), 2);
    check_eq(quota_of("150000 100000\n"), 2);
    check_eq(quota_of("50000 20000\n"), 3);
}

Test(quota, what_is_no_quota_limits_nothing)
{
    const char *const text[] = {NULL,          "",          "\n",       "max 100000\n", "max\n",
                                "-1 100000\n", "0 100000",  "5000 0\n", "5000 -1\n",    "5000\n",
                                "junk",        "12x 100\n", "5000 1x"};

    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        check_eq(quota_of(text[i]), INT64_MAX);
}

Test(quota, a_line_need_not_end)
{
    put("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
    put("/proc/self/cgroup", "0::/a");
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000");
    check_eq(quota(), 3);
}

Test(quota, huge_numbers_are_read_without_overflow)
{
    check_eq(quota_of("9223372036854775807 100000\n"), INT64_MAX / 100000 + 1);
    check_eq(quota_of("9223372036854775807 9223372036854775807\n"), 1);
    check_eq(quota_of("99999999999999999999999 1\n"), INT64_MAX);
}

/* A group that has no file of its own, as the root has none, has the limits of those above it. */
Test(quota, groups_without_files_are_limited_by_those_above)
{
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/proc/self/cgroup", "0::/pod/box/gone (deleted)\n");
    put("/sys/fs/cgroup/pod/cpu.max", "400000 100000\n");
    check_eq(quota(), 4);
}

Test(quota, a_parent_smaller_than_its_child_counts)
{
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/proc/self/cgroup", "0::/pod/box\n");
    put("/sys/fs/cgroup/pod/box/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/pod/cpu.max", "200000 100000\n");
    check_eq(quota(), 2);
}

/* As systemd arranges it by default on older systems: the controllers are in version 1. */
Test(quota, a_hybrid_layout_has_its_limits_in_version_1)
{
    put("/proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
        "31 23 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n" V1_MOUNT
        "38 25 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
    put("/proc/self/cgroup", "6:pids:/unit\n4:cpu,cpuacct:/unit\n1:name=systemd:/unit\n0::/unit\n");
    put("/sys/fs/cgroup/unified/unit/cgroup.procs", "1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/unit/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/unit/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/pids/unit/pids.max", "max\n");
    check_eq(wf_quota_threads(root), INT64_MAX);
    check_eq(quota(), 3);
}

/* In a namespace of its own a container is in the group "/". */
Test(quota, a_container_with_its_own_namespace_sees_its_own_part)
{
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "200000 100000\n");
    check_eq(quota(), 2);
}

/* Version 1 mounts the container's own group and says its path from outside; the process may be in
 * a group below. */
Test(quota, a_group_below_the_mount_point_is_found_without_the_roots_path)
{
    put("/proc/self/mountinfo", "35 25 0:30 /kube/pod /cg rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/kube/pod/init\n");
    put("/cg/init/cpu.max", "300000 100000\n");
    put("/cg/cpu.max", "500000 100000\n");
    check_eq(quota(), 3);
}

/* Returns the quota of a process in `group`, where the group `mounted` is seen with a quota of 2
 * CPUs, and one named "x" below it with a quota of 1. */
static int64_t quota_seen(const char *mounted, const char *group)
{
    char text[256];

    snprintf(text, sizeof text, "35 25 0:30 %s /cg rw - cgroup2 cgroup2 rw\n", mounted);
    put("/proc/self/mountinfo", text);
    snprintf(text, sizeof text, "0::%s\n", group);
    put("/proc/self/cgroup", text);
    put("/cg/cpu.max", "200000 100000\n");
    put("/cg/x/cpu.max", "100000 100000\n");
    put("/x/cpu.max", "100000 100000\n"); /* what "/cg/../x" would be */
    return quota();
}

/* A monitor may have the groups of other containers mounted. */
Test(quota, the_groups_of_others_do_not_count)
{
    check_eq(quota_seen("/docker/a", "/docker/a/x"), 1);
    check_eq(quota_seen("/docker/a", "/docker/ax"), INT64_MAX);
    check_eq(quota_seen("/docker/a", "/docker"), INT64_MAX);
    check_eq(quota_seen("/docker/a", "/"), INT64_MAX);
    check_eq(quota_seen("/..a", "/"), INT64_MAX);
}

/* Seen from a control group namespace, what is outside of it begins with "/..". */
Test(quota, groups_outside_of_the_namespace_are_told_apart)
{
    check_eq(quota_seen("/..", "/"), 2); /* the groups between the two can't be found */
    check_eq(quota_seen("/../..", "/y"), 2);
    check_eq(quota_seen("/../..", "/../y"), 2);
    check_eq(quota_seen("/..", "/../x"), 1);
    check_eq(quota_seen("/../a", "/../a/x"), 1);
    check_eq(quota_seen("/", "/../x"), INT64_MAX);
    check_eq(quota_seen("/..", "/../../x"), INT64_MAX);
    check_eq(quota_seen("/../a", "/x"), INT64_MAX);
    check_eq(quota_seen("/../a", "/../ax"), INT64_MAX);
    check_eq(quota_seen("/", "/..x"), 2);
}

Test(quota, a_mount_point_with_spaces_is_found)
{
    put("/proc/self/mountinfo",
        "35 25 0:30 /a\\040b /my\\040groups\\134\\011 rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/a b/c\n");
    put("/my groups\\\t/c/cpu.max", "300000 100000\n");
    check_eq(quota(), 3);
}

Test(quota, what_is_no_escape_stays)
{
    put("/proc/self/mountinfo", "35 25 0:30 / /a\\04 rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/\n");
    put("/a\\04/cpu.max", "300000 100000\n");
    check_eq(quota(), 3);
}

/* A mount may have no source, or optional fields. */
Test(quota, several_mounts_of_one_hierarchy_agree)
{
    put("/proc/self/mountinfo",
        "35 25 0:30 / /mnt/host rw shared:7 master:1 - cgroup  rw,cpu\n" V1_MOUNT V1_MOUNT);
    put("/proc/self/cgroup", "4:cpu,cpuacct:/a:b\n");
    put("/mnt/host/a:b/cpu.cfs_quota_us", "200000\n");
    put("/mnt/host/a:b/cpu.cfs_period_us", "100000\n");
    check_eq(quota(), 2);
}

/* The options of an overlay have no limit in length. Here they read, where a buffer of any power of
 * two would end, like a mount of control groups. */
Test(quota, long_lines_are_one_line)
{
    static char       text[40000];
    static const char fake[] = "1 1 0:1 / /fake - cgroup2 cgroup2 rw ";
    size_t n = (size_t)snprintf(text, sizeof text, "34 25 0:29 / / rw - overlay overlay ");

    while (n < 30000) {
        bool is_end = ((n + 1) & n) == 0 && n + sizeof fake < 30000;

        n += (size_t)snprintf(text + n, sizeof text - n, "%s", is_end ? fake : "a");
    }
    snprintf(text + n, sizeof text - n, "\n" V2_MOUNT);
    put("/proc/self/mountinfo", text);
    put("/proc/self/cgroup", "0::/\n");
    put("/fake/cpu.max", "100000 100000\n");
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    check_eq(quota(), 3);
}

static int64_t is_visible(const char *prefix)
{
    return wf_quota_is_visible(prefix);
}

Test(quota, limits_that_cannot_be_read_are_not_taken_for_none)
{
    check_eq(wf_quota_is_visible("/nowhere"), false);
    put("/proc/self/mountinfo", V1_OTHER);
    put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n");
    check_eq(read_tree(is_visible), false);
    put("/proc/self/mountinfo", "35 25 0:30 /docker/x /cg rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/docker/y\n");
    check_eq(read_tree(is_visible), false);
    put("/proc/self/mountinfo", "35 25 0:30 /.. /cg rw - cgroup2 cgroup2 rw\n");
    put("/proc/self/cgroup", "0::/\n");
    put("/cg/cgroup.procs", "1\n");
    check_eq(read_tree(is_visible), false);
    put("/proc/self/mountinfo", V1_MOUNT); /* and another file system over it */
    put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n");
    check_eq(read_tree(is_visible), false);
    put("/proc/self/mountinfo", V1_MOUNT);
    put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cgroup.procs", "1\n");
    check_eq(read_tree(is_visible), true);
    put("/proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n"); /* no groups at all */
    check_eq(read_tree(is_visible), true);
}

Test(quota, no_more_threads_or_no_memory_is_a_limit)
{
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/pids.max", "0\n");
    put("/sys/fs/cgroup/memory.max", "0\n");
    check_eq(wf_quota_threads(root), 0);
    check_eq(read_tree(wf_quota_memory), 0);
}

Test(quota, without_one_there_is_no_limit)
{
    put("/proc/self/mountinfo", V1_MOUNT V2_MOUNT "junk\n\n");
    put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/\njunk\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    check_eq(quota(), INT64_MAX);
    check_eq(wf_quota_cpus("/nowhere"), INT64_MAX);
}

Test(quota, version_2_limits_memory_and_threads)
{
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/memory.max", "268435456\n");
    put("/sys/fs/cgroup/a/b/pids.max", "100\n");
    put("/sys/fs/cgroup/a/pids.max", "max\n");
    check_eq(wf_quota_threads(root), 100);
    check_eq(read_tree(wf_quota_memory), 268435456);
}

Test(quota, version_1_limits_memory_and_threads)
{
    put("/proc/self/mountinfo",
        "37 25 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "38 25 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n");
    put("/proc/self/cgroup", "5:memory:/a\n6:pids:/a\n");
    put("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "9223372036854771712\n"); /* none */
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1048576\n");
    put("/sys/fs/cgroup/pids/a/pids.max", "7\n");
    check_eq(wf_quota_threads(root), 7);
    check_eq(read_tree(wf_quota_memory), 1048576);
}
