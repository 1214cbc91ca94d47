"""A control group for a test, of version 1 or 2, where this machine lets one be made."""
import os
import pathlib


def hierarchy(controller):
    """(folder, version): below it a group with that controller can be made. None if there is no
    such folder. Version 2 has no groups below one with processes, so there it is the mount
    point."""
    groups = [line.split(":", 2) for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines()]
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        version = {"cgroup2": 2, "cgroup": 1}.get(after.split()[0], 0)
        for number, controllers, group in groups:
            is_it = number == "0" if version == 2 else controller in controllers.split(",")
            is_mounted = version == 2 or version and controller in after.split()[-1].split(",")
            if not is_it or not is_mounted:
                continue
            if version == 1:
                return pathlib.Path(mount, os.path.relpath(group, root)), 1
            if controller in pathlib.Path(mount, "cgroup.subtree_control").read_text().split():
                return pathlib.Path(mount), 2
    return None


class Group:
    """`with Group("cpu") as group:` makes one below ours, or below `parent`, and removes it.
    `why` says why there is none."""

    def __init__(self, controller, parent=None):
        self.why = None
        self.controller = controller
        try:
            found = (parent.folder, parent.version) if parent else hierarchy(controller)
            if not found:
                raise OSError("its controller is mounted nowhere, or not enabled")
            above, self.version = found
            if self.version == 2 and parent:
                (above / "cgroup.subtree_control").write_text(f"+{controller}")
            self.folder = above / f"weft-test-{os.getpid()}"
            self.folder.mkdir()
        except OSError as failure:
            self.why = f"no control group of {controller}: {failure}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.why:
            self.folder.rmdir()

    def set(self, **values):
        """set(pids_max=3) writes pids.max."""
        for name, value in values.items():
            controller, _, rest = name.partition("_")
            (self.folder / f"{controller}.{rest}").write_text(str(value))

    def set_quota(self, percent):
        if self.version == 2:
            self.set(cpu_max=f"{percent * 1000} 100000")
        else:
            self.set(cpu_cfs_period_us=100000, cpu_cfs_quota_us=percent * 1000)

    def prefix(self):
        """What a command is run with to be in the group."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.folder / "cgroup.procs")]

    def namespace(self):
        """What a command in the group is run with to see that group as "/", as in a container."""
        kind = "-t cgroup2 none" if self.version == 2 else f"-t cgroup -o {self.controller} none"
        return ["unshare", "--cgroup", "--mount", "--fork", "sh", "-c",
                f'mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/own && '
                f'mount {kind} /sys/fs/cgroup/own && exec "$@"', "sh"]
