#!/usr/bin/env python3
"""The gdb commands `weft` (docs/gdb/weft-gdb.py) on a program with fibers that sleep:
gdb.py PROGRAM

In the live process, and in a core file of it. Skipped where gdb is missing or must not trace.
"""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

from layers import ROOT
from tally import Tally

program = pathlib.Path(sys.argv[1]).resolve()
source = (ROOT / "tests/gdb/sleepers.c").read_text()
script = ROOT / "docs/gdb/weft-gdb.py"


def gdb(*commands, core=None):
    """What gdb says to the commands, split where each begins."""
    marked = []
    for i, command in enumerate(commands):
        marked += ["-ex", f"echo <{i}>\\n", "-ex", command]
    done = subprocess.run(
        ["gdb", "-nx", "-batch", "-ex", "set pagination off", "-ex", "set width 0", "-ex", "set debuginfod enabled off",
         "-ex", f"source {script}", *marked, program, *([core] if core else [])],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        timeout=300)
    return re.split(r"^<\d+>\n", done.stdout, flags=re.M)[1:], done.stdout


def core_of_the_kernel(folder):
    """A core file of the program, or None. (gdb's own lack the stacks of fibers from Linux 6.13
    on: it gives up at the first guard page of a mapping.)"""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    subprocess.run([program, "dies"], cwd=folder, timeout=60, stderr=subprocess.DEVNULL,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
    return next(pathlib.Path(folder).glob("core*"), None)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def frames(said):
    """The functions of a backtrace, the innermost first."""
    return re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?(\w+)", said, re.M)


def check_list(tally, said, where):
    rows = [line.split() for line in said.splitlines() if re.match(r"\d+ ", line)]
    names = sorted(row[2] for row in rows)
    tally.check(names == ["calls", "dreamer", "dreamer", "dreamer", "runner"], f"{where}: lists {names}:\n{said}")
    tally.check("sleepers.c:" in said and "sleeps > weft_sleep" in said and " of 256 KiB" in said,
                f"{where}: places, awaits or stacks are missing:\n{said}")
    return {row[2] + (str(i) if row[2] == "dreamer" else ""): row[0]
            for i, row in enumerate(rows)}


def check_dreamers(tally, core, numbers, where):
    """Each dreamer is as deep as its number says, and its frames have their variables."""
    commands = [f"weft fiber {n}" for n in numbers]
    prelude = [] if core else ["break stop_here", "run"]
    parts, whole = gdb(*prelude, *commands, "up", "up", "frame function dreams", "print number", "weft back", "bt",
                       core=core)
    fibers = parts[len(prelude):len(prelude) + len(commands)]
    depths = sorted(frames(said).count("falls_asleep") for said in fibers)
    tally.check(depths == [2, 3, 4], f"{where}: depths {depths}:\n{whole}")
    for said in fibers:
        names = frames(said)
        tally.check(names[-1:] == ["wf_switch_begin"] and "dreams" in names and "weft_fiber_sleep" in names,
                    f"{where}: {names}:\n{said}")
    after = parts[len(prelude) + len(commands):]
    tally.check(re.search(r"\$1 = [123]$", after[3], re.M), f"{where}: no variable:\n{whole}")
    tally.check("stop_here" in frames(after[5]) and "dreams" not in frames(after[5]),
                f"{where}: back leads elsewhere:\n{whole}")


def check_runner(tally, number):
    parts, whole = gdb("break stop_here", "run", f"weft fiber {number}", "weft back", "weft fiber 999",
                       "weft fiber nothing", "weft tasks -1")
    tally.check("runs" in frames(parts[2]) and "It runs on thread " in parts[2], f"the running fiber:\n{whole}")
    tally.check("no task has the number" in parts[4], f"a wrong number:\n{whole}")
    tally.check(parts[5].startswith("nothing is no number: ") and parts[6] == "-1 is less than 0\n",
                f"no number, or less than 0:\n{whole}")


if not shutil.which("gdb"):
    skip("gdb is missing")
os.environ["WEFT_FIBER_STACK"] = "256"
tally = Tally()
parts, whole = gdb("break stop_here", "run", "weft tasks", "weft fibers 1", "weft fiber 1", "continue")
if "Python scripting is not supported" in whole:
    skip("gdb has no Python")
if "Breakpoint 1, " not in whole and re.search("ptrace|not permitted|not implemented", whole):
    skip("gdb must not trace here: " + whole.strip()[-300:])
number = check_list(tally, parts[2], "live")
dreamers = [n for name, n in number.items() if name.startswith("dreamer")]
tally.check("and 3 more" in parts[3], f"one fiber of four:\n{parts[3]}")
tally.check("exited normally" in parts[5], f"the program goes on and ends:\n{whole}")
check_dreamers(tally, None, dreamers, "live")
if "runner" in number:
    check_runner(tally, number["runner"])
with tempfile.TemporaryDirectory() as folder:
    core = core_of_the_kernel(folder)
    if core:
        parts, whole = gdb("weft tasks", core=core)
        check_list(tally, parts[0], "core")
        check_dreamers(tally, core, dreamers, "core")
    else:
        print("note: the kernel writes no core file here")
tally.finish()
