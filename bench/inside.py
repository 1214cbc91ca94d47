"""Benchmarks inside one process: peers that are asked for repetitions (README.md, "Peers")."""

import contextlib
import dataclasses
import json
import os
import select
import subprocess
import tempfile

from common import (PATIENCE, Failure, Unknown, available_mb, interleaved, last_message, median,
                    number, paired_ratio, peak_rss_kb, spread)

SILENCE = 300  # seconds for an answer


# Figures that only some benchmarks have: (title, key, what they are divided by).
MEMORY = (("RSS MB", "rss_kb", 1024), ("after", "rss_after_kb", 1024))
LATE = (("RSS MB", "rss_kb", 1024), ("late ms", "late_ns_mean", 1e6), ("early", "early", 1))


@dataclasses.dataclass(frozen=True)
class Bench:
    name: str
    title: str
    cold: bool = False  # a fresh process for each repetition: it is about memory
    extra: tuple = ()  # columns
    needs_mb: int = 0  # of memory that is free

    @property
    def group(self):
        return self.name.split("/")[0]

    def run(self, runtimes, options):
        return run(self, runtimes, options)


BENCHES = [
    Bench("sched/spawn_many", "10,000 tasks spawned by a task"),
    Bench("sched/spawn_many_outside", "10,000 tasks spawned by the main thread"),
    Bench("sched/spawn_join", "spawn a task, join it, and again"),
    Bench("sched/chained_spawn", "1000 tasks, each spawns the next and ends"),
    Bench("sched/ping_pong", "1000 at once: two tasks, two oneshots"),
    Bench("sched/yield_many", "200 tasks yield 1000 times each"),
    Bench("sched/skynet", "a tree of tasks with a million leaves, fan-out 10; per task"),
    Bench("sched/fib", "fib(27), a task for each call; per task"),
    Bench("sched/foreign_wake", "outside thread asks a task, round trip"),
    Bench("sched/foreign_wake_spaced", "the same, 50 µs of sleep between the trips (not counted)"),
    Bench("sched/foreign_spawn_1", "10,000 tasks under way, spawned by 1 outside thread"),
    Bench("sched/foreign_spawn_4", "10,000 tasks under way, spawned by 4 outside threads"),
    Bench("sched/foreign_spawn_16", "10,000 tasks under way, spawned by 16 outside threads"),
    Bench("sched/foreign_spawn_64", "10,000 tasks under way, spawned by 64 outside threads"),
    Bench("sched/tasks_1m", "a million tasks wait, then end; resident with all, and after", True,
          MEMORY),
    Bench("time/sleep_1m", "a million tasks sleep, each its part of a second", True, LATE),
    Bench("time/timers_1m", "a million sleeps begun and dropped beside a thousand that go on"),
    Bench("blocking/round_trip", "a job for the blocking pool, awaited, and the next"),
    Bench("blocking/at_once", "10,000 jobs for the blocking pool at once"),
    Bench("blocking/in_place", "a call that may block, on the worker, which is replaced; and a yield"),
    Bench("file/read_4k", "32 tasks read 4 KiB at random, from the page cache"),
    Bench("file/read_128k", "32 tasks read 128 KiB in order, from the page cache"),
    Bench("file/cold_4k", "32 tasks read 4 KiB at random, each from the disk"),
    Bench("file/cold_128k", "32 tasks read 128 KiB in order, from the disk"),
    Bench("sync/oneshot", "a oneshot channel: opened, sent to and received from by one task"),
    Bench("sync/oneshot_wait", "two tasks send a number to and fro, a oneshot each time"),
    Bench("sync/mpsc_1_1", "mpsc channel of 128 places, one sender; per message"),
    Bench("sync/mpsc_4_1", "mpsc channel of 128 places, 4 senders; per message"),
    Bench("sync/mpmc_4_4", "mpmc channel of 128 places, 4 senders, 4 receivers; per message"),
    Bench("sync/mutex_1", "a mutex locked and unlocked by one task"),
    Bench("sync/mutex_8", "a mutex locked and unlocked by 8 tasks"),
    Bench("sync/mutex_8_held", "the same, each yields while it holds the mutex"),
    Bench("sync/rwlock_1", "a rwlock, 15 of 16 times to read, by one task"),
    Bench("sync/rwlock_8", "a rwlock, 15 of 16 times to read, by 8 tasks"),
    Bench("sync/rwlock_8_held", "the same, each yields while it holds the lock"),
    Bench("sync/semaphore_1", "a semaphore of 4 permits, by one task"),
    Bench("sync/semaphore_8", "a semaphore of 4 permits, by 8 tasks"),
    Bench("sync/semaphore_8_held", "the same, each yields while it holds its permit"),
    Bench("sync/notify", "two tasks notify each other in turn; per notification"),
    Bench("sync/broadcast_1_4", "a broadcast channel with 4 receivers; per message received"),
    Bench("sync/watch_1_4", "a watch with 4 receivers; per value seen"),
    Bench("sync/timeout_ready", "a time limit for a future that is ready"),
    Bench("sync/timeout_pending", "a time limit for a future that is pending once"),
    Bench("fiber/switch", "to another stack, without a task; per switch"),
    Bench("fiber/await_ready", "an await that is READY at once"),
    Bench("fiber/yield_pair", "two tasks yield; per yield"),
    Bench("fiber/spawn_join", "spawn a task, join it, and again"),
    Bench("fiber/spawn_join_async", "an async function spawns a fiber, joins it, and again"),
    Bench("fiber/ping_pong", "two tasks, two channels of one place; per message"),
    Bench("fiber/sleep_100k", "100,000 tasks sleep, and are cancelled; resident with all, and after",
          True, MEMORY),
    Bench("fiber/sleep_1m", "the same with a million, fibers with the least stack", True, MEMORY,
          needs_mb=12 << 10),
]
OPTIONAL = sorted({key for bench in BENCHES for _, key, _ in bench.extra} | {"peak_rss_kb"})


