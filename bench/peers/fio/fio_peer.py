#!/usr/bin/env python3
"""The fio peer, the floor for file reads: runs fio and says what it has measured.

bench/README.md documents the protocol; bench/run starts it as `fio_peer.py bench`. Nothing is checked
here: it is the cost of the reads alone, 32 at once by one thread, submitted and reaped in batches.
"""

import json
import os
import resource
import subprocess
import sys

SECONDS = 0.3
JOBS = {"file/read_4k": ["--rw=randread", "--bs=4k", "--norandommap"],
        "file/read_128k": ["--rw=read", "--bs=128k"]}
COMMON = ["--name=job", "--ioengine=io_uring", "--iodepth=32", "--iodepth_batch=32",
          "--iodepth_batch_complete_min=1", "--iodepth_batch_complete_max=32", "--invalidate=0",
          "--gtod_reduce=1", "--thread", "--time_based", f"--runtime={int(SECONDS * 1000)}ms",
          "--output-format=json"]


def measure(name):
    path = os.environ["BENCH_FILE"]
    done = subprocess.run(["fio", *COMMON, *JOBS[name], f"--filename={path}", "--readonly"],
                          capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        sys.exit(f"fio: {done.stderr.strip() or done.stdout.strip()}")
    job = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]
    if job["error"]:
        sys.exit(f"fio: error {job['error']}")
    ns = job["read"]["runtime"] * 1e6
    return {"ops": job["read"]["total_ios"], "ns": ns,
            "cpu_ns": (job["usr_cpu"] + job["sys_cpu"]) / 100 * ns,
            "peak_rss_kb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}


def main():
    if sys.argv[1:] != ["bench"]:
        sys.exit("usage: fio_peer.py bench")
    for line in sys.stdin:
        name, repetitions = line.split()
        if name not in JOBS:
            print('{"error": "unknown"}', flush=True)
            continue
        for _ in range(int(repetitions)):
            print(json.dumps(measure(name)), flush=True)


main()
