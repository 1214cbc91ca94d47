#!/usr/bin/env python3
"""Lets inside.py meet honest and lying peers: what they say must not become figures."""

import contextlib
import io
import os
import re
import sys
import types

import inside
from runtimes import Runtime

OPTIONS = types.SimpleNamespace(repetitions=3, env=dict(os.environ))

# Each line of a peer's code runs for every request, with `request` and its number `n`.
PEER = """
import os, sys, time
for n, request in enumerate(sys.stdin):
    name, repetitions = request.split()
    answer = '{"ops": 1000, "ns": 5000, "cpu_ns": 9000}'
    CODE
    print(answer, flush=True)
"""


def run(cold=False, **peers):
    """({name: result}, complaints) of peers given by their code."""
    runtimes = [Runtime(name, programs={"sched": [sys.executable, "-c",
                                                  PEER.replace("CODE", code)]})
                for name, code in peers.items()]
    with contextlib.redirect_stdout(io.StringIO()):
        results, complaints = inside.run(inside.Bench("sched/test", "a test", cold), runtimes,
                                         OPTIONS)
    return {r["runtime"]: r for r in results}, complaints


def fails(name, expected, code):
    results, complaints = run(weft="pass", liar=code)
    assert len(complaints) == 1 and re.search(expected, complaints[0]), f"{name}: {complaints}"
    assert list(results) == ["weft"], f"{name}: {results}"
    print(f"ok: {name}: {complaints[0]}")


results, complaints = run(weft="pass", other="answer = answer.replace('5000', '2000')")
assert not complaints, complaints
assert results["weft"]["median"] == 5 and results["weft"]["cpu"] == 9, results
assert results["other"]["weft_ratio"]["time"] == 2.5, results
print("ok: figures and ratios")

results, complaints = run(weft="pass", other="answer = '{\"error\": \"unknown\"}'")
assert not complaints and list(results) == ["weft"], (results, complaints)
print("ok: an unknown benchmark is left out")

memory = "answer = answer.replace('}', ', \"rss_kb\": %d, \"rss_after_kb\": 7}' % (n + 1))"
results, complaints = run(True, weft=memory)
assert not complaints and results["weft"]["rss_kb"] == 1, (results, complaints)
print("ok: a fresh process for each repetition, where memory counts")

timers = "answer = answer.replace('}', ', \"late_ns_mean\": 500, \"early\": %d}' % EARLY)"
results, complaints = run(weft=timers.replace("EARLY", "0"))
assert not complaints and results["weft"]["late_ns_mean"] == 500, (results, complaints)
print("ok: how late timers are")
_, complaints = run(weft=timers.replace("EARLY", "n"))
assert complaints == ["sched/test: weft: 2 sleeps ended early"], complaints
print(f"ok: {complaints[0]}")
_, complaints = run(weft="answer = answer.replace('}', ', \"peak_rss_kb\": 7}')")
assert not complaints, complaints
print("ok: a peer that knows better how much memory was used")

fails("a crash", "status -6", "os.abort()")
fails("a later crash", "status -9", "n == 1 and os.kill(os.getpid(), 9)")
fails("a wrong result", "status 1: fib is 3, expected 4", "sys.exit('fib is 3, expected 4')")
fails("an early end", "ended early", "sys.exit(0)")
fails("an end that fails", "status 3: too late",
      "n == 2 and (print(answer, flush=True), print('too late', file=sys.stderr), os._exit(3))")
fails("no figures", "expected figures", "answer = 'hello'")
fails("not all figures", "expected figures", "answer = '{\"ops\": 1}'")
fails("nothing done", "expected figures", "answer = answer.replace('1000', '0')")
inside.SILENCE = 5
fails("silence", "no answer for 5 s", "time.sleep(600)")
_, complaints = run(weft="answer = '{\"error\": \"unknown\"}'")
assert complaints == ["sched/test: no runtime has it"], complaints
print("ok: a benchmark that nobody has")
