#!/usr/bin/env python3
"""The core without libc: it compiles and links alone, and runs on bare metal (docs/design/freestanding.md).

For this machine and for Cortex-M0 and M4, unoptimised and optimised: each file of the core compiles
without any header but weft's and the compiler's own; what it needs at link time is on a short list; it
has no writable data. Then tests/freestanding/scenario.c runs on it: as an image under qemu-system-arm,
and in a process without malloc. Mistakes that are planted in the machine or in the core must make that
run fail, each in its own words.
"""
import pathlib
import re
import subprocess
import tempfile

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests/freestanding"
CORE = sorted((ROOT / "sched/core").glob("*.c"))
QUOTED = ["-iquote", ROOT / "sched/base", "-iquote", ROOT / "sched/core"]
HEADERS = ["base.h", "future.h", "waker.h", "async.h", "combine.h", "local.h"]
# What an image brings, and what compilers call on their own (libgcc, on ARM).
NEEDS = {"memcpy", "memset", "weft_misuse_"}
LIBGCC = re.compile(r"__aeabi_(u?idivmod|u?idiv|u?ldivmod|lmul|llsl|llsr|lasr|u?lcmp)|"
                    r"__gnu_thumb1_case_\w+")
LIMIT_S = 60
BARE = ["-ffreestanding", "-nostdinc", "-Wall", "-Wextra", "-Werror"]

LOST = "a wake was lost"
# On one machine: how it fails -> what it says. PLANT is looked at by cortex_m.c and host.c.
ARM_PLANTS = {1: "false: planted: -1, 1", 2: "weft_future_poll: a future must not move between its "
              r"first poll and READY \(planted, first polled at 0x20000000", 3: LOST,
              4: "weft_panic: there is no runtime to catch it .*check failed: bss_end == NULL"}
HOST_PLANTS = {1: "false: planted: -1, 1", 2: LOST, 3: "malloc was called"}
# Mistakes in local.c that only an interrupt at the right place brings to light.
MUTANTS = {
    "the flag is cleared after the poll": (
        "    local->random_ = cx.random_;\n",
        "    local->random_ = cx.random_;\n    (void)wf_flag_take(&t->woken_);\n"),
    "idles without a second look": (" && !wf_load(&local->any_, ACQUIRE)) /*", ") /*"),
}

tally = Tally()


def run(command, limit=LIMIT_S):
    """The exit status (None: it had to be ended) and what the command said."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=limit)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        return None, f"{(late.stdout or b'').decode(errors='replace')}\nran for {limit} s"


class Target:
    """A compiler for a machine, and the core compiled by it into `folder`."""

    def __init__(self, name, folder, tools, *options):
        self.name, self.folder, self.tools, self.options = name, folder, tools, options
        self.compiler = tools if tools == "clang" else f"{tools}gcc"
        said = subprocess.check_output([self.compiler, *options, "-print-file-name=include"],
                                       text=True)
        self.bare = [*BARE, "-isystem", said.strip(), "-I", ROOT / "include"]

    def tool(self, name, *args):
        prefix = "" if self.tools == "clang" else self.tools
        return subprocess.check_output([prefix + name, *args], text=True)

    def compile(self, source, *options):
        """The object, or None if the compiler refuses."""
        made = self.folder / f"{source.stem}.o"
        status, said = run([self.compiler, *self.options, "-std=c11", *self.bare, *options,
                            *QUOTED, "-c", source, "-o", made])
        tally.check(status == 0, f"{self.name}: {source.name} does not compile:\n{said}")
        return made if status == 0 else None

    def compile_core(self):
        objects = [self.compile(source) for source in CORE]
        return objects if all(objects) else None

    def check_symbols(self, objects):
        lines = [line.split() for line in self.tool("nm", "-P", *objects).splitlines()
                 if not line.endswith(":")]
        kinds = {}
        for name, kind, *_ in lines:
            kinds.setdefault(kind, set()).add(name)
        defined = {name for kind in kinds if kind != "U" for name in kinds[kind]}
        wrong = {name for name in kinds.get("U", set()) - defined - NEEDS
                 if self.tools != "arm-none-eabi-" or not LIBGCC.fullmatch(name)}
        tally.check(not wrong, f"{self.name}: the core needs {', '.join(sorted(wrong))}")
        data = {name for kind in "bBdDC" for name in kinds.get(kind, set())}
        tally.check(not data, f"{self.name}: the core has data of its own: {', '.join(data)}")

    def text_size(self, objects):
        rows = self.tool("size", *objects).splitlines()[1:]
        return sum(int(row.split()[0]) for row in rows)

    def link(self, objects, name, machine, *options):
        image = self.folder / name
        status, said = run([self.compiler, *self.options, *machine, *options, *objects,
                            *(["-lgcc"] if self.tools == "arm-none-eabi-" else []), "-o", image])
        tally.check(status == 0, f"{self.name}: {name} does not link:\n{said}")
        return image if status == 0 else None


def check_run(name, command, words=None):
    """Runs a scenario: without `words` it must pass, else fail and say them."""
    status, said = run(command)
    if words is None:
        tally.check(status == 0, f"{name}: status {status}\n{said}")
    else:
        tally.check(status not in (0, None) and re.search(words, said),
                    f"{name}: does not fail with /{words}/, but status {status}\n{said}")


def mutants(target):
    """The mutants' names and objects."""
    local = (ROOT / "sched/core/local.c").read_text()
    for n, (name, (before, after)) in enumerate(MUTANTS.items()):
        tally.check(local.count(before) == 1, f"mutant: {name}: local.c has changed")
        source = target.folder / f"mutant_{n}.c"
        source.write_text(local.replace(before, after))
        yield name, target.compile(source)


