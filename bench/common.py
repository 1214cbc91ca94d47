"""What all benchmarks share: failures, interleaving, medians, formatting."""

import os
import pathlib
import re
import statistics
import subprocess

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
BUILD = pathlib.Path(os.environ.pop("WEFT_BUILD", ROOT / "build-release")).resolve()

PATIENCE = 10  # seconds for a process to start or stop


class Failure(Exception):
    """What ends a measurement; the text is one line for the user."""


class Unknown(Exception):
    """The runtime does not have this benchmark."""


def output_of(command):
    """The first line that a command prints, "" if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.split("\n")[0].strip() if done.returncode == 0 else ""


def shown(path):
    """A path as the user would type it."""
    return os.path.relpath(path)


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


def last_message(file):
    """The last line of what a process wrote there."""
    file.seek(0)
    return last_line(file.read())


def peak_rss_kb(pid):
    """The most memory that it had resident; 0 of one that has ended and not been waited for."""
    found = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else 0


def available_mb():
    """The memory that programs can have without swapping."""
    found = re.search(r"MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return int(found[1]) // 1024 if found else 0


# ---- the file that file/... reads ----

FILE = BUILD / "bench" / "file.data"
FILE_BLOCKS, FILE_BLOCK = 32768, 4096  # 128 MiB


def prepare_file():
    """Makes it, each block with its number in front, and brings it into the page cache."""
    size = FILE_BLOCKS * FILE_BLOCK
    if not FILE.exists() or FILE.stat().st_size != size:
        with open(FILE, "wb") as file:
            for i in range(FILE_BLOCKS):
                file.write(i.to_bytes(8, "little").ljust(FILE_BLOCK, b"\0"))
    with open(FILE, "rb") as file:
        while file.read(1 << 20):
            pass


# ---- figures ----


def interleaved(runtimes, repetitions, measure):
    """Calls measure(runtime) so often for each; ({name: samples}, {name: failure}).

    A runtime that fails is left out from then on, one that does not know the benchmark from both.
    """
    samples, failed, unknown = {r.name: [] for r in runtimes}, {}, set()
    for repetition in range(repetitions):
        for k in range(len(runtimes)):
            runtime = runtimes[(repetition + k) % len(runtimes)]  # each goes first in turn
            if runtime.name in failed or runtime.name in unknown:
                continue
            try:
                samples[runtime.name].append(measure(runtime))
            except Unknown:
                unknown.add(runtime.name)
            except Failure as failure:
                failed[runtime.name] = str(failure)
    good = {name: s for name, s in samples.items() if name not in failed and name not in unknown}
    return good, failed


def median(samples, key):
    return statistics.median(s[key] for s in samples)


def paired_ratio(weft, samples, key):
    """Weft's figure as a multiple of another's, by repetition, for the machine's speed drifts."""
    pairs = [w[key] / s[key] for w, s in zip(weft, samples) if s[key] > 0]
    return round(statistics.median(pairs), 3) if pairs else None


def number(value):
    """Three to four digits: 4.93, 170.2k, 2.01M."""
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if value >= limit:
            value = value / (1e6 if unit == "M" else 1e3)
            return f"{value:.2f}{unit}" if value < 100 else f"{value:.1f}{unit}"
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def spread(result):
    return f"{number(result['min'])}..{number(result['max'])}"
