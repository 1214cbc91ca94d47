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


@dataclasses.dataclass(frozen=True)
class Bench:
    name: str
    server: str  # "echo" or "http"
    what: str
    connections: int
    size: int = 64
    depth: int = 1
    rate: int = 0  # requests/s; 0: closed loop

    def load_arguments(self):
        return [self.server, "--connections", self.connections, "--size", self.size,
                "--depth", self.depth] + (["--rate", self.rate] if self.rate else [])

    @property
    def group(self):
        return self.name.split("/")[0]

    @property
    def loop(self):
        return "fixed rate" if self.rate else "closed loop"

    @property
    def title(self):
        return f"{self.what}, {self.loop}"

    def run(self, runtimes, options):
        return run(self, runtimes, options)

    # A closed loop asks how many requests, a fixed rate what each of them costs.
    @property
    def unit(self):
        return "us/op" if self.rate else "req/s"

    @property
    def figure(self):
        return "server_cpu" if self.rate else "rate"


BODY = len("Hello, World!")  # of /plaintext

BENCHES = [
    Bench("io/echo_1", "echo", "1 connection x 64 B", 1),
    Bench("io/echo_64", "echo", "64 connections x 64 B", 64),
    Bench("io/echo_1000", "echo", "1000 connections x 64 B", 1000),
    Bench("io/echo_64_16k", "echo", "64 connections x 16 KiB", 64, 16384),
    Bench("io/echo_fixed", "echo", "64 connections x 64 B, 64,000/s in bursts of 64", 64,
          rate=64000),
    Bench("io/http_plain_1", "http", "/plaintext, 1 connection", 1, BODY),
    Bench("io/http_plain_64", "http", "/plaintext, 64 connections", 64, BODY),
    Bench("io/http_plain_1000", "http", "/plaintext, 1000 connections", 1000, BODY),
    Bench("io/http_pipelined", "http", "/plaintext, 64 connections x 16 requests at once", 64,
          BODY, 16),
    Bench("io/http_fixed", "http", "/plaintext, 64 connections, 64,000/s in bursts of 64", 64,
          BODY, rate=64000),
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
            return json.loads(done.stdout) | {"rss_kb": peak_rss_kb(server.pid)}
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
        "p999_us": median(samples, "p999"), "rss_kb": median(samples, "rss_kb"),
        "repetitions": len(samples),
    }
    if weft and name != "weft":
        keys = {"rate": "rate", "cpu": "server_cpu", "p50": "p50", "p99": "p99"}
        result["weft_ratio"] = {k: paired_ratio(weft, samples, key) for k, key in keys.items()}
    return result


def print_table(bench, results):
    title = "cpu min..max" if bench.rate else "min..max"
    print(f"\n{bench.name}: {bench.title}")
    print(f"  {'':14}{'req/s':>9}{title:>18}{'cpu µs':>9}{'load µs':>9}"
          f"{'p50 µs':>9}{'p99 µs':>9}{'RSS MB':>8}   weft/it: rate   cpu   p99")
    for r in results:
        ratio = r.get("weft_ratio", {})
        ratios = "".join(f"{ratio[k]:6.2f}" for k in ("rate", "cpu", "p99") if ratio.get(k))
        print(f"  {r['runtime']:14}{number(r['rate']):>9}{spread(r):>18}{r['cpu']:>9.2f}"
              f"{r['load_cpu']:>9.2f}{number(r['p50_us']):>9}{number(r['p99_us']):>9}"
              f"{r['rss_kb'] / 1024:>8.1f}{'':11}{ratios}".rstrip())


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
    for r in results:
        if bench.rate and r["rate"] < 0.98 * bench.rate:
            complaints.append(f"{bench.name}: {r['runtime']} kept up with {r['rate']:.0f}/s only")
    return results, complaints
