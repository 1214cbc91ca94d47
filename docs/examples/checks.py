"""What the tests of the examples share: comparing, running clients at once, running the tests."""

import os
import signal
import subprocess
import sys
import threading
import time
import traceback

from loopback import PATIENCE, binary


def output_of(name, *args):
    return subprocess.run([binary(name), *args], capture_output=True, text=True, timeout=PATIENCE)


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"got {got!r}, expected {expected!r}")


def stops(server, signo=signal.SIGTERM):
    begin = time.monotonic()
    code, output = server.stop(signo)
    equal((code, server.stderr() if code != 0 else ""), (0, ""))
    if time.monotonic() - begin > 10:
        raise AssertionError(f"stopping took {time.monotonic() - begin:.1f} s")
    return output


def took(begin, least, most):
    seconds = time.monotonic() - begin
    assert least <= seconds <= most, f"took {seconds:.2f} s, expected {least} to {most}"


def in_threads(n, function, patience=PATIENCE * 2):
    """Runs function(0) to function(n - 1) at once; the first failure is ours."""
    failures = []

    def run(i):
        try:
            function(i)
        except Exception as failure:  # handed over below
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(patience)
        if thread.is_alive():
            raise AssertionError("a client hangs")
    if failures:
        raise failures[0]


def run_tests(tests):
    """Runs them, or those whose names contain an argument; main's exit status."""
    chosen = [t for t in tests if not sys.argv[1:] or any(a in t.__name__ for a in sys.argv[1:])]
    n_passed = n_failed = 0
    if not os.path.exists(binary("hello")):
        sys.exit(f"{binary('hello')} is missing: build it first, or set WEFT_BUILD")
    for test in chosen:
        if test.__name__.startswith("httpd") and not os.path.exists(binary("httpd")):
            print(f"skip  {test.__name__}: httpd has not been built")
            continue
        begin = time.monotonic()
        try:
            test()
            n_passed += 1
            print(f"ok    {test.__name__} ({time.monotonic() - begin:.2f} s)", flush=True)
        except Exception:
            n_failed += 1
            print(f"FAIL  {test.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
    print(f"{n_passed} of {len(chosen)} passed")
    return 1 if n_failed else 0
