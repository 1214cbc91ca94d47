#!/usr/bin/env python3
"""Seccomp filters for the programs of tests, as container runtimes install them.

seccomp.py [--error NAME] COMMAND [ARGUMENT...] runs a command that is denied io_uring, with EPERM or another error.
"""
import ctypes
import errno
import os
import re
import struct
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ERRNO, RET_ALLOW = 0x00050000, 0x7FFF0000
LOAD_NR, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
IO_URING = [425, 426, 427]  # setup, enter, register; the same on all machines


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def deny(numbers=IO_URING, error=errno.EPERM):
    """For preexec_fn: these system calls answer the error from now on."""
    return installer(numbers, RET_ERRNO | error, RET_ALLOW)


def allow_only(names, error=errno.EPERM):
    """For preexec_fn: all other system calls answer the error from now on. Names that this machine
    does not have are skipped."""
    said = subprocess.check_output(["cc", "-E", "-dM", "-include", "sys/syscall.h", "-x", "c", "/dev/null"],
                                   text=True)
    numbers = {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)", said)}
    return installer([numbers[name] for name in names if name in numbers], RET_ALLOW, RET_ERRNO | error)


def installer(numbers, answer, otherwise):
    code = [(LOAD_NR, 0, 0, 0)]
    for number in numbers:
        code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, answer)]
    code.append((RETURN, 0, 0, otherwise))
    text = b"".join(struct.pack("=HBBI", *step) for step in code)

    def install():
        libc = ctypes.CDLL(None, use_errno=True)
        program = Program(len(code), text)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
                libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
            raise OSError(ctypes.get_errno(), "seccomp")
    return install


if __name__ == "__main__":
    command, error = sys.argv[1:], "EPERM"
    if command[0] == "--error":
        error, command = command[1], command[2:]
    deny(error=getattr(errno, error))()
    os.execvp(command[0], command)
