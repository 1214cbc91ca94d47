#!/usr/bin/env python3
"""What the source promises about itself, in a build folder's compile commands and in its comments.

layers    a file is compiled with the headers of its own folder and of those to the left of it
headings  an internal file opens with Purpose, Threads, Invariants, Ordering, Failure; a .c file of
          which the header says it all opens with the line "task.c - see task.h"
tags      an ordering tag, [deque-1], stands at two sites at least
fences    there are none: TSan can't see them (sched/base/order.h)
circles   no .c files of sched call each other in a circle; what an upper file must do for a lower one
          comes through a function pointer
listed    each test file is in tests/meson.build, and its cases are of the suite that has its name: Criterion
          has one program for a folder, which runs the file by that
tour      docs/tour.md names each source file
ported    each test that docs/design/tokio_tests.md names is there
mutants   the code that a planted bug (mutants.py) replaces stands exactly once in its function
top       nothing new appears at the top level by accident
"""
import fnmatch
import json
import pathlib
import re
import subprocess
import sys

from layers import LAYERS, ROOT, folders, sources as files_of
from models import misplaced
from mutants import MUTANTS
from tally import Tally

HEADINGS = ["Purpose", "Threads", "Invariants", "Ordering", "Failure"]
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
SEE = re.compile(r"/\* (\w+\.c) - see (\w+\.h) \*/")
TAG = re.compile(r"\[([a-z][a-z_]+-[0-9]+)\]")
FENCE = re.compile(r"\b(atomic_(thread|signal)_fence|__atomic_(thread|signal)_fence|"
                   r"__sync_synchronize|ck_pr_(stm_)?fence\w*|_mm_[lsm]?fence)\b")
FUNCTION = re.compile(r"^[A-Za-z_][^;{}#]*?\b(w(?:f|eft)_\w+)\([^;{}]*\)\s*\{(.*?)^\}", re.M | re.S)
NAME = re.compile(r"\bw(?:f|eft)_\w+")
CASE = re.compile(r"\b(?:Test|TEST_ABORTS|TEST_STYLES)\(\s*(\w+),\s*(\w+)")
PORTED = re.compile(r"`(\w+/[\w*]+)`")  # suite/case; a * stands for the rest of several names
LONG = 500
TOP = {"include", "sched", "reactor", "runtime", "bench", "tests", "docs", "dev", "meson.build",
       "meson_options.txt", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}



def circles(folder):
    """The .c files there that call each other in a circle, each with what it calls of the others."""
    code = {path: COMMENT.sub(" ", text) for path, text in sources.items() if path.parts[0] == folder}
    functions = [(path, *found) for path, text in code.items() for found in FUNCTION.findall(text)]
    owner = {name: path for path, name, _ in functions if path.suffix == ".c"}
    inline = {name: body for path, name, body in functions if path.suffix == ".h"}
    calls = {}
    for path in set(owner.values()):
        names, todo = set(), NAME.findall(code[path])
        while todo:
            name = todo.pop()
            if name not in names:
                names.add(name)
                todo += NAME.findall(inline.get(name, ""))
        calls[path] = {name: owner[name] for name in names if owner.get(name, path) != path}
    while True:  # files that call no other one, or only such files, are in no circle
        leaves = {path for path in calls if not set(calls[path].values()) & set(calls)}
        if not leaves:
            return calls
        calls = {path: called for path, called in calls.items() if path not in leaves}


build = pathlib.Path(sys.argv[1]).resolve()
tally = Tally()
sources = {path: (ROOT / path).read_text() for layer in LAYERS[1:] for path in files_of(layer)}

for command in json.loads((build / "compile_commands.json").read_text()):
    path = pathlib.Path(command["directory"], command["file"]).resolve()
    if not path.is_relative_to(ROOT) or path.relative_to(ROOT).parts[0] not in LAYERS:
        continue
    own = LAYERS.index(path.relative_to(ROOT).parts[0])
    seen = {pathlib.Path(command["directory"], folder).resolve()
            for folder in re.findall(r"-(?:I|isystem ?|iquote ?)(\S+)", command["command"])}
    right = {layer for layer in LAYERS[own + 1:] for folder in folders(layer)
             if seen & {folder, build / folder.relative_to(ROOT)}}
    tally.check(not right, f"{path.relative_to(ROOT)}: is compiled with the headers of {right}")

tags = {}
for path, text in sources.items():
    tally.check(not re.search(r'#\s*include\s+"[^"]*/', text),
                f"{path}: includes a header by a path")
    opening = COMMENT.match(text)
    missing = [h for h in HEADINGS if not opening or f"\n * {h} " not in opening.group()]
    see = SEE.fullmatch(opening.group()) if opening and path.suffix == ".c" else None
    if see:
        tally.check(see.group(1) == path.name and path.with_name(see.group(2)) in sources,
                    f"{path}: the opening line names another file, or a header that is not there")
    else:
        tally.check(not missing, f"{path}: the opening comment lacks {', '.join(missing)}")
    comments = " ".join(COMMENT.findall(text))
    fences = FENCE.findall(COMMENT.sub("", text))
    tally.check(not fences, f"{path}: has a fence")
    for tag in TAG.findall(comments):
        tags.setdefault(tag, []).append(path)
    if text.count("\n") > LONG:
        print(f"note: {path} has {text.count(chr(10))} lines")
circle = circles("sched")
tally.check(not circle, "sched: these call each other in a circle, or lead to one: " + "; ".join(
    f"{path.name} ({', '.join(sorted(n for n in called if called[n] in circle))})"
    for path, called in sorted(circle.items())))
for tag, paths in sorted(tags.items()):
    tally.check(len(paths) > 1, f"{paths[0]}: nothing pairs with [{tag}]")

STORMS = re.findall(r"Test\(suite, (\w+)", (ROOT / "tests/runtime/storm_runtimes.h").read_text())
listed = (ROOT / "tests/meson.build").read_text()
cases = set()
for folder in LAYERS:
    for path in sorted((ROOT / "tests" / folder).glob("test_*.c")):
        tally.check(f"'{path.stem[5:]}'" in listed, f"{path}: is not in tests/meson.build")
        found = CASE.findall(path.read_text())
        cases.update(f"{suite}/{case}" for suite, case in found)
        if "STORM_CASES(" in path.read_text(): # a macro that makes them, for the suite of the file
            cases.update(f"{path.stem[5:]}/{case}" for case in STORMS)
        others = {suite for suite, _ in found} - {path.stem[5:]}
        tally.check(not others, f"{path}: has cases of the suites {', '.join(sorted(others))}")

for name in sorted(set(PORTED.findall((ROOT / "docs/design/tokio_tests.md").read_text()))):
    tally.check(fnmatch.filter(cases, name), f"docs/design/tokio_tests.md names {name}, which is no test")

for test, rows in MUTANTS.items():
    for mutant in rows:
        why = misplaced(test, mutant)
        tally.check(not why, why)

if (ROOT / ".git").exists():
    files = subprocess.check_output(["git", "-C", ROOT, "ls-files", "--cached", "--others",
                                     "--exclude-standard"], text=True).splitlines()
    for name in sorted({file.split("/")[0] for file in files}):
        tally.check(name in TOP or name.startswith("."), f"{name}: does not belong at the top")
tour = (ROOT / "docs/tour.md").read_text()
for path in sorted([*sources, *(p.relative_to(ROOT) for p in (ROOT / "include/weft").glob("*.h"))]):
    tally.check(f"{path.name}`" in tour, f"{path}: docs/tour.md does not name it")
tally.finish()
