#!/usr/bin/env python3
"""What can be checked of the prose.

columns  no line of source is longer than COLUMNS, comments included
words    a comment names the thread or the role that acts, and survives a moved line

docs/man/check.py holds that public functions and macros have comments.
"""
import pathlib
import re

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["include", "sched", "reactor", "runtime", "bench", "docs", "tests"]
COLUMNS = 100
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)
WORDS = re.compile(r"\b(whoever|somebody|nobody|as above|as (?:is|are) the next)\b", re.I)


def comments(text):
    """(line, text) of each comment; a comment's text is one line without the stars."""
    for found in TOKEN.finditer(text):
        if found.group().startswith("/"):
            line = text.count("\n", 0, found.start()) + 1
            yield line, re.sub(r"\s*\n\s*(?:\*|//)?\s*", " ", found.group())


tally = Tally()
for folder in FOLDERS:
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix not in {".c", ".h", ".S", ".cc"} or (ROOT / "bench/peers") in path.parents:
            continue
        name = path.relative_to(ROOT)
        text = path.read_text()
        wide = [number for number, line in enumerate(text.splitlines(), 1) if len(line) > COLUMNS]
        tally.check(not wide, f"{name}: over {COLUMNS} columns in lines {wide}")
        words = [f'"{word}" in the comment at line {line}' for line, comment in comments(text)
                 for word in WORDS.findall(comment)]
        tally.check(not words, f"{name}: " + ", ".join(words))
tally.finish()