def check_arm(folder, core_name, machine, levels):
    emulator = ["qemu-system-arm", "-M", machine, "-nographic", "-monitor", "none", "-serial", "none",
                "-semihosting-config", "enable=on,target=native",
                # Time is counted in instructions: the same run each time, on a busy machine too.
                "-icount", "shift=6,sleep=off", "-kernel"]
    for level in levels:
        name = f"{core_name} {level}"
        target = Target(name, folder, "arm-none-eabi-", f"-mcpu={core_name}", "-mthumb", level)
        objects, scenario = target.compile_core(), target.compile(TESTS / "scenario.c")
        if not objects or not scenario:
            continue
        target.check_symbols(objects)
        if level == "-Os":
            parts = ", ".join(f"{o.stem}.c {target.text_size([o])}" for o in objects)
            print(f"note: text of the core on {core_name}: {parts}; "
                  f"all {target.text_size(objects)}")
        board = [*target.bare, "-std=c11", "-nostdlib", *QUOTED,
                 "-T", TESTS / "cortex_m.ld", TESTS / "cortex_m.c"]
        image = target.link([*objects, scenario], "image", board)
        if image:
            check_run(name, [*emulator, image])
        if level != "-Os":
            continue
        for plant, words in ARM_PLANTS.items():
            image = target.link([*objects, scenario], "planted", board, f"-DPLANT={plant}")
            if image:
                check_run(f"{name}, planted {plant}", [*emulator, image], words)
        rest = [made for made in objects if made.stem != "local"]
        for mutant, made in mutants(target):
            image = made and target.link([*rest, made, scenario], "mutant", board)
            if image:
                check_run(f"{name}: {mutant}", [*emulator, image], LOST)


def check_host(folder, compiler, level):
    # Not relocatable, as on bare metal: else constants with addresses count as data.
    target = Target(f"{compiler or 'gcc'} {level}", folder, compiler, level, "-fno-pie")
    objects, scenario = target.compile_core(), target.compile(TESTS / "scenario.c")
    if not objects or not scenario:
        return
    target.check_symbols(objects)
    process = ["-std=gnu11", "-no-pie", "-Wall", "-Wextra", "-Werror", "-I", ROOT / "include",
               TESTS / "host.c"]
    for plant in 0, *HOST_PLANTS:
        program = target.link([*objects, scenario], "program", process, f"-DPLANT={plant}")
        if program:
            check_run(f"{target.name}, planted {plant}", [program], HOST_PLANTS.get(plant))


def check_headers(folder):
    """Alone, in C11 and C++17, without a libc's headers."""
    for compiler, language in (("arm-none-eabi-gcc", "c"), ("arm-none-eabi-g++", "c++"),
                               ("gcc", "c"), ("g++", "c++"), ("clang", "c"), ("clang++", "c++")):
        own = subprocess.check_output([compiler, "-print-file-name=include"], text=True).strip()
        for header in HEADERS:
            source = folder / f"header.{language}"
            source.write_text(f"#include <weft/{header}>\n" * 2)
            standard = "-std=c11" if language == "c" else "-std=c++17"
            status, said = run([compiler, "-x", language, standard, *BARE, "-isystem", own,
                                "-I", ROOT / "include", "-fsyntax-only", source])
            tally.check(status == 0, f"{header} with {compiler}, no libc:\n{said}")


with tempfile.TemporaryDirectory() as scratch:
    folder = pathlib.Path(scratch)
    check_headers(folder)
    check_host(folder, "", "-O2")
    check_host(folder, "clang", "-O2")
    check_arm(folder, "cortex-m0", "microbit", ("-O0", "-Os", "-O2"))
    check_arm(folder, "cortex-m4", "mps2-an386", ("-O0", "-Os", "-O2"))
tally.finish()
