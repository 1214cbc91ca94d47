#!/usr/bin/env python3
"""Runs the explorer's tests (tests/sched/explore.h), and proves that they find bugs: they must find these.

models.py BUILD [TEST...]

Each row of mutants.py plants one bug in a copy of the source. The test of that name must fail then,
print the schedule, and fail with that schedule alone; without a bug it must pass.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

from mutants import MUTANTS
from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["include", "sched", "reactor", "runtime", "tests"]
LIBRARIES = ["runtime", "reactor", "sched"]


def misplaced(test, mutant):
    """Why a row can't be planted (None: it can)."""
    what, name, old, new = mutant
    row = f"mutants.py: {test}: {what}: "
    layer, case = test.split("/")
    if not (ROOT / f"tests/{layer}/test_{case}_orders.c").exists():
        return row + "there is no such test"
    if not (ROOT / name).exists():
        return row + f"there is no {name}"
    n = (ROOT / name).read_text().count(old)
    if n != 1:
        return row + f"its text stands {n} times in {name}, not once:\n{old}"
    return row + "it changes nothing" if old == new else None


def all_misplaced():
    return [why for test, rows in MUTANTS.items() for mutant in rows if (why := misplaced(test, mutant))]


def copy_source(folder, mutant):
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("misuse", "tools"))
    if mutant:
        _, name, old, new = mutant
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace(old, new))


def compile_test(folder, build, test):
    """Makes folder/program. What the compiler says if it fails."""
    layer, name = test.split("/")
    seen = FOLDERS[:FOLDERS.index(layer) + 1]
    done = subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", "-DWEFT_PLAIN", "-DWEFT_STRICT", "-DWF_ASSERTIONS",
         *[option for f in seen for option in ("-I", folder / f)],
         folder / f"tests/{layer}/test_{name}_orders.c", folder / "tests/plain.c", folder / "tests/test.c",
         *[build / f / f"libweft-{f}.a" for f in LIBRARIES if f in seen],
         "-luring", "-lck", "-pthread", "-o", folder / "program"], capture_output=True, text=True)
    return done.stderr if done.returncode else None


def run(program, case, **environment):
    try:
        done = subprocess.run([program, case], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        return True, "still running after 120 s"
    return done.returncode == 0, done.stderr + done.stdout


def problem(folder, build, test, mutant, quickest):
    """What is wrong with what the test says of the mutant, or of the source (None). The latter leaves in
    `quickest` how long each case took; mutants try them in that order."""
    copy_source(folder, mutant)
    program = folder / "program"
    errors = compile_test(folder, build, test)
    if errors:
        return "does not compile:\n" + errors
    cases = subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split()
    for case in sorted(cases, key=lambda case: quickest.get(case, 0)):
        began = time.monotonic()
        passed, said = run(program, case)
        if not mutant:
            quickest[case] = time.monotonic() - began
        if passed:
            continue
        if not mutant:
            return said
        replay = re.search(r'EXPLORE_REPLAY="(.*)"', said)
        if not replay:
            return "no schedule was printed:\n" + said
        passed, said = run(program, case, EXPLORE_REPLAY=replay[1])
        return "its schedule alone passes:\n" + said if passed else None
    return "not found" if mutant else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("tests", nargs="*", metavar="TEST", help="sched/deque, ...; all by default")
    args = parser.parse_args()

    tests = args.tests or [f"{path.parent.name}/{path.stem[len('test_'):-len('_orders')]}"
                           for path in sorted(ROOT.glob("tests/*/test_*_orders.c"))]
    quickest = {}
    tally = Tally()
    for why in all_misplaced():
        tally.check(False, why)
    if tally.failed:
        tally.finish()
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for kind in ([(test, None) for test in tests],
                     [(test, mutant) for test in tests for mutant in MUTANTS.get(test, [])]):
            found = pool.map(lambda job: problem(pathlib.Path(tempfile.mkdtemp(dir=scratch)), args.build, *job,
                                                 quickest), kind)
            for (test, mutant), what in zip(kind, found):
                tally.check(not what, f"{test}: {mutant[0] if mutant else 'no bug'}: {what}")
    tally.finish()


if __name__ == "__main__":
    main()
