"""A site for the tests of httpd: a few files below a root."""

import os
import tempfile

from loopback import Server

GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = "GET / HTTP/1.1\r\nHo"
BLOB = bytes((i * i >> 3) & 255 for i in range(1000))


def make_root(directory):
    contents = {"blob": BLOB, "a.txt": b"text\n", "page.html": b"<p>\n", "empty": b"",
                "sub/index.html": b"sub\n", ".hidden": b"secret\n",
                ".well-known/token": b"yes\n", ".well-known/.hidden": b"secret\n"}
    for name, data in contents.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    os.makedirs(os.path.join(directory, "odd", "index.html"))
    os.makedirs(os.path.join(directory, "\\evil.example"))
    os.makedirs(os.path.join(directory, "a|b"))
    os.symlink("loop", os.path.join(directory, "loop"))
    os.utime(os.path.join(directory, "blob"), (1700000000, 1700000000))


def begin_request(client):
    """Sends half a request behind a whole one, whose answer tells that the server has read both."""
    client.send(GET.format("/json") + HALF)
    assert client.response().status == 200


class Site:
    """httpd with a few files."""

    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        self.directory = tempfile.TemporaryDirectory()
        make_root(self.directory.name)
        self.server = Server("httpd", "--port", 0, "--root", self.directory.name, *self.args)
        return self.server

    def __exit__(self, *_):
        self.server.kill()
        self.directory.cleanup()


def root_of(server):
    args = open(f"/proc/{server.pid}/cmdline").read().split("\0")
    return args[args.index("--root") + 1]
