#!/usr/bin/env python3
"""Every header compiles alone, and twice: no header needs another before it.

Public ones as C11 to C23 and as C++17 to C++23, with gcc and clang. Internal ones with gcc, and with
the headers of their own folder and of those to the left of it. What stands to the right is not
found. For a 32-bit machine the public ones say one thing only.
"""
import pathlib
import platform
import re
import subprocess
import tempfile

from layers import LAYERS, ROOT, folders
from tally import Tally

PUBLIC = [("gcc", "c", "c11"), ("clang", "c", "c11"), ("g++", "c++", "c++17"),
          ("clang++", "c++", "c++17")]
LATER = [*((compiler, "c", standard) for compiler in ("gcc", "clang")
           for standard in ("gnu17", "c2x")),
         *((compiler, "c++", standard) for compiler in ("g++", "clang++")
           for standard in ("c++20", "c++2b"))]
INTERNAL = [("gcc", "c", "gnu11")]



def complaint(compiler, language, standard, seen, *options, text):
    """What the compiler says of the text if it refuses it, else None."""
    seen = [option for layer in seen for folder in folders(layer) for option in ("-I", folder)]
    done = subprocess.run(
        [compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Werror",
         "-fsyntax-only", *seen, *options, "-"], input=text, capture_output=True, text=True)
    return done.stderr if done.returncode else None


tally = Tally()
for n, layer in enumerate(LAYERS):
    for header in sorted((ROOT / layer).rglob("*.h")):
        name = header.name if n else header.relative_to(ROOT / layer)
        text = f"#include <{name}>\n" * 2
        for compiler in INTERNAL if n else PUBLIC + LATER:
            options = ["-D_GNU_SOURCE"] if n else []
            found = complaint(*compiler, LAYERS[:n + 1], *options, text=text)
            tally.check(not found, f"{header.relative_to(ROOT)} with {compiler}:\n{found}")
        if n:
            found = complaint(*INTERNAL[0], LAYERS[:n], text=text)
            tally.check(found and "No such file" in found,
                        f"{header.relative_to(ROOT)}: {LAYERS[n - 1]} can include it")


def check_32_bits():
    """The libc's headers are those of the machine; what is missing among them for -m32 is empty."""
    with tempfile.TemporaryDirectory() as stubs:
        (pathlib.Path(stubs) / "gnu").mkdir()
        (pathlib.Path(stubs) / "gnu/stubs-32.h").touch()
        for header in sorted((ROOT / "include").rglob("*.h")):
            for compiler, language, standard in PUBLIC:
                said = complaint(compiler, language, standard, LAYERS[:1], "-m32", "-I", stubs,
                                 "-isystem", "/usr/include/x86_64-linux-gnu",
                                 text=f"#include <{header.relative_to(ROOT / 'include')}>\n")
                errors = re.findall("error: (.*)", said or "")
                tally.check(len(errors) == 1 and "weft needs a 64-bit machine" in errors[0],
                            f"{header.relative_to(ROOT)} with {compiler}, 32 bits:\n{said}")


if platform.machine() == "x86_64":
    check_32_bits()
tally.finish()
