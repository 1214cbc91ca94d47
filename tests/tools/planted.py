#!/usr/bin/env python3
"""Proves that the plain runner fails when it should.

planted.py BUILD none|asan|tsan|valgrind [--wrapper COMMAND]

Runs the programs of tests/planted in a build folder: each bug must fail under the tool that looks
for it, by that tool's words; the clean program must pass; and all of broken.c's cases must fail.
"""
import argparse
import pathlib
import re
import shlex
import subprocess

from tally import Tally

PASSES = r"\A(?!.*[1-9]\d* failed$)"
ALL_FAIL = r"^0 passed, [1-9]\d* failed$"
EXPECTED = {
    # Without a tool the bugs go unseen: it is the tool that fails them below.
    "none": {"clean": PASSES, "leak": PASSES, "use_after_free": PASSES, "data_race": PASSES},
    "asan": {"clean": PASSES, "leak": "LeakSanitizer: detected memory leaks",
             "use_after_free": "AddressSanitizer: heap-use-after-free",
             # A fault reaches the tool's handler also on weft's threads, and it sees the line.
             "null_in_task": r"AddressSanitizer: SEGV.*in weft_body_reads\b.*null_in_task\.c:",
             "null_in_job": r"AddressSanitizer: SEGV.*in weft_job_read_job\b.*null_in_job\.c:"},
    "tsan": {"clean": PASSES, "data_race": "ThreadSanitizer: data race",
             "null_in_task": "ThreadSanitizer: SEGV", "null_in_job": "ThreadSanitizer: SEGV"},
    "valgrind": {"clean": PASSES, "leak": "definitely lost", "use_after_free": "Invalid read"},
}

parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("tool", choices=EXPECTED)
parser.add_argument("--wrapper", default="")
args = parser.parse_args()

tally = Tally()
for name, words in {**EXPECTED[args.tool], "broken": ALL_FAIL}.items():
    done = subprocess.run([*shlex.split(args.wrapper), args.build / "tests" / f"planted_{name}"],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    said = done.stderr + done.stdout
    failed = done.returncode != 0
    tally.check(failed == (words != PASSES) and re.search(words, said, re.M | re.S),
                f"planted {name} {'fails' if failed else 'passes'}, wrongly, and says:\n{said}")
tally.finish()
