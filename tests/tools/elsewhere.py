"""Which plain tests run on other kernels and machines, and what is left out there, by name and why.

A row of a table is (program, case, why). The names are patterns. A row without a case leaves out
the program.
"""
from fnmatch import fnmatch

from machine import Run

# What never goes elsewhere.
ALWAYS = [
    ("*_orders", None, "explores a model, which no kernel has a part in"),
    ("test_fault_sweep", None, "takes minutes on real hardware"),
]
NO_RING = [
    ("test_reactor_operation", None, "needs a ring"),
    ("test_reactor_ring", None, "needs a ring"),
    ("test_reactor_socket", None, "needs a ring"),
    ("test_reactor_socket_room", None, "needs a ring"),
    ("test_runtime_ring_lost", None, "needs a ring"),
    ("test_runtime_backend", "*/where_the_ring_may_not_be_entered_*", "needs a ring"),
    ("test_runtime_zero_copy", None, "needs a ring"),
    ("test_runtime_nonblock", "*/a_terminal_that_is_not_read_*", "needs a ring"),
    ("test_runtime_ring_denied", "*/too_few_descriptors_name_the_limit", "needs a ring"),
    ("test_runtime_ring_denied", "*a_filter_on_io_uring_*", "needs a ring"),
    ("test_fault_environment", "*locked_memory*", "needs a ring"),
    ("test_fault_environment", "*more_events_than_the_ring_has_room_for", "needs a ring"),
    ("test_fault_environment", "*each_kind_of_ring_does_everything", "needs a ring"),
]
TMPFS = [
    ("test_runtime_file_cached", None,
     "the machine's files are on tmpfs, which this kernel can't read without waiting"),
]
NO_ZERO_COPY = [
    ("test_runtime_zero_copy", None, "SEND_ZC is of Linux 6.0"),
]
# Before Linux 4.20.
OLD = [
    ("test_runtime_multicast", "*/all_groups_are_switched_off", "IPV6_MULTICAST_ALL is of 4.20"),
]


class Choice:
    """The runs that the tables leave, and the lines that say what they leave out."""

    def __init__(self, build, patterns, *tables):
        rows = [row for table in (ALWAYS, *tables) for row in table]
        self.runs, self.notes = [], []
        programs = [p for p in (build / "tests").rglob("test_*")
                    if p.is_file() and "." not in p.name]
        for program in sorted(programs, key=lambda p: p.name):
            if not any(fnmatch(program.name, pattern) for pattern in patterns):
                continue
            mine = [row for row in rows if fnmatch(program.name, row[0])]
            out = [why for _, case, why in mine if not case]
            if out:
                if not any(row in ALWAYS for row in mine): # those are not told each time
                    self.notes.append(f"skipped {program.name}: {out[0]}")
                continue
            args = []
            for _, case, why in mine:
                args += ["--except", case]
                self.notes.append(f"skipped {program.name}, {case}: {why}")
            self.runs.append(Run(program, *args))

