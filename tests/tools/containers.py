#!/usr/bin/env python3
"""weft where containers put it: containers.py BUILD

Tests, a server and `weft doctor` run in namespaces of their own, without /proc, without /sys, on a
read-only root, as nobody, under filters that deny io_uring, with low limits, on few CPUs and under
quotas, with io_uring and with epoll. What this machine can't make is skipped, by name.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

from cgroups import Group
from layers import ROOT
from tally import Tally
from unsteady import MOST, may_be_load, tell

BACKENDS = ["uring", "epoll"]
NAMESPACES = ["unshare", "--user", "--map-root-user", "--pid", "--mount", "--fork", "--kill-child"]
PROC = "mount -t proc proc /proc"


def namespaces(*mounts):
    return [*NAMESPACES, "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh"]


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
          "--no-new-privs"]
ENVIRONMENTS = {
    "namespaces": namespaces(PROC),
    "no /proc": namespaces("mount -t tmpfs -o ro none /proc"),
    "no /sys": namespaces(PROC, "mount -t tmpfs -o ro none /sys"),
    "read-only root": namespaces(PROC, "mount --rbind /tmp /tmp", "mount -o remount,ro,bind /"),
    "nobody": NOBODY,
}
NOTHING_WRITABLE = namespaces(PROC, "mount --rbind /tmp /tmp", "mount -o remount,ro,bind /tmp",
                              "mount -o remount,ro,bind /")

# The plain tests that run everywhere, and which of their cases, if not all.
TESTS = {
    "backend": None, "blocking": None, "blocking_pool": None, "config": None, "datagram": None, "file": None,
    "file_bytes": None, "file_paths": None, "fork": None, "idle": "idle/a_new_runtime_uses_no_cpu",
    "listener": None, "multicast": None, "resolve": None, "runtime": None, "send_file": None, "signal": None,
    "spawn": None, "stop": None, "stream": None, "stress": "stress/*two_workers*", "time": None, "unix_socket": None,
}
# These look into /proc themselves.
LOOK_INTO_PROC = {
    "backend": ["where_*_epoll_takes_its_place", "a_file_is_always_ready", "stopping_ends_what_waits_in_threads",
                "what_gets_no_thread_beside_waiting_reads_says_so"],
    "file": ["what_was_written_is_read_again", "a_large_file_is_written_and_read",
             "opens_and_reads_cancelled_at_any_moment_leave_nothing_behind"],
    "file_paths": ["are_opened_below_a_directory"],
    "idle": ["*"],
    "listener": ["closing_ends_a_pending_accept", "errors_leave_nothing_behind"],
    "runtime": ["starts_and_stops_200_times_without_leaving_anything"],
    "signal": ["a_signal_arrives_with_its_number", "no_signal_is_lost_among_many_cancels"],
}

tally = Tally()
build = pathlib.Path(sys.argv[1]).resolve()


def copy_programs(folder):
    """Copies what runs here to where any user may run it, since a home may be closed to others."""
    folder.chmod(0o755)
    for name in [*(f"tests/test_runtime_{test}" for test in TESTS), "runtime/weft", "runtime/libweft.so.0.1",
                 "docs/examples/hello", "docs/examples/httpd"]:
        shutil.copy(build / name, folder)


def run(prefix, program, *arguments, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    try:
        return subprocess.run([*prefix, folder / program, *arguments], capture_output=True, text=True, timeout=600,
                              stdin=subprocess.DEVNULL, cwd="/",
                              env={**clean, "LD_LIBRARY_PATH": str(folder), **environment})
    except subprocess.TimeoutExpired as hangs:
        return subprocess.CompletedProcess(hangs.args, None, "", f"hangs: {hangs.stderr}")


def is_there(name, prefix):
    done = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if done.returncode:
        print(f"note: skipped {name}: {done.stderr.strip().splitlines()[0]}")
    return done.returncode == 0


# ---- tests ----


def what_failed(done):
    """What the program said of cases that failed, and the end of what weft said."""
    verdicts = [line for line in done.stdout.splitlines() if not line.startswith("ok ")]
    return "\n".join([*verdicts, done.stderr[-2000:]])


def test_in(where, prefix, test, backend):
    """Runs a test program there. Returns what is wrong, or None."""
    arguments = [TESTS[test]] if TESTS[test] else []
    if where == "no /proc":
        arguments = sum((["--except", f"{test}/{case}"] for case in LOOK_INTO_PROC.get(test, [])), []) + arguments
    done = run(prefix, f"test_runtime_{test}", *arguments, WEFT_BACKEND=backend)
    failed = done.returncode != 0 or not re.search(r"^\d+ passed, 0 failed$", done.stdout, re.M)
    return f"{test}, {where}, {backend}: {what_failed(done)}" if failed else None


def test_everywhere(there):
    """As many at once as there are CPUs: most of them wait."""
    runs = [(where, prefix, test, backend) for where, prefix in there.items() for backend in BACKENDS
            for test in TESTS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(pool.map(lambda run: test_in(*run), runs))
    few = sum(map(bool, problems)) <= MOST
    for run_there, problem in zip(runs, problems):
        if problem and few and may_be_load(problem) and not test_in(*run_there):
            print(problem)
            tell(problem.splitlines()[0])
            problem = None
        tally.check(problem is None, problem)


# ---- a server ----


def child_of(pid):
    """The process that `unshare` has made, which is number 1 within."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                return int(stat.parent.name)
        except OSError:
            pass  # a process that has ended meanwhile
    return pid


