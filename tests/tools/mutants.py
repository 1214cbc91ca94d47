#!/usr/bin/env python3
"""Proves that the explorer (tests/sched/explore.h) finds bugs: it must find these.

mutants.py BUILD [TEST...]

Each row plants one bug in a copy of the source. The test of that name must fail then, print the
schedule, and fail with that schedule alone; without a bug it must pass. Text that is not found
exactly once is an error of the table.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from tally import Tally

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["include", "sched", "reactor", "runtime", "tests"]
LIBRARIES = ["runtime", "reactor", "sched"]

# TEST: (what is wrong, file, text, text instead)
MUTANTS = {
    "sched/deque": [
        ("push publishes without release", "sched/deque.c",
         "wf_store(&d->bottom, bottom + 1, SEQ_CST);", "wf_store(&d->bottom, bottom + 1, RELAXED);"),
        ("pop has no full barrier", "sched/deque.c",
         "wf_store(&d->bottom, bottom, SEQ_CST);", "wf_store(&d->bottom, bottom, RELEASE);"),
        ("pop takes the last task without asking", "sched/deque.c",
         "if (!wf_cas(&d->top, &top, top + 1, SEQ_CST))", "if (0)"),
        ("a thief takes without asking", "sched/deque.c",
         "if (wf_cas(&d->top, &top, top + 1, SEQ_CST))   /* [deque-2] */\n            return t;",
         "wf_store(&d->top, top + 1, SEQ_CST);\n        return t;"),
        ("a thief reads bottom before top", "sched/deque.c",
         "top = wf_load(&d->top, SEQ_CST);       /* [deque-2] */\n"
         "        int64_t                 bottom = wf_load(&d->bottom, SEQ_CST);",
         "bottom = wf_load(&d->bottom, SEQ_CST), top = wf_load(&d->top, SEQ_CST);"),
        ("growing forgets the oldest task", "sched/deque.c",
         "for (int64_t i = top; i < bottom; i++)", "for (int64_t i = top + 1; i < bottom; i++)"),
        ("room for one more than there is", "sched/deque.c",
         "if (bottom - top > b->mask)", "if (bottom - top > b->mask + 1)"),
    ],
    "sched/lock": [
        ("unlock does not release", "sched/lock.h",
         "wf_swap(lock, 0, RELEASE)", "wf_swap(lock, 0, RELAXED)"),
        ("unlock wakes nobody", "sched/lock.h", "wf_futex_wake(lock, 1);", ";"),
        ("a sleeper takes the lock as if nobody else slept", "sched/lock.h",
         "while (wf_swap(lock, 2, ACQUIRE) != 0)", "while (wf_swap(lock, 1, ACQUIRE) != 0)"),
    ],
    "sched/inject": [
        ("the count is raised after the lock", "sched/inject.c",
         "    wf_add(&q->n, n, SEQ_CST); /* [idle-1] */\n    wf_count(&q->n_total, n);\n"
         "    wf_unlock(&q->lock);\n",
         "    wf_count(&q->n_total, n);\n    wf_unlock(&q->lock);\n    wf_add(&q->n, n, SEQ_CST);\n"),
        ("the count is raised without a full barrier", "sched/inject.c",
         "wf_add(&q->n, n, SEQ_CST);", "wf_add(&q->n, n, RELEASE);"),
        ("take does not lock", "sched/inject.c",
         "    wf_lock(&q->lock);\n    first = last = q->first;",
         "    first = last = q->first;\n    wf_lock(&q->lock);"),
        ("a sleeper announces itself without a full barrier", "sched/idle.h",
         "% 64, SEQ_CST); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping",
         "% 64, RELEASE); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping"),
        ("who wakes counts the sleeper as searching too late", "sched/idle.c",
         "        wf_add(&idle->n_searching, 1, SEQ_CST); /* [idle-1] before the bit goes: I1 */\n"
         "        if (wf_idle_take(idle, (uint32_t)i))\n            return i;\n",
         "        if (wf_idle_take(idle, (uint32_t)i)) {\n"
         "            wf_add(&idle->n_searching, 1, SEQ_CST);\n            return i;\n        }\n"
         "        wf_add(&idle->n_searching, 1, SEQ_CST);\n"),
        ("a wake leaves the key as it was", "sched/park.h", "wf_add(&p->epoch, 1, RELEASE);", ";"),
        ("a wake wakes nobody", "sched/park.h", "wf_futex_wake(&p->epoch, 1);", ";"),
    ],
    "sched/idle": [
        ("a worker does not look once more before it sleeps", "sched/worker.c",
         "if (wf_executor_backlog(w->executor) > 0 || wf_executor_is_stopping",
         "if (wf_executor_is_stopping"),
        ("a sleeper announces itself without a full barrier", "sched/idle.h",
         "% 64, SEQ_CST); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping",
         "% 64, RELEASE); /* [idle-1] */\n}\n\nstatic inline bool wf_idle_is_sleeping"),
        ("a searcher stops without a full barrier", "sched/idle.h",
         "wf_sub(&idle->n_searching, 1, SEQ_CST) == 1", "wf_sub(&idle->n_searching, 1, RELEASE) == 1"),
        ("a push to the deque is no full barrier", "sched/deque.c",
         "wf_store(&d->bottom, bottom + 1, SEQ_CST);", "wf_store(&d->bottom, bottom + 1, RELEASE);"),
        ("a task injected wakes nobody", "sched/executor.c",
         "    wf_inject_push_any(&s->inject, first, last, n);\n    wf_executor_notify_any(s);\n",
         "    wf_inject_push_any(&s->inject, first, last, n);\n"),
        ("who stops searching leaves the rest alone", "sched/worker.c",
         "if (wf_idle_found(&w->executor->idle) && wf_executor_backlog(w->executor) > 0)",
         "if (wf_idle_found(&w->executor->idle) && 0)"),
    ],
    "sched/task": [
        ("a wake does not release", "sched/task.c",
         "wf_or(&t->state, WF_TASK_NOTIFIED, ACQ_REL)", "wf_or(&t->state, WF_TASK_NOTIFIED, RELAXED)"),
        ("a wake of a running task is lost", "sched/task.c",
         "return was & WF_TASK_NOTIFIED ? WF_TASK_IDLE_REQUEUE : WF_TASK_IDLE_DONE;",
         "return was & 0 ? WF_TASK_IDLE_REQUEUE : WF_TASK_IDLE_DONE;"),
        ("COMPLETE does not release", "sched/task.c",
         "~(uint64_t)WF_TASK_RUNNING,\n                   ACQ_REL)", "~(uint64_t)WF_TASK_RUNNING,\n"
         "                   RELAXED)"),
        ("a cancel does not release", "sched/task.c",
         "wf_or(&t->state, WF_TASK_NOTIFIED | WF_TASK_CANCEL, ACQ_REL)",
         "wf_or(&t->state, WF_TASK_NOTIFIED | WF_TASK_CANCEL, RELAXED)"),
        ("a poll that ends does not release to the next", "sched/task.c",
         "wf_sub(&t->state, WF_TASK_RUNNING, ACQ_REL)", "wf_sub(&t->state, WF_TASK_RUNNING, RELAXED)"),
        ("completing does not lock the joiner out", "sched/task.c",
         "    joiner_lock(t);\n    wf_waker_fire", "    wf_waker_fire"),
        ("a joiner does not look once more under the lock", "sched/task.c",
         "if (joiner_lock(t) & WF_TASK_COMPLETE) {", "if (joiner_lock(t) & 0) {"),
        ("a clone is not counted", "sched/task.c",
         "wf_add(&t->state, WF_TASK_REF, RELAXED);", "wf_add(&t->state, 0, RELAXED);"),
    ],
    "sched/combine": [
        ("the mark of a branch is set after the wake", "sched/combine.c",
         "    wf_swap(&b->woken_, 1, ACQ_REL); /* [combine-1] */\n"
         "    return b->group_->waker_.vtable->notify_(b->group_->waker_.data);",
         "    void *t = b->group_->waker_.vtable->notify_(b->group_->waker_.data);\n"
         "    wf_swap(&b->woken_, 1, ACQ_REL);\n    return t;"),
        ("the mark of a branch is cleared after its poll", "sched/combine.c",
         "    if (weft_poll_is_ready(weft_future_poll(b->future, cx)))\n        branch_ended(g, i);",
         "    if (weft_poll_is_ready(weft_future_poll(b->future, cx)))\n        branch_ended(g, i);\n"
         "    wf_swap(&b->woken_, 0, ACQ_REL);"),
    ],
    "runtime/oneshot": [
        ("the sender does not lock", "runtime/oneshot.c",
         "    wf_lock(&c->lock);\n    last = c->receiver_closed;\n    c->sent",
         "    last = c->receiver_closed;\n    c->sent"),
        ("the closing receiver looks before it locks", "runtime/oneshot.c",
         "    wf_lock(&c->lock);\n    last = c->sender_closed;",
         "    last = c->sender_closed;\n    wf_lock(&c->lock);"),
        ("the sender wakes nobody", "runtime/oneshot.c",
         "wf_waker_fire(&c->waiter->waker_, &wakes);", ";"),
        ("a cancelled receive leaves its waker", "runtime/oneshot.c",
         "wf_waker_forget(&wait->waker_);", ";"),
        ("the sender's wake is cut off by its unlock", "runtime/oneshot.c",
         "        wf_waker_fire(&c->waiter->waker_, &wakes);\n    wf_unlock(&c->lock);\n",
         "        wf_unlock(&c->lock), wf_waker_fire(&c->waiter->waker_, &wakes);\n"
         "    else\n        wf_unlock(&c->lock);\n"),
    ],
    "reactor/gate": [
        ("the gate closes without a full barrier", "reactor/gate.c",
         "wf_store(&driver->gate, 1, SEQ_CST);", "wf_store(&driver->gate, 1, RELEASE);"),
        ("the closed gate does not look for workers once more", "reactor/gate.c",
         " || wf_gate_present(g) == 0)", " || 0)"),
        ("the reactor announces its sleep without a full barrier", "reactor/reactor.c",
         "wf_store(&r->driver.sleeps_until, until, SEQ_CST);",
         "wf_store(&r->driver.sleeps_until, until, RELEASE);"),
        ("the reactor does not look for submissions once more", "reactor/reactor.c",
         "if (!wf_inbox_is_empty(&r->inbox) || wf_timers_next", "if (wf_timers_next"),
        ("a submission is no full barrier", "sched/inbox.h",
         "while (!wf_cas(&inbox->newest, &newest, s, SEQ_CST));",
         "while (!wf_cas(&inbox->newest, &newest, s, RELEASE));"),
        ("a kick is never forgotten", "reactor/reactor.c",
         "wf_store(&r->driver.kicked, 0, SEQ_CST);", ";"),
        ("the watch ends without a full barrier", "reactor/reactor.c",
         "wf_store(&r->driver.watching, false, SEQ_CST);",
         "wf_store(&r->driver.watching, false, RELEASE);"),
    ],
}


def copy_source(folder, mutant):
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("misuse", "tools"))
    if mutant:
        _, name, old, new = mutant
        text = (folder / name).read_text()
        if text.count(old) != 1:
            sys.exit(f"mutants.py: {name} has {text.count(old)} times, not once:\n{old}")
        (folder / name).write_text(text.replace(old, new))


def compile_test(folder, build, test):
    layer, name = test.split("/")
    seen = FOLDERS[:FOLDERS.index(layer) + 1]
    done = subprocess.run(
        ["gcc", "-std=gnu11", "-O2", "-w", "-D_GNU_SOURCE", "-DWEFT_PLAIN", "-DWEFT_STRICT",
         *[option for f in seen for option in ("-I", folder / f)],
         folder / f"tests/{layer}/test_{name}_orders.c", folder / "tests/plain.c", folder / "tests/test.c",
         *[build / f / f"libweft-{f}.a" for f in LIBRARIES if f in seen],
         "-luring", "-lck", "-pthread", "-o", folder / "program"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"mutants.py: {folder.name} does not compile:\n{done.stderr}")
    return folder / "program"


def run(program, case, **environment):
    try:
        done = subprocess.run([program, case], capture_output=True, text=True, timeout=120,
                              env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        return True, "still running after 120 s"
    return done.returncode == 0, done.stderr + done.stdout


def problem(folder, build, test, mutant):
    """What is wrong with what the test says of the mutant, or of the source (None)."""
    copy_source(folder, mutant)
    program = compile_test(folder, build, test)
    cases = subprocess.run([program, "--list"], capture_output=True, text=True).stdout.split()
    for case in cases:
        passed, said = run(program, case)
        if passed:
            continue
        if not mutant:
            return said
        replay = re.search(r'EXPLORE_REPLAY="(.*)"', said)
        if not replay:
            return "no schedule was printed:\n" + said
        passed, said = run(program, case, EXPLORE_REPLAY=replay[1])
        return "its schedule alone passes:\n" + said if passed else None
    return "not found" if mutant else None


parser = argparse.ArgumentParser()
parser.add_argument("build", type=pathlib.Path)
parser.add_argument("tests", nargs="*", metavar="TEST", help="sched/deque, ...; all by default")
args = parser.parse_args()

jobs = [(test, mutant) for test, mutants in MUTANTS.items() for mutant in [None, *mutants]
        if test in (args.tests or MUTANTS)]
tally = Tally()
with tempfile.TemporaryDirectory() as scratch, \
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    found = pool.map(lambda n: problem(pathlib.Path(scratch, str(n)), args.build, *jobs[n]),
                     range(len(jobs)))
    for (test, mutant), what in zip(jobs, found):
        tally.check(not what, f"{test}: {mutant[0] if mutant else 'no bug'}: {what}")
tally.finish()
