#!/usr/bin/env python3
"""Runs the tests of a build folder and counts their cases.

run_tests.py BUILD [--suite SUITE] [--wrapper COMMAND] [PATTERN...]

A pattern selects the tests whose names contain it, and !PATTERN leaves tests out. What a failed test said is printed, indented.
See unsteady.py for those that load may have failed.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap

import unsteady

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$|"
                    r"Synthesis: Tested: \d+ \| Passing: (\d+) \| Failing: (\d+)", re.M)

# What a failed test said in one line: a case of the plain runner or of Criterion, a sanitizer.
VERDICTS = re.compile(r"^(?:FAILED |FAIL  |\[FAIL\] |SUMMARY: ).*$", re.M)


def said(test):
    return test.get("stdout", "") + test.get("stderr", "")


def cases(test):
    """How many cases passed and failed; a test that does not say is one case."""
    passed = failed = 0
    for found in COUNTS.findall(said(test)):
        passed += int(found[0] or found[2])
        failed += int(found[1] or found[3])
    if test["result"] == "SKIP":
        return passed, failed
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        return (passed, failed) if passed or failed else (1, 0)
    return passed, max(failed, 1)


def run(build, options, names):
    """Runs the tests; returns meson's status and the log of each test."""
    logs = build / "meson-logs"
    for old in logs.glob("testlog*.json"):
        old.unlink()
    status = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", *options, *names],
                            stdin=subprocess.DEVNULL).returncode
    return status, [json.loads(line) for log in logs.glob("testlog*.json")
                    for line in log.read_text().splitlines()]


def named(build, patterns):
    """The names of the tests that one of the patterns selects, and none leaves out."""
    tests = json.loads(subprocess.check_output(["meson", "introspect", "--tests", build]))
    without = [part[1:] for part in patterns if part.startswith("!")]
    names = [test["name"] for test in tests if any(part in test["name"] for part in patterns)
             and not any(part in test["name"] for part in without)]
    if not names:
        sys.exit("no test has such a name; there are:\n" + "\n".join(t["name"] for t in tests))
    return names


def tell(test):
    """Prints what a failed test said; returns it in a few lines."""
    print(f"\n{test['name']}: {test['result']}")
    print(textwrap.indent(said(test)[-20000:], "    ", lambda line: True))
    return [f"{test['name']}: {test['result']}"] + VERDICTS.findall(said(test))


def died(test):
    """Whether a signal ended it that was not meson's at the time limit."""
    return test["result"] != "TIMEOUT" and (test.get("returncode") or 0) < 0


def again(build, options, tests):
    """Runs once more what load may have failed; returns the tests, with what then passed."""
    failed = [test for test in tests
              if cases(test)[1] and not died(test) and unsteady.may_be_load(said(test))]
    if len(failed) > unsteady.MOST:
        return tests
    for test in failed:
        # A name in the log: "project:suite / name", "project / name".
        _, second = run(build, options + ["--num-processes", "1"], [test["name"].split(" / ")[-1]])
        passed = [new for new in second if new["name"] == test["name"] and not cases(new)[1]]
        if passed:
            tell(test)
            unsteady.tell(test["name"])
            tests = [passed[0] if old is test else old for old in tests]
    return tests


parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("--suite")
parser.add_argument("--wrapper")
parser.add_argument("pattern", nargs="*")
args = parser.parse_intermixed_args()

slow = int(os.environ.get("TEST_SLOW", "1"))
options = ["--suite", args.suite] if args.suite else []
if args.wrapper:
    options += ["--wrapper", args.wrapper]
    slow *= 2
# The limits in meson.build only end what hangs. Here other programs may have the CPUs.
options += ["--timeout-multiplier", str(4 * slow)]
status, tests = run(args.build, options, named(args.build, args.pattern) if args.pattern else [])
stopped = not tests or status != 0 and not any(cases(test)[1] for test in tests)
tests = again(args.build, options, tests)

total = [sum(column) for column in zip((0, 0), *map(cases, tests))]
n_skipped = 0
verdicts = []
for test in tests:
    if test["result"] == "SKIP":
        n_skipped += 1
        print(f"{test['name']}: {test.get('stdout', '').strip() or 'skipped'}")
    if cases(test)[1]:
        verdicts += tell(test)
if verdicts: # once more: the texts may be long, and a reader of the end sees these
    print("\n".join(verdicts))
if stopped or total == [0, 0] and n_skipped == 0:
    total[1] += 1
print(f"{total[0]} passed, {total[1]} failed")
sys.exit(total[1] > 0)
