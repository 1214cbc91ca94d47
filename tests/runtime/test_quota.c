/*
 * test_quota.c - the CPU quota of control groups, in trees of files that look like /proc and /sys
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

/* What the tree says; it is removed. */
static int64_t quota(void)
{
    char    command[128];
    int64_t n = wf_quota_cpus(root);

    snprintf(command, sizeof command, "rm -r %s", root);
    check_eq(system(command), 0);
    return n;
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

Test(quota, without_one_there_is_no_limit)
{
    put("/proc/self/mountinfo", V1_MOUNT V2_MOUNT "junk\n\n");
    put("/proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/\njunk\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    check_eq(quota(), INT64_MAX);
    check_eq(wf_quota_cpus("/nowhere"), INT64_MAX);
}
