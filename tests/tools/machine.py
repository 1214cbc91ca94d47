"""Runs plain test programs on another kernel, in an emulated machine that has nothing else.

The machine's files are busybox, the programs and their libraries, in an initramfs. It has two CPUs,
no disk, and the loopback interface. Its /init runs the programs one by one and says how each ended
on the serial line, where it is read.
"""
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

from layers import ROOT

LIMIT_S = 900           # for one program
MACHINE_LIMIT_S = 10000 # for all of them
SAID = 1 << 20          # bytes of a program's output that the machine hands over
PAGE = ROOT / "docs/operations.md" # the differential tests read it
# By architecture: the machine, its serial line, where libraries are beside those of the packages.
KINDS = {
    "x86_64": (["-cpu", "max"], "ttyS0", [pathlib.Path("/")]),
    "aarch64": (["-M", "virt,gic-version=3", "-cpu", "max"], "ttyAMA0",
                [pathlib.Path("/usr/aarch64-linux-gnu")]),
}
ETC = {
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "passwd": "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "nsswitch.conf": "hosts: files\n",
}
CGROUPS = "/sys/fs/cgroup"
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root LD_LIBRARY_PATH=/lib
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /dev/shm; chmod 1777 /tmp /dev/shm
mount -t cgroup2 cgroup2 {cgroups}
mkdir -p {folder}; cp /{page} {folder}
ip link set lo up; ulimit -n 20000; cd /tmp
echo; echo "== kernel $(uname -r) $(uname -m)"
{runs}
dmesg | grep -E 'BUG:|WARNING:|Oops|hung task|blocked for more|rcu.*stall'
echo "== end"
poweroff -f
"""
RUN = """read up _ </proc/uptime
({enter}exec env {env} timeout -s KILL {limit} /t/{name} {args}) >/tmp/.said 2>&1 </dev/null; rc=$?
read now _ </proc/uptime
tail -c {said} /tmp/.said
echo "== {label} $rc $(awk "BEGIN {{ printf \\"%.0f\\", $now - $up }}")"
"""


class Run:
    """One program, with its arguments and environment, and the exit status that it must have;
    `says` is a text that it must say. It runs in the control group "own" of a new one; `group`
    has what is written to that one's files: {"cpu.max": "max", "own/cpu.max": "100000 100000"}."""

    def __init__(self, program, *args, env=None, says=None, status=0, group=None):
        self.program, self.args, self.env, self.says = program, args, env or {}, says
        self.status, self.group = status, group

    def enter(self):
        """What a shell does to enter the group."""
        if not self.group:
            return ""
        controllers = {name.split("/")[-1].split(".")[0] for name in self.group}
        return "\n".join([
            f"cd {CGROUPS}", "here=$(mktemp -d ./XXXXXX)", "mkdir $here/own",
            *(f"echo +{controller} >{folder}/cgroup.subtree_control"
              for folder in (".", "$here") for controller in controllers),
            "cd $here", *(f"echo {value} >{name}" for name, value in self.group.items()),
            "echo 0 >own/cgroup.procs", "cd /tmp", ""])


class Files:
    """The files of the machine, as they are gathered in a folder."""

    def __init__(self, root, arch, folders):
        self.root, self.arch, self.folders = root, arch, folders
        for name in ("bin", "proc", "sys", "dev", "tmp", "etc", "t", "lib", "root", "run",
                     CGROUPS.lstrip("/")):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name, text in ETC.items():
            (root / "etc" / name).write_text(text)

    def find(self, name):
        triple = f"{self.arch}-linux-gnu"
        for folder in self.folders:
            for place in ".", "lib", f"lib/{triple}", f"usr/lib/{triple}", "lib64":
                if (folder / place / name).exists():
                    return folder / place / name
        raise FileNotFoundError(f"no {name} for the machine")

    def add_libraries(self, program):
        said = subprocess.check_output(["readelf", "-Wld", program], text=True)
        for name in re.findall(r"\(NEEDED\).*\[(.*)\]", said):
            if not (self.root / "lib" / name).exists():
                shutil.copy(self.find(name), self.root / "lib" / name)
                self.add_libraries(self.find(name))
        for name in re.findall(r"program interpreter: (\S+)\]", said):
            to = self.root / name.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            if not to.exists():
                shutil.copy(self.find(pathlib.Path(name).name), to)

    def add(self, program, folder="t"):
        if not (self.root / folder / program.name).exists():
            strip = "strip" if self.arch == "x86_64" else f"{self.arch}-linux-gnu-strip"
            subprocess.run([strip, "-o", self.root / folder / program.name, program], check=True)
            self.add_libraries(program)

    def pack(self, to):
        names = subprocess.check_output(["find", "."], cwd=self.root)
        with open(to, "wb") as out:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=self.root, input=names,
                           stdout=out, check=True)


