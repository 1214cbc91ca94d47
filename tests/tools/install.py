#!/usr/bin/env python3
"""Installs a build folder and builds a program against it, outside the tree, as its users do.

install.py BUILD     the folder's prefix must be a scratch folder: it is emptied first

By pkg-config, in C and in C++, with gcc and clang; shared, and static once the shared one is gone. By
CMake, where it is installed. And as a subproject of another meson project, which gets the library and
nothing else.
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
CMAKE = """cmake_minimum_required(VERSION 3.16)
project(outer C CXX)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEFT REQUIRED IMPORTED_TARGET weft)
add_executable(in_c program.c)
add_executable(in_cxx program.cc)
target_link_libraries(in_c PkgConfig::WEFT)
target_link_libraries(in_cxx PkgConfig::WEFT)
enable_testing()
add_test(NAME in_c COMMAND in_c)
add_test(NAME in_cxx COMMAND in_cxx)
"""


def run(command, **env):
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=600)


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


def check_cmake():
    """A CMake project, whose programs find the shared library by the path that CMake gives them."""
    with tempfile.TemporaryDirectory() as scratch:
        for file in (ROOT / "tests/cxx").glob("program.*"):
            shutil.copy(file, scratch)
        pathlib.Path(scratch, "CMakeLists.txt").write_text(CMAKE)
        made = pathlib.Path(scratch, "build")
        for command in (["cmake", "-S", scratch, "-B", made], ["cmake", "--build", made],
                        ["ctest", "--test-dir", made, "--no-tests=error"]):
            done = run(command, PKG_CONFIG_PATH=str(pc.parent))
            if done.returncode:
                break
        tally.check(done.returncode == 0, f"by CMake: {done.stdout}{done.stderr}")


if shutil.which("cmake"):
    check_cmake() # before the shared library goes
else:
    print("note: the CMake project is left out: no cmake here")
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
