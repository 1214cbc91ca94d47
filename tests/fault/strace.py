#!/usr/bin/env python3
"""The workload under strace, which makes calls of it fail at the kernel's door.

strace.py PROGRAM

tests/fault/test_sweep.c does this for every call by a filter of its own; here another tool says the same of
a few, and delays some, which the filter does not.
"""
import shutil
import subprocess
import sys

CASES = [
    "io_uring_setup:error=ENOMEM:when=1",
    "io_uring_setup:error=EINVAL:when=1",
    "io_uring_register:error=EPERM:when=1",
    "io_uring_enter:error=EINTR:when=2+3",
    "io_uring_enter:error=EAGAIN:when=2..40",
    "io_uring_enter:error=EBUSY:when=3+2",
    "io_uring_enter:error=EPERM:when=5+",
    "io_uring_enter:delay_enter=2000:when=2+5",
    "io_uring_enter:error=EPERM:when=20+",
    "epoll_create1:error=EMFILE:when=1",
    "epoll_ctl:error=ENOMEM:when=1",
    "epoll_ctl:error=ENOSPC:when=2+3",
    "epoll_wait:error=EINTR:when=1+2",
    "epoll_wait:delay_enter=2000:when=2+5",
    "eventfd2:error=EMFILE:when=1",
    "write:error=EINTR:when=1+2",
    "clone3:error=EAGAIN:when=1",
    "clone3:error=EAGAIN:when=5+",
    "mmap:error=ENOMEM:when=30+",
    "accept4:error=EMFILE:when=1..4",
    "accept4:error=ECONNABORTED:when=1..4",
    "recvfrom:error=EINTR:when=1+2",
    "recvfrom:error=ECONNRESET:when=3",
    "sendto:error=ENOBUFS:when=2",
    "connect:error=EINTR:when=1..2",
    "eventfd2:error=ENFILE:when=3",  # the one of a wait for a signal
    "futex:delay_exit=1000:when=1+7",
    "recvfrom:delay_enter=1000:when=1+9",
]


def strace(program, *options):
    return subprocess.run(["strace", "-f", "-qq", "-o", "/dev/null", *options, program],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)


if not shutil.which("strace") or strace("true").returncode != 0:
    print("skipped: strace can't be had, or may not trace")
    sys.exit(77)
passed = failed = 0
for case in CASES:
    try:
        result = strace(sys.argv[1], "-e", f"inject={case}")
        said = "" if result.returncode == 0 else f"exit status {result.returncode}: {result.stderr}"
    except subprocess.TimeoutExpired:
        said = "hangs"
    if said:
        failed += 1
        print(f"{case}: {said}")
    else:
        passed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