def serve_in(where, prefix, backend):
    """A server answers, and ends by SIGTERM even as process 1, where the kernel drops signals
    that are not expected."""
    server = subprocess.Popen([*prefix, folder / "httpd", "--port", "0"], stdout=subprocess.PIPE, text=True, cwd="/",
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              env={**os.environ, "LD_LIBRARY_PATH": str(folder), "WEFT_BACKEND": backend})
    try:
        port = server.stdout.readline().strip().rpartition(":")[2]
        client = http.client.HTTPConnection("127.0.0.1", int(port or 0), timeout=60)
        client.request("GET", "/json", headers={"Connection": "close"})
        tally.check(client.getresponse().status == 200, f"the server, {where}, {backend}, does not answer")
        os.kill(child_of(server.pid), signal.SIGTERM)
        tally.check(server.wait(60) == 0, f"the server, {where}, {backend}, ends with {server.returncode}")
    except (OSError, subprocess.TimeoutExpired) as failure:
        tally.check(False, f"the server, {where}, {backend}: {failure}")
    finally:
        server.kill()
        server.wait()


# ---- hello, and what the log says ----


def is_greeting(done):
    return done.returncode == 0 and "greeted 2" in done.stdout


def expect_hello(what, prefix, says=None, **environment):
    """The program runs. Its log is empty, or one line with these words."""
    done = run(prefix, "hello", **environment)
    tally.check(is_greeting(done), f"hello, {what}: {done.returncode} {done.stdout}{done.stderr}")
    tally.check(done.stderr == "" if says is None else says in done.stderr and done.stderr.count("\n") == 1,
                f"hello, {what}, does not say {says!r}: {done.stderr}")


def expect_refusal(what, prefix, says, **environment):
    """The start fails with one line that has these words."""
    done = run(prefix, "hello", **environment)
    tally.check(done.returncode == 1 and "start: " in done.stderr and says in done.stderr and
                done.stderr.count("\n") == 1, f"hello, {what}, does not say {says!r}: {done.returncode} {done.stderr}")


