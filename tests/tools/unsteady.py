"""Tests that the machine's load may have failed run once more, alone, where TEST_AGAIN is 1.

One that passes then counts as passed and is told as "unsteady" with all that it said: a fault to be
found, of weft or of the test. A crash or a sanitizer's report is never run again.
"""
import os
import re

IS_ON = os.environ.get("TEST_AGAIN") == "1"
MOST = 5  # load fails few; what fails more is at fault, and would take long

# What no load explains.
FAULT = re.compile(r"Sanitizer|runtime error: |^==\d+== |CRASH!|died with <Signals|got \(?-(?:4|5|6|7|8|11)\b|"
                   r"^FAILED .*(?:Aborted|Segmentation fault|Bus error|Illegal|Floating)", re.M)


def may_be_load(text):
    """Whether a test that failed and said this is to run again."""
    return IS_ON and not FAULT.search(text)


def tell(name):
    print(f"note: unsteady, passed when run again: {name}")
