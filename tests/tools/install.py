#!/usr/bin/env python3
"""Installs a build folder and builds a program against it, outside the tree, as its users do.

install.py BUILD     the folder's prefix must be a scratch folder: it is emptied first

By pkg-config, in C and in C++, with gcc and clang; shared, and static once the shared one is gone. And as a
subproject of another meson project, which gets the library and nothing else.
"""
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILERS = [("gcc", "program.c"), ("clang", "program.c"), ("g++", "program.cc"),
             ("clang++", "program.cc")]


def run(command, **env):
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60)


build = pathlib.Path(sys.argv[1])
options = json.loads(subprocess.check_output(["meson", "introspect", "--buildoptions", build]))
prefix = pathlib.Path(next(o["value"] for o in options if o["name"] == "prefix"))
if prefix.parent != build.resolve():
    sys.exit(f"{prefix} is not in {build}")
shutil.rmtree(prefix, ignore_errors=True)
subprocess.check_call(["meson", "install", "-C", build, "--no-rebuild", "--quiet"])
pc = next(prefix.rglob("weft.pc"))
libraries = pc.parents[1]

tally = Tally()
for linking in "shared", "static":
    if linking == "static":
        for library in libraries.glob("libweft.so*"):
            library.unlink()
    flags = run(["pkg-config", "--cflags", "--libs", *(["--static"] if linking == "static" else []),
                 "weft"], PKG_CONFIG_PATH=str(pc.parent)).stdout
    for compiler, source in COMPILERS:
        with tempfile.TemporaryDirectory() as scratch:
            for file in (ROOT / "tests/cxx").glob("program.*"):
                shutil.copy(file, scratch)
            program = pathlib.Path(scratch, "program")
            done = run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", program,
                        pathlib.Path(scratch, source), *shlex.split(flags)])
            if done.returncode == 0:
                done = run([program], LD_LIBRARY_PATH=str(libraries))
            tally.check(done.returncode == 0,
                        f"{linking}, {compiler}: status {done.returncode}\n{done.stderr}")

with tempfile.TemporaryDirectory() as scratch:
    outer = pathlib.Path(scratch)
    (outer / "subprojects").mkdir()
    (outer / "subprojects/weft").symlink_to(ROOT)
    shutil.copy(ROOT / "tests/cxx/program.c", outer)
    (outer / "meson.build").write_text(
        "project('outer', 'c')\n"
        "test('program', executable('program', 'program.c', c_args: '-D_GNU_SOURCE',\n"
        "  dependencies: dependency('weft', fallback: 'weft')))\n")
    said = ""
    for command in (["meson", "setup", outer / "build", outer, "-Dbuildtype=debug"],
                    ["ninja", "-C", outer / "build", "test"]):
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        said += done.stdout + done.stderr
        if done.returncode:
            break
    tally.check(done.returncode == 0, f"as a subproject: {said}")
    targets = json.loads(subprocess.check_output(["meson", "introspect", "--targets", outer / "build"]))
    programs = [t["name"] for t in targets if t["type"] == "executable"]
    tally.check(programs == ["program"], f"as a subproject it also builds {', '.join(programs)}")
tally.finish()
