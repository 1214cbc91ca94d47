#!/usr/bin/env python3
"""What can be checked of the prose: no line of source is over 100 columns, comments included."""
import pathlib

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["include", "sched", "reactor", "runtime", "bench", "docs", "tests"]
COLUMNS = 100

tally = Tally()
for folder in FOLDERS:
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix not in {".c", ".h", ".S", ".cc"} or (ROOT / "bench/peers") in path.parents:
            continue
        name = path.relative_to(ROOT)
        wide = [number for number, line in enumerate(path.read_text().splitlines(), 1)
                if len(line) > COLUMNS]
        tally.check(not wide, f"{name}: over {COLUMNS} columns in lines {wide}")
tally.finish()
