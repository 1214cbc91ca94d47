#!/usr/bin/env python3
"""Lets servers.py meet our own servers and bad ones: what goes wrong must be told, not measured."""

import contextlib
import dataclasses
import io
import os
import re
import sys
import types

import servers
from common import BUILD
from runtimes import Runtime, servers_of

OPTIONS = types.SimpleNamespace(repetitions=1, warmup=0.05, seconds=0.1, env=dict(os.environ))

# A server's code runs with the socket of each connection, `s`.
SERVER = """
import os, socket, sys, threading, time
def serve(s):
    CODE
listener = socket.create_server(("127.0.0.1", 0))
print("listening", listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
ECHO = "while data := s.recv(65536): s.sendall(data)"


def scripted(name, code):
    command = [sys.executable, "-c", SERVER.replace("CODE", code)]
    return Runtime(name, servers={"echo": command})


def run(bench, *runtimes):
    """({name: result}, complaints, what was printed)"""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        results, complaints = servers.run(bench, runtimes, OPTIONS)
    return {r["runtime"]: r for r in results}, complaints, printed.getvalue()


def fails(name, expected, code, bench=servers.BENCHES[0]):
    results, complaints, _ = run(bench, scripted("honest", ECHO), scripted("liar", code))
    # The machine may be busy.
    complaints = [c for c in complaints if "honest kept up with" not in c]
    assert len(complaints) == 1 and re.search(expected, complaints[0]), f"{name}: {complaints}"
    print(f"ok: {name}: {complaints[0]}")
    return results


# ---- our own: every benchmark in a closed loop, with fewer connections ----

OURS = [Runtime("weft", servers=servers_of([BUILD / "bench" / "echo"], ("echo", "mix", "stream"))),
        Runtime("epoll", servers=servers_of([BUILD / "bench" / "echo_epoll"], ("echo", "stream"))),
        Runtime("uring", servers=servers_of([BUILD / "bench" / "echo_uring"], ("echo",)))]

for bench in servers.BENCHES:
    if bench.rate or bench.server == "http":
        continue
    small = dataclasses.replace(bench, connections=min(bench.connections, 20),
                                options=tuple(50 if o == 15000 else o for o in bench.options))
    results, complaints, printed = run(small, *OURS)
    complaints = [c for c in complaints if "long ones/s only" not in c]  # the machine may be busy
    has = {r.name for r in OURS if bench.server in r.servers}
    assert not complaints and set(results) == has, f"{bench.name}: {complaints or results}"
    assert all(r[key] > 0 for r in results.values() for _, key, _ in bench.extra
               if key != "idle_kb"), f"{bench.name}: {results}"
    assert all(name in printed for name in has), printed
    print(f"ok: {bench.name}")

# ---- others ----

sample = servers.figures(servers.Bench("io/test", "a test", 1, 500_000, load="stream"),
                         '{"rate": 100, "server_cpu": 20, "load_cpu": 5, "switches": 1}')
assert sample == {"rate": 50, "server_cpu": 40, "load_cpu": 10, "switches": 2}, sample
print("ok: a stream is measured by the megabyte")

results = fails("a crash", "server ended early .status -6.", "os.abort()")
assert set(results) == {"honest"}, results
fails("a wrong answer", "came back as", "s.sendall(bytes(len(s.recv(65536)))); time.sleep(9)")
slow = servers.Bench("io/test", "a test", 1, rate=2000)
results = fails("a rate not kept", "liar kept up with",
                "while data := s.recv(64): time.sleep(0.01); s.sendall(data)", slow)
assert set(results) == {"honest", "liar"}, results