def check_denied(where, prefix):
    """io_uring is denied there in the ways of container runtimes."""
    for error, says in [("EPERM", "it is denied"), ("ENOSYS", "the kernel is new enough")]:
        denied = [*prefix, ROOT / "tests/tools/seccomp.py", "--error", error]
        what = f"{where}, {error}"
        expect_hello(what, denied, says)
        expect_hello(f"{what}, epoll", denied, WEFT_BACKEND="epoll")
        expect_refusal(f"{what}, uring", denied, says, WEFT_BACKEND="uring")


def check_demo(prefix):
    """All that the demo checks, and its load, in namespaces without io_uring."""
    done = subprocess.run([*prefix, ROOT / "tests/tools/seccomp.py", ROOT / "docs/examples/demo", "--quick"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "WEFT_BUILD": str(build)})
    tally.check(done.returncode == 0, f"the demo in namespaces without io_uring:\n{done.stdout[-4000:]}{done.stderr}")


# ---- limits ----


def sweep(what, limit, values, says, **environment):
    """Up to some value the start fails and says so. From there on the program runs. Returns that
    value."""
    least = None
    for value in values:
        done = run(limit(value), "hello", **environment)
        if is_greeting(done):
            least = value if least is None else least
            continue
        tally.check(least is None, f"{what}: {value} is too low, but {least} was not: {done.stderr}")
        tally.check(done.returncode == 1 and says.format(value) in done.stderr and done.stderr.count("\n") == 1,
                    f"{what} {value} does not say {says.format(value)!r}: {done.returncode} {done.stderr}")
    tally.check(least not in (None, values[0]), f"{what}: {least} of {values} is the first that suffices")
    return least


def check_descriptors():
    for backend in BACKENDS:
        least = sweep(f"descriptors, {backend}", lambda n: ["prlimit", f"--nofile={n}"], [4, 5, 6, 7, 8, 16],
                      "raise RLIMIT_NOFILE (ulimit -n), which is {}", WEFT_BACKEND=backend)
        tally.check(least == 7, f"{backend} needs {least} descriptors with standard input, output and error, not 7")


def check_memory():
    mib = 1 << 20
    for backend in BACKENDS:
        sweep(f"address space, {backend}", lambda n: ["prlimit", f"--as={n}"], [12 * mib, 24 * mib, 400 * mib],
              "raise RLIMIT_AS (ulimit -v), which is {} bytes", WEFT_BACKEND=backend)
        sweep(f"data, {backend}", lambda n: ["prlimit", f"--data={n}"], [8 * mib, 24 * mib, 400 * mib],
              "raise RLIMIT_DATA (ulimit -d), which is {} bytes", WEFT_BACKEND=backend)
        for kib in [64, 256]:
            expect_hello(f"a stack of {kib} KiB", ["prlimit", f"--stack={kib << 10}"], WEFT_BACKEND=backend)
        expect_refusal("a stack of 1 PiB", ["prlimit", f"--stack={1 << 50}"], "or lower RLIMIT_STACK (ulimit -s)",
                       WEFT_BACKEND=backend)


def check_limits_of_users():
    """Root is above these. What a user's processes have counts together, so the user is a new
    one."""
    user = str(70000 + os.getpid() % 100000)
    as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--inh-caps=-all",
               "--bounding-set=-all"]
    if os.getuid() or not is_there("another user", as_user):
        print("note: skipped RLIMIT_NPROC and RLIMIT_MEMLOCK: only root becomes another user")
        return
    least = sweep("threads", lambda n: [*as_user, "prlimit", f"--nproc={n}"], [1, 2, 3, 4, 5, 6],
                  "raise RLIMIT_NPROC (ulimit -u), which is {}", WEFT_WORKERS="2")
    tally.check(least == 5, f"two workers need {least} threads in all, not 5")
    for n in [0, 65536]:
        little = [*as_user, "prlimit", f"--memlock={n}"]
        says = f"raise RLIMIT_MEMLOCK (ulimit -l), which is {n} bytes"
        done = run(little, "hello", WEFT_BACKEND="uring")
        if is_greeting(done):  # older kernels do not count the ring
            print(f"note: skipped RLIMIT_MEMLOCK {n}: this kernel gives a ring all the same")
            continue
        expect_hello(f"{n} bytes of locked memory", little, says)
        expect_refusal(f"{n} bytes of locked memory, uring", little, says, WEFT_BACKEND="uring")
    expect_hello("no locked memory, epoll", [*as_user, "prlimit", "--memlock=0"], WEFT_BACKEND="epoll")


