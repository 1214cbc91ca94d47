"""Benchmarks io/...: servers on 127.0.0.1, loaded by a process of its own."""

import contextlib
import dataclasses
import json
import os
import re
import select
import subprocess
import tempfile
import time

from common import (BUILD, PATIENCE, Failure, interleaved, last_line, last_message, median, number,
                    paired_ratio, peak_rss_kb, spread)


# Figures that only some benchmarks have: (title, key, decimals).
BURNS = ("burns/s", "burn_rate", 0)
ALONE = ("alone µs", "alone_cpu", 2)  # CPU per request without the idle connections
GROWTH = ("x alone", "idle_cpu", 3)
IDLE_KB = ("KB/idle", "idle_kb", 2)

FREE_P99 = ("free p99", "free_p99", 0)  # µs, before a task sleeps
MAX = ("max µs", "max", 0)

BURN_RATE = 200  # load.c's, when the server keeps up


@dataclasses.dataclass(frozen=True)
class Bench:
    name: str
    what: str
    connections: int
    size: int = 64
    depth: int = 1
    rate: int = 0  # requests/s; 0: closed loop
    server: str = "echo"  # or "mix", "stream", "http"
    load: str = "echo"  # or "churn", "stream", "http"
    options: tuple = ()  # more of the load's
    extra: tuple = ()  # columns

    def load_arguments(self):
        return [self.load, "--connections", self.connections, "--size", self.size,
                "--depth", self.depth, *self.options] + (["--rate", self.rate] if self.rate else [])

    @property
    def group(self):
        return self.name.split("/")[0]

    @property
    def loop(self):
        return "fixed rate" if self.rate else "closed loop"

    @property
    def title(self):
        return self.what if self.load == "stream" else f"{self.what}, {self.loop}"

    def run(self, runtimes, options):
        return run(self, runtimes, options)

    # What one operation is: all figures but latencies are per operation.
    @property
    def operation(self):
        return {"stream": "MB", "churn": "conn"}.get(self.load, "req")

    # A closed loop asks how many operations, a fixed rate what each of them costs.
    @property
    def unit(self):
        return "us/op" if self.rate else f"{self.operation}/s"

    @property
    def figure(self):
        return "server_cpu" if self.rate else "rate"


def http(name, what, connections, **more):
    return Bench(name, what, connections, len("Hello, World!"), server="http", load="http", **more)


EVENLY = ("--even",)

BENCHES = [
    Bench("io/echo_1", "1 connection x 64 B", 1),
    Bench("io/echo_64", "64 connections x 64 B", 64),
    Bench("io/echo_1000", "1000 connections x 64 B", 1000),
    Bench("io/echo_64_16k", "64 connections x 16 KiB", 64, 16384),
    Bench("io/echo_fixed", "64 connections x 64 B, 64,000/s in bursts of 64", 64, rate=64000),
    Bench("io/echo_even", "64 connections x 64 B, 64,000/s one by one", 64, rate=64000,
          options=EVENLY),
    Bench("io/echo_mix", "62 connections x 64 B beside 2 that want 2 ms of CPU 200 times/s", 64,
          server="mix", options=("--burners", 2), extra=(BURNS,)),
    Bench("io/echo_blocked", "63 connections x 64 B while the task of one sleeps 2 s in its worker", 64,
          server="mix", options=("--sleeper",), extra=(FREE_P99, MAX)),
    Bench("io/idle_15000", "100 connections x 64 B beside 15,000 idle ones", 100, rate=50000,
          options=("--idle", 15000), extra=(ALONE, GROWTH, IDLE_KB)),
    Bench("io/churn_64", "64 at once: connect, 64 B and back, reset", 64, load="churn"),
    Bench("io/stream_64k", "8 connections, the server writes 64 KiB at a time", 8, 65536,
          server="stream", load="stream"),
    http("io/http_plain_1", "/plaintext, 1 connection", 1),
    http("io/http_plain_64", "/plaintext, 64 connections", 64),
    http("io/http_plain_1000", "/plaintext, 1000 connections", 1000),
    http("io/http_pipelined", "/plaintext, 64 connections x 16 requests at once", 64, depth=16),
    http("io/http_fixed", "/plaintext, 64 connections, 64,000/s in bursts of 64", 64, rate=64000),
    http("io/http_even", "/plaintext, 64 connections, 64,000/s one by one", 64, rate=64000,
         options=EVENLY),
]


# ---- one measurement ----


def wait_for_port(server, errors):
    """Reads the server's output up to the line with its port."""
    text, deadline = "", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if select.select([server.stdout], [], [], 0.1)[0]:
            piece = os.read(server.stdout.fileno(), 4096).decode(errors="replace")
            text += piece
            found = re.search(r"listening (?:on \S*:)?(\d+)\s", text)
            if found:
                return int(found[1])
            if not piece:
                raise Failure(f"server ended at start: {last_message(errors)}")
    raise Failure(f"server not ready within {PATIENCE} s")


