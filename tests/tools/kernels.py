#!/usr/bin/env python3
"""The plain tests that meet the kernel, on other kernels: kernels.py BUILD [SERIES [PROGRAM...]]

With the ring from 5.19 on. Before, a start must say that the kernel is too old. The kernels are
Debian's, and Ubuntu's for the series that Debian has not.
"""
import pathlib
import sys

import ubuntu
from debian import Debian
from elsewhere import NO_RING, NO_ZERO_COPY, OLD, TMPFS, Choice
from machine import Run, run_there
from tally import Tally

PATTERNS = ["test_reactor_*", "test_runtime_*", "test_fault_environment", "doctor"]
# By series: the release of Debian that has it, whether weft has a ring there, what is left out.
KERNELS = {
    "4.18": (None, False, [*NO_RING, *TMPFS, *OLD]),
    "5.4": (None, False, [*NO_RING, *TMPFS]),
    "5.10": ("bullseye", False, [*NO_RING, *TMPFS]),
    "5.15": (None, False, [*NO_RING, *TMPFS]),
    "5.19": (None, True, [*TMPFS, *NO_ZERO_COPY]),
    "6.1": ("bookworm", True, TMPFS),
    "6.12": ("trixie", True, TMPFS),
}

# What `weft doctor` says in control groups of version 2: the own one and the one above. Where it
# notes that something is low, its status is 1.
GROUPS = [
    ({"own/cpu.max": "50000 100000"}, 1, "1 for weft; online 2, affinity mask 2, quota 1"),
    ({"cpu.max": "100000 100000"}, 1, "1 for weft; online 2, affinity mask 2, quota 1"),
    ({"cpu.max": "150000 100000"}, 0, "2 for weft; online 2, affinity mask 2, quota 2"),
    ({"own/cpuset.cpus": "1"}, 1, "1 for weft; online 2, affinity mask 1, quota none"),
    ({"own/memory.max": "512M", "memory.max": "1G"}, 0, "limit of the control group: 512 MiB"),
    ({"own/pids.max": "200", "pids.max": "100"}, 1, "of the control group: 100"),
]

tally = Tally()
build = pathlib.Path(sys.argv[1])
root = Debian("bookworm", "amd64").unpack("root", "busybox-static")
for series in sys.argv[2:3] or KERNELS:
    release, has_ring, left_out = KERNELS[series]
    patterns = sys.argv[3:] or PATTERNS
    choice = Choice(build, patterns, left_out)
    print("\n".join(f"{series}: {note}" for note in choice.notes))
    env = {"TEST_SLOW": "8"}
    if not has_ring:
        env["WEFT_BACKEND"] = "epoll"
        choice.runs.append(Run(build / "tests/cxx/program_c", env={"WEFT_BACKEND": "auto"},
                               says="the kernel is too old; Linux 5.19 or newer is needed"))
    if has_ring and "doctor" in patterns:
        choice.runs += [Run(build / "runtime/weft", "doctor", group=group, status=status, says=says)
                        for group, status, says in GROUPS]
    before = tally.passed, tally.failed
    kernel = Debian(release, "amd64").kernel(series) if release else ubuntu.kernel(series)
    run_there(tally, series, kernel, "x86_64", choice.runs, env, root=root, build=build)
    print(f"note: Linux {series}: {tally.passed - before[0]} passed, "
          f"{tally.failed - before[1]} failed, {'the ring' if has_ring else 'epoll'}")
tally.finish()
