#!/usr/bin/env python3
"""Builds weft with other compilers, flags, C libraries and allocators: toolchains.py [PART...]

compilers   each gcc and clang that is there: the library, and a program that is linked with it, shared
            and static; the library's source and the program as each C standard, the program as each
            C++ standard
flags       LTO, hardening, CFI and MSan, with some of the tests
musl        the library as it is installed, and all plain tests
allocators  some of the tests with another malloc preloaded

What is missing on this machine is left out by name. docs/versions.md has the results.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

from layers import LAYERS, ROOT, folders, sources
from tally import Tally

BUILDS = ROOT / "build-check/toolchains"
COMPILERS = [f"gcc-{n}" for n in range(12, 16)] + [f"clang-{n}" for n in range(14, 23)]
LIBRARY_STANDARDS = ["gnu17", "gnu2x"] # beside gnu11, as which it is built
PROGRAM_STANDARDS = {"program.c": ["c11", "gnu11", "c17", "gnu17", "c2x", "gnu2x"],
                     "program.cc": ["c++17", "c++20", "c++2b", "gnu++2b"]}
LIBRARY_ONLY = ["-Dtests=false", "-Dbench=false", "-Dexamples=false"]
TESTS = [f"runtime/{name}" for name in ("stress", "blocking", "file", "stop", "panic", "stream")]
HARDENED = ["-D_FORTIFY_SOURCE=3", "-fstack-protector-strong", "-fstack-clash-protection",
            "-ftrivial-auto-var-init=zero", "-fcf-protection=full"]
CFI = ["-flto", "-fsanitize=cfi-icall", "-fno-sanitize-trap=cfi-icall"]
# By name: the compilers, of which the newest is taken, the options, flags of compiler and linker.
FLAGS = {
    "gcc, LTO": ("gcc", ["-Db_lto=true"], [], []),
    "gcc, hardened": ("gcc", ["-Db_pie=true"], HARDENED, ["-Wl,-z,relro,-z,now"]),
    "clang, LTO": ("clang", ["-Db_lto=true"], [], ["-fuse-ld=lld"]),
    "clang, hardened": ("clang", ["-Db_pie=true"], HARDENED, ["-Wl,-z,relro,-z,now"]),
    "clang, CFI": ("clang", [], CFI, [*CFI, "-fuse-ld=lld"]),
    "clang, MSan": ("clang", ["-Db_sanitize=memory"], [], []),
}
ALLOCATORS = ["libjemalloc.so.2", "libmimalloc.so.2", "libtcmalloc_minimal.so.4"]
LIBRARIES = [pathlib.Path("/usr/lib") / machine for machine in
             ("x86_64-linux-gnu", "aarch64-linux-gnu")]

tally = Tally()


def run(*command, **env):
    """Returns what the command says if it fails, else None."""
    done = subprocess.run(command, env={**os.environ, **env}, cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    return done.stdout if done.returncode else None


def leave_out(what, why):
    print(f"note: {what} left out: {why}")


def result(what, said):
    """One line for each check; `said` is None where it went well."""
    tally.check(said is None, f"{what}: FAILED\n{said and said[-4000:]}")
    if said is None:
        print(f"{what}: ok", flush=True)


def build(name, compiler, options, targets=(), **env):
    """Returns the folder, and what the build said if it failed."""
    folder = BUILDS / re.sub(r"\W+", "-", name)
    shutil.rmtree(folder, ignore_errors=True)
    cxx = env.pop("CXX", compiler.replace("gcc", "g++").replace("clang", "clang++"))
    env = {"CC": compiler, "CXX": cxx, **env}
    ar = compiler.replace("clang", "llvm-ar")
    if ar != compiler and shutil.which(ar):
        env["AR"] = ar # which reads objects of the same LLVM
    said = run("meson", "setup", folder, "--werror", "-Dcriterion=disabled", "-Dbench=false",
               "-Db_lundef=false", *options, **env)
    return folder, said or run("ninja", "-C", folder, *targets)


def run_program(folder, compiler, standard, *flags):
    """Links tests/cxx/program.c with the shared library and with the archive, and runs both."""
    libraries = folder / "runtime"
    for library in ["libweft.so"], ["libweft.a", "-luring", "-lck"]:
        program = folder / "program"
        said = run(compiler, f"-std={standard}", "-pthread", *flags, "-I", "include", "-o", program,
                   "tests/cxx/program.c", libraries / library[0], *library[1:])
        said = said or run(program, LD_LIBRARY_PATH=str(libraries))
        if said:
            return said
    return None


def run_tests(folder, names, **env):
    """Runs the plain tests of the folder, and adds up their cases."""
    done = subprocess.run(["tests/tools/run_tests.py", folder, "--suite", "plain", *names],
                          env={**os.environ, **env}, cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                          errors="replace")
    *said, total = done.stdout.strip().splitlines()
    passed, failed = map(int, re.findall(r"\d+", total))
    tally.passed += passed
    tally.failed += failed
    if failed:
        print("\n".join(said[-100:]))
    return total


def targets_of(names):
    """The programs of the tests."""
    return [f"tests/test_{name.replace('/', '_')}" for name in names]


def compile_only(compiler, standard, *what):
    """Returns what the compiler says against the files."""
    return run(compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *what)


def check_compiler(compiler):
    folder, said = build(compiler, compiler, LIBRARY_ONLY)
    result(f"{compiler}, the library", said or run_program(folder, compiler, "gnu11"))
    seen = [option for layer in LAYERS for path in folders(layer) for option in ("-I", path)]
    files = [path for layer in LAYERS for path in sources(layer, "c")]
    for standard in LIBRARY_STANDARDS:
        result(f"{compiler}, the library as {standard}",
               compile_only(compiler, standard, "-D_GNU_SOURCE", *seen, *files))
    for source, standards in PROGRAM_STANDARDS.items():
        cc = compiler
        if source.endswith(".cc"):
            cc = compiler.replace("gcc", "g++").replace("clang", "clang++")
        for standard in standards if shutil.which(cc) else []:
            result(f"{cc}, a program as {standard}",
                   compile_only(cc, standard, "-I", "include", f"tests/cxx/{source}"))


def check_compilers():
    for compiler in COMPILERS:
        if shutil.which(compiler):
            check_compiler(compiler)
        else:
            leave_out(compiler, "not here")


def check_flags():
    for name, (family, options, compiling, linking) in FLAGS.items():
        compiler = next((c for c in reversed(COMPILERS)
                         if c.startswith(family) and shutil.which(c)), family)
        folder, said = build(name, compiler, [
            *options, "-Dexamples=false", f"-Dc_args={' '.join(compiling)}",
            f"-Dc_link_args={' '.join(linking)}"], targets_of(TESTS))
        result(f"{name} ({compiler}), the build", said)
        if not said:
            print(f"{name}, tests:", run_tests(folder, [f"{test} plain" for test in TESTS]))


def make_root():
    """A folder with what musl-gcc does not find: the kernel's headers, and liburing and CK.
    Debian's archives of the two call nothing that only glibc has."""
    root = BUILDS / "musl-root"
    shutil.rmtree(root, ignore_errors=True)
    for folder in "include", "lib/pkgconfig", "status/sys":
        (root / folder).mkdir(parents=True)
    include = pathlib.Path("/usr/include")
    machine = next(path for path in LIBRARIES if path.exists())
    for header in [include / name for name in ("linux", "asm-generic", "liburing", "liburing.h",
                                               "gcc", "spinlock")] + [
            include / machine.name / "asm", *include.glob("ck_*.h")]:
        (root / "include" / header.name).symlink_to(header)
    for name, library in ("liburing", "uring"), ("ck", "ck"):
        (root / "lib" / f"lib{library}.a").symlink_to(machine / f"lib{library}.a")
        version = subprocess.check_output(["pkg-config", "--modversion", name], text=True).strip()
        (root / f"lib/pkgconfig/{name}.pc").write_text(
            f"Name: {name}\nDescription: {name}\nVersion: {version}\n"
            f"Libs: -L{root}/lib -l{library}\n")
    # The tests and examples look at a struct statx, which musl has from 1.2.5 on.
    (root / "status/sys/stat.h").write_text(
        "#include_next <sys/stat.h>\n#include <linux/stat.h>\n")
    return root