@contextlib.contextmanager
def running(command, env):
    """Starts a server on a free port; yields (process, port); ends it, whatever happens."""
    with tempfile.TemporaryFile("w+") as errors:
        # A session of its own: Ctrl-C comes to us alone, and we end the server.
        server = subprocess.Popen([*command, "0"], env=env, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        try:
            yield server, wait_for_port(server, errors)
            if server.poll() is not None:
                raise Failure(f"server ended early (status {server.returncode}): "
                              f"{last_message(errors)}")
            server.terminate()
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"server did not stop within {PATIENCE} s of SIGTERM") from None
        finally:
            server.kill()
            server.wait()
            server.stdout.close()


def figures(bench, text):
    """What the load has printed, per operation."""
    sample = json.loads(text)
    if bench.operation == "MB":
        megabytes = bench.size / 1e6
        sample["rate"] *= megabytes
        for key in ("server_cpu", "load_cpu", "switches"):
            sample[key] /= megabytes
    if "alone_cpu" in sample:
        sample["idle_cpu"] = sample["server_cpu"] / sample["alone_cpu"]
    return sample


def measure(bench, runtime, options):
    """Loads a fresh server once and returns the load's figures."""
    with running(runtime.servers[bench.server], options.env) as (server, port):
        load = [BUILD / "bench" / "load", *bench.load_arguments(), "--port", port, "--server-pid",
                server.pid, "--warmup", options.warmup, "--seconds", options.seconds]
        try:
            done = subprocess.run([str(a) for a in load], capture_output=True, text=True,
                                  timeout=options.warmup + options.seconds + 6 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure("load did not end") from None
        if done.returncode == 0:
            return figures(bench, done.stdout) | {"rss_kb": peak_rss_kb(server.pid)}
        time.sleep(0.1)
        if server.poll() is None:
            raise Failure(last_line(done.stderr))
        return None  # the server has ended, and running() tells why


# ---- results ----


def summarise(bench, name, samples, weft):
    """One result of the JSON file; `samples` and `weft` are figures by repetition."""
    values = [s[bench.figure] for s in samples]
    result = {
        "bench": bench.name, "runtime": name, "unit": bench.unit,
        "median": median(samples, bench.figure), "min": min(values), "max": max(values),
        "cpu": median(samples, "server_cpu"), "cpu_unit": "us/op",
        "load_cpu": median(samples, "load_cpu"), "rate": median(samples, "rate"),
        "p50_us": median(samples, "p50"), "p99_us": median(samples, "p99"),
        "p999_us": median(samples, "p999"), "switches": median(samples, "switches"),
        "rss_kb": median(samples, "rss_kb"),
    } | {key: median(samples, key) for _, key, _ in bench.extra} | {"repetitions": len(samples)}
    if weft and name != "weft":
        keys = {"rate": "rate", "cpu": "server_cpu", "p50": "p50", "p99": "p99"}
        result["weft_ratio"] = {k: paired_ratio(weft, samples, key) for k, key in keys.items()}
    return result


def print_table(bench, results):
    title = "cpu min..max" if bench.rate else "min..max"
    streams = bench.operation == "MB"
    print(f"\n{bench.name}: {bench.title}")
    print(f"  {'':14}{bench.operation + '/s':>9}{title:>18}{'cpu µs':>9}{'load µs':>9}{'sleeps':>8}"
          + ("" if streams else f"{'p50 µs':>9}{'p99 µs':>9}")
          + "".join(f"{title:>10}" for title, _, _ in bench.extra)
          + f"{'RSS MB':>8}   weft/it: rate   cpu" + ("" if streams else "   p99"))
    for r in results:
        ratio = r.get("weft_ratio", {})
        ratios = "".join(f"{ratio[k]:6.2f}" for k in ("rate", "cpu", "p99") if ratio.get(k))
        print((f"  {r['runtime']:14}{number(r['rate']):>9}{spread(r):>18}{number(r['cpu']):>9}"
               f"{number(r['load_cpu']):>9}{r['switches']:>8.3f}"
               + ("" if streams else f"{number(r['p50_us']):>9}{number(r['p99_us']):>9}")
               + "".join(f"{r[key]:>10.{decimals}f}" for _, key, decimals in bench.extra)
               + f"{r['rss_kb'] / 1024:>8.1f}{'':11}{ratios}").rstrip())


def shortfalls(bench, results):
    for r in results:
        if bench.rate and r["rate"] < 0.98 * bench.rate:
            yield f"{bench.name}: {r['runtime']} kept up with {r['rate']:.0f}/s only"
        if r.get("burn_rate", BURN_RATE) < 0.9 * BURN_RATE:
            yield f"{bench.name}: {r['runtime']} did {r['burn_rate']:.0f} of the long ones/s only"


def run(bench, runtimes, options):
    """Measures, prints, and returns (results, complaints)."""
    runtimes = [r for r in runtimes if bench.server in r.servers]
    samples, failed = interleaved(runtimes, options.repetitions,
                                  lambda runtime: measure(bench, runtime, options))
    results = [summarise(bench, name, s, samples.get("weft")) for name, s in samples.items()]
    print_table(bench, results)
    complaints = [f"{bench.name}: {name}: {failure}" for name, failure in failed.items()]
    sizes = {name: s[-1]["bytes"] for name, s in samples.items()}
    if len(set(sizes.values())) > 1:
        complaints.append(f"{bench.name}: not comparable, answers differ in length: {sizes}")
    return results, complaints + list(shortfalls(bench, results))
