"""A client of redisd for its tests: it sends requests, raw or encoded, and reads answers."""

import os
import shutil
import tempfile

from loopback import Client, Server, wait_until

# Redis itself. redis-server and redis-check-rdb are one program, which goes by the name that it is
# called by. Debian's redis-tools has it as the latter, and starts no service.
REDIS_SERVER = shutil.which("redis-server") or shutil.which("redis-check-rdb")


def encode(*args):
    """A request: an array of bulk strings."""
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Error(str):
    """An answer that begins with "-"."""


class Redis(Client):
    def ask(self, *args):
        self.send(encode(*args))
        return self.answer()

    def words(self, line):
        return self.ask(*line.split())

    def answer(self):
        """A str of a status, an Error, a number, bytes, a list, or None."""
        line = self.line()[:-2]
        kind, rest = line[0], line[1:]
        if kind == "+":
            return rest
        if kind == "-":
            return Error(rest)
        if kind == ":":
            return int(rest)
        if kind == "$":
            return None if rest == "-1" else self.take(int(rest) + 2)[:-2]
        assert kind == "*", line
        return None if rest == "-1" else [self.answer() for _ in range(int(rest))]

    def info(self, field):
        text = self.ask("INFO").decode()
        return next(line.partition(":")[2] for line in text.split("\r\n") if line.startswith(field + ":"))

    def wait_for_blocked(self, n):
        assert wait_until(lambda: self.info("blocked_clients") == str(n)), f"{n} clients do not wait"


class RedisServer(Server):
    def __init__(self, *args, env=None):
        super().__init__("redisd", "--port", 0, *args, env=env)

    def connect(self, **options):
        return Redis(self.port, **options)


class Log:
    """The path of a log in a folder of its own, and servers that use it."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "log")
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def server(self, *args, env=None):
        return RedisServer("--append-only", self.path, *args, env=env)

    def bytes(self):
        with open(self.path, "rb") as f:
            return f.read()
