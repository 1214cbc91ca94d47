#!/usr/bin/env python3
"""styles.py: whether each public function that makes a future, or macro that does, is awaited by
a test that runs in both styles, as an async function and as a fiber:
tests/runtime/test_styles_*.c, and the cases that test_styles_operations.c includes."""
import pathlib
import re

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTION = re.compile(r"^WEFT_API weft_future \*(weft_\w+)\(|^static inline weft_future \*(weft_\w+)\(", re.M)
MACRO = re.compile(r"^#define (weft_\w+)\(.*?[^\\]$", re.M | re.S)
TESTS = ["test_styles_*.c", "operation_cases.h"]


def makers(text):
    """The functions and macros of a header that make a future. A name that ends in _ is
    internal."""
    functions = [name for found in FUNCTION.findall(text) for name in found if name]
    inner = [name for name in functions if name.endswith("_")] + ["WEFT_BRANCHES_"]
    macros = [found.group(1) for found in MACRO.finditer(text)
              if any(f"{name}(" in found.group() for name in inner)]
    return {name for name in functions + macros if not name.endswith("_")}


names = set().union(*(makers(path.read_text()) for path in (ROOT / "include/weft").glob("*.h")))
tests = "".join(path.read_text() for glob in TESTS for path in (ROOT / "tests/runtime").glob(glob))
tally = Tally()
for name in sorted(names):
    tally.check(re.search(rf"\b{name}\(", tests), f"{name}: no test awaits it in both styles")
tally.finish()
