#!/usr/bin/env python3
"""Every header compiles alone, and twice: no header needs another before it.

Public ones as C11 and C++17, with gcc and clang. Internal ones with gcc, and with the headers of
their own folder and of those to the left of it. What stands to the right is not found.
"""
import pathlib
import subprocess

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS = ["include", "sched", "reactor", "runtime"]
PUBLIC = [("gcc", "c", "c11"), ("clang", "c", "c11"), ("g++", "c++", "c++17"),
          ("clang++", "c++", "c++17")]
INTERNAL = [("gcc", "c", "gnu11")]



def complaint(compiler, language, standard, seen, *options, text):
    """What the compiler says of the text if it refuses it, else None."""
    folders = [option for folder in seen for option in ("-I", ROOT / folder)]
    done = subprocess.run(
        [compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Werror",
         "-fsyntax-only", *folders, *options, "-"], input=text, capture_output=True, text=True)
    return done.stderr if done.returncode else None


tally = Tally()
for n, layer in enumerate(LAYERS):
    for header in sorted((ROOT / layer).rglob("*.h")):
        text = f"#include <{header.relative_to(ROOT / layer)}>\n" * 2
        for compiler in INTERNAL if n else PUBLIC:
            options = ["-D_GNU_SOURCE"] if n else []
            found = complaint(*compiler, LAYERS[:n + 1], *options, text=text)
            tally.check(not found, f"{header.relative_to(ROOT)} with {compiler[0]}:\n{found}")
        if n:
            found = complaint(*INTERNAL[0], LAYERS[:n], text=text)
            tally.check(found and "No such file" in found,
                        f"{header.relative_to(ROOT)}: {LAYERS[n - 1]} can include it")
tally.finish()
