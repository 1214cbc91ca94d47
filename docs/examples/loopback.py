"""What test_examples and demo share: a server process, and clients on 127.0.0.1.

Every wait is bounded. The program that started a process ends it, by its pid.
"""

import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(os.environ.pop("WEFT_BUILD", "build"))  # popped: it is no knob of weft's
# Where the programs are. The tests also run those of docs/examples/poisoned.
PROGRAMS = os.path.abspath(os.environ.pop("WEFT_EXAMPLES", os.path.join(BUILD, "docs", "examples")))
PATIENCE = 60.0  # seconds; only what hangs takes as long, also on a busy machine
OPTIONS = {}  # by the name of a program: what each server of it is given besides


def binary(name):
    return os.path.join(PROGRAMS, name)


def wait_until(condition, patience=PATIENCE):
    """Whether the condition has come true in time."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def take_options(program, *names):
    """Takes options of a program out of our own arguments. Its servers get them."""
    OPTIONS[program] = [name for name in names if name in sys.argv]
    sys.argv = [argument for argument in sys.argv if argument not in names]


def reserved_port():
    """A socket that holds a free port, so that no other program gets it. A server may listen
    there."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", 0))
    return s


def port_of(reserved):
    return reserved.getsockname()[1]


class Server:
    """A program that prints "listening on HOST:PORT" and ends on a signal."""

    def __init__(self, name, *args, env=None, stderr=None, n_files=None, closed=()):
        """`env` is added to ours; `n_files` is the limit of descriptors; `closed` are not open."""
        def prepare():
            for fd in closed:
                os.close(fd)
            if n_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, n_files))

        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([binary(name), *OPTIONS.get(name, []), *map(str, args)], text=True,
                                        env={**os.environ, **(env or {})}, preexec_fn=prepare,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors if stderr is None else stderr)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        match = re.fullmatch(r"listening on (?:127\.0\.0\.1:(\d+)|(/.*))\n", line)
        if not match:
            self.kill()
            raise AssertionError(f"{name} does not listen: {line!r} {self.stderr()!r}")
        self.pid = self.process.pid
        self.port = int(match[1]) if match[1] else match[2]  # the path of a Unix socket

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read()

    def send_signal(self, signo=signal.SIGTERM):
        self.process.send_signal(signo)

    def wait(self, patience=PATIENCE):
        """The exit code and the rest of the output; None if it does not end in time."""
        try:
            output, _ = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            return None, ""
        return self.process.returncode, output

    def stop(self, signo=signal.SIGTERM, patience=PATIENCE):
        self.send_signal(signo)
        return self.wait(patience)

    def is_asleep(self):
        """Whether no thread of the server runs or waits for a CPU."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            try:
                with open(f"/proc/{self.pid}/task/{task}/stat") as f:
                    if f.read().rpartition(")")[2].split()[0] != "S":
                        return False
            except (FileNotFoundError, ProcessLookupError):
                pass  # the thread has ended
        return True

    def n_fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def settled_fds(self):
        """The same, once it has not changed for a tenth of a second in which the server slept."""
        n, since = self.n_fds(), time.monotonic()
        end = since + PATIENCE
        while time.monotonic() - since < 0.1 and time.monotonic() < end:
            time.sleep(0.01)
            if self.n_fds() != n or not self.is_asleep():
                n, since = self.n_fds(), time.monotonic()
        return n

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        with open(f"/proc/{self.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024

    def connect(self, **options):
        return Client(self.port, **options)


class Response:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body


class Client:
    """A connection that can misbehave."""

    def __init__(self, port, receive_buffer=None):
        unix = isinstance(port, str)
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(port if unix else ("127.0.0.1", port))
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def has_input(self, patience):
        """Whether something has come, or the stream has ended, in time."""
        return bool(select.select([self.socket], [], [], patience)[0])

    def _more(self):
        data = self.socket.recv(65536)
        self.input += data
        return len(data) > 0

    def take(self, size):
        while len(self.input) < size and self._more():
            pass
        data, self.input = self.input[:size], self.input[size:]
        return data

    def take_until(self, end):
        """Up to and with `end`; less if the stream ends before."""
        while end not in self.input:
            if not self._more():
                data, self.input = self.input, b""
                return data
        at = self.input.index(end) + len(end)
        data, self.input = self.input[:at], self.input[at:]
        return data

    def line(self):
        line = self.take_until(b"\n").decode()
        if not line.endswith("\n"):
            raise AssertionError(f"the stream has ended; the last of it: {line!r}")
        return line

    def rest(self):
        """What comes until the end of the stream."""
        while self._more():
            pass
        data, self.input = self.input, b""
        return data

    def response(self, head_only=False):
        """The next answer; None at the end of the stream."""
        head = self.take_until(b"\r\n\r\n")
        if not head:
            return None
        if not head.endswith(b"\r\n\r\n"):
            raise AssertionError(f"the head of an answer is cut short: {head!r}")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        fields = {}
        for line in lines:
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        version, status, _ = first.split(" ", 2)
        if version != "HTTP/1.1":
            raise AssertionError(f"no status line: {first!r}")
        size = 0 if head_only or status in ("100", "304") else int(fields["content-length"])
        body = self.take(size)
        if len(body) < size:
            raise AssertionError(f"a body of {size} bytes is cut short at {len(body)}")
        return Response(int(status), fields, body)

    def get(self, path, method="GET", fields="", body=""):
        self.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n{body}")
        return self.response(head_only=method == "HEAD")
