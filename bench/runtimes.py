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
    servers: dict = dataclasses.field(default_factory=dict)  # "echo", ...: all but the port
    programs: dict = dataclasses.field(default_factory=dict)  # by group, "sched": how to start it


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


INSIDE = {"sched", "time", "blocking", "file", "sync", "fiber"}
SERVERS = ("echo", "mix", "stream", "http")


def servers_of(command, kinds=SERVERS):
    return {kind: [*command, "server", kind] for kind in kinds}


def programs_of(command, groups=INSIDE):
    return {group: [*command] for group in groups}


def under(setting, commands):
    return {kind: ["env", setting, *command] for kind, command in commands.items()}


def weft_programs(*options):
    return (programs_of([built("sched"), "bench", *options]) |
            programs_of([built("sync"), "bench", *options], {"sync"}) |
            programs_of([built("fiber"), "bench", *options], {"fiber"}))


def weft(options):
    echo, httpd = built("echo"), BUILD / "docs" / "examples" / "httpd"
    servers = servers_of([echo], ("echo", "mix", "stream"))
    if httpd.exists():
        servers["http"] = [httpd, "--port"]
    programs = weft_programs("--workers", str(options.workers))
    commit = output_of(["git", "-C", ROOT, "describe", "--always", "--dirty"])
    version = f"{output_of([echo, 'version'])} {commit}".strip()
    return [Runtime("weft", version, servers, programs),
            Runtime("weft-current", version, under("WEFT_CURRENT_THREAD=1", servers),
                    weft_programs("--current")),
            Runtime("weft-epoll", version, under("WEFT_BACKEND=epoll", servers),
                    under("WEFT_BACKEND=epoll", {"file": programs["file"]}))]


def weft_styles(options):
    """The other style of writing a task: in io/... fibers, in fiber/... async functions."""
    version = output_of([built("echo"), "version"])
    servers = servers_of([built("echo_fiber")], ("echo",))
    stackless = [built("sched"), "bench", "--workers", str(options.workers)]
    return [Runtime("weft-fiber", version, servers),
            Runtime("weft-fiber-16", version, under("WEFT_FIBER_STACK=16", servers)),
            Runtime("weft-stackless", version, programs=programs_of(stackless, {"fiber"}))]


def cargo_build(target, *arguments):
    if not shutil.which("cargo"):
        raise Failure("no cargo here")
    run_build("cargo build", ["cargo", "build", "--release", "--locked", "--target-dir", target,
                              *arguments], PEERS / "tokio")
    return target / "release" / "weft-peer-tokio"


def tokio(options):
    peer = cargo_build(PEERS / "tokio" / "target")
    return [Runtime(name, output_of([peer, "version"]),
                    servers_of([peer, flavour]),
                    programs_of([peer, flavour, "bench"]))
            for name, flavour in (("tokio", "multi"), ("tokio-current", "current"))]


def tokio_mimalloc(options):
    peer = cargo_build(PEERS / "tokio" / "target" / "mimalloc", "--features", "mimalloc")
    return [Runtime("tokio-mimalloc", output_of([peer, "version"]),
                    programs=programs_of([peer, "multi", "bench"]))]


def go(options):
    tool = shutil.which("go") or "/usr/local/go/bin/go"
    if not pathlib.Path(tool).exists():
        raise Failure("no go here")
    peer = PEERS / "go" / "target" / "weft-peer-go"
    run_build("go build", [tool, "build", "-o", peer, "."], PEERS / "go")
    return [Runtime("go", output_of([peer, "version"]), servers_of([peer]),
                    programs_of([peer, "bench"], {"sched", "time", "file", "sync", "fiber"}))]


def compile_peer(name, compiler, package, flags, libraries):
    """Compiles peers/NAME if it has changed; returns the program."""
    if not shutil.which(compiler):
        raise Failure(f"no {compiler} here")
    peer = PEERS / name / "target" / f"weft-peer-{name}"
    headers = [BENCH / "http.h", BENCH / "servers.h"]
    sources = [path for path in sorted((PEERS / name).iterdir()) if path.is_file()]
    if not peer.exists() or peer.stat().st_mtime < max(
            path.stat().st_mtime for path in sources + headers):
        peer.parent.mkdir(exist_ok=True)
        run_build(f"{compiler} (with {package}?)",
                  [compiler, *flags, "-O3", "-DNDEBUG", *sources, "-o", peer, *libraries],
                  PEERS / name)
    return peer


def tbb(options):
    peer = compile_peer("tbb", "c++", "libtbb-dev", ["-std=c++17"], ["-ltbb"])
    return [Runtime("tbb", output_of([peer, "version"]), programs={"sched": [peer, "bench"]})]


def boost(options):
    peer = compile_peer("boost", "c++", "libboost-fiber-dev", ["-std=c++17"],
                        ["-lboost_fiber", "-lboost_context", "-pthread"])
    return [Runtime("boost", output_of([peer, "version"]), programs={"fiber": [peer, "bench"]})]


def libuv(options):
    peer = compile_peer("libuv", "cc", "libuv1-dev", ["-std=gnu11", "-D_GNU_SOURCE"], ["-luv"])
    return [Runtime("libuv", output_of([peer, "version"]), servers_of([peer]),
                    programs_of([peer, "bench"], {"blocking"}))]


def pthreads(options):
    peer = compile_peer("pthreads", "cc", "libc6-dev", ["-std=gnu11", "-D_GNU_SOURCE"],
                        ["-pthread"])
    return [Runtime("pthreads", output_of([peer, "version"]),
                    programs=programs_of([peer, "bench"], {"sync"}))]


def asio(options):
    peer = compile_peer("asio", "c++", "libasio-dev", ["-std=c++17"], ["-pthread"])
    return [Runtime("asio", output_of([peer, "version"]), servers_of([peer]))]


def fio(options):
    if not shutil.which("fio"):
        raise Failure("no fio here")
    peer = [PEERS / "fio" / "fio_peer.py", "bench"]
    return [Runtime("fio", output_of(["fio", "--version"]).removeprefix("fio-"),
                    programs=programs_of(peer, {"file"}))]


def epoll(options):
    return [Runtime("epoll-raw", f"Linux {platform.release()}",
                    servers_of([built("echo_epoll")], ("echo", "stream")))]


def uring(options):
    return [Runtime("uring-raw", f"Linux {platform.release()}",
                    servers_of([built("echo_uring")], ("echo",)))]


# What makes which runtimes, for which groups of benchmarks.
MAKERS = [
    (weft, {"weft", "weft-current", "weft-epoll"}, {"io"} | INSIDE),
    (weft_styles, {"weft-fiber", "weft-fiber-16", "weft-stackless"}, {"io", "fiber"}),
    (tokio, {"tokio", "tokio-current"}, {"io"} | INSIDE),
    (tokio_mimalloc, {"tokio-mimalloc"}, INSIDE),
    (go, {"go"}, {"io", "sched", "time", "file", "sync", "fiber"}),
    (pthreads, {"pthreads"}, {"sync"}),
    (libuv, {"libuv"}, {"io", "blocking"}),
    (asio, {"asio"}, {"io"}),
    (tbb, {"tbb"}, {"sched"}),
    (boost, {"boost"}, {"fiber"}),
    (fio, {"fio"}, {"file"}),
    (epoll, {"epoll-raw"}, {"io"}),
    (uring, {"uring-raw"}, {"io"}),
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
