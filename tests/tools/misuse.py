#!/usr/bin/env python3
"""Each file in tests/misuse breaks one rule where MISUSE is defined.

Its opening comment says, a compiler a line, with which flags the compiler refuses it and with what
words. Without MISUSE the same file must compile without a warning, so that the refusal has no other
cause.
"""
import os
import pathlib
import re
import subprocess
import sys

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r"^ \*   (gcc|g\+\+|clang|clang\+\+) +((?:-\S+ +)*)(.+)$", re.M)
CLEAN = ["-Wall", "-Wextra", "-Werror"]


def refusal(compiler, path, flags):
    """What the compiler says if it does not compile the file, else None."""
    language = ["-x", "c++", "-std=c++17"] if "+" in compiler else ["-std=c11"]
    done = subprocess.run(
        [compiler, *language, "-I", ROOT / "include", "-c", "-o", os.devnull, *flags, path],
        capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    return done.stdout + done.stderr if done.returncode else None


def problem(compiler, path, flags, words):
    clean = refusal(compiler, path, CLEAN + flags)
    misuse = refusal(compiler, path, flags + ["-DMISUSE"])
    if clean is not None:
        return "the right use does not compile:\n" + clean
    if misuse is None:
        return "the misuse compiles"
    if not re.search(words, misuse):
        return f"the misuse is refused, but not with /{words}/:\n" + misuse
    return None


tally = Tally()
for path in sorted((ROOT / "tests/misuse").glob("*.c")):
    rows = ROW.findall(path.read_text())
    if {row[0] for row in rows} != {"gcc", "g++", "clang", "clang++"}:
        sys.exit(f"{path}: the opening comment must have a line for each compiler")
    for compiler, flags, words in rows:
        found = problem(compiler, path, flags.split(), words)
        tally.check(not found, f"{path.name}: {compiler} {flags}: {found}")
tally.finish()
