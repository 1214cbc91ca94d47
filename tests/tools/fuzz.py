#!/usr/bin/env python3
"""Runs each fuzz target of a build folder for a while, beginning with its corpus.

fuzz.py BUILD [NAME...]

The build folder has -Dfuzz=true. FUZZ_SECONDS says how long each runs (60). Inputs that libFuzzer
finds interesting are lost; an input that fails stays in BUILD/found. Put it into the corpus. Words
that the inputs are made of are in tests/fuzz/NAME.dict, if there are any.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from tally import Tally

FUZZ = pathlib.Path(__file__).resolve().parents[1] / "fuzz"
SECONDS = int(os.environ.get("FUZZ_SECONDS", "60"))

build = pathlib.Path(sys.argv[1]).resolve()
found = build / "found"
found.mkdir(exist_ok=True)
tally = Tally()


def run(name):
    program = build / "tests/fuzz" / f"fuzz_{name}"
    corpus = FUZZ / "corpus" / name
    if not program.exists():
        return False, "is not in tests/fuzz/meson.build, or its libraries are missing"
    if not corpus.is_dir() or not any(corpus.iterdir()):
        return False, f"has no inputs in {corpus}"
    words = FUZZ / f"{name}.dict"
    options = [f"-dict={words}"] if words.exists() else []
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(
            [program, *options, f"-max_total_time={SECONDS}", "-timeout=60", "-print_final_stats=1",
             f"-artifact_prefix={found}/{name}-", scratch, corpus],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", cwd=scratch)
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    if done.returncode != 0 or not runs:
        return False, f"fails:\n{done.stderr[-8000:]}"
    return True, f"{runs[1]} inputs in {SECONDS} s"


names = sorted(path.stem.removeprefix("fuzz_") for path in FUZZ.glob("fuzz_*.c"))
for name in names:
    if sys.argv[2:] and name not in sys.argv[2:]:
        continue
    right, said = run(name)
    tally.check(right, f"fuzz_{name} {said}")
    if right:
        print(f"note: fuzz_{name}: {said}", flush=True)
if tally.passed + tally.failed == 0:
    tally.check(False, f"there is no such target; there are: {', '.join(names)}")
tally.finish()
