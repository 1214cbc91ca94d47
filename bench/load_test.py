#!/usr/bin/env python3
"""Holds the load generator to its word: load_test.py LOAD lets it meet honest and lying servers."""

import json
import re
import socket
import subprocess
import sys
import threading
import time

LOAD = sys.argv[1]
BODY = b"Hello, World!"


def answer(status=b"200 OK", length=len(BODY), body=BODY):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, length, body)


def load(serve, kind, *arguments):
    """Runs load against a server that calls serve(k, receive, send) for its kth connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def connection(k, s):
            with s:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                try:
                    serve(k, lambda: s.recv(65536), s.sendall)
                except OSError:
                    pass

        def accept():
            for k in range(1000):
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=connection, args=(k, s), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        port = str(listener.getsockname()[1])
        done = subprocess.run([LOAD, kind, "--port", port, "--warmup", "0.05", "--seconds", "0.3",
                               *arguments], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stderr.strip(), json.loads(done.stdout) if done.stdout else {}


def succeeds(name, serve, kind, *arguments, where=lambda figures: True):
    status, message, figures = load(serve, kind, *arguments)
    assert status == 0 and where(figures), f"{name}: status {status}, {message or figures}"
    print(f"ok: {name}")


def fails(name, expected, serve, kind, *arguments):
    status, message, figures = load(serve, kind, *arguments)
    right = status == 1 and re.search(expected, message)
    assert right, f"{name}: status {status}, {message or figures}"
    print(f"ok: {name}: {message}")


# ---- honest servers ----


def echo(k, receive, send):
    while data := receive():
        send(data)


def echo_late(k, receive, send):
    while data := receive():
        time.sleep(0.02)
        send(data)


def echo_stalls_once(k, receive, send):
    n = 0
    while data := receive():
        n += 1
        if n == 10:
            time.sleep(0.5)
        send(data)


def http(reply, piece=1 << 20):
    """Answers each request with reply(its number on the connection), in pieces."""
    def serve(k, receive, send):
        text, n = b"", 0
        while data := receive():
            text += data
            out = b""
            while b"\r\n\r\n" in text:
                _, text = text.split(b"\r\n\r\n", 1)
                out += reply(n)
                n += 1
            for i in range(0, len(out), piece):
                send(out[i:i + piece])
    return serve


succeeds("echo", echo, "echo", "--connections", "4")
succeeds("echo of large messages", echo, "echo", "--connections", "2", "--size", "1000000")
succeeds("echo several at once", echo, "echo", "--connections", "3", "--depth", "7",
         "--size", "999")
succeeds("latency", echo_late, "echo", where=lambda f: 20000 <= f["p50"] <= 60000)
succeeds("fixed rate", echo, "echo", "--connections", "5", "--rate", "1000",
         where=lambda f: 500 <= f["rate"] <= 1500)
# Half of the requests fall into the stall: each of them was late, not just the first.
succeeds("fixed rate counts from when it was due", echo_stalls_once, "echo", "--rate", "100",
         "--seconds", "1", where=lambda f: f["p90"] > 200000)
succeeds("http", http(lambda n: answer()), "http", "--size", "13",
         where=lambda f: f["bytes"] == len(answer()))
succeeds("http pipelined, in pieces", http(lambda n: answer(), 7), "http", "--size", "13",
         "--depth", "16", "--connections", "2")

# ---- lying servers ----


def echo_flips_a_bit(k, receive, send):
    n = 0
    while data := bytearray(receive()):
        n += len(data)
        if n > 6400:
            data[0] ^= 1
        send(data)


def echo_mixes_up(k, receive, send, stash=[]):
    while data := receive():
        stash.append(data)
        send(stash[0])


def echo_adds_a_byte(k, receive, send):
    send(receive() + b"x")
    echo(k, receive, send)


def echo_leaves(k, receive, send):
    for _ in range(10):
        send(receive())


def echo_forgets_one(k, receive, send):
    n = 0
    while data := receive():
        n += 1
        if k != 1 or n < 20:
            send(data)


fails("a wrong byte", "came back as", echo_flips_a_bit, "echo")
fails("another's bytes", "came back as", echo_mixes_up, "echo", "--connections", "2")
fails("a byte too many", "", echo_adds_a_byte, "echo")
fails("a connection closed", "closed by the server|reset by peer|Broken pipe", echo_leaves,
      "echo", "--connections", "3")
fails("one connection forgotten", "no answer for 5 s", echo_forgets_one, "echo",
      "--connections", "3")
fails("a wrong status", "HTTP/1.1 500 Oops",
      http(lambda n: answer() if n < 50 else answer(b"500 Oops")), "http", "--size", "13")
fails("a wrong length", "body of 12 bytes instead of 13",
      http(lambda n: answer() if n < 50 else answer(length=12, body=BODY[1:])),
      "http", "--size", "13")
fails("no length", "no Content-Length", http(lambda n: b"HTTP/1.1 200 OK\r\n\r\n"),
      "http", "--size", "13")
fails("a body cut short", "", http(lambda n: answer(body=BODY[1:])), "http", "--size", "13",
      "--depth", "2")
fails("an answer too many", "an answer to nothing", http(lambda n: answer() * 2),
      "http", "--size", "13")
fails("nobody there", "connect", echo, "echo", "--port", "1")
