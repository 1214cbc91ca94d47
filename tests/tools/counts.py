#!/usr/bin/env python3
"""counts.py COUNTS [--write]: instructions for each operation of the scheduler, against counts.json.

COUNTS is built from counts.c; it runs under callgrind. More than 3 % above the baseline fails, so does
more than 3 % below: then write the better one (--write), with the change that brought it. Counts belong
to a compiler; there is no verdict for one that the baseline does not know.
"""
import json
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

from tally import Tally

BASELINE = pathlib.Path(__file__).with_name("counts.json")
MOST = 0.03


def compiler(program):
    said = subprocess.check_output(["readelf", "-p", ".comment", program], text=True)
    return f"{re.search(r'GCC:.* ([0-9.]+)$|(clang version [0-9.]+)', said, re.M)[0].strip()} {platform.machine()}"


def measure(program):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        done = subprocess.run(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}",
                               program], check=True, capture_output=True, text=True)
        counts = {}
        for dump in pathlib.Path(folder).iterdir():
            text = dump.read_text(encoding="utf-8")
            name = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.M)
            if name:
                total = re.search(r"^(?:summary|totals): (\d+)", text, re.M)
                counts[name[1]] = round(int(total[1]) / int(done.stdout), 1)
    return counts


def main():
    program = sys.argv[1]
    with_what, counts = compiler(program), measure(program)
    baseline = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    if "--write" in sys.argv:
        baseline[with_what] = counts
        BASELINE.write_text(json.dumps(baseline, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if with_what not in baseline:
        print(f"note: no instruction counts are known for {with_what}")
    tally = Tally()
    for name, was in baseline.get(with_what, counts).items():
        now = counts.get(name, float("inf"))
        print(f"{name:16} {now:7.1f} instructions, {now / was - 1:+.1%}")
        tally.check(abs(now / was - 1) <= MOST,
                    f"{name} takes {now} instructions, {was} in {BASELINE.name}: mend it, or if it "
                    f"must be so write it down with {sys.argv[0]} {program} --write")
    tally.check(len(counts) > 0, "callgrind told nothing")
    tally.finish()


main()
