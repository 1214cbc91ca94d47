#!/usr/bin/env python3
"""Runs the explorer's tests (tests/sched/explore.h), and proves that they find bugs: they must find these.

models.py BUILD [TEST...]

Each row of mutants.py plants one bug in a copy of the source. The test of that name must fail then,
print the schedule, and fail with that schedule alone; without a bug it must pass.
MUTANTS_EVERY=3 plants every third of them.
"""
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import queue
import re
import shutil
import subprocess
import tempfile
import time

from layers import LAYERS, ROOT, folders
from mutants import MUTANTS
from source import definitions, places
from tally import Tally

LIBRARIES = ["runtime", "reactor", "sched"]
RUNNER = ["plain", "test"]
COMPILER = ["gcc", "-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", "-DWEFT_PLAIN", "-DWEFT_STRICT", "-DWF_ASSERTIONS"]


def site(text, mutant):
    """(start, end) in the text of what the row replaces, and why that can't be (None: it can)."""
    _, place, code, instead = mutant
    function = place.split(":")[1]
    found = definitions(text, function)
    if len(found) != 1:
        return None, f"{place}: {len(found)} functions or macros of that name, not one"
    there = places(text, *found[0], code)
    if len(there) != 1:
        lines = [str(text.count("\n", 0, at) + 1) for at, _ in places(text, 0, len(text), code)]
        return None, (f"{place}: its code stands {len(there)} times in {function}, not once; the file has it "
                      f"{'in lines ' + ', '.join(lines) if lines else 'nowhere'}:\n{code}")
    return there[0], "it changes nothing" if code == instead else None


def misplaced(test, mutant):
    """Why a row can't be planted (None: it can)."""
    what, name = mutant[0], mutant[1].split(":")[0]
    row = f"mutants.py: {test}: {what}: "
    layer, case = test.split("/")
    if not (ROOT / f"tests/{layer}/test_{case}_orders.c").exists():
        return row + "there is no such test"
    if not (ROOT / name).exists():
        return row + f"there is no {name}"
    _, why = site((ROOT / name).read_text(), mutant)
    return row + why if why else None


def all_misplaced():
    return [why for test, rows in MUTANTS.items() for mutant in rows if (why := misplaced(test, mutant))]


def copy_source(folder):
    for name in [*LAYERS, "tests"]:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("misuse", "tools"))
    return folder


@contextlib.contextmanager
def planted(folder, mutant):
    """The copy of the source in the folder has the bug meanwhile."""
    if not mutant:
        yield
        return
    path = folder / mutant[1].split(":")[0]
    text = path.read_text()
    (start, end), _ = site(text, mutant)
    path.write_text(text[:start] + mutant[3] + text[end:])
    yield
    path.write_text(text)


def compile_runner(folder):
    """Makes the object files that all tests have."""
    for name in RUNNER:
        subprocess.run([*COMPILER, "-I", ROOT / "include", "-c", ROOT / f"tests/{name}.c", "-o", folder / f"{name}.o"],
                       check=True)


def compile_test(folder, build, test):
    """Makes folder/program. What the compiler says if it fails."""
    layer, name = test.split("/")
    seen = LAYERS[:LAYERS.index(layer) + 1]
    done = subprocess.run(
        [*COMPILER, *[option for l in seen for f in folders(l, folder) for option in ("-I", f)],
         folder / f"tests/{layer}/test_{name}_orders.c", *[folder.parent / f"{name}.o" for name in RUNNER],
         *[build / f / f"libweft-{f}.a" for f in LIBRARIES if f in seen],
         "-luring", "-lck", "-pthread", "-o", folder / "program"], capture_output=True, text=True)
    return done.stderr if done.returncode else None


def run(program, case, **environment):
    try:
        done = subprocess.run([program, case], capture_output=True, text=True, timeout=600,
                              env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        return False, "still running after 600 s"
    return done.returncode == 0, done.stderr + done.stdout


def problem(folder, build, test, mutant, quickest):
    """What is wrong with what the test says of the mutant, or of the source (None). The latter leaves in
    `quickest` how long each case took; mutants try them in that order."""
    program = folder / "program"
    with planted(folder, mutant):
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
    quickest, copies = {}, queue.SimpleQueue()
    tally = Tally()

    def judge(job):
        folder = copies.get()
        try:
            return problem(folder, args.build, *job, quickest)
        finally:
            copies.put(folder)

    for why in all_misplaced():
        tally.check(False, why)
    if tally.failed:
        tally.finish()
    with tempfile.TemporaryDirectory() as scratch, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        compile_runner(pathlib.Path(scratch))
        for _ in range(os.cpu_count()):
            copies.put(copy_source(pathlib.Path(tempfile.mkdtemp(dir=scratch))))
        mutants = [(test, mutant) for test in tests for mutant in MUTANTS.get(test, [])]
        for kind in [(test, None) for test in tests], mutants[::int(os.environ.get("MUTANTS_EVERY", "1"))]:
            found = pool.map(judge, kind)
            for (test, mutant), what in zip(kind, found):
                tally.check(not what, f"{test}: {mutant[0] if mutant else 'no bug'}: {what}")
    tally.finish()


if __name__ == "__main__":
    main()
