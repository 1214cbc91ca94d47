#!/usr/bin/env python3
"""Holds the load generator to its word: load_test.py LOAD lets it meet honest and lying servers."""

import json
import os
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
            for k in range(20000):
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=connection, args=(k, s), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        port = str(listener.getsockname()[1])
        done = subprocess.run([LOAD, kind, "--port", port, "--warmup", "0.05", "--seconds", "0.3",
                               *arguments], capture_output=True, text=True, timeout=100)
    return done.returncode, done.stderr.strip(), json.loads(done.stdout) if done.stdout else {}


def succeeds(name, serve, kind, *arguments, where=lambda figures: True):
    """The machine may be busy with other things: then a server here is slow, and is tried again."""
    for _ in range(5):
        status, message, figures = load(serve, kind, *arguments)
        if status != 0 or where(figures):
            break
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

def stream(piece, times=1 << 30):
    def serve(k, receive, send):
        for _ in range(times):
            send(piece)
    return serve


def burns(k, receive, send):
    """As echo, but a message of B takes a while; no other message holds one."""
    while data := receive():
        if data == b"B" * 64:
            time.sleep(0.002)
        assert data == b"B" * 64 or b"B" not in data
        send(data)


PIECE = bytes(i % 251 for i in range(65536))

succeeds("fixed rate, one by one", echo, "echo", "--connections", "5", "--rate", "1000", "--even",
         where=lambda f: 500 <= f["rate"] <= 1500)
succeeds("churn", echo, "churn", "--connections", "3", where=lambda f: f["answers"] > 10)
succeeds("stream", stream(PIECE), "stream", "--connections", "2", "--size", "65536",
         where=lambda f: f["answers"] > 10)
succeeds("stream in odd pieces", stream(PIECE * 7), "stream", "--size", "1000")
# 10 ms apart on each of 2 connections; the others ask again at once.
succeeds("burners", burns, "echo", "--connections", "4", "--burners", "2",
         where=lambda f: 0 < f["burn_rate"] < 250 and f["rate"] > f["burn_rate"])


def sleeps(k, receive, send):
    while data := receive():
        if data == b"S" * 64:
            time.sleep(0.6)
        assert data == b"S" * 64 or b"S" not in data
        send(data)


def stalls_all(k, receive, send, lock=threading.Lock()):
    while data := receive():
        with lock:
            if data == b"S" * 64:
                time.sleep(0.6)
        send(data)


succeeds("a sleeper", sleeps, "echo", "--connections", "4", "--sleeper",
         where=lambda f: f["free_p99"] > 0 and f["max"] < 250000)
# No connection has an answer when the count ends: they have waited nearly as long as it lasted.
succeeds("a sleeper stalls all", stalls_all, "echo", "--connections", "4", "--sleeper",
         where=lambda f: f["free_max"] < 200000 < f["max"])
succeeds("idle connections", echo, "echo", "--connections", "2", "--idle", "20",
         "--server-pid", str(os.getpid()), where=lambda f: f["alone_cpu"] > 0)

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
def closes_idle(k, receive, send):
    """All but the first two connections are closed after their first message."""
    send(receive())
    if k < 2:
        echo(k, receive, send)


def echo_flips_a_bit_of_the_20th(k, receive, send):
    while data := bytearray(receive()):
        data[0] ^= k == 20
        send(data)


fails("a wrong byte in a stream", "came as", stream(PIECE[:-1] + b"x"), "stream", "--size", "65536")
fails("a byte lost from a stream", "came as", stream(PIECE[:-1]), "stream")
fails("a stream that ends", "closed by the server", stream(PIECE, 3), "stream")
fails("churn: a wrong byte", "came back as", echo_flips_a_bit_of_the_20th, "churn")
fails("churn: no answer", "closed by the server|reset by peer",
      lambda k, receive, send: k < 20 and echo(k, receive, send), "churn")
fails("a sleeper that does not sleep", "did not sleep", echo, "echo", "--connections", "2",
      "--sleeper")
fails("idle connections closed", "no longer connected", closes_idle, "echo", "--connections", "2",
      "--idle", "20")
fails("idle connections unanswered", "no answer to its first",
      lambda k, receive, send: k < 2 and echo(k, receive, send), "echo", "--connections", "2",
      "--idle", "20")
fails("options that do not fit", "--burners goes with", echo, "echo", "--burners", "1")
fails("a fraction of a port", "--port is '80.5': expected a whole number from 1 to 65535", echo, "echo",
      "--port", "80.5")
fails("a number that goes on", "--seconds is '1s': expected a number from 0.01 to 300", echo, "echo",
      "--seconds", "1s")
fails("no server", "connect", echo, "echo", "--port", "1")