def init(runs, env):
    """The text of /init."""
    parts = []
    for n, run in enumerate(runs):
        words = " ".join(f"{k}={shlex.quote(v)}" for k, v in {**env, **run.env}.items())
        parts.append(RUN.format(env=words, enter=run.enter(), limit=LIMIT_S, said=SAID, label=n,
                                name=run.program.name,
                                args=" ".join(map(shlex.quote, run.args))))
    return (INIT.replace("{runs}", "\n".join(parts)).replace("{folder}", str(PAGE.parent))
            .replace("{page}", PAGE.name).replace("{cgroups}", CGROUPS))


def boot(kernel, arch, initrd, console_log):
    """What the machine says; it can be read in the file meanwhile."""
    options, console, _ = KINDS[arch]
    command = [f"qemu-system-{arch}", *options, "-accel", "tcg,thread=multi", "-smp", "2",
               "-m", "2048", "-nodefaults", "-display", "none", "-monitor", "none",
               "-serial", "stdio", "-no-reboot", "-kernel", kernel, "-initrd", initrd,
               "-append", f"console={console} quiet panic=-1 rdinit=/init "
               "no_timer_check"] # on a busy host the timer seems not to work at all
    with open(console_log, "wb") as log:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                           timeout=MACHINE_LIMIT_S)
        except subprocess.TimeoutExpired:
            log.write(b"\n(the machine ran for too long)\n")
    return console_log.read_text(errors="replace").replace("\r", "")


def failures(said):
    """What a program said, less what its passed cases said, which is much where a test tries
    itself.

    A case says what it has to say before the line that tells how it ended. The text behind the last
    such line is that of a case that did not end, or of no case.
    """
    told, text, n_passed = [], [], 0
    for line in said.splitlines():
        ended = re.match(r"(ok|FAILED|skipped) +\S+/\S+", line)
        if not ended:
            text.append(line)
            continue
        n_passed += ended[1] == "ok"
        if ended[1] == "FAILED":
            told += [line, *text[-50:]]
        text = []
    return "\n".join([*told, *text[-50:]]), n_passed


def judge(tally, name, run, status, said):
    """Counts the cases of one run; says which were skipped, and what a failed one said."""
    counted = re.findall(r"^(\d+) passed, (\d+) failed$", said, re.M)
    text, n_passed = failures(said)
    tally.passed += int(counted[-1][0]) if counted else n_passed or status == run.status
    n_failed = int(counted[-1][1]) if counted else 0
    for case in re.findall(r"^skipped (\S+/\S+)$", said, re.M):
        print(f"{name}: skipped {case}")
    if status != run.status:
        tally.failed += max(n_failed, 1)
        last = re.findall(r"^ok +(\S+)", said, re.M)
        at = f", after {last[-1]}" if last and not counted else ""
        print(f"{name}: {run.program.name}: status {status}{at}\n{text}")
    if run.says:
        tally.check(run.says in said,
                    f"{name}: {run.program.name} does not say \"{run.says}\":\n{text}")


def run_there(tally, name, kernel, arch, runs, env, root, build):
    """Boots the kernel and runs all of `runs` with it. `root`: busybox, and more libraries."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        files = Files(scratch / "root", arch, [build / "runtime", root, *KINDS[arch][2]])
        shutil.copy(root / "bin/busybox", scratch / "root/bin/busybox")
        for run in runs:
            files.add(run.program)
        shutil.copy(PAGE, scratch / "root" / PAGE.name)
        (scratch / "root/init").write_text(init(runs, env))
        (scratch / "root/init").chmod(0o755)
        files.pack(scratch / "initrd")
        said = boot(kernel, arch, scratch / "initrd",
                    ROOT / f"build-check/console-{arch}-{kernel.name}.log")
    parts = re.split(r"^== (.*)\n", said, flags=re.M)
    # The texts between the marks: what stands before a mark belongs to it.
    results = {}
    for before, mark in zip(parts[::2], parts[1::2]):
        words = mark.split()
        if words[0] == "kernel":
            print(f"note: {name}: {words[1]} {words[2]}")
        elif words[0].isdigit():
            results[int(words[0])] = int(words[1]), int(words[2]), before
    tally.check("end" in parts[1::2],
                f"{name}: the machine did not come to its end:\n{said[-4000:]}")
    for n, (status, seconds, text) in results.items():
        if seconds >= 20:
            print(f"{name}: {runs[n].program.name} took {seconds} s")
        judge(tally, name, runs[n], status, text)
    missing = [run.program.name for n, run in enumerate(runs) if n not in results]
    tally.check(not missing, f"{name}: did not run: {', '.join(missing)}")