# ---- a peer ----


class Peer:
    """A process that answers requests on its standard input."""

    def __init__(self, command, env):
        self.errors = tempfile.TemporaryFile("w+")
        # A session of its own: Ctrl-C comes to us alone, and we end the peer.
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors,
                                        start_new_session=True)

    def line(self):
        text, out = b"", self.process.stdout.fileno()
        while not text.endswith(b"\n"):
            if not select.select([out], [], [], SILENCE)[0]:
                raise Failure(f"no answer for {SILENCE} s")
            piece = os.read(out, 4096)
            if not piece:
                self.ended()
                raise Failure(f"ended early: {last_message(self.errors)}")
            text += piece
        return text.decode(errors="replace")

    def ask(self, name):
        """One repetition: its figures."""
        with contextlib.suppress(BrokenPipeError):  # line() finds that it has ended, and how
            self.process.stdin.write(f"{name} 1\n".encode())
            self.process.stdin.flush()
        line = self.line()
        try:
            answer = json.loads(line)
            if answer.get("error") == "unknown":
                raise Unknown
            ops = answer["ops"]
            sample = {"time": answer["ns"] / ops, "cpu": answer["cpu_ns"] / ops,
                      "peak_rss_kb": peak_rss_kb(self.process.pid)}
            return sample | {k: answer[k] for k in OPTIONAL if k in answer}
        except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
            raise Failure(f"expected figures, got {line.strip()[:80]!r}") from None

    def ended(self):
        """Waits for its end; it must have gone well."""
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failure(f"did not end within {PATIENCE} s") from None
        if status != 0:
            raise Failure(f"ended with status {status}: {last_message(self.errors)}")

    def finish(self):
        """Its input ends, and it must, too."""
        self.process.stdin.close()
        self.ended()

    def kill(self):
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()


@contextlib.contextmanager
def peers(bench, options):
    """Yields measure(runtime) and finish(name); ends all peers, whatever happens."""
    running = {}

    def measure(runtime):
        if runtime.name not in running:
            running[runtime.name] = Peer(runtime.programs[bench.group], options.env)
        sample = running[runtime.name].ask(bench.name)
        if bench.cold:
            finish(runtime.name)
        return sample

    def finish(name):
        if name in running:
            running[name].finish()
            running.pop(name).kill()

    try:
        yield measure, finish
    finally:
        for peer in running.values():
            peer.kill()


# ---- results ----


def summarise(bench, name, samples, weft):
    """One result of the JSON file; `samples` and `weft` are figures by repetition."""
    values = [s["time"] for s in samples]
    extra = [k for k in OPTIONAL if k in samples[0]]
    result = {
        "bench": bench.name, "runtime": name, "unit": "ns/op", "median": median(samples, "time"),
        "min": min(values), "max": max(values), "cpu": median(samples, "cpu"), "cpu_unit": "ns/op",
    } | {k: median(samples, k) for k in extra} | {"repetitions": len(samples)}
    if weft and name != "weft":
        result["weft_ratio"] = {k: paired_ratio(weft, samples, k)
                                for k in ("time", "cpu", *extra) if k in weft[0]}
    return result


def print_table(bench, results):
    extra = bench.extra + (("peak MB", "peak_rss_kb", 1024),)
    ratios = [("time", "time"), ("cpu", "cpu")] + ([("RSS", "rss_kb")] if bench.cold else [])
    print(f"\n{bench.name}: {bench.title}")
    print(f"  {'':14}{'ns/op':>9}{'min..max':>18}{'cpu ns':>9}"
          + "".join(f"{title:>9}" for title, _, _ in extra)
          + "   weft/it:" + "".join(f"{title:>6}" for title, _ in ratios))
    for r in results:
        ratio = r.get("weft_ratio", {})
        print((f"  {r['runtime']:14}{number(r['median']):>9}{spread(r):>18}{number(r['cpu']):>9}"
               + "".join(f"{r[k] / per:>9.1f}" if k in r else f"{'':9}" for _, k, per in extra)
               + " " * 11
               + "".join(f"{ratio[k]:6.2f}" for _, k in ratios if ratio.get(k))).rstrip())


def run(bench, runtimes, options):
    """Measures, prints, and returns (results, complaints)."""
    if bench.needs_mb > available_mb():
        print(f"\n{bench.name} left out: it needs {bench.needs_mb} MB of free memory")
        return [], []
    runtimes = [r for r in runtimes if bench.group in r.programs]
    with peers(bench, options) as (measure, finish):
        samples, failed = interleaved(runtimes, options.repetitions, measure)
        for name in list(samples):
            try:
                finish(name)
            except Failure as failure:
                failed[name] = str(failure)
                del samples[name]
    results = [summarise(bench, name, s, samples.get("weft")) for name, s in samples.items()]
    print_table(bench, results)
    complaints = [f"{bench.name}: {name}: {failure}" for name, failure in failed.items()]
    complaints += [f"{bench.name}: {name}: {early} sleeps ended early" for name, s in samples.items()
                   if (early := max(sample.get("early", 0) for sample in s)) > 0]
    if not samples and not failed:
        complaints.append(f"{bench.name}: no runtime has it")
    return results, complaints
