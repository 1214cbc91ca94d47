"""Finds and builds the runtimes: what each can run, and how it is started."""

import dataclasses
import pathlib
import platform
import shutil
import subprocess

from common import BENCH, BUILD, ROOT, Failure, output_of, shown

PEERS = BENCH / "peers"


@dataclasses.dataclass
class Runtime:
    name: str
    version: str = ""
    servers: dict = dataclasses.field(default_factory=dict)  # "echo", "http": all but the port
    programs: dict = dataclasses.field(default_factory=dict)  # "sched": the "bench" command


def built(name):
    path = BUILD / "bench" / name
    if not path.exists():
        raise Failure(f"{shown(path)} is not built")
    return path


def run_build(what, command, folder, environment=None):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line]
        raise Failure(f"{what} in {shown(folder)}: {errors[0] if errors else 'failed'}")


def weft(options):
    echo, httpd = built("echo"), BUILD / "docs" / "examples" / "httpd"
    servers = {"echo": [echo, "server", "echo"]}
    if httpd.exists():
        servers["http"] = [httpd, "--port"]
    programs = {"sched": [built("sched"), "bench", "--workers", str(options.workers)]}
    commit = output_of(["git", "-C", ROOT, "describe", "--always", "--dirty"])
    version = f"{output_of([echo, 'version'])} {commit}".strip()
    return [Runtime("weft", version, servers, programs),
            Runtime("weft-current", version,
                    programs={"sched": [built("sched"), "bench", "--current"]})]


def cargo_build(target, *arguments):
    if not shutil.which("cargo"):
        raise Failure("no cargo here")
    run_build("cargo build", ["cargo", "build", "--release", "--locked", "--target-dir", target,
                              *arguments], PEERS / "tokio")
    return target / "release" / "weft-peer-tokio"


def tokio(options):
    peer = cargo_build(PEERS / "tokio" / "target")
    return [Runtime(name, output_of([peer, "version"]),
                    {s: [peer, flavour, "server", s] for s in ("echo", "http")},
                    {"sched": [peer, flavour, "bench"]})
            for name, flavour in (("tokio", "multi"), ("tokio-current", "current"))]


def tokio_mimalloc(options):
    peer = cargo_build(PEERS / "tokio" / "target" / "mimalloc", "--features", "mimalloc")
    return [Runtime("tokio-mimalloc", output_of([peer, "version"]),
                    programs={"sched": [peer, "multi", "bench"]})]


def go(options):
    tool = shutil.which("go") or "/usr/local/go/bin/go"
    if not pathlib.Path(tool).exists():
        raise Failure("no go here")
    peer = PEERS / "go" / "target" / "weft-peer-go"
    run_build("go build", [tool, "build", "-o", peer, "."], PEERS / "go")
    return [Runtime("go", output_of([peer, "version"]), programs={"sched": [peer, "bench"]})]


def tbb(options):
    if not shutil.which("c++"):
        raise Failure("no c++ here")
    source, peer = PEERS / "tbb" / "main.cc", PEERS / "tbb" / "target" / "weft-peer-tbb"
    if not peer.exists() or peer.stat().st_mtime < source.stat().st_mtime:
        peer.parent.mkdir(exist_ok=True)
        run_build("c++ (with libtbb-dev?)",
                  ["c++", "-std=c++17", "-O3", "-DNDEBUG", source, "-o", peer, "-ltbb"],
                  PEERS / "tbb")
    return [Runtime("tbb", output_of([peer, "version"]), programs={"sched": [peer, "bench"]})]


def epoll(options):
    return [Runtime("epoll-raw", f"Linux {platform.release()}",
                    {"echo": [built("echo_epoll"), "server", "echo"]})]


# What makes which runtimes, for which groups of benchmarks.
MAKERS = [
    (weft, {"weft", "weft-current"}, {"io", "sched"}),
    (tokio, {"tokio", "tokio-current"}, {"io", "sched"}),
    (tokio_mimalloc, {"tokio-mimalloc"}, {"sched"}),
    (go, {"go"}, {"sched"}),
    (tbb, {"tbb"}, {"sched"}),
    (epoll, {"epoll-raw"}, {"io"}),
]

NAMES = [name for _, names, _ in MAKERS for name in sorted(names)]


def find(groups, options):
    """The runtimes that can be had for these groups of benchmarks; says which ones can't."""
    found = []
    for make, names, has in MAKERS:
        wanted = names & set(options.runtimes or names)
        if not wanted or not has & groups:
            continue
        try:
            found += [r for r in make(options) if r.name in wanted]
        except Failure as failure:
            print(f"{', '.join(sorted(wanted))} left out: {failure}", flush=True)
    return found