def check_pids():
    with Group("pids") as group:
        if group.why:
            print(f"note: skipped pids.max: {group.why}")
            return

        def limited(n):
            group.set(pids_max=n)
            return group.prefix()

        sweep("pids.max", limited, [1, 2, 3, 4, 5, 6], "pids.max of the cgroup", WEFT_WORKERS="2")


# ---- CPUs ----


def workers(prefix):
    """How many workers weft starts by default there, and what the doctor says of CPUs."""
    done = run(prefix, "weft", "doctor", "--json")
    report = json.loads(done.stdout)
    return (int({knob["name"]: knob["value"] for knob in report["knobs"]}["WEFT_WORKERS"]),
            {one["name"]: one for one in report["findings"]}["CPUs"])


def expect_workers(what, n, prefix):
    found, _ = workers(prefix)
    tally.check(found == n, f"{what}: {found} workers, not {n}")


def check_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    one = ["taskset", "--cpu-list", str(cpus[0])]
    everything, _ = workers([])
    expect_workers("a mask of one CPU", 1, one)
    with Group("cpuset") as group:
        if group.why:
            print(f"note: skipped cpuset: {group.why}")
        else:
            group.set(cpuset_mems=0, cpuset_cpus=cpus[0])
            expect_workers("a cpuset of one CPU", 1, group.prefix())
    with Group("cpu") as group:
        if group.why:
            print(f"note: skipped quotas: {group.why}")
            return
        for percent, n in [(50, 1), (100, 1), (150, 2), (100 * (everything + 1), everything)]:
            group.set_quota(percent)
            expect_workers(f"a quota of {percent} %", min(n, everything), group.prefix())
        expect_workers("a large quota on one CPU", 1, [*group.prefix(), *one])
        group.set_quota(100)
        expect_workers("a quota of 100 %, in namespaces", 1, [*group.prefix(), *ENVIRONMENTS["namespaces"]])
        expect_workers("a quota in a namespace of groups", 1, [*group.prefix(), *group.namespace()])
        with Group("cpu", group) as child:
            expect_workers("a group in one with a quota of 100 %", 1, child.prefix())


# ---- the doctor ----


def check_doctor(there):
    for where in ["no /proc", "no /sys"]:
        if where in there:
            _, cpus = workers(there[where])
            tally.check(cpus["level"] == "note" and "quota unknown" in cpus["value"] and
                        "WEFT_WORKERS" in cpus["remedy"], f"the doctor, {where}: {cpus}")


def check_all(there):
    test_everywhere(there)
    for where, prefix in there.items():
        for backend in BACKENDS:
            serve_in(where, prefix, backend)
        check_denied(where, prefix)
    if "namespaces" in there:
        check_demo(there["namespaces"])
    if is_there("nothing writable", NOTHING_WRITABLE):
        for backend in BACKENDS:
            expect_hello(f"nothing writable, {backend}", NOTHING_WRITABLE, WEFT_BACKEND=backend)
    check_descriptors()
    check_memory()
    check_limits_of_users()
    check_pids()
    check_cpus()
    check_doctor(there)


begin = time.monotonic()
with tempfile.TemporaryDirectory(prefix="weft-containers-") as name:
    folder = pathlib.Path(name)
    copy_programs(folder)
    check_all({where: prefix for where, prefix in ENVIRONMENTS.items() if is_there(where, prefix)})
print(f"took {time.monotonic() - begin:.0f} s")
tally.finish()
