"""The gdb commands `weft`: the tasks of a program, and the stacks of its fibers.

weft tasks [COUNT]    the tasks of all runtimes, at most COUNT (100; 0: all)
weft fibers [COUNT]   those that are fibers
weft fiber N          goes to the stack of a fiber: bt, up, frame, info locals work there
weft back             returns to the thread's own stack

They only read memory: they work in a live process and in a core file, and change neither. N is the number
of the list, or the address of the task. gdb needs the debug information of libweft.
docs/debugging.md is the guide.
"""
import itertools
import struct

import gdb
import gdb.unwinder

SHOWN = 100
# The state word: sched/word.h.
RUNNING, NOTIFIED, COMPLETE, CANCEL, PANIC, BOUND_SHIFT = 1, 2, 4, 8, 16, 48
# The states of a fiber: sched/fiber.h.
FIBER_RUNS = 1
# A fiber that stands still begins with these registers: sched/base/switch_*.S. "size" of them are
# popped.
SAVED = {
    "x86-64": {"size": 64, "sp": "rsp", "pc": "rip", "at": {
        "r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48, "rip": 56}},
    "aarch64": {"size": 176, "sp": "sp", "pc": "pc", "at": {
        **{f"x{19 + i}": 8 * i for i in range(12)}, "pc": 88}},
}
SLOT_STEP = 32 # of wf_slab.slot_size, in bytes: sched/slot.h
READ_WHOLE = 1024 # slots up to this size are read a slab at a time


def value(text):
    return gdb.parse_and_eval(text)


def number(text):
    """The number that the user has written, as a line to the user if it is none."""
    try:
        found = int(value(text))
    except gdb.error as error:
        raise gdb.GdbError(f"{text} is no number: {error}") from None
    if found < 0:
        raise gdb.GdbError(f"{text} is less than 0")
    return found


def word(address):
    return struct.unpack("<Q", gdb.selected_inferior().read_memory(address, 8).tobytes())[0]


def readable(read):
    """What `read` returns, or "?": a core file may lack some memory."""
    try:
        return read()
    except gdb.MemoryError:
        return "?"


def string(pointer):
    """(text, what follows its NUL): a name and the place behind it."""
    name = pointer.string(errors="replace")
    return name, (pointer + len(name.encode()) + 1).string(errors="replace")


def runtimes():
    """LTO describes the list once more, without its address, and gdb finds either first."""
    found = [symbol.value() for symbol in gdb.lookup_static_symbols("wf_runtimes")]
    listed = next((one for one in found if not one.is_optimized_out), None)
    if listed is None:
        raise gdb.GdbError("this program has no weft, or weft has no debug information")
    low, high = listed.type.range()
    return [listed[i].dereference() for i in range(low, high + 1) if int(listed[i])]


# ---- tasks ----

class Task:
    """A task of a runtime: what the commands show of it."""

    def __init__(self, number, address, rt):
        self.number, self.address, self.rt = number, address, rt
        self.task = gdb.Value(address).cast(gdb.lookup_type("wf_task").pointer()).dereference()
        self.state = int(self.task["state"])
        self.future = self.task["frame"]["future"]
        self.fiber = None
        if int(self.future["ops"]) == int(value("&wf_fiber_ops")):
            self.fiber = self.task["frame"].address.cast(gdb.lookup_type("wf_fiber").pointer()).dereference()

    def name(self):
        name, place = string(self.task["site"])
        return (f"panicked: {name}", "") if self.state & PANIC else (name, place)

    def is_polled(self):
        return any(bool(w["polling"]) and int(w["polled"]) == self.address for w in workers(self.rt))

    def state_text(self):
        if self.is_polled():
            text = "runs"
        else:
            text = "ready" if self.state & (RUNNING | NOTIFIED) else "waits"
        return text + (", cancelled" if self.state & CANCEL else "")

    def worker(self):
        """The worker that runs or must run it, or None."""
        if self.state >> BOUND_SHIFT:
            return (self.state >> BOUND_SHIFT) - 1
        polling = (int(w["index"]) for w in workers(self.rt)
                   if bool(w["polling"]) and int(w["polled"]) == self.address)
        return next(polling, None)

    def body(self):
        """What a fiber has once it has started, or None."""
        return self.fiber["in"]["body"].dereference() if self.fiber and int(self.fiber["in"]["body"]) else None

    def stack(self):
        """(lowest address, highest address) of a fiber's stack."""
        at = self.fiber["in"]["stack"]
        end = int(at) + at.dereference().type.sizeof
        return end - int(at["size"]), end

    def stack_text(self):
        if not self.fiber or not int(self.fiber["in"]["stack"]):
            return "-"
        low, high = self.stack()
        size = (high - low) >> 10
        body = self.body()
        if body is None:
            return f"new, of {size} KiB"
        if int(body["state"]) == FIBER_RUNS:
            return f"in use, of {size} KiB"
        return f"{(high - int(body['own'])) / 1024:.1f} of {size} KiB"

    def awaits(self):
        """The names of the futures from the task down to what it waits for."""
        names, frame = [], self.task["frame"]
        while int(frame["awaiting_"]):
            future = frame["awaiting_"].dereference()
            names.append(string(future["ops"]["name"])[0])
            if not is_frame(future):
                break
            frame = future.address.cast(gdb.lookup_type("weft_frame").pointer()).dereference()
        return " > ".join(names)


def is_frame(future):
    """Whether the future is an async function. A program may have an address of its own for weft's
    function, so its name decides."""
    symbol = gdb.execute(f"info symbol {int(future['ops']['cancel'])}", to_string=True)
    return symbol.startswith("weft_frame_cancel_")


def workers(rt):
    executor = rt["executor"].dereference()
    return [executor["workers"][i].dereference() for i in range(int(executor["idle"]["n_slots"]))]


def slots(region, slab):
    """(address, state word, ops) of each slot of the slab that was ever used."""
    size, n = int(slab["slot_size"]) * SLOT_STEP, int(slab["n_carved"])
    first = int(region.address) + int(slab["offset"])
    kind = gdb.lookup_type("wf_task")
    # Ops are what a frame begins with.
    state, ops = (kind[name].bitpos // 8 for name in ("state", "frame"))
    head = ops + 8
    step = size if size <= READ_WHOLE else head
    read = gdb.selected_inferior().read_memory
    if size <= READ_WHOLE:
        memory = read(first, n * size).tobytes() if n else b""
    else:
        memory = b"".join(read(first + i * size, head).tobytes() for i in range(n))
    for i in range(n):
        yield (first + i * size, struct.unpack_from("<Q", memory, i * step + state)[0],
               struct.unpack_from("<Q", memory, i * step + ops)[0])


def tasks(only_fibers=False):
    """(number, address, runtime) of all tasks that have not ended."""
    number = 0
    fibers = int(value("&wf_fiber_ops"))
    for rt in runtimes():
        region = rt["executor"]["memory"]["first"]
        while int(region):
            slabs = region["slab"]
            low, high = slabs.type.range()
            for i in range(low, high + 1):
                if not int(slabs[i]["capacity"]):
                    continue
                for address, state, ops in slots(region.dereference(), slabs[i]):
                    if not state or state & COMPLETE:
                        continue
                    number += 1
                    if not only_fibers or ops == fibers:
                        yield number, address, rt
            region = region["next"]


def find(text):
    """The task of that number or address."""
    wanted = number(text)
    for at, address, rt in tasks():
        if wanted in (at, address):
            return Task(at, address, rt)
    raise gdb.GdbError(f"no task has the number or the address {text}; weft tasks lists them")


def show(listed, most):
    rows = [("N", "address", "name", "spawned at", "state", "worker", "stack", "awaits")]
    for number, address, rt in itertools.islice(listed, most or None):
        task = Task(number, address, rt)
        name, place = task.name()
        worker = task.worker()
        rows.append((str(task.number), hex(task.address), name, place, task.state_text(),
                     "-" if worker is None else str(worker), readable(task.stack_text),
                     readable(task.awaits) or "-"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    more = sum(1 for _ in listed)
    if more:
        print(f"and {more} more; a number behind the command says how many are shown, 0 shows all")


# ---- a fiber's stack in place of the thread's ----

class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Selection:
    """The fiber whose frames gdb shows above frame 0, the place where the thread really is."""

    def __init__(self, task):
        frame = gdb.newest_frame()
        self.saved = SAVED.get(frame.architecture().name().replace("i386:", ""))
        if not self.saved:
            raise gdb.GdbError("not known how the registers of a fiber are saved on this processor")
        self.own = int(task.body()["own"])
        self.at = (int(frame.read_register(self.saved["sp"])), frame.pc())

    def holds(self, frame):
        """Whether it is the thread's innermost frame."""
        return self.at == (int(frame.read_register(self.saved["sp"])),
                           int(frame.read_register(self.saved["pc"])))

    def unwind(self, pending):
        """What frame 0 is told of its caller. Its own address is given as one below the fiber's
        stack, since gdb refuses callers that are inside of what they call."""
        info = pending.create_unwind_info(FrameId(
            gdb.Value(self.own - 16).cast(pending.read_register(self.saved["sp"]).type),
            pending.read_register(self.saved["pc"])))
        registers = {name: word(self.own + at) for name, at in self.saved["at"].items()}
        registers[self.saved["sp"]] = self.own + self.saved["size"]
        for name, content in registers.items():
            kind = pending.read_register(name).type
            info.add_saved_register(name, gdb.Value(content).cast(kind))
        return info


selection = None


class FiberUnwinder(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__("weft fibers")

    def __call__(self, pending):
        if selection and selection.holds(pending):
            return selection.unwind(pending)
        return None


class FiberFilter:
    """Leaves frame 0 out of a backtrace while a fiber is selected."""

    def __init__(self):
        self.name, self.priority, self.enabled = "weft fibers", 100, True
        gdb.frame_filters[self.name] = self

    def filter(self, frames):
        if not selection:
            return frames
        return (f for f in frames if f.inferior_frame().level() > 0 or not selection.holds(f.inferior_frame()))


def select(new):
    global selection
    if not selection and not new:
        return
    selection = None
    gdb.invalidate_cached_frames()
    gdb.newest_frame().select()
    selection = new() if new else None
    gdb.invalidate_cached_frames()
    frame = gdb.newest_frame()
    (frame.older() or frame if new else frame).select()


def forget(_):
    """The process runs on, so what was selected is no more."""
    global selection
    selection = None


def thread_on(low, high):
    """The thread that runs on that stack, or None."""
    before = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            if low <= int(gdb.newest_frame().read_register("sp")) <= high:
                return thread
    finally:
        before.switch()
    return None


def go_to(task):
    if not task.fiber:
        raise gdb.GdbError("it is no fiber and has no stack; weft tasks says what it awaits")
    body = task.body()
    if body is None:
        raise gdb.GdbError("the fiber has not started yet")
    select(None)
    if int(body["state"]) != FIBER_RUNS:
        select(lambda: Selection(task))
        return
    thread = thread_on(*task.stack())
    if not thread:
        raise gdb.GdbError("the fiber runs, but no thread is on its stack")
    thread.switch()
    print(f"It runs on thread {thread.num}.")


# ---- the commands ----

class Weft(gdb.Command):
    """What weft does in the program: its tasks, and the stacks of its fibers.

weft tasks [COUNT]    the tasks of all runtimes
weft fibers [COUNT]   those that are fibers
weft fiber N          goes to the stack of a fiber
weft back             returns to the thread's own stack"""

    def __init__(self):
        super().__init__("weft", gdb.COMMAND_STACK, prefix=True)


class Tasks(gdb.Command):
    """Lists the tasks of all runtimes: weft tasks [COUNT].

At most COUNT of them (100), or all if it is 0. `runs` is being polled, `ready` waits for its turn, `waits`
waits for what it awaits. The worker is the one that runs it, or that only may run it. Of a stack it says
how much is in use now."""

    def __init__(self, name="weft tasks", only_fibers=False):
        super().__init__(name, gdb.COMMAND_STACK)
        self.only_fibers = only_fibers

    def invoke(self, text, _from_tty):
        show(tasks(self.only_fibers), number(text) if text else SHOWN)


class Fibers(Tasks):
    """Lists the fibers of all runtimes: weft fibers [COUNT]. See weft tasks."""

    def __init__(self):
        super().__init__("weft fibers", True)


class Fiber(gdb.Command):
    """Goes to the stack of a fiber: weft fiber N.

N is its number in weft tasks, or the address of its task. bt, up, down, frame and info locals then show the
fiber, until `weft back`, or until the process runs on."""

    def __init__(self):
        super().__init__("weft fiber", gdb.COMMAND_STACK)

    def invoke(self, text, _from_tty):
        if not text:
            raise gdb.GdbError("which one? weft fibers lists them")
        task = find(text)
        go_to(task)
        name, place = task.name()
        print(f"Fiber {task.number}, {name} (spawned at {place}), {task.state_text()}, "
              f"awaits {readable(task.awaits) or 'nothing'}")
        gdb.execute("bt")


class Back(gdb.Command):
    """Returns from a fiber to the thread's own stack: weft back."""

    def __init__(self):
        super().__init__("weft back", gdb.COMMAND_STACK)

    def invoke(self, _text, _from_tty):
        select(None)
        gdb.execute("frame")


for command in Weft, Tasks, Fibers, Fiber, Back:
    command()
FiberFilter()
gdb.unwinder.register_unwinder(None, FiberUnwinder(), replace=True)
gdb.events.cont.connect(forget)
