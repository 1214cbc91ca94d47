#!/usr/bin/env python3
"""counts.py BUILD [--write]: instructions for each operation of the interface, against counts.json.

BUILD is a release build with -Dcounts=true. Its programs, tests/counts, run under callgrind, once with
libweft.so and once with libweft.a. What counts is every instruction of the measured thread between the
marks of a row, outside the kernel: libweft's, the C library's and the program's own. Nothing is
subtracted: the row `harness` is the loop around an operation, `await` that with an await of a future
which is ready at once. Reading the clock is a system call there, and natively some 40 instructions.

The locked instructions are counted beside: those with a lock prefix, and exchanges with memory.

A row with more than 3 % above its baseline fails, so does one with more than 3 % below: then write the
better one (--write), with the change that brought it. The locked ones must be as many as they were.
Counts belong to a compiler and a machine; there is no verdict for those that the baseline lacks.
"""
import collections
import functools
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tempfile

from tally import Tally

BASELINE = pathlib.Path(__file__).with_name("counts.json")
PROGRAMS = {"shared": ["counts_shared"], "static": ["counts_static", "counts_steal"]}
MOST = 0.03
MOST_LOCKED = 0.05
LOCKED = re.compile(r"\tlock |\txchg .*\(")  # of x86; elsewhere they are other instructions
CALLGRIND = ["valgrind", "-q", "--tool=callgrind", "--dump-instr=yes", "--separate-threads=yes",
             "--skip-plt=no", "--compress-strings=no", "--compress-pos=no"]


def compiler(program):
    said = subprocess.check_output(["readelf", "-p", ".comment", program], text=True)
    return f"{re.search(r'GCC:.* ([0-9.]+)$|(clang version [0-9.]+)', said, re.M)[0].strip()} {platform.machine()}"


@functools.lru_cache(maxsize=None)
def disassembly(binary):
    """Of each instruction of the binary, by its address: whether it is a locked one."""
    said = subprocess.check_output(["objdump", "-d", "--no-show-raw-insn", binary], text=True)
    return {int(line[:line.index(":")], 16): bool(LOCKED.search(line))
            for line in said.splitlines() if re.match(r" *[0-9a-f]+:\t", line)}


def executed(dump):
    """How often each instruction ran: {(binary, address): times}. The binary of a jump through the
    procedure linkage table is None: callgrind does not know it."""
    times, binary, is_inclusive = collections.Counter(), None, False
    for line in dump.splitlines():
        if line.startswith("ob="):
            binary = line[3:]
        elif line.startswith("fn=") and line.endswith("[PLT]"):
            binary = None
        elif line.startswith("calls="):
            is_inclusive = True  # the next line holds what the called function took
        elif line.startswith("0x"):
            if not is_inclusive:
                address, _, n = line.split()
                times[binary, int(address, 16)] += int(n)
            is_inclusive = False
    return times


def at_home(times):
    """The same by the binaries that the instructions are in. Callgrind does not follow a thread
    that goes on another stack: what runs there may count as the binary's that was left."""
    binaries = sorted({binary for binary, _ in times if binary})
    found = collections.Counter()
    for (binary, address), n in times.items():
        if binary and address not in disassembly(binary):
            binary = next((b for b in binaries if address in disassembly(b)), binary)
        found[binary, address] += n
    return found


def row(name, dump, operations):
    times = at_home(executed(dump))
    total = sum(times.values())
    said = re.search(r"^summary: (\d+)", dump, re.M)
    if total != int(said[1]):
        sys.exit(f"{name}: callgrind counted {said[1]} instructions, its lines add up to {total}")
    known = {key: n for key, n in times.items() if key[0]}
    lost = [f"{binary} {address:#x}" for binary, address in known
            if address not in disassembly(binary)]
    if lost:
        sys.exit(f"{name}: not in the disassembly: {', '.join(lost)}")
    locked = sum(n for (binary, address), n in known.items() if disassembly(binary)[address])
    return {"instructions": round(total / operations, 1), "locked": round(locked / operations, 2)}


def measure(program):
    """Runs the program. It prints the rows' names and operations; each has a dump of its thread."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*CALLGRIND, f"--callgrind-out-file={folder}/out", program], env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{program} failed")
        dumps = {}
        for path in pathlib.Path(folder).iterdir():
            text = path.read_text(encoding="utf-8")
            name = re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.M)
            if name and (name[1] in dumps or not re.search(r"^thread: 1$", text, re.M)):
                sys.exit(f"{name[1]}: counted in a second thread")
            if name:
                dumps[name[1]] = text
        return {name: row(name, dumps[name], int(operations))
                for name, operations in map(str.split, done.stdout.splitlines())}


def compare(tally, name, now, was, remedy):
    print(f"{name:24} {now['instructions']:7.1f} instructions, {now['locked']:5.2f} locked"
          f"  {now['instructions'] / was['instructions'] - 1:+.1%}")
    for what, most in (("instructions", MOST * was["instructions"]), ("locked", MOST_LOCKED)):
        tally.check(abs(now[what] - was[what]) <= most + 1e-9,
                    f"{name}: {now[what]} {what}, but {was[what]} in {BASELINE.name}: {remedy}")


def write(baseline):
    text = json.dumps(baseline, indent=2, sort_keys=True)
    text = re.sub(r'\{\s+("instructions": [0-9.]+),\s+("locked": [0-9.]+)\s+\}', r"{\1, \2}", text)
    BASELINE.write_text(text + "\n", encoding="utf-8")


def main():
    build = pathlib.Path(sys.argv[1])
    counts = {}
    for linking, programs in PROGRAMS.items():
        counts[linking] = {}
        for program in programs:
            counts[linking] |= measure(build / "tests/counts" / program)
    key = compiler(build / "tests/counts" / PROGRAMS["shared"][0])
    baseline = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    if "--write" in sys.argv:
        baseline[key] = counts
        write(baseline)
    if key not in baseline:
        print(f"note: no instruction counts are known for {key}")
    tally = Tally()
    known = baseline.get(key, counts)
    remedy = f"mend it, or if it must be so write it down with {sys.argv[0]} {build} --write"
    for linking, rows in counts.items():
        was = known.get(linking, {})
        tally.check(set(rows) == set(was), f"{linking}: {BASELINE.name} has other rows: {remedy}")
        for name in (name for name in rows if name in was):
            compare(tally, f"{linking} {name}", rows[name], was[name], remedy)
    tally.finish()


main()
