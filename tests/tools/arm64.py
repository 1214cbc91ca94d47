#!/usr/bin/env python3
"""The plain tests, cross-compiled for aarch64: arm64.py user | machine

user     in processes under qemu-aarch64, which has no io_uring: the epoll side
machine  what that leaves out, and files and streams, on Debian's kernel in an emulated machine: the
         ring

Debian's packages of the libraries are unpacked, not installed (debian.py).
"""
import concurrent.futures
import os
import subprocess
import sys

from debian import Debian
from elsewhere import NO_RING, TMPFS, Choice
from layers import ROOT
from machine import judge, run_there
from tally import Tally

RELEASE, SERIES = "bookworm", "6.1"
SYSROOT = "/usr/aarch64-linux-gnu" # of the cross compiler's libc
BUILD = ROOT / "build-check/arm64"
LIMIT_S = 300
CROSS = """[binaries]
c = 'aarch64-linux-gnu-gcc'
ar = 'aarch64-linux-gnu-ar'
strip = 'aarch64-linux-gnu-strip'
objcopy = 'aarch64-linux-gnu-objcopy'
pkgconfig = 'pkg-config'
exe_wrapper = ['qemu-aarch64', '-L', '{sysroot}', '-E', 'LD_LIBRARY_PATH={lib}']
[properties]
sys_root = '{root}'
pkg_config_libdir = '{lib}/pkgconfig'
[host_machine]
system = 'linux'
cpu_family = 'aarch64'
cpu = 'aarch64'
endian = 'little'
"""
FORK = "qemu-user says that it does MADV_WIPEONFORK and does not: no child is known as one"
GUARD = "qemu-user says that it does MADV_GUARD_INSTALL and does not: a stack has no guard page"
OWN = "qemu-user does this system call itself, and in another way than Linux"
# What qemu-user 7.2 does not do.
USER = [
    ("test_runtime_fork", None, FORK),
    ("test_runtime_fork_operations", None, FORK),
    ("test_runtime_blocking_fault", "*/a_forked_child_gets_an_error", FORK),
    ("test_runtime_standard", "*/a_child_that_closes_does_not_give_the_flag_back", FORK),
    ("test_runtime_signal", "*/a_forked_child_may_wait_for_signals_of_its_own",
     "qemu-user aborts in the child, by an assertion of its own"),
    ("test_runtime_signal", "*/a_wait_of_the_parent_ends_in_a_forked_child", FORK),
    ("test_runtime_signal", "*/also_if_the_child_has_a_list_of_its_own", FORK),
    ("test_runtime_stderr", "*/an_abort_does_not_wait_for_a_full_pipe",
     "qemu-user writes a line of its own when a program aborts, and waits for the pipe"),
    ("test_runtime_fiber_stack", "*/dies_at_the_end_of_its_stack", GUARD),
    ("test_runtime_fiber_stack", "*/is_named_at_the_end_of_its_stack*", GUARD),
    ("test_runtime_fiber_stack", "*/where_memory_ends_the_last_of_it_is_used",
     "qemu-user ignores RLIMIT_AS"),
    ("test_runtime_differential_*", None, OWN),
    ("test_runtime_close", None, OWN + " (TCP_INFO)"),
    ("test_runtime_operations", None, OWN + " (TCP_INFO)"),
    ("test_runtime_thread_mutex", "*/the_*", "/proc tells the host's system calls and addresses"),
    ("test_runtime_datagram", "*/options", OWN + " (multicast)"),
    ("test_runtime_multicast", "*/options", OWN + " (multicast)"),
    ("test_runtime_multicast", "*/all_groups_are_switched_off", OWN + " (multicast)"),
    ("test_runtime_file_bytes", "*/counts_that_no_kernel_moves_are_cut",
     OWN + " (a read of more than there is memory)"),
    ("test_runtime_file_cached", "*/is_read_without_the_ring", OWN + " (preadv2)"),
    ("test_runtime_file_cached", "*/what_a_worker_copies_is_taken_from_the_polls_budget",
     OWN + " (preadv2)"),
    ("test_runtime_file_paths", "*/stat_says_what_stat_says", OWN + " (stat of / with -L)"),
]
# In the machine, which is ten times slower than qemu-user.
MACHINE = ["test_reactor_*", "test_runtime_backend", "test_runtime_blocking_fault",
           "test_runtime_datagram", "test_runtime_differential*", "test_runtime_file*",
           "test_runtime_fork*", "test_runtime_leader", "test_runtime_multicast", "test_runtime_operations",
           "test_runtime_ring_*", "test_runtime_signal", "test_runtime_standard",
           "test_runtime_stderr", "test_runtime_stream*"]


def build(root):
    lib = root / "usr/lib/aarch64-linux-gnu"
    cross = BUILD.parent / "arm64.cross"
    if not (BUILD / "build.ninja").exists():
        cross.write_text(CROSS.format(sysroot=SYSROOT, lib=lib, root=root))
        subprocess.run(["meson", "setup", BUILD, "--cross-file", cross, "--werror",
                        "-Dcriterion=disabled", "-Dbench=false", "-Dexamples=false"], check=True,
                       stdout=subprocess.DEVNULL, cwd=ROOT)
    subprocess.run(["ninja", "-C", BUILD, "--quiet"], check=True)
    return lib


def run_here(run, lib, env):
    command = ["qemu-aarch64", "-L", SYSROOT, "-E",
               f"LD_LIBRARY_PATH={lib}:{BUILD / 'runtime'}", run.program, *run.args]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT_S, env={**os.environ, **env})
        status, said = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, said = 124, (late.stdout or b"") + f"\nran for {LIMIT_S} s".encode()
    return status, said.decode(errors="replace")


def check_user(tally, lib):
    choice = Choice(BUILD, sys.argv[2:] or ["test_*"], NO_RING, USER)
    print("\n".join(choice.notes))
    env = {"WEFT_BACKEND": "epoll", "TEST_SLOW": "8"}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda run: run_here(run, lib, env), choice.runs)
        for run, (status, said) in zip(choice.runs, results):
            judge(tally, "arm64", run, status, said)


def check_machine(tally, root):
    debian = Debian(RELEASE, "arm64")
    choice = Choice(BUILD, sys.argv[2:] or MACHINE, TMPFS)
    print("\n".join(choice.notes))
    run_there(tally, "arm64", debian.kernel(SERIES), "aarch64", choice.runs, {"TEST_SLOW": "10"},
              root=root, build=BUILD)


tally = Tally()
root = Debian(RELEASE, "arm64").unpack("root", "liburing2", "liburing-dev", "libck0", "libck-dev",
                                       "busybox-static")
lib = build(root)
if sys.argv[1] == "user":
    check_user(tally, lib)
else:
    check_machine(tally, root)
tally.finish()
