#!/usr/bin/env python3
"""docs/seccomp.json lets the library do all it does: tests and the doctor run under it, on both
backends.

seccomp_profile.py BUILD. A profile without one of the calls must be noticed.
"""
import json
import os
import pathlib
import subprocess
import sys

from layers import ROOT
from seccomp import allow_only
from tally import Tally

BUILD = pathlib.Path(sys.argv[1])
TESTS = ["blocking", "buffered", "connect", "datagram", "fd_ready", "file", "file_paths", "listener", "resolve",
         "send_file", "signal", "spawn", "stream", "time", "unix_socket"]
PLANTED = [("futex", "blocking"), ("epoll_ctl", "stream"), ("sendfile", "send_file"), ("signalfd4", "signal")]
profile = json.loads((ROOT / "docs/seccomp.json").read_text())
names = [name for group in profile["syscalls"] for name in group["names"]]
tally = Tally()


def run(program, allowed, *arguments, **environment):
    return subprocess.run([BUILD / program, *arguments], capture_output=True, text=True, timeout=300,
                          stdin=subprocess.DEVNULL, env={**os.environ, **environment},
                          preexec_fn=allow_only(allowed))


tally.check(len(names) == len(set(names)), "docs/seccomp.json names a call twice")
done = run("runtime/weft", names, "doctor", "--json")
backend = [one for one in json.loads(done.stdout)["findings"] if one["name"] == "backend"]
tally.check(backend and backend[0]["level"] == "ok" and backend[0]["value"].startswith("io_uring"),
            f"under the profile the backend is {backend}")
for backend in ["uring", "epoll"]:
    for test in TESTS:
        done = run(f"tests/test_runtime_{test}", names, WEFT_BACKEND=backend)
        tally.check(done.returncode == 0, f"{test} under the profile with {backend}:\n{done.stderr[-2000:]}")
for call, test in PLANTED:
    try:
        missed = run(f"tests/test_runtime_{test}", set(names) - {call}).returncode == 0
    except subprocess.TimeoutExpired:
        missed = False
    tally.check(not missed, f"nothing notices that the profile lacks {call}")
tally.finish()