def check_musl():
    if not shutil.which("musl-gcc"):
        leave_out("musl", "no musl-gcc")
        return
    root = make_root()
    env = {"PKG_CONFIG_LIBDIR": str(root / "lib/pkgconfig"), "CXX": "false"}
    args = f"-isystem {root}/include"
    folder, said = build("musl library", "musl-gcc", [*LIBRARY_ONLY, f"-Dc_args={args}"], **env)
    result("musl, the library", said or run_program(folder, "musl-gcc", "c11", f"-L{root}/lib"))
    folder, said = build("musl tests", "musl-gcc", [f"-Dc_args=-I{root}/status {args}"], **env)
    result("musl, the tests and examples", said)
    if not said:
        result("musl, dlopen and dlclose",
               run(folder / "tests/unload", folder / "runtime/libweft.so"))
        print("musl, tests:", run_tests(folder, ["include/", "sched/", "reactor/", "runtime/",
                                                 "program", "fault/environment"]))


def check_allocators():
    folder, said = build("allocators", "gcc", ["-Dexamples=false"], targets_of(TESTS))
    result("the build for other allocators", said)
    for name in ALLOCATORS if not said else []:
        library = next((path / name for path in LIBRARIES if (path / name).exists()), None)
        if library:
            print(f"{name}:", run_tests(folder, ["--wrapper", f"env LD_PRELOAD={library}",
                                                 *(f"{test} plain" for test in TESTS)]))
        else:
            leave_out(name, "not here")


PARTS = {"compilers": check_compilers, "flags": check_flags, "musl": check_musl,
         "allocators": check_allocators}
for part in sys.argv[1:] or PARTS:
    PARTS[part]()
tally.finish()
