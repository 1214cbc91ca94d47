#!/usr/bin/env python3
"""`weft doctor`: what it finds under low limits, without io_uring and with bad knobs, and its
exit status.

doctor.py PROGRAM
"""
import errno
import json
import os
import resource
import subprocess
import sys

from seccomp import deny
from tally import Tally

PROGRAM = sys.argv[1]
OK, NOTE, PROBLEM, USAGE = 0, 1, 2, 64
tally = Tally()


def doctor(*arguments, limit=None, **environment):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=600,
                          env={**clean, **environment}, preexec_fn=limit)


def findings(done):
    return {one["name"]: one for one in json.loads(done.stdout)["findings"]}


def expect(what, level, name, words, limit=None, **environment):
    """The finding has the level and says these words, and the exit status is the worst level."""
    done = doctor("doctor", "--json", limit=limit, **environment)
    report = json.loads(done.stdout)
    found = findings(done).get(name)
    said = " ".join(str(found[part]) for part in ("value", "follows", "remedy")) if found else "nothing"
    tally.check(found and found["level"] == level and all(word in said for word in words),
                f"{what}: {name} is {found and found['level']}, not {level}, or lacks {words}: {said}")
    worst = max(["ok", "note", "problem"].index(one["level"]) for one in report["findings"])
    tally.check(done.returncode == worst, f"{what}: status {done.returncode}, the worst finding is {worst}")
    text = doctor("doctor", limit=limit, **environment)
    tally.check(text.returncode == done.returncode and words[0] in text.stdout,
                f"{what}: the text does not say {words[0]}:\n{text.stdout}")


def lower(kind, n):
    return lambda: resource.setrlimit(kind, (n, n))


def as_nobody():
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (64 << 10, 64 << 10))
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


expect("few descriptors", "note", "descriptors", ["100", "connections", "ulimit -n"],
       limit=lower(resource.RLIMIT_NOFILE, 100))
expect("many descriptors", "ok", "descriptors", ["4096"], limit=lower(resource.RLIMIT_NOFILE, 4096))
expect("no seccomp, no io_uring", "note", "backend", ["epoll", "seccomp", "io_uring_setup"], limit=deny())
expect("as an old kernel", "note", "backend", ["epoll"], limit=deny(error=errno.ENOSYS))
expect("epoll by knob", "ok", "backend", ["epoll, as the knob asks"], WEFT_BACKEND="epoll")
expect("uring where it is denied", "problem", "start", ["weft_runtime_start", "io_uring"], limit=deny(),
       WEFT_BACKEND="uring")
expect("a bad knob", "problem", "start", ["WEFT_WORKERS", "zero"], WEFT_WORKERS="zero")
expect("no descriptor left", "problem", "start", ["RLIMIT_NOFILE"], limit=lower(resource.RLIMIT_NOFILE, 4))
expect("one CPU", "note" if os.cpu_count() > 1 else "ok", "CPUs", ["1 for weft"],
       limit=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}))
expect("little address space", "note", "stacks", ["address space: 1073741824", "ulimit -v"],
       limit=lower(resource.RLIMIT_AS, 1 << 30))
expect("little data", "note", "stacks", ["data: 1073741824", "ulimit -d"], limit=lower(resource.RLIMIT_DATA, 1 << 30))
if os.getuid() == 0:
    expect("little locked memory", "note", "locked memory", ["65536", "ulimit -l"], limit=as_nobody)

done = doctor("doctor", "--json", WEFT_WORKERS="3")
knobs = {knob["name"]: knob for knob in json.loads(done.stdout)["knobs"]}
tally.check(knobs["WEFT_WORKERS"] == {"name": "WEFT_WORKERS", "value": "3", "from": "environment"} and
            knobs["WEFT_BUDGET"]["from"] == "default", f"knobs: {knobs}")
tally.check(findings(done)["backend"]["level"] == "ok", "the backend is not ok here")
with open("/dev/full", "w") as full:
    done = subprocess.run([PROGRAM, "doctor"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=600)
tally.check(done.returncode == 74 and os.strerror(errno.ENOSPC) in done.stderr, f"no room for the report: {done}")
done = doctor("doctor", "--json", WEFT_WORKERS="\udcff")  # the byte 0xff, which is no UTF-8
tally.check("WEFT_WORKERS=\ufffd is not" in findings(done)["start"]["follows"], f"no UTF-8: {done.stdout}")
tally.check("WEFT_WORKERS=3, from the environment" in doctor("doctor", WEFT_WORKERS="3").stdout,
            "the text does not name the knob")
for arguments in [[], ["doc"], ["doctor", "--yaml"], ["doctor", "--json", "--json"]]:
    done = doctor(*arguments)
    tally.check(done.returncode == USAGE and "usage: weft doctor" in done.stderr and not done.stdout,
                f"{arguments}: status {done.returncode}, {done.stderr}")
tally.check(doctor("--help").returncode == 0 and doctor("--version").stdout.startswith("weft "), "--help, --version")
tally.finish()
