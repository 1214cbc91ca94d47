#!/usr/bin/env python3
"""Runs the tests of a build folder and counts their cases.

run_tests.py BUILD [--suite SUITE] [--wrapper COMMAND] [PATTERN...]

A pattern selects the tests whose names contain it. What a failed test said is printed, indented.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$|"
                    r"Synthesis: Tested: \d+ \| Passing: (\d+) \| Failing: (\d+)", re.M)

# What a failed test said in one line: a case of the plain runner or of Criterion, a sanitizer.
VERDICTS = re.compile(r"^(?:FAILED |\[FAIL\] |SUMMARY: ).*$", re.M)


def cases(test):
    """How many cases passed and failed; a test that does not say is one case."""
    passed = failed = 0
    for found in COUNTS.findall(test.get("stdout", "") + test.get("stderr", "")):
        passed += int(found[0] or found[2])
        failed += int(found[1] or found[3])
    if test["result"] == "SKIP":
        return passed, failed
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        return (passed, failed) if passed or failed else (1, 0)
    return passed, max(failed, 1)


parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--suite")
parser.add_argument("--wrapper")
parser.add_argument("pattern", nargs="*")
args = parser.parse_intermixed_args()

command = ["meson", "test", "-C", args.build, "--no-rebuild"]
if args.suite:
    command += ["--suite", args.suite]
if args.wrapper:
    slow = 2 * int(os.environ.get("TEST_SLOW", "1"))
    command += ["--wrapper", args.wrapper, "--timeout-multiplier", str(slow)]
if args.pattern:
    tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", args.build]))
    names = [test["name"] for test in tests
             if any(pattern in test["name"] for pattern in args.pattern)]
    if not names:
        sys.exit("no test has such a name; there are:\n" + "\n".join(t["name"] for t in tests))
    command += names

for old in (args.build / "meson-logs").glob("testlog*.json"):
    old.unlink()
status = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
total = [0, 0]
n_skipped = 0
verdicts = []
for log in (args.build / "meson-logs").glob("testlog*.json"):
    for test in map(json.loads, log.read_text().splitlines()):
        passed, failed = cases(test)
        total[0] += passed
        total[1] += failed
        if test["result"] == "SKIP":
            n_skipped += 1
            print(f"{test['name']}: {test.get('stdout', '').strip() or 'skipped'}")
        if failed:
            print(f"\n{test['name']}: {test['result']}")
            said = test.get("stdout", "") + test.get("stderr", "")
            print(textwrap.indent(said[-20000:], "    ", lambda line: True))
            verdicts += [f"{test['name']}: {test['result']}"] + VERDICTS.findall(said)
if verdicts: # once more: the texts may be long, and a reader of the end sees these
    print("\n".join(verdicts))
if status != 0 and total[1] == 0 or total == [0, 0] and n_skipped == 0:
    total[1] += 1
print(f"{total[0]} passed, {total[1]} failed")
sys.exit(total[1] > 0)
